// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/sysfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

namespace cxlmemd::sysfs {

namespace {

constexpr std::size_t largest_file = 16U << 20;  // /proc/iomem and zoneinfo of the largest machines fit
constexpr int most_in_a_list = 65536;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() &&
           (text.back() == '\n' || text.back() == ' ' || text.back() == '\t' || text.back() == '\0')) {
        text.remove_suffix(1);
    }
    return text;
}

template <class Number>
std::optional<Number> all_of(std::string_view text, int base) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        const Fd old(std::exchange(fd_, other.release()));
    }
    return *this;
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

int Fd::release() {
    return std::exchange(fd_, -1);
}

Fd open_folder(const std::string& path) {
    return Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

OrErrno<std::string> read_at(int folder, const std::string& path) {
    const Fd fd(::openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(errno);
    std::string text;
    std::array<char, 4096> page{};  // an attribute is a page at most: one read, and one that says end
    while (text.size() < largest_file) {
        const ssize_t got = ::read(fd.get(), page.data(), page.size());
        if (got < 0) return tl::unexpected(errno);
        if (got == 0) break;
        text.append(page.data(), static_cast<std::size_t>(got));
    }
    text.resize(trimmed(text).size());
    return text;
}

OrErrno<std::string> read_attribute_at(int folder, const std::string& path) {
    const Fd fd(::openat(folder, path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(errno);
    std::array<char, 4096> page{};
    const ssize_t got = ::read(fd.get(), page.data(), page.size());
    if (got < 0) return tl::unexpected(errno);
    return std::string(trimmed({page.data(), static_cast<std::size_t>(got)}));
}

OrErrno<std::string> read(const std::string& path) {
    return read_at(AT_FDCWD, path);
}

OrErrno<> write_fd(int fd, std::string_view value) {
    const ssize_t put = ::write(fd, value.data(), value.size());
    if (put < 0) return tl::unexpected(errno);
    if (static_cast<std::size_t>(put) != value.size()) return tl::unexpected(EIO);
    return {};
}

OrErrno<Fd> open_to_write(const std::string& path) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid()) return tl::unexpected(errno);
    return fd;
}

OrErrno<> write(const std::string& path, std::string_view value) {
    const auto fd = open_to_write(path);
    return fd ? write_fd(fd->get(), value) : tl::unexpected(fd.error());
}

std::optional<std::uint64_t> to_number(std::string_view text, int base) {
    if (base == 0) {
        const bool hex = text.starts_with("0x") || text.starts_with("0X");
        if (hex) text.remove_prefix(2);
        base = hex ? 16 : 10;
    }
    return all_of<std::uint64_t>(text, base);
}

std::optional<int> to_int(std::string_view text) {
    return all_of<int>(text, 10);
}

OrErrno<std::uint64_t> number_or_errno(const std::string& path, int base) {
    const auto text = read(path);
    if (!text) return tl::unexpected(text.error());
    const auto number = to_number(*text, base);
    if (!number) return tl::unexpected(0);
    return *number;
}

std::optional<std::uint64_t> read_number(const std::string& path, int base) {
    const auto text = read(path);
    return text ? to_number(*text, base) : std::nullopt;
}

std::optional<int> read_int(const std::string& path) {
    const auto text = read(path);
    return text ? to_int(*text) : std::nullopt;
}

std::optional<std::uint64_t> number_after(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return std::nullopt;
    return all_of<std::uint64_t>(name.substr(prefix.size()), 10);
}

std::vector<int> to_list(std::string_view text) {
    std::vector<int> out;
    while (!text.empty()) {
        const std::string_view item = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), item.size() + 1));
        const std::size_t dash = item.find('-', 1);
        const auto first = to_int(item.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : to_int(item.substr(dash + 1));
        if (!first || !last || *first < 0 || *last < *first || *last - *first >= most_in_a_list) break;
        for (int i = *first; i < *last; ++i) out.push_back(i);
        out.push_back(*last);
    }
    return out;
}

OrErrno<std::string> link_or_errno(const std::string& path) {
    std::array<char, 4096> target{};
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    if (size < 0) return tl::unexpected(errno);
    std::string_view text(target.data(), static_cast<std::size_t>(size));
    text.remove_prefix(text.rfind('/') + 1);  // npos + 1 is 0
    return std::string(text);
}

std::optional<std::string> link_name(const std::string& path) {
    auto name = link_or_errno(path);
    return name ? std::optional{std::move(*name)} : std::nullopt;
}

std::optional<std::uint64_t> inode(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return std::nullopt;
    return found.st_ino;
}

std::optional<std::uint64_t> link_inode_at(int folder, const std::string& path) {
    struct stat found {};
    if (::fstatat(folder, path.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
    return found.st_ino;
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

OrErrno<bool> is_there(const std::string& path) {
    if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (is_absence(errno)) return false;
    return tl::unexpected(errno);
}

namespace {

template <class Take>
OrErrno<> each_entry(const std::string& folder, const Take& take) {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(folder.c_str()), ::closedir);
    if (!dir) return tl::unexpected(errno);
    while (true) {
        errno = 0;  // the only way to tell an error from the end (readdir(3))
        const dirent* entry = ::readdir(dir.get());  // NOLINT(concurrency-mt-unsafe): one DIR, one thread
        if (entry == nullptr) break;
        const std::string_view name = static_cast<const char*>(entry->d_name);
        if (name != "." && name != "..") take(name, entry->d_ino);
    }
    if (errno != 0) return tl::unexpected(errno);
    return {};
}

}  // namespace

OrErrno<std::vector<std::string>> list(const std::string& folder) {
    std::vector<std::string> out;
    if (const auto read =
            each_entry(folder, [&](std::string_view name, std::uint64_t) { out.emplace_back(name); });
        !read)
        return tl::unexpected(read.error());
    return out;
}

std::vector<std::string> names_in(const std::string& folder) {
    return list(folder).value_or(std::vector<std::string>{});
}

std::map<std::string, std::uint64_t> inodes_in(const std::string& folder) {
    std::map<std::string, std::uint64_t> out;
    (void)each_entry(folder, [&](std::string_view name, std::uint64_t inode) { out.emplace(name, inode); });
    return out;
}

std::vector<std::uint64_t> numbers_in(const std::string& folder, std::string_view prefix) {
    std::vector<std::uint64_t> out;
    (void)each_entry(folder, [&](std::string_view name, std::uint64_t) {
        if (const auto number = number_after(name, prefix)) out.push_back(*number);
    });
    std::ranges::sort(out);
    return out;
}

}  // namespace cxlmemd::sysfs
