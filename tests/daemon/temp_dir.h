// SPDX-License-Identifier: LGPL-2.1-or-later
// A folder of its own for a test; gone afterwards.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace cxlmemd::test {

class TempDir final {
 public:
    TempDir() {
        ::umask(022);  // no configuration counts that a group may write
        std::string pattern = (std::filesystem::temp_directory_path() / "cxlmemd-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
        path_ = pattern;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ec;
        std::filesystem::remove_all(path_, ec);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    std::filesystem::path write(const std::string& name, const std::string& text) const {
        const auto file = path_ / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream{file} << text;
        return file;
    }

 private:
    std::filesystem::path path_;
};

}  // namespace cxlmemd::test
