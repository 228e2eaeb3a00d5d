// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/text.h"

namespace cxlmemd::bus {

namespace {

Error wrong(const std::string& reason) {
    return {.code = ErrorCode::invalid_argument, .object = "options", .reason = reason};
}

template <class T>
Result<T> typed(const std::string& key, const sdbus::Variant& value) {
    if (!value.containsValueOfType<T>()) {
        return fail(wrong(fmt::format("{} has type {}, it must be '{}'", in_quotes(key),
                                      in_quotes(std::string{value.peekValueType()}),
                                      std::string{sdbus::Variant{T{}}.peekValueType()})));
    }
    return value.get<T>();
}

}  // namespace

Result<> no_options(const VariantMap& options) {
    if (options.empty()) return {};
    return fail(
        wrong(fmt::format("unknown option {}; this method takes none", in_quotes(options.begin()->first))));
}

Result<OperationOptions> operation_options(const VariantMap& options,
                                           const std::vector<std::string>& allowed) {
    OperationOptions out;
    for (const auto& [key, value] : options) {
        if (std::ranges::find(allowed, key) == allowed.end()) {
            return fail(wrong(fmt::format("unknown option {}; this method takes {}", in_quotes(key),
                                          fmt::join(allowed, ", "))));
        }
        if (key == "amount" || key == "timeout") {
            auto number = typed<std::uint64_t>(key, value);
            if (!number) return fail(number.error());
            (key == "amount" ? out.amount : out.timeout_usec) = *number;
        } else {
            auto flag = typed<bool>(key, value);
            if (!flag) return fail(flag.error());
            if (key == "hold") out.hold = *flag;
            if (key == "rollback") out.rollback = *flag;
        }
    }
    return out;
}

}  // namespace cxlmemd::bus
