// The handlers of injected events, one each (docs/emulator.md); inject.cpp has their names. They read all
// details, then finish() them, then act.
#pragma once

#include "backends/emulator/details.h"
#include "backends/emulator/inject.h"

namespace cxlmemd::emulator::handlers {

// Hardware: inject_hardware.cpp
Result<> add_memdev(InjectTarget target, Details& details);
Result<> remove_memdev(InjectTarget target, Details& details);
Result<> add_region(InjectTarget target, Details& details);
Result<> remove_region(InjectTarget target, Details& details);
Result<> replace_dax(InjectTarget target, Details& details);
Result<> reserve_range(InjectTarget target, Details& details);
Result<> set_hotremove(InjectTarget target, Details& details);

// Competing actors: inject_actors.cpp
Result<> online_block(InjectTarget target, Details& details);
Result<> offline_block(InjectTarget target, Details& details);
Result<> pin_block(InjectTarget target, Details& details);
Result<> unpin_block(InjectTarget target, Details& details);
Result<> unbind_dax(InjectTarget target, Details& details);
Result<> bind_dax(InjectTarget target, Details& details);
Result<> set_auto_online(InjectTarget target, Details& details);
Result<> set_interleave_weight(InjectTarget target, Details& details);
Result<> set_demotion(InjectTarget target, Details& details);

// Faults: inject_faults.cpp
Result<> fail_operation(InjectTarget target, Details& details);
Result<> hang(InjectTarget target, Details& details);
Result<> delay(InjectTarget target, Details& details);
Result<> resume(InjectTarget target, Details& details);
Result<> clear_faults(InjectTarget target, Details& details);
Result<> events(InjectTarget target, Details& details);

}  // namespace cxlmemd::emulator::handlers
