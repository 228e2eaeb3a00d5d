// SPDX-License-Identifier: LGPL-2.1-or-later
// "May be pulled" against the truth, on random machines (R17): plain System RAM, locked and unlocked regions,
// hmem devices inside and outside of windows, interleaving, several regions on a card, memory that was left
// behind. Each machine is made so that the test knows which cards really carry what; the removal's plan is
// carried out on the emulated kernel to its end, and then
//  - it says done only if nothing that exists is carried by the card (never wrong), and
//  - it refuses only if something is there that cannot be drained, or that the kernel's facts leave open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "backends/emulator/machine.h"
#include "policy/occupancy.h"
#include "policy/plan_removal.h"
#include "tests/unit/topology_builder.h"

namespace cxlmemd {
namespace {

using emulator::BlockRun;
using emulator::DaxDescription;
using emulator::Machine;
using emulator::MachineDescription;

constexpr std::uint64_t block = 128ULL << 20;
constexpr std::uint64_t unit = 2 * block;  // what regions are multiples of
constexpr unsigned machines = 3000;

// Something that stands in the physical address space, and who carries it.
struct Placed {
    PhysRange range;
    std::set<std::string> cards;
    // Of one card alone by what the kernel shows: a region, a window that leads nowhere else.
    bool is_certain = true;
};

class RandomMachine final {
 public:
    explicit RandomMachine(unsigned seed) : random_(seed) {
        machine_.block_size = Bytes{block};
        machine_.features.region_create = true;
        emulator::NodeDescription node;
        node.id = NodeId{0};
        node.has_cpu = true;
        node.kernel_bytes = Bytes{16ULL << 30};
        machine_.nodes.push_back(node);
        const unsigned cards = 1 + pick(4);
        for (unsigned i = 0; i < cards; ++i) {
            Memdev memdev;
            memdev.name = "mem" + std::to_string(i);
            memdev.serial = pick(3) == 0 ? 0 : i + 1;
            memdev.host = "0000:0" + std::to_string(i) + ":00.0";
            memdev.ram_size = Bytes{unit * 16};
            machine_.memdevs.push_back(memdev);
            left_[memdev.name] = unit * 16;
        }
        const unsigned windows = 1 + pick(2);
        for (unsigned i = 0; i < windows; ++i) add_window(i);
        const unsigned things = pick(7);
        for (unsigned i = 0; i < things; ++i) add_thing(i);
    }

    [[nodiscard]] const MachineDescription& description() const { return machine_; }
    [[nodiscard]] const std::vector<Placed>& placed() const { return placed_; }

 private:
    unsigned pick(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }

    void add_window(unsigned nth) {
        RootDecoder root;
        root.name = "decoder0." + std::to_string(nth);
        root.window = {PhysAddr{0x1000000000ULL + nth * 0x1000000000ULL}, Bytes{unit * 64}};
        root.volatile_capable = true;
        for (const Memdev& memdev : machine_.memdevs) {
            if (pick(2) == 0) root.memdevs.push_back(memdev.name);
        }
        if (root.memdevs.empty())
            root.memdevs.push_back(
                machine_.memdevs[pick(static_cast<unsigned>(machine_.memdevs.size()))].name);
        machine_.decoders_with_list.insert(root.name);
        next_.push_back(root.window.start.value());
        machine_.root_decoders.push_back(std::move(root));
    }

    // A piece of a window, for one card of it or for two.
    struct Piece {
        std::size_t window = 0;
        PhysRange range;
        std::vector<std::string> cards;
    };
    std::optional<Piece> take(unsigned most_cards) {
        Piece out;
        out.window = pick(static_cast<unsigned>(machine_.root_decoders.size()));
        std::vector<std::string> able;
        for (const std::string& name : machine_.root_decoders[out.window].memdevs) {
            if (left_[name] >= unit) able.push_back(name);
        }
        if (able.empty()) return std::nullopt;
        std::ranges::shuffle(able, random_);
        const std::size_t ways = able.size() >= 2 && most_cards >= 2 && pick(3) == 0 ? 2 : 1;
        out.cards.assign(able.begin(), able.begin() + static_cast<std::ptrdiff_t>(ways));
        std::uint64_t share = unit * (1 + pick(3));
        for (const std::string& name : out.cards) share = std::min(share, left_[name]);
        for (const std::string& name : out.cards) left_[name] -= share;
        if (pick(3) == 0) next_[out.window] += unit;  // a gap
        out.range = {PhysAddr{next_[out.window]}, Bytes{share * ways}};
        next_[out.window] += out.range.size.value();
        return out;
    }

