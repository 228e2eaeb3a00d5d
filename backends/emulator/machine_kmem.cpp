// SPDX-License-Identifier: LGPL-2.1-or-later
// Drivers of dax devices, and memory blocks: drivers/dax/kmem.c, drivers/base/memory.c.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

BlockWrite write_of(AutoOnline value) {
    switch (value) {
        case AutoOnline::offline: return BlockWrite::offline;
        case AutoOnline::online: return BlockWrite::online;
        case AutoOnline::online_kernel: return BlockWrite::online_kernel;
        case AutoOnline::online_movable: return BlockWrite::online_movable;
    }
    return BlockWrite::offline;
}

AutoOnline state_of(Zone zone) {
    if (zone == Zone::none) return AutoOnline::offline;
    return zone == Zone::movable ? AutoOnline::online_movable : AutoOnline::online_kernel;
}

std::string mapping(std::size_t number, const PhysRange& range) {
    return fmt::format("mapping{}: {:#x}-{:#x}", number, range.start.value(), range.end().value() - 1);
}

std::string block_name(BlockIndex block) {
    return fmt::format("memory block {}", block.value());
}

std::string tier_name(int tier) {
    return fmt::format("memory_tier{}", tier);
}

}  // namespace

Result<> Machine::write_block_state(BlockIndex block, BlockWrite value) {
    const std::string operation = value == BlockWrite::offline ? "offline" : "online";
    const std::optional<Block> now = blocks_.look(block);
    if (!now) return fail(kernel_error(block_name(block), operation, ENOENT, "there is no such block"));
    const bool is_online = blocks_.zone(block) != Zone::none;
    if (value != BlockWrite::offline) {
        if (is_online) {
            return fail(kernel_error(block_name(block), operation, EINVAL, "it is online already"));
        }
        if (blocks_.poisoned(block)) {
            return fail(kernel_error(block_name(block), operation, EHWPOISON, "a page of it is poisoned"));
        }
        online(block, now->node, zone_for(value, block, now->node));
        return {};
    }
    // Like online, the write is refused if the device core finds nothing to do.
    if (!is_online) {
        return fail(kernel_error(block_name(block), operation, EINVAL, "it is offline already"));
    }
    if (!features_.memory_hotremove) {
        return fail(kernel_error(block_name(block), operation, EINVAL, "the kernel cannot offline memory"));
    }
    if (unmovable(block)) {
        return fail(kernel_error(block_name(block), operation, EBUSY, "unmovable page"));
    }
    offline(block, now->node);
    return {};
}

Result<> Machine::write_block_state(BlockIndex block, std::string_view text) {
    if (const auto value = block_write_from(text); value || !blocks_.exists(block)) {
        return write_block_state(block, value.value_or(BlockWrite::offline));
    }
    return fail(
        kernel_error(block_name(block), "write state", EINVAL, fmt::format("\"{}\" is no state", text)));
}

Result<> Machine::write_auto_online(std::string_view text) {
    const auto value = auto_online_from(text);
    if (!value) {
        return fail(
            kernel_error("auto_online_blocks", "write", EINVAL, fmt::format("\"{}\" is no state", text)));
    }
    auto_online_ = *value;
    return {};
}

Result<> Machine::begin_offline(BlockIndex block, std::uint64_t usec) {
    const auto no = [&](int errnum, std::string reason) {
        return fail(kernel_error(block_name(block), "offline", errnum, std::move(reason)));
    };
    if (other_offline_)
        return no(EBUSY, block_name(*other_offline_) + " is going offline, one at a time does");
    if (!blocks_.exists(block)) return no(ENOENT, "there is no such block");
    if (blocks_.zone(block) == Zone::none) return no(EINVAL, "it is offline already");
    if (blocks_.look(block)->state == BlockState::going_offline)
        return no(EBUSY, "it is going offline, one at a time does");
    if (!features_.memory_hotremove) return no(EINVAL, "the kernel cannot offline memory");
    other_offline_ = block;
    blocks_.set_leaving(block, true);
    const std::uint64_t number = ++other_offlines_;
    if (usec == 0 || !postpone_) return {};
    postpone_(usec, [number](Machine& machine) {
        // What the kernel says to it at last is for the other actor to hear.
        if (machine.other_offlines_ == number && machine.other_offline_)
            static_cast<void>(machine.end_offline(false));
    });
    return {};
}

