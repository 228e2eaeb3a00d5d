// daxX.Y/state, since 7.3: drivers/dax/kmem.c, state_store().
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::string_view unplugged = "unplugged";

Error refused(std::string_view dax, int errnum, std::string reason) {
    return kernel_error(std::string{dax}, "write state", errnum, std::move(reason));
}

}  // namespace

Result<std::string> Machine::dax_state(std::string_view name) const {
    const auto it = std::ranges::find(dax_devices_, name, &Dax::name);
    if (it != dax_devices_.end()) {
        if (auto state = dax_state(*it)) return std::move(*state);
    }
    return fail(kernel_error(std::string{name}, "read state", ENOENT, "it has no state attribute"));
}

std::optional<std::string> Machine::dax_state(const Dax& dax) const {
    if (!features_.dax_state || dax.device.mode != DaxMode::system_ram) return std::nullopt;
    return dax.state ? std::string{to_string(*dax.state)} : std::string{unplugged};
}

Result<> Machine::write_dax_state(std::string_view name, std::string_view value) {
    const Result<std::string> now = dax_state(name);
    if (!now) return fail(now.error());
    const auto wanted = auto_online_from(value);
    if (value != unplugged && (!wanted || wanted == AutoOnline::offline)) {
        return fail(refused(name, EINVAL, fmt::format("\"{}\" cannot be written", value)));
    }
    if (*now == value) return {};
    Dax& dax = *find(name);
    if (value == unplugged) return unplug(dax);
    if (dax.state) {
        return fail(refused(name, EBUSY, fmt::format("it is {}, and has to be unplugged first", *now)));
    }
    return plug(dax, *wanted);
}

// offline_and_remove_memory(): all of it, or nothing. What is offline is put back into the zone where it was.
Result<> Machine::unplug(Dax& dax) {
    if (!features_.memory_hotremove) {
        return fail(refused(dax.name(), EBUSY, "this kernel cannot remove memory"));
    }
    std::vector<std::pair<BlockIndex, Zone>> taken;
    for (const PhysRange& range : dax.held) {
        const MemoryBlocks::Span span = span_of(range);
        for (std::uint64_t i = span.first.value(); i < span.end(); ++i) {
            const BlockIndex block{i};
            const Zone zone = blocks_.zone(block);
            if (zone == Zone::none) continue;
            if (auto done = write_block_state(block, BlockWrite::offline); !done) {
                for (const auto& [each, old] : taken) {
                    online(each, dax.device.target_node, old);
                }
                message(fmt::format("kmem {}: hotremove failed, device left online: {}", dax.name(),
                                    -done.error().errnum));
                return fail(refused(dax.name(), done.error().errnum, done.error().text()));
            }
            taken.emplace_back(block, zone);
        }
    }
    for (const PhysRange& range : dax.held) {
        static_cast<void>(remove_blocks(span_of(range)));  // every block of it is offline
        release(range);
    }
    dax.held.clear();
    dax.state.reset();
    return {};
}

void Machine::start_in(Dax& dax, HotplugState state) {
    if (!features_.dax_state) return;
    if (state != HotplugState::unplugged) {
        dax.state = auto_online_from(to_string(state));
    } else if (dax.held.empty()) {
        dax.state.reset();
    } else {
        static_cast<void>(unplug(dax));  // refused: it is as it was bound
    }
}

Result<> Machine::plug(Dax& dax, AutoOnline value) {
    if (auto added = add_ranges(dax, value, std::nullopt); !added) return added;
    dax.state = value;
    return {};
}

}  // namespace cxlmemd::emulator