    void place(const Piece& piece, bool is_certain) {
        placed_.push_back({piece.range, {piece.cards.begin(), piece.cards.end()}, is_certain});
    }

    std::vector<BlockRun> runs(const PhysRange& range, bool any_zone) {
        std::vector<BlockRun> out;
        const std::uint64_t first = range.start.value() / block;
        for (std::uint64_t i = 0; i < range.size.value() / block; ++i) {
            const Zone zone =
                any_zone ? std::array{Zone::none, Zone::kernel, Zone::movable}[pick(3)] : Zone::kernel;
            out.push_back({BlockIndex{first + i}, 1, zone});
        }
        return out;
    }

    void add_region(const Piece& piece, unsigned nth, bool locked) {
        Region region;
        region.name = "region" + std::to_string(nth);
        region.resource = piece.range.start;
        region.size = piece.range.size;
        region.memdevs = piece.cards;
        region.interleave_ways = static_cast<std::uint32_t>(piece.cards.size());
        region.interleave_granularity = 256;
        region.root_decoder = machine_.root_decoders[piece.window].name;
        region.locked = locked;
        machine_.regions.push_back(std::move(region));
    }

    void add_dax(const std::string& name, const std::string& region, const PhysRange& range, DaxKind kind) {
        DaxDescription dax;
        dax.device.id.name = name;
        dax.device.id.region = region;
        dax.device.kind = kind;
        dax.device.target_node = NodeId{1 + static_cast<int>(pick(3))};
        dax.device.ranges = {range};
        dax.device.mode =
            std::array{DaxMode::system_ram, DaxMode::system_ram, DaxMode::devdax, DaxMode::unbound}[pick(4)];
        if (dax.device.mode == DaxMode::system_ram) {
            dax.blocks = std::array{Zone::none, Zone::movable}[pick(2)];
        } else if (dax.device.mode == DaxMode::unbound && pick(4) == 0) {
            dax.block_runs = runs(range, true);  // leaked
        }
        machine_.dax_devices.push_back(std::move(dax));
    }

    void add_thing(unsigned nth) {
        const std::string number = std::to_string(nth);
        switch (pick(6)) {
            case 0:  // a region, with its device or without
            case 1:
                if (const auto piece = take(2)) {
                    add_region(*piece, nth, pick(4) == 0);
                    if (pick(4) != 0)
                        add_dax("dax" + number + ".0", "region" + number, piece->range, DaxKind::cxl_ram);
                    place(*piece, true);
                }
                break;
            case 2:  // plain System RAM, in a region of the firmware's or without
                if (const auto piece = take(1)) {
                    const bool has_region = pick(2) == 0;
                    if (has_region) add_region(*piece, nth, pick(2) == 0);
                    machine_.memory.push_back({NodeId{2}, runs(piece->range, false), true});
                    place(*piece, has_region);
                }
                break;
            case 3:  // an hmem device in a window, or in a region
                if (const auto piece = take(1)) {
                    const bool has_region = pick(2) == 0;
                    if (has_region) add_region(*piece, nth, false);
                    add_dax("dax" + number + ".0", "", piece->range, DaxKind::hmem);
                    place(*piece, has_region);
                }
                break;
            case 4:  // left behind by a device that has gone
                if (const auto piece = take(1)) {
                    machine_.memory.push_back({NodeId{3}, runs(piece->range, true), false});
                    place(*piece, false);
                }
                break;
            case 5:  // an hmem device that is no card's
                add_dax("dax" + number + ".0", "",
                        {PhysAddr{0x9000000000ULL + nth * 0x100000000ULL}, Bytes{unit}}, DaxKind::hmem);
                break;
            default: break;
        }
    }

    std::mt19937 random_;
    MachineDescription machine_;
    std::map<std::string, std::uint64_t> left_;  // capacity that no region takes
    std::vector<std::uint64_t> next_;            // by window
    std::vector<Placed> placed_;
};

bool exists_in(const Topology& topology, const PhysRange& range) {
    if (!overlapping_blocks(topology, range).empty()) return true;
    return std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
        return device.mode != DaxMode::unbound &&
               std::ranges::any_of(device.ranges,
                                   [&](const PhysRange& each) { return overlap(each, range); });
    });
}

