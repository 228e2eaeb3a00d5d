// SPDX-License-Identifier: LGPL-2.1-or-later
// Errors as values. A function that can fail in a way the caller may handle returns Result<T>.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace cxlmemd {

// What a D-Bus client can tell apart. Each maps to org.cxlmemd1.Error.<Name>.
enum class ErrorCode {
    not_authorized,
    invalid_argument,
    not_found,
    gone,  // the device went away, or is no longer the one the action was made for
    busy,  // somebody else is at it, or the kernel said EBUSY: trying again may help
    conflict,
    canceled,
    timed_out,
    reboot_required,  // memory was lost to a bad unbind; only a reboot brings it back
    not_supported,
    invalid_policy,
    failed,
};

// "NotAuthorized", "Gone", ...: the last part of the D-Bus error name.
[[nodiscard]] const char* error_name(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::failed;
    std::string object{};     // what it was done to: "dax0.0", "memory block 178"; may be empty
    std::string operation{};  // what was tried, as a verb: "online", "unbind"; may be empty
    int errnum = 0;           // errno of the kernel, 0 if there was none
    std::string reason{};     // one sentence without full stop
    std::string advice{};     // what to do next, where that is known; may be empty

    // "dax0.0: unbind: 3 blocks are online (EBUSY); take them offline first"
    [[nodiscard]] std::string text() const;

    bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Error error) {
    return tl::unexpected<Error>(std::move(error));
}

// "EBUSY" for EBUSY; "errno 4711" where the C library has no name. Pure.
[[nodiscard]] std::string errno_name(int errnum);

// The error code that an errno of a hotplug or sysfs operation stands for:
// EBUSY, EAGAIN: busy; ENOENT, ENODEV, ENXIO: gone; EINTR: canceled; EINVAL: invalid_argument;
// EOPNOTSUPP, ENOSYS: not_supported; EACCES, EPERM: not_authorized; others: failed.
[[nodiscard]] ErrorCode code_of_errno(int errnum);

}  // namespace cxlmemd
