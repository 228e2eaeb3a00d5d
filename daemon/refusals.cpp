// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/refusals.h"

#include "policy/text.h"

namespace cxlmemd {

Error only_watching(const std::string& object, const std::string& operation) {
    return {.code = ErrorCode::conflict,
            .object = object,
            .operation = operation,
            .errnum = 0,
            .reason = "the daemon only watches, it never acts",
            .advice = "start it without --observe, and with a state folder that it can read"};
}

Error not_found(const std::string& name, const std::string& operation, const std::string& noun) {
    return {.code = ErrorCode::not_found,
            .object = visible_part(name, 60),  // a caller's word
            .operation = operation,
            .errnum = 0,
            .reason = "there is no such " + noun,
            .advice = {}};
}

}  // namespace cxlmemd
