// SPDX-License-Identifier: LGPL-2.1-or-later
// The handlers of events, one each (docs/emulator.md); inject.cpp has their names. They read all details, and
// give back what is done with them; that is called only if nothing was wrong with them.
#pragma once

#include <string>
#include <string_view>

#include "backends/emulator/details.h"
#include "backends/emulator/inject.h"

namespace cxlmemd::emulator::handlers {

// Hardware: inject_hardware.cpp
Act add_memdev(Details& details);
Act remove_memdev(Details& details);
Act add_region(Details& details);
Act remove_region(Details& details);
Act disable_region(Details& details);
Act replace_dax(Details& details);
Act add_extent(Details& details);
Act release_extent(Details& details);
Act reserve_range(Details& details);
Act set_hotremove(Details& details);

// Competing actors: inject_actors.cpp
Act online_block(Details& details);
Act offline_block(Details& details);
Act begin_offline(Details& details);
Act end_offline(Details& details);
Act pin_block(Details& details);
Act unpin_block(Details& details);
Act poison_block(Details& details);
Act make_unreadable(Details& details);
Act heal_block(Details& details);
Act write_dax_state(Details& details);
Act unbind_dax(Details& details);
Act bind_dax(Details& details);
Act set_auto_online(Details& details);
Act set_interleave_weight(Details& details);
Act set_demotion(Details& details);

// Callers of the daemon: inject_ask.cpp
Act ask(Details& details);

// Faults: inject_faults.cpp
Act fail_operation(Details& details);
Act hang(Details& details);
Act delay(Details& details);
Act resume(Details& details);
Act clear_faults(Details& details);
Act seed(Details& details);

// Events: inject_events.cpp
Act events(Details& details);
Act lose_events(Details& details);
Act double_events(Details& details);
Act delay_events(Details& details);
Act reorder_events(Details& details);
Act storm(Details& details);

// Whether `block` and `dax` of a filter go with its operation; `prefix` is that of the details' keys.
void check_filter(Details& details, const CallFilter& filter, const std::string& prefix);
// `errno`, needed: by name or number.
int errno_of(Details& details);
// nth, count, probability
Strikes read_strikes(Details& details, std::uint64_t usual_count);

inline constexpr std::string_view uevent_words =
    "must be memory, node, memory_tiering, dax or cxl, alone or with add, remove, online, offline, bind or "
    "unbind behind it";

}  // namespace cxlmemd::emulator::handlers
