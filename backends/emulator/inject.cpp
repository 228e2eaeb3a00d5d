#include "backends/emulator/inject.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include "backends/emulator/inject_handlers.h"

namespace cxlmemd::emulator {

namespace {

struct Known {
    std::string_view name;
    Result<> (*act)(InjectTarget, Details&);
};

constexpr std::array known{
    Known{"add-memdev", handlers::add_memdev},
    Known{"remove-memdev", handlers::remove_memdev},
    Known{"add-region", handlers::add_region},
    Known{"remove-region", handlers::remove_region},
    Known{"replace-dax", handlers::replace_dax},
    Known{"reserve-range", handlers::reserve_range},
    Known{"set-hotremove", handlers::set_hotremove},
    Known{"online-block", handlers::online_block},
    Known{"offline-block", handlers::offline_block},
    Known{"pin-block", handlers::pin_block},
    Known{"unpin-block", handlers::unpin_block},
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
    Known{"events", handlers::events},
};

}  // namespace

Result<> inject(InjectTarget target, const std::string& event, const InjectDetails& details) {
    const auto it = std::ranges::find(known, event, &Known::name);
    if (it != known.end()) {
        Details reader(event, details);
        return it->act(target, reader);
    }
    std::vector<std::string_view> names;
    std::ranges::transform(known, std::back_inserter(names), &Known::name);
    return fail({.code = ErrorCode::invalid_argument,
                 .object = event,
                 .operation = "inject",
                 .errnum = 0,
                 .reason = "there is no such event",
                 .advice = fmt::format("there are {}", fmt::join(names, ", "))});
}

}  // namespace cxlmemd::emulator