Result<> Machine::end_offline(bool interrupted) {
    if (!other_offline_) {
        return fail(kernel_error("memory", "end offline", ENOENT, "no other actor takes a block offline"));
    }
    const BlockIndex block = *other_offline_;
    other_offline_.reset();
    blocks_.set_leaving(block, false);
    // It may have been taken away by force meanwhile.
    if (interrupted || blocks_.zone(block) == Zone::none) return {};
    return write_block_state(block, BlockWrite::offline);
}

// A block of a kernel zone is in use if what the kernel has in its zones would not fit into the others.
bool Machine::unmovable(BlockIndex block) const {
    if (blocks_.pinned(block)) return true;
    if (blocks_.zone(block) != Zone::kernel) return false;
    const std::optional<Bytes> available = kernel_available();
    return kernel_zone_unmovable_ || (available && *available < block_size_);
}

void Machine::online(BlockIndex block, NodeId node, Zone zone) {
    const bool first = !has_memory_online(node);
    const bool new_tier = first && tier_of(node) >= 0 && !tier_has_member(tier_of(node));
    if (first) tell_performance(node);
    blocks_.set_zone(block, zone);
    if (new_tier) tell(Action::add, Subsystem::memory_tiering, tier_name(tier_of(node)));
    tell(Action::online, block);
}

void Machine::offline(BlockIndex block, NodeId node) {
    blocks_.set_zone(block, Zone::none);
    if (!has_memory_online(node) && tier_of(node) >= 0 && !tier_has_member(tier_of(node))) {
        tell(Action::remove, Subsystem::memory_tiering, tier_name(tier_of(node)));
    }
    tell(Action::offline, block);
}

void Machine::add_blocks(MemoryBlocks::Span span, NodeId node, AutoOnline value, std::optional<Zone> zone) {
    const bool new_node = own_memory(node) == nullptr && !blocks_.nodes().contains(node);
    blocks_.add(span, node);
    const auto tell_of_node = [&] {
        if (new_node) tell(Action::add, Subsystem::node, fmt::format("node{}", node.value()));
    };
    if (is_as_7_3()) tell_of_node();
    for (std::uint64_t i = span.first.value(); i < span.end(); ++i) tell(Action::add, BlockIndex{i});
    if (!is_as_7_3()) tell_of_node();
    for (std::uint64_t i = span.first.value(); i < span.end(); ++i) {
        const BlockIndex block{i};
        const Zone wanted = zone ? *zone : zone_for(write_of(value), block, node);
        if (wanted != Zone::none) online(block, node, wanted);
    }
}

// What the description says of the blocks, instead of a bind.
void Machine::add_runs(Dax& dax, const DaxDescription& description) {
    const std::vector<BlockRun>& runs = *description.block_runs;
    const NodeId node = description.blocks_node.value_or(dax.device.target_node);
    const auto add = [&](MemoryBlocks::Span span) {
        reserve({range_of(span), dax.device.id.name});
        add_blocks(span, node, AutoOnline::offline, Zone::none);
    };
    if (dax.device.mode == DaxMode::system_ram) {
        for (const MemoryBlocks::Span span : whole_spans(dax.device)) {
            if (std::ranges::find(runs, span.first, &BlockRun::first) == runs.end()) continue;
            dax.held.push_back(range_of(span));
            add(span);
        }
    } else {
        for (auto run = runs.begin(); run != runs.end();) {
            MemoryBlocks::Span span{run->first, 0};
            while (run != runs.end() && run->first.value() == span.end()) span.count += run++->count;
            add(span);
        }
    }
    for (const BlockRun& run : runs) {
        if (run.zone == Zone::none) continue;
        for (std::uint64_t i = 0; i < run.count; ++i)
            online(BlockIndex{run.first.value() + i}, node, run.zone);
    }
}

bool Machine::remove_blocks(MemoryBlocks::Span span) {
    const std::optional<Block> some = blocks_.look(span.first);
    if (!features_.memory_hotremove || !some || !blocks_.remove(span)) return false;
    for (std::uint64_t i = span.first.value(); i < span.end(); ++i) tell(Action::remove, BlockIndex{i});
    if (own_memory(some->node) == nullptr && !blocks_.nodes().contains(some->node)) {
        performance_known_.erase(some->node);
        tell(Action::remove, Subsystem::node, fmt::format("node{}", some->node.value()));
    }
    return true;
}

