// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/inject.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "backends/emulator/inject_handlers.h"
#include "policy/text.h"

namespace cxlmemd::emulator {

namespace {

struct Known {
    std::string_view name;
    Act (*read)(Details&);
};

constexpr std::array known{
    Known{"add-memdev", handlers::add_memdev},
    Known{"remove-memdev", handlers::remove_memdev},
    Known{"add-region", handlers::add_region},
    Known{"remove-region", handlers::remove_region},
    Known{"disable-region", handlers::disable_region},
    Known{"replace-dax", handlers::replace_dax},
    Known{"add-extent", handlers::add_extent},
    Known{"release-extent", handlers::release_extent},
    Known{"reserve-range", handlers::reserve_range},
    Known{"set-hotremove", handlers::set_hotremove},
    Known{"online-block", handlers::online_block},
    Known{"offline-block", handlers::offline_block},
    Known{"begin-offline", handlers::begin_offline},
    Known{"end-offline", handlers::end_offline},
    Known{"pin-block", handlers::pin_block},
    Known{"unpin-block", handlers::unpin_block},
    Known{"poison-block", handlers::poison_block},
    Known{"heal-block", handlers::heal_block},
    Known{"make-unreadable", handlers::make_unreadable},
    Known{"write-dax-state", handlers::write_dax_state},
    Known{"unbind-dax", handlers::unbind_dax},
    Known{"bind-dax", handlers::bind_dax},
    Known{"set-auto-online", handlers::set_auto_online},
    Known{"set-interleave-weight", handlers::set_interleave_weight},
    Known{"set-demotion", handlers::set_demotion},
    Known{"fail", handlers::fail_operation},
    Known{"hang", handlers::hang},
    Known{"delay", handlers::delay},
    Known{"resume", handlers::resume},
    Known{"clear-faults", handlers::clear_faults},
    Known{"seed", handlers::seed},
    Known{"events", handlers::events},
    Known{"lose-events", handlers::lose_events},
    Known{"double-events", handlers::double_events},
    Known{"delay-events", handlers::delay_events},
    Known{"reorder-events", handlers::reorder_events},
    Known{"storm", handlers::storm},
    Known{"ask", handlers::ask},
};

std::optional<CallFilter> read_call(Details& details) {
    const auto word = details.text("on.operation");
    if (!word) return std::nullopt;
    const auto operation = operation_from(*word);
    if (!operation) details.wrong("on.operation", "must be " + operation_names());
    return CallFilter{operation.value_or(Operation::scan), std::nullopt, {}};
}

std::optional<UeventKind> read_uevent(Details& details) {
    const auto words = details.text("on.uevent");
    if (!words) return std::nullopt;
    const auto kind = uevent_kind_from(*words);
    if (!kind) details.wrong("on.uevent", std::string{handlers::uevent_words});
    return kind.value_or(UeventKind{});
}

std::optional<Occasion> read_occasion(Details& details) {
    Occasion on;
    on.call = read_call(details);
    on.uevent = read_uevent(details);
    const auto block = details.number("on.block");
    const auto dax = details.text("on.dax");
    const auto name = details.text("on.name");
    const auto moment = details.text("on.moment");
    const auto nth = details.number("on.nth");
    const auto times = details.number("on.times");
    const auto lag = details.duration("on.lag");
    if (!on.call && !on.uevent) {
        for (const char* key :
             {"on.block", "on.dax", "on.name", "on.moment", "on.nth", "on.times", "on.lag"}) {
            if (details.has(key)) details.wrong(key, "goes with \"on.operation\" or \"on.uevent\"");
        }
        return std::nullopt;
    }
    if (on.call && on.uevent) details.wrong("on.uevent", "does not go with \"on.operation\"");
    if (on.uevent && dax) details.wrong("on.dax", "goes with \"on.operation\"; say \"on.name\"");
    if (on.call && name) details.wrong("on.name", "goes with \"on.uevent\"");
    if (on.uevent && moment) details.wrong("on.moment", "goes with \"on.operation\"");
    if (moment && *moment != "before" && *moment != "after") {
        details.wrong("on.moment", "must be before or after");
    }
    if (nth == 0U) details.wrong("on.nth", "counts from 1");
    if (block) on.block = BlockIndex{*block};
    if (on.call) {
        on.call->block = on.block;
        on.call->dax = dax.value_or("");
        handlers::check_filter(details, *on.call, "on.");
    }
    on.before = moment == "before";
    on.name = name.value_or("");
    on.nth = nth.value_or(1);
    on.times = times.value_or(1);
    on.lag_usec = lag.value_or(0);
    return on;
}

}  // namespace

std::vector<std::string_view> event_names() {
    std::vector<std::string_view> names;
    std::ranges::transform(known, std::back_inserter(names), &Known::name);
    return names;
}

ReadOrder read_order(const std::string& event, const InjectDetails& details, std::string place) {
    const auto it = std::ranges::find(known, event, &Known::name);
    if (it == known.end()) {
        return {.order = {}, .problems = {{"", fmt::format("there are {}", fmt::join(event_names(), ", "))}}};
    }
    Details reader(event, details);
    Order order{.event = event, .place = std::move(place), .act = {}, .at_usec = {}, .on = {}};
    order.at_usec = reader.duration("at");
    order.on = read_occasion(reader);
    if (order.at_usec && order.on) reader.wrong("at", "does not go with \"on\"; say \"on.lag\"");
    order.act = it->read(reader);
    if (!order.on && reader.text_is("block", "same")) {
        reader.wrong("block", "can be \"same\" only behind \"on\"");
    }
    return {.order = std::move(order), .problems = reader.problems()};
}

Error order_error(const std::string& event, const DetailProblem& problem) {
    if (!problem.key.empty()) return detail_error(event, problem.key, problem.reason);
    return {.code = ErrorCode::invalid_argument,
            .object = visible_part(event, 60),
            .operation = "inject",
            .errnum = 0,
            .reason = "there is no such event",
            .advice = problem.reason};
}

}  // namespace cxlmemd::emulator
