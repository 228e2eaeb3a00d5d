// SPDX-License-Identifier: LGPL-2.1-or-later
// ask: somebody calls the daemon. Nothing happens to the machine but for what the daemon then does.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "backends/emulator/inject_handlers.h"

namespace cxlmemd {

namespace {

constexpr std::array<std::string_view, 11> methods{"online",         "offline", "set-mode", "prepare-remove",
                                                   "remove-region",  "hold",    "release",  "release-region",
                                                   "release-memdev", "apply",   "reload"};
// More that nobody has been told of yet are refused.
constexpr std::size_t most_asks = 4096;

}  // namespace

std::vector<std::string_view> ask_methods() {
    return {methods.begin(), methods.end()};
}

namespace emulator::handlers {

Act ask(Details& details) {
    CallerAsk out;
    out.method = details.needed(details.text("method"), "method");
    if (details.has("method") && std::ranges::find(methods, out.method) == methods.end())
        details.wrong("method", fmt::format("must be {}", fmt::join(methods, ", ")));
    const bool has_object = out.method != "apply" && out.method != "reload";
    const auto object = details.device_name("object");
    if (has_object) {
        out.object = details.needed(object, "object");
    } else if (object) {
        details.wrong("object", "does not go with this method");
    }
    out.zone = details.text("zone").value_or("");
    out.mode = details.text("mode").value_or("");
    if (out.method == "set-mode" && out.mode.empty()) details.wrong("mode", "is missing");
    out.amount = details.size("amount");
    out.timeout_usec = details.duration("timeout");
    out.rollback = details.truth("rollback");
    out.hold = details.truth("hold").value_or(true);
    return [out](InjectTarget& target) -> Result<> {
        if (target.asks.size() >= most_asks)
            return fail(detail_error("ask", "method", "would be one call too many"));
        target.asks.push_back(out);
        return {};
    };
}

}  // namespace emulator::handlers

}  // namespace cxlmemd