const ReservedRange* Machine::holder_of(const PhysRange& range) const {
    const auto it = std::ranges::find_if(reserved_, [&](const ReservedRange& taken) {
        return taken.range.start < range.end() && range.start < taken.range.end();
    });
    return it == reserved_.end() ? nullptr : &*it;
}

void Machine::release(const PhysRange& range) {
    const auto it = std::ranges::find(reserved_, range, &ReservedRange::range);
    if (it != reserved_.end()) reserved_.erase(it);
}

Result<> Machine::bind(std::string_view name, DaxMode mode) {
    Dax* dax = find(name);
    if (dax == nullptr)
        return fail(kernel_error(std::string{name}, "bind", ENODEV, "there is no such device"));
    if (dax->unbinding)
        return fail(kernel_error(std::string{name}, "bind", EBUSY, "it is being unbound at this moment"));
    if (dax->device.mode != DaxMode::unbound) {
        return fail(kernel_error(std::string{name}, "bind", EBUSY,
                                 fmt::format("it is bound already, as {}", to_string(dax->device.mode))));
    }
    if (mode == DaxMode::system_ram) return bind_kmem(*dax, std::nullopt);
    if (mode == DaxMode::devdax || (mode == DaxMode::famfs && features_.famfs))
        return bind_dax_device(*dax, mode);
    return fail(kernel_error(std::string{name}, "bind", ENOENT,
                             fmt::format("there is no driver for mode {}", to_string(mode))));
}

Result<> Machine::bind_kmem(Dax& dax, std::optional<Zone> zone) {
    const DaxDevice& device = dax.device;
    const auto refuse = [&](int errnum, std::string reason) {
        message(fmt::format("kmem {}: {}", device.id.name, reason));
        return fail(kernel_error(device.id.name, "bind", errnum, std::move(reason)));
    };
    if (device.target_node.value() < 0) {
        return refuse(EINVAL,
                      fmt::format("rejecting DAX region with invalid node: {}", device.target_node.value()));
    }
    for (std::size_t i = 0; i < device.ranges.size(); ++i) {
        if (span_of(device.ranges[i]).count != 0) continue;
        message(fmt::format("kmem {}: {} too small after alignment", device.id.name,
                            mapping(i, device.ranges[i])));
    }
    if (whole_spans(device).empty()) {
        return refuse(EINVAL, "rejecting DAX region without any memory after alignment");
    }
    if (auto added = add_ranges(dax, auto_online_, zone); !added) return added;
    // A machine that is switched on has its blocks where the file wants them.
    dax.state = zone ? state_of(*zone) : auto_online_;
    dax.device.mode = DaxMode::system_ram;
    tell(Action::bind, Subsystem::dax, device.id.name);
    return {};
}

Result<> Machine::add_ranges(Dax& dax, AutoOnline value, std::optional<Zone> zone) {
    const DaxDevice& device = dax.device;
    const auto refuse = [&](int errnum, std::string reason) {
        message(fmt::format("kmem {}: {}", device.id.name, reason));
        return fail(kernel_error(device.id.name, "bind", errnum, std::move(reason)));
    };
    if (const auto available = kernel_available(); available && struct_pages(device) > *available) {
        return refuse(ENOMEM, "mapping0: memory add failed: no kernel memory for its struct pages");
    }
    for (std::size_t i = 0; i < device.ranges.size(); ++i) {
        // Once some memory is there it may be in use: kmem then goes on with the rest.
        if (auto added = add_range(dax, i, value, zone); !added && dax.held.empty()) return added;
    }
    return {};
}

