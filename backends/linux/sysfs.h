// SPDX-License-Identifier: LGPL-2.1-or-later
// Kernel attributes as values: one open, one read or write, close; the errno is kept.
//
// What cannot be read or understood is absent (nullopt), never a guess: a device may vanish between
// any two calls, and Documentation/filesystems/sysfs.rst promises one value a file, not that the
// file stays. No call here repeats itself, on EINTR neither: the worker is interrupted on purpose.
#pragma once

#include <cerrno>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace cxlmemd::sysfs {

template <class T = void>
using OrErrno = tl::expected<T, int>;

// Owns a file descriptor; -1 is none.
class Fd final {
 public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd();

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    int release();

 private:
    int fd_ = -1;
};

// The folder for openat(); not valid if there is none.
[[nodiscard]] Fd open_folder(const std::string& path);

// The file's text without white space at its end. `folder` may be AT_FDCWD.
[[nodiscard]] OrErrno<std::string> read_at(int folder, const std::string& path);
// The same of a sysfs attribute, which one read gives whole (Documentation/filesystems/sysfs.rst).
[[nodiscard]] OrErrno<std::string> read_attribute_at(int folder, const std::string& path);
[[nodiscard]] OrErrno<std::string> read(const std::string& path);

[[nodiscard]] OrErrno<Fd> open_to_write(const std::string& path);
// One write(2) of the whole value.
[[nodiscard]] OrErrno<> write_fd(int fd, std::string_view value);
[[nodiscard]] OrErrno<> write(const std::string& path, std::string_view value);

// The whole text as a number; "0x" is understood with base 0. Nothing else may stand there.
[[nodiscard]] std::optional<std::uint64_t> to_number(std::string_view text, int base = 0);
[[nodiscard]] std::optional<int> to_int(std::string_view text);

// The kernel's ways to say that something is not there (any more). Any other errno says nothing of it.
[[nodiscard]] constexpr bool is_absence(int errnum) {
    return errnum == ENOENT || errnum == ENODEV;
}
// The number in a file; the errno, or 0 for text that is none.
[[nodiscard]] OrErrno<std::uint64_t> number_or_errno(const std::string& path, int base = 0);

[[nodiscard]] std::optional<std::uint64_t> read_number(const std::string& path, int base = 0);
[[nodiscard]] std::optional<int> read_int(const std::string& path);

// N of "PREFIXN"; nullopt for other names.
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view name, std::string_view prefix);

// "0-2,7" as numbers, ascending as written. What is no list ends it; ranges are cut at 65536 numbers.
[[nodiscard]] std::vector<int> to_list(std::string_view text);

// The last part of where a symbolic link points.
[[nodiscard]] OrErrno<std::string> link_or_errno(const std::string& path);
[[nodiscard]] std::optional<std::string> link_name(const std::string& path);

// The inode number of what a path leads to: changes when a device is made anew (kernfs).
[[nodiscard]] std::optional<std::uint64_t> inode(const std::string& path);
// The same of a symbolic link itself.
[[nodiscard]] std::optional<std::uint64_t> link_inode_at(int folder, const std::string& path);

[[nodiscard]] bool exists(const std::string& path);
// For a file or a link whose absence means something: false only if the kernel says so, else why it is not
// known.
[[nodiscard]] OrErrno<bool> is_there(const std::string& path);

// The names in a folder, in no order.
[[nodiscard]] OrErrno<std::vector<std::string>> list(const std::string& folder);
// The same; none if there is no such folder.
[[nodiscard]] std::vector<std::string> names_in(const std::string& folder);
// The same with their inode numbers, of links their own, by one look.
[[nodiscard]] std::map<std::string, std::uint64_t> inodes_in(const std::string& folder);
// N of each name "PREFIXN" in it, ascending.
[[nodiscard]] std::vector<std::uint64_t> numbers_in(const std::string& folder, std::string_view prefix);

}  // namespace cxlmemd::sysfs
