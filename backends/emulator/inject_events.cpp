// SPDX-License-Identifier: LGPL-2.1-or-later
// Events that misbehave on their way.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backends/emulator/inject_handlers.h"
#include "policy/text.h"

namespace cxlmemd::emulator::handlers {

namespace {

constexpr std::uint64_t usual_patience_usec = 10'000;
constexpr std::uint64_t most_storm = 10'000'000;

Result<> add(InjectTarget& target, const std::string& event, EventFault fault) {
    if (target.path.add(fault)) return {};
    return fail(detail_error(event, "count",
                             fmt::format("would be one fault too many, {} are waiting", EventPath::most)));
}

Act add_fault(Details& details, EventFault fault) {
    if (const auto words = details.text("uevent")) {
        fault.only = uevent_kind_from(*words);
        if (!fault.only) details.wrong("uevent", std::string{uevent_words});
    }
    fault.when = read_strikes(details, 1);
    return [fault, event = details.event()](InjectTarget& target) { return add(target, event, fault); };
}

// What a storm is made of: the blocks of one device, or of all.
std::vector<Event> about_blocks(const Machine& machine, const std::string& dax) {
    std::vector<Event> out;
    for (const Block& block : machine.topology().blocks) {
        const DaxDevice* device = dax.empty() ? nullptr : machine.dax(dax);
        const PhysRange range{PhysAddr{block.index.value() * machine.block_size().value()},
                              machine.block_size()};
        const bool inside = device == nullptr || std::ranges::any_of(device->ranges, [&](const PhysRange& r) {
                                return r.start < range.end() && range.start < r.end();
                            });
        if (!inside) continue;
        Event event;
        event.scope = Event::Scope::block;
        event.block = block.index;
        out.push_back(event);
    }
    return out;
}

}  // namespace

Act events(Details& details) {
    const std::uint64_t lose = details.number("lose").value_or(0);
    const std::uint64_t twice = details.number("double").value_or(0);
    return [lose, twice, event = details.event()](InjectTarget& target) -> Result<> {
        if (lose > 0) {
            if (auto added = add(target, event, {.kind = EventFault::Kind::lose, .when = {1, lose}}); !added)
                return added;
        }
        if (twice == 0) return {};
        return add(target, event, {.kind = EventFault::Kind::twice, .when = {lose + 1, twice}});
    };
}

Act lose_events(Details& details) {
    return add_fault(details, {.kind = EventFault::Kind::lose});
}

Act double_events(Details& details) {
    return add_fault(details, {.kind = EventFault::Kind::twice});
}

Act delay_events(Details& details) {
    EventFault fault{.kind = EventFault::Kind::delay};
    fault.usec = details.needed(details.duration("usec"), "usec");
    return add_fault(details, fault);
}

Act reorder_events(Details& details) {
    EventFault fault{.kind = EventFault::Kind::reorder};
    fault.usec = details.duration("usec").value_or(usual_patience_usec);
    fault.behind = details.number("behind").value_or(1);
    if (fault.behind == 0) details.wrong("behind", "counts from 1");
    return add_fault(details, fault);
}

Act storm(Details& details) {
    const std::uint64_t count = details.number("count").value_or(100'000);
    if (count > most_storm) details.wrong("count", fmt::format("must be {} at most", most_storm));
    const std::string about = details.text("about").value_or("blocks");
    if (about != "blocks" && about != "devices") details.wrong("about", "must be blocks or devices");
    const std::string dax = details.text("dax").value_or("");
    if (!dax.empty() && about == "devices") details.wrong("dax", "goes with blocks only");
    return [=, event = details.event()](InjectTarget& target) -> Result<> {
        if (!dax.empty() && target.machine.dax(dax) == nullptr) {
            return fail(detail_error(
                event, "dax",
                fmt::format("names \"{}\", and there is no such device", visible_part(dax, 60))));
        }
        std::vector<Event> in_turn;
        if (about == "blocks") in_turn = about_blocks(target.machine, dax);
        if (in_turn.empty()) in_turn.emplace_back();  // "look at everything again"
        target.queue.storm(std::move(in_turn), count);
        return {};
    };
}

}  // namespace cxlmemd::emulator::handlers
