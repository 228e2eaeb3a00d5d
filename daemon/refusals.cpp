#include "daemon/refusals.h"

namespace cxlmemd {

Error only_watching(const std::string& object, const std::string& operation) {
    return {.code = ErrorCode::conflict,
            .object = object,
            .operation = operation,
            .errnum = 0,
            .reason = "the daemon only watches, it never acts",
            .advice = "start it without --observe, and with a state folder that it can read"};
}

}  // namespace cxlmemd
