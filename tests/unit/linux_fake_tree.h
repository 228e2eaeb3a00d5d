// SPDX-License-Identifier: LGPL-2.1-or-later
// A folder that looks like /sys and /proc to the linux backend's parts that read files. It has no behaviour:
// a write changes the file, and that is all.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "backends/linux/paths.h"

namespace cxlmemd {

class FakeTree final {
 public:
    FakeTree() {
        std::string name = ::testing::TempDir() + "cxlmemd-tree-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::filesystem::filesystem_error("mkdtemp", {});
        root_ = name;
        std::filesystem::create_directories(root_ / "sys");
        std::filesystem::create_directories(root_ / "proc");
    }
    ~FakeTree() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;

    [[nodiscard]] LinuxPaths paths() const {
        return {.sys = root_ / "sys",
                .proc = root_ / "proc",
                .etc = root_ / "etc",
                .run = root_ / "run",
                .lib = root_ / "usr/lib",
                .local_lib = root_ / "usr/local/lib"};
    }

    // `path` is below the root: "sys/devices/system/memory/block_size_bytes".
    void file(const std::string& path, std::string_view text) const {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    void folder(const std::string& path) const { std::filesystem::create_directories(root_ / path); }
    void link(const std::string& path, const std::string& target) const {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::filesystem::remove(root_ / path);
        std::filesystem::create_symlink(target, root_ / path);
    }
    // Takes the place of what is at `to`.
    void rename(const std::string& path, const std::string& to) const {
        std::filesystem::rename(root_ / path, root_ / to);
    }
    void remove(const std::string& path) const { std::filesystem::remove_all(root_ / path); }
    [[nodiscard]] std::string text(const std::string& path) const {
        std::ifstream in(root_ / path);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    void block_size() const { file("sys/devices/system/memory/block_size_bytes", "8000000\n"); }
    void block(int index, std::string_view state, std::string_view zones, int node = 1) const {
        const std::string at = "sys/devices/system/memory/memory" + std::to_string(index);
        file(at + "/state", state);
        file(at + "/valid_zones", zones);
        file(at + "/removable", "1\n");
        link(at + "/node" + std::to_string(node), "../../node/node" + std::to_string(node));
    }
    // A dax device with one range of whole blocks, bound to kmem.
    void dax(const std::string& name, std::uint64_t first_block, std::uint64_t blocks) const {
        const std::string real = "sys/devices/platform/hmem.0/" + name;
        const std::uint64_t size = 0x8000000;
        file(real + "/mapping0/start", std::to_string(first_block * size));
        file(real + "/mapping0/end", std::to_string((first_block + blocks) * size - 1));
        link("sys/bus/dax/devices/" + name, "../../../devices/platform/hmem.0/" + name);
        for (const char* driver : {"kmem", "device_dax"}) {
            for (const char* attribute : {"bind", "unbind", "new_id", "remove_id"}) {
                file("sys/bus/dax/drivers/" + std::string(driver) + "/" + attribute, "");
            }
        }
        bound(name, "kmem");
    }
    void bound(const std::string& name, const std::string& driver) const {
        const std::string real = "sys/devices/platform/hmem.0/" + name + "/driver";
        if (driver.empty()) {
            remove(real);
        } else {
            link(real, "../../../../bus/dax/drivers/" + driver);
        }
    }

 private:
    std::filesystem::path root_;
};

}  // namespace cxlmemd
