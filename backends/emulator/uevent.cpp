// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/uevent.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

constexpr std::array<std::pair<std::string_view, Subsystem>, 5> subsystems{
    {{"memory", Subsystem::memory},
     {"node", Subsystem::node},
     {"memory_tiering", Subsystem::memory_tiering},
     {"dax", Subsystem::dax},
     {"cxl", Subsystem::cxl}}};

constexpr std::array<std::pair<std::string_view, Action>, 6> actions{{{"add", Action::add},
                                                                      {"remove", Action::remove},
                                                                      {"online", Action::online},
                                                                      {"offline", Action::offline},
                                                                      {"bind", Action::bind},
                                                                      {"unbind", Action::unbind}}};

template <class Table>
auto found(const Table& table, std::string_view word) -> std::optional<decltype(table.front().second)> {
    for (const auto& [name, value] : table) {
        if (name == word) return value;
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Uevent::Action action) {
    for (const auto& [name, value] : actions) {
        if (value == action) return name;
    }
    return {};
}

Event event_of(const Uevent& uevent) {
    Event event;
    event.removed = uevent.action == Action::remove;
    if (uevent.subsystem == Subsystem::memory) {
        event.scope = Event::Scope::block;
        event.block = uevent.block;
    } else {
        event.subject = uevent.name;
    }
    return event;
}

std::optional<UeventKind> uevent_kind_from(std::string_view text) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto subsystem = found(subsystems, text.substr(0, space));
    if (!subsystem) return std::nullopt;
    if (space == text.size()) return UeventKind{*subsystem, std::nullopt};
    const auto action = found(actions, text.substr(space + 1));
    return action ? std::optional{UeventKind{*subsystem, action}} : std::nullopt;
}

}  // namespace cxlmemd::emulator
