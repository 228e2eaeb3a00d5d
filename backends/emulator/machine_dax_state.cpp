// SPDX-License-Identifier: LGPL-2.1-or-later
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

Result<bool> Machine::may_write_dax_state(std::string_view name, std::string_view value) const {
    const Result<std::string> now = dax_state(name);
    if (!now) return fail(now.error());
    const auto wanted = auto_online_from(value);
    if (value != unplugged && (!wanted || wanted == AutoOnline::offline)) {
        return fail(refused(name, EINVAL, fmt::format("\"{}\" cannot be written", value)));
    }
    if (*now == value) return false;
    if (value == unplugged && !features_.memory_hotremove)
        return fail(refused(name, EBUSY, "this kernel cannot remove memory"));
    if (value != unplugged && *now != unplugged)
        return fail(refused(name, EBUSY, fmt::format("it is {}, and has to be unplugged first", *now)));
    return true;
}

Result<> Machine::write_dax_state(std::string_view name, std::string_view value) {
    const Result<bool> may = may_write_dax_state(name, value);
    if (!may) return fail(may.error());
    if (!*may) return {};
    if (value == unplugged) return unplug(*find(name));
    const AutoOnline wanted = *auto_online_from(value);
    if (auto begun = begin_plug(name); !begun) return begun;
    for (const BlockIndex block : memory_of(name)) {
        // The walk ends at the first that refuses; the state is as it was written all the same.
        if (!write_block_state(block, to_string(wanted))) break;
    }
    end_plug(name, wanted);
    return {};
}

std::vector<BlockIndex> Machine::memory_of(std::string_view name) const {
    std::vector<BlockIndex> out;
    const auto dax = std::ranges::find(dax_devices_, name, &Dax::name);
    if (dax == dax_devices_.end()) return out;
    for (const PhysRange& range : dax->held) {
        const MemoryBlocks::Span span = span_of(range);
        for (std::uint64_t i = span.first.value(); i < span.end(); ++i) out.emplace_back(i);
    }
    std::ranges::sort(out);
    return out;
}

void Machine::put_back(std::span<const std::pair<BlockIndex, Zone>> taken) {
    for (const auto& [block, zone] : taken) {
        const std::optional<Block> now = blocks_.look(block);
        if (now && blocks_.zone(block) == Zone::none) online(block, now->node, zone);
    }
}

Result<> Machine::end_unplug(std::string_view name) {
    Dax& dax = *find(name);
    for (const BlockIndex block : memory_of(name)) {
        if (blocks_.zone(block) != Zone::none)
            return fail(refused(name, EBUSY, fmt::format("memory block {} is online", block.value())));
    }
    for (const PhysRange& range : dax.held) {
        static_cast<void>(remove_blocks(span_of(range)));  // every block of it is offline
        release(range);
    }
    dax.held.clear();
    dax.state.reset();
    return {};
}

// offline_and_remove_memory(): all of it, or nothing. What is offline is put back into the zone where it was.
Result<> Machine::unplug(Dax& dax) {
    std::vector<std::pair<BlockIndex, Zone>> taken;
    for (const BlockIndex block : memory_of(dax.name())) {
        const Zone zone = blocks_.zone(block);
        if (zone == Zone::none) continue;
        if (auto done = write_block_state(block, BlockWrite::offline); !done) {
            put_back(taken);
            message(fmt::format("kmem {}: hotremove failed, device left online: {}", dax.name(),
                                -done.error().errnum));
            return fail(refused(dax.name(), done.error().errnum, done.error().text()));
        }
        taken.emplace_back(block, zone);
    }
    return end_unplug(dax.name());
}

void Machine::start_in(Dax& dax, HotplugState state) {
    if (!features_.dax_state) return;
    if (state != HotplugState::unplugged) {
        dax.state = auto_online_from(to_string(state));
    } else if (dax.held.empty()) {
        dax.state.reset();
    } else if (features_.memory_hotremove) {
        static_cast<void>(unplug(dax));  // refused: it is as it was bound
    }
}

Result<> Machine::begin_plug(std::string_view name) {
    return add_ranges(*find(name), AutoOnline::offline, std::nullopt);
}

void Machine::end_plug(std::string_view name, AutoOnline value) {
    find(name)->state = value;
}

}  // namespace cxlmemd::emulator