Result<> Machine::add_range(Dax& dax, std::size_t nth, AutoOnline value, std::optional<Zone> zone) {
    const DaxDevice& device = dax.device;
    const MemoryBlocks::Span span = span_of(device.ranges[nth]);
    if (span.count == 0) return {};
    const PhysRange range = range_of(span);
    const auto refuse = [&](int errnum, std::string reason) {
        message(fmt::format("kmem {}: {}", device.id.name, reason));
        return fail(kernel_error(device.id.name, "bind", errnum, std::move(reason)));
    };
    if (const ReservedRange* holder = holder_of(range); holder != nullptr) {
        return refuse(EBUSY, fmt::format("{} could not reserve region, it is held by \"{}\"",
                                         mapping(nth, range), holder->holder));
    }
    const std::uint64_t pages = device.memmap_on_memory ? 0 : range.size.value() / 64;
    const auto available = kernel_available();
    if (span.count > max_blocks - blocks_.count() || (available && available->value() < pages))
        return refuse(ENOMEM, fmt::format("{} memory add failed", mapping(nth, range)));
    reserve({range, device.id.name});
    dax.held.push_back(range);
    add_blocks(span, device.target_node, value, zone);
    return {};
}

// device_dax, or fsdev_dax.
Result<> Machine::bind_dax_device(Dax& dax, DaxMode mode) {
    const DaxDevice& device = dax.device;
    for (std::size_t i = 0; i < device.ranges.size(); ++i) {
        if (const ReservedRange* holder = holder_of(device.ranges[i]); holder != nullptr) {
            return fail(kernel_error(device.id.name, "bind", EBUSY,
                                     fmt::format("{} could not reserve range, it is held by \"{}\"",
                                                 mapping(i, device.ranges[i]), holder->holder)));
        }
    }
    for (const PhysRange& range : device.ranges) reserve({range, device.id.name});
    dax.held = device.ranges;
    dax.device.mode = mode;
    tell(Action::bind, Subsystem::dax, device.id.name);
    return {};
}

Result<> Machine::begin_unbind(std::string_view name, std::uint64_t usec) {
    Dax* dax = find(name);
    const bool is_bound = dax != nullptr && dax->device.mode == DaxMode::system_ram;
    const auto is_online = [&](const PhysRange& range) { return blocks_.count_online(span_of(range)) != 0; };
    if (usec == 0 || !postpone_ || !is_bound || std::ranges::any_of(dax->held, is_online))
        return unbind(name);
    dax->unbinding = true;
    dax->device.mode = DaxMode::unbound;
    postpone_(usec, [generation = dax->device.id.generation](Machine& machine) {
        for (Dax& each : machine.dax_devices_) {
            if (each.device.id.generation == generation && each.unbinding) machine.end_unbind(each);
        }
    });
    return {};
}

Result<> Machine::unbind(std::string_view name) {
    Dax* dax = find(name);
    if (dax != nullptr && dax->unbinding) {  // by force: the device goes
        end_unbind(*dax);
        return {};
    }
    if (dax == nullptr || dax->device.mode == DaxMode::unbound) {
        return fail(kernel_error(std::string{name}, "unbind", ENODEV,
                                 dax == nullptr ? "there is no such device" : "it is bound to no driver"));
    }
    end_unbind(*dax);
    return {};
}

void Machine::end_unbind(Dax& dax) {
    const bool was_kmem = dax.unbinding || dax.device.mode == DaxMode::system_ram;
    for (const PhysRange& range : dax.held) {
        // A range with a block online stays, and stays reserved: that was its one shot at removal.
        if (was_kmem && !remove_blocks(span_of(range))) {
            const auto of = std::ranges::find_if(dax.device.ranges, [&](const PhysRange& whole) {
                return whole.start <= range.start && range.end() <= whole.end();
            });
            const auto number = static_cast<std::size_t>(of - dax.device.ranges.begin());
            message(fmt::format("kmem {}: {} cannot be hotremoved until the next reboot", dax.device.id.name,
                                mapping(number, range)));
            continue;
        }
        release(range);
    }
    dax.held.clear();
    dax.state.reset();
    dax.unbinding = false;
    dax.device.mode = DaxMode::unbound;
    tell(Action::unbind, Subsystem::dax, dax.device.id.name);
}

Result<> Machine::poison(BlockIndex block, bool poisoned) {
    if (!blocks_.exists(block)) {
        return fail(kernel_error(block_name(block), "poison", ENOENT, "there is no such block"));
    }
    blocks_.set_poisoned(block, poisoned);
    return {};
}

Result<> Machine::pin(BlockIndex block, bool pinned) {
    if (!blocks_.exists(block)) {
        return fail(
            kernel_error(block_name(block), pinned ? "pin" : "unpin", ENOENT, "there is no such block"));
    }
    blocks_.set_pinned(block, pinned);
    return {};
}

}  // namespace cxlmemd::emulator
