// SPDX-License-Identifier: LGPL-2.1-or-later
// What the fuzzers of the emulator share: what must hold of a machine whatever was done to it, and a life for
// it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "backends/emulator/emulator_backend.h"
#include "tests/unit/manual_clock.h"

namespace cxlmemd::fuzz {

inline void must(bool holds) {
    if (!holds) std::abort();
}

// Large machines are slow, and nothing else.
inline void keep_small(InjectDetails& details) {
    for (const char* key : {"ram_size", "pmem_size", "size"}) {
        if (details.contains(key)) details[key] = std::int64_t{1} << 30;
    }
    for (const char* key : {"count"}) {
        const auto it = details.find(key);
        if (it == details.end()) continue;
        if (auto* number = std::get_if<std::int64_t>(&it->second))
            *number = std::min<std::int64_t>(*number, 4096);
        if (auto* number = std::get_if<std::uint64_t>(&it->second)) {
            *number = std::min<std::uint64_t>(*number, 4096);
        }
        if (std::holds_alternative<std::string>(it->second)) it->second = std::int64_t{3};
    }
}

inline void check(const Topology& topology) {
    must(std::ranges::is_sorted(topology.blocks, {}, &Block::index));
    must(std::ranges::adjacent_find(topology.blocks, {}, &Block::index) == topology.blocks.end());
    for (const Block& block : topology.blocks) {
        must((block.state == BlockState::online) == (block.zone != Zone::none));
        must(find_node(topology, block.node) != nullptr);
    }
    must(std::ranges::is_sorted(topology.nodes, {}, &Node::id));
    for (const DaxDevice& dax : topology.dax_devices) {
        must(!dax.ranges.empty() && dax.id.start == dax.ranges.front().start);
        // kmem takes no device without a node or a whole block (R8, R9).
        if (dax.mode == DaxMode::system_ram) {
            must(dax.target_node.value() >= 0 && !whole_blocks(dax, topology.block_size).empty());
        }
        if (!dax.id.region.empty()) must(find_region(topology, dax.id.region) != nullptr);
    }
    for (const Region& region : topology.regions) {
        for (const std::string& name : region.memdevs) must(find_memdev(topology, name) != nullptr);
    }
}

// A machine, its clock, and somebody who uses it as the daemon does.
class World final {
 public:
    explicit World(emulator::MachineDescription description) {
        auto clock = std::make_unique<emulator::ManualClock>();
        clock_ = clock.get();
        emulator_ = make_emulator(std::move(description), std::move(clock));
        emulator_.control->start_scenario();
    }

    Backend& backend() { return *emulator_.pair.worker_side; }
    EmulatorControl& control() { return *emulator_.control; }

    Topology scan() {
        for (int i = 0; i < 8; ++i) {  // a scan may be ordered to fail
            if (auto topology = backend().scan()) {
                check(*topology);
                return std::move(*topology);
            }
        }
        return {};
    }
    void advance(std::uint64_t usec) {
        clock_->advance(usec);
        for (int i = 0; i < 64 && !emulator_.pair.loop_side->take().empty(); ++i) {
            // As many as the loop would take in a few turns.
        }
    }
    // Brings a block of some device to a state, or binds the device.
    void use(unsigned what) {
        const Topology topology = scan();
        if (topology.dax_devices.empty()) return;
        const DaxDevice& dax = topology.dax_devices[what % topology.dax_devices.size()];
        const std::vector<BlockIndex> blocks = whole_blocks(dax, topology.block_size);
        if (what % 7 == 6) {
            const auto mode = what % 2 == 0 ? DaxMode::system_ram : DaxMode::devdax;
            static_cast<void>(backend().set_mode(dax.id, what % 5 == 0 ? DaxMode::unbound : mode));
        } else if (!blocks.empty()) {
            static_cast<void>(backend().set_block(dax.id, blocks[what / 7 % blocks.size()],
                                                  static_cast<BlockTarget>(what % 3)));
        }
    }

 private:
    emulator::ManualClock* clock_ = nullptr;
    Emulator emulator_;
};

}  // namespace cxlmemd::fuzz