// What no drain takes away: blocks that no kmem has.
bool has_stuck_memory(const Topology& topology, const PhysRange& range) {
    for (const Block& each : overlapping_blocks(topology, range)) {
        const PhysRange place{PhysAddr{each.index.value() * block}, Bytes{block}};
        const bool drainable = std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
            return device.mode == DaxMode::system_ram &&
                   std::ranges::any_of(device.ranges, [&](const PhysRange& r) { return overlap(r, place); });
        });
        if (!drainable) return true;
    }
    return false;
}

// Carries the plan out as the daemon does, to its end. True: it says that the card may be pulled.
bool prepared(Machine& machine, const std::string& card) {
    for (int round = 0; round < 1000; ++round) {
        const Topology topology = machine.topology();
        const JointPlan plan = plan_memdev_removal(topology, *find_memdev(topology, card));
        if (plan.steps.empty()) return !plan.blocked;
        const DeviceStep& next = plan.steps.front();
        if (next.step.kind == StepKind::offline) {
            for (const BlockIndex each : next.step.blocks)
                EXPECT_TRUE(machine.write_block_state(each, emulator::BlockWrite::offline));
        } else {
            EXPECT_EQ(next.step.mode, DaxMode::unbound);
            // Never over a block that is online (R11).
            for (const Block& each : present_blocks(topology, *find_dax(topology, next.device)))
                EXPECT_EQ(each.state, BlockState::offline);
            EXPECT_TRUE(machine.unbind(next.device.name));
        }
    }
    ADD_FAILURE() << "the plan has no end";
    return false;
}

std::string shown(const MachineDescription& machine, const std::vector<Placed>& placed) {
    std::string out;
    for (const RootDecoder& root : machine.root_decoders) {
        out += "\n" + root.name + " at " + std::to_string(root.window.start.value() / block) + ":";
        for (const std::string& name : root.memdevs) out += " " + name;
    }
    for (const Region& region : machine.regions) {
        out += "\n" + region.name + " at " + std::to_string(region.resource.value() / block) + ":";
        for (const std::string& name : region.memdevs) out += " " + name;
    }
    for (const DaxDescription& dax : machine.dax_devices) {
        out += "\n" + dax.device.id.name + " at " +
               std::to_string(dax.device.ranges[0].start.value() / block) + " " +
               std::string{to_string(dax.device.mode)};
    }
    for (const Placed& each : placed) {
        out += "\nplaced at " + std::to_string(each.range.start.value() / block) + ", " +
               std::to_string(each.range.size.value() / block) + " blocks:";
        for (const std::string& name : each.cards) out += " " + name;
    }
    return out;
}

TEST(OccupancyProperties, R17_ACardMayBePulledIfAndOnlyIfNothingStandsOnIt) {
    unsigned done = 0;
    unsigned refused = 0;
    for (unsigned seed = 1; seed <= machines; ++seed) {
        const RandomMachine random(seed);
        for (const Memdev& card : random.description().memdevs) {
            Machine machine(random.description(), {});
            SCOPED_TRACE("seed " + std::to_string(seed) + ", " + card.name +
                         shown(random.description(), random.placed()));
            const Topology before = machine.topology();
            const bool said_done = prepared(machine, card.name);
            const Topology after = machine.topology();
            if (said_done) {
                ++done;
                for (const Placed& each : random.placed()) {
                    EXPECT_FALSE(each.cards.contains(card.name) && exists_in(after, each.range));
                }
            } else {
                ++refused;
                // Something stands there for good, or it is open which card carries something that exists.
                const bool for_a_reason = std::ranges::any_of(random.placed(), [&](const Placed& each) {
                    if (!exists_in(before, each.range)) return false;
                    if (each.is_certain)
                        return each.cards.contains(card.name) && has_stuck_memory(before, each.range);
                    const auto window = std::ranges::find_if(
                        before.root_decoders,
                        [&](const RootDecoder& root) { return overlap(root.window, each.range); });
                    return std::ranges::find(window->memdevs, card.name) != window->memdevs.end();
                });
                EXPECT_TRUE(for_a_reason);
            }
            if (::testing::Test::HasFailure()) return;
        }
    }
    // Both happen often enough to mean something.
    EXPECT_GT(done, machines / 4);
    EXPECT_GT(refused, machines / 4);
}

}  // namespace
}  // namespace cxlmemd
