// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/error.h"

#include <cerrno>
#include <cstring>

namespace cxlmemd {

const char* error_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::not_authorized: return "NotAuthorized";
        case ErrorCode::invalid_argument: return "InvalidArgument";
        case ErrorCode::not_found: return "NotFound";
        case ErrorCode::gone: return "Gone";
        case ErrorCode::busy: return "Busy";
        case ErrorCode::conflict: return "Conflict";
        case ErrorCode::canceled: return "Canceled";
        case ErrorCode::timed_out: return "TimedOut";
        case ErrorCode::reboot_required: return "RebootRequired";
        case ErrorCode::not_supported: return "NotSupported";
        case ErrorCode::invalid_policy: return "InvalidPolicy";
        case ErrorCode::failed: return "Failed";
    }
    return "Failed";
}

std::string Error::text() const {
    std::string out;
    for (const std::string* part : {&object, &operation}) {
        if (!part->empty()) out += *part + ": ";
    }
    out += reason.empty() ? std::string{"failed"} : reason;
    if (errnum != 0) out += " (" + errno_name(errnum) + ")";
    if (!advice.empty()) out += "; " + advice;
    return out;
}

std::string errno_name(int errnum) {
    const char* name = ::strerrorname_np(errnum);
    return name != nullptr ? std::string{name} : "errno " + std::to_string(errnum);
}

ErrorCode code_of_errno(int errnum) {
    switch (errnum) {
        case EBUSY:
        case EAGAIN: return ErrorCode::busy;
        case ENOENT:
        case ENODEV:
        case ENXIO: return ErrorCode::gone;
        case EINTR: return ErrorCode::canceled;
        case EINVAL: return ErrorCode::invalid_argument;
        case EOPNOTSUPP:
        case ENOSYS: return ErrorCode::not_supported;
        case EACCES:
        case EPERM: return ErrorCode::not_authorized;
        default: return ErrorCode::failed;
    }
}

}  // namespace cxlmemd
