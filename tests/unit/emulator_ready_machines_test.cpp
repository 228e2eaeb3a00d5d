// SPDX-License-Identifier: LGPL-2.1-or-later
// The topology files in the tree: what a scan shows of each is what its file says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "backends/emulator/emulator_backend.h"
#include "backends/emulator/file.h"

namespace cxlmemd::emulator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path source = std::filesystem::path(__FILE__).parent_path() / "../..";

std::vector<std::string> ready_machines() {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(source / "backends/emulator/machines"))
        out.push_back(entry.path().stem().string());
    std::ranges::sort(out);
    return out;
}

MachineDescription described(const std::string& name) {
    return read_machine_file((source / "backends/emulator/machines" / (name + ".toml")).string()).value();
}

Topology scan(const MachineDescription& machine) {
    return make_emulator(machine).pair.worker_side->scan().value();
}

Topology scan(const std::string& name) {
    return scan(described(name));
}

// What kmem says no to, by the file alone.
bool is_refused(const MachineDescription& machine, const DaxDevice& device) {
    const auto is_taken = [&](const ReservedRange& taken) {
        return std::ranges::any_of(device.ranges, [&](const PhysRange& range) {
            return taken.range.start < range.end() && range.start < taken.range.end();
        });
    };
    return device.target_node.value() < 0 || whole_blocks(device, machine.block_size).empty() ||
           std::ranges::any_of(machine.reserved, is_taken);
}

class ReadyMachine : public ::testing::TestWithParam<std::string> {};

TEST_P(ReadyMachine, HasTheCardsAndRegionsOfItsFile) {
    const MachineDescription file = described(GetParam());
    const Topology machine = scan(file);
    EXPECT_EQ(machine.block_size, file.block_size);
    EXPECT_EQ(machine.auto_online, file.auto_online);
    EXPECT_EQ(machine.features, file.features);
    ASSERT_EQ(machine.memdevs.size(), file.memdevs.size());
    for (Memdev said : file.memdevs) {
        const Memdev* seen = find_memdev(machine, said.name);
        ASSERT_NE(seen, nullptr) << said.name;
        said.generation = seen->generation;
        EXPECT_EQ(*seen, said);
    }
    ASSERT_EQ(machine.regions.size(), file.regions.size());
    for (Region said : file.regions) {
        const Region* seen = find_region(machine, said.name);
        ASSERT_NE(seen, nullptr) << said.name;
        said.generation = seen->generation;
        said.destroyed_first = seen->destroyed_first;
        if (seen->access == AccessCoordinates{}) said.access = {};  // until its first block is online
        EXPECT_EQ(*seen, said);
    }
    ASSERT_EQ(machine.root_decoders.size(), file.root_decoders.size());
    for (const RootDecoder& said : file.root_decoders) {
        const auto seen = std::ranges::find(machine.root_decoders, said.name, &RootDecoder::name);
        ASSERT_NE(seen, machine.root_decoders.end());
        EXPECT_EQ(seen->window, said.window);
        EXPECT_EQ(seen->qos_class, said.qos_class);
        EXPECT_EQ(seen->interleave_ways, said.interleave_ways);
    }
}

TEST_P(ReadyMachine, HasTheDaxDevicesOfItsFileBoundAsItSays) {
    const MachineDescription file = described(GetParam());
    const Topology machine = scan(file);
    ASSERT_EQ(machine.dax_devices.size(), file.dax_devices.size());
    for (const DaxDescription& said : file.dax_devices) {
        const DaxDevice* seen = find_dax(machine, said.device.id.name);
        ASSERT_NE(seen, nullptr) << said.device.id.name;
        EXPECT_EQ(seen->id.region, said.device.id.region);
        EXPECT_EQ(seen->kind, said.device.kind);
        EXPECT_EQ(seen->target_node, said.device.target_node);
        EXPECT_EQ(seen->ranges, said.device.ranges);
        EXPECT_EQ(seen->mode, is_refused(file, said.device) ? DaxMode::unbound : said.device.mode);
        const std::size_t whole =
            seen->mode == DaxMode::system_ram ? whole_blocks(*seen, machine.block_size).size() : 0;
        EXPECT_EQ(present_blocks(machine, *seen).size(), whole);
    }
}

TEST_P(ReadyMachine, HasTheNodesOfItsFile) {
    const MachineDescription file = described(GetParam());
    const Topology machine = scan(file);
    for (const NodeDescription& said : file.nodes) {
        const Node* seen = find_node(machine, said.id);
        ASSERT_NE(seen, nullptr);
        EXPECT_EQ(seen->has_cpu, said.has_cpu);
        if (said.has_cpu) {
            EXPECT_EQ(seen->bytes_kernel, said.kernel_bytes);
            EXPECT_EQ(seen->tier, 4);
        }
    }
}

TEST_P(ReadyMachine, IsInTheDocument) {
    std::ifstream file(source / "docs/emulator.md");
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_THAT(text.str(), HasSubstr("\n| `" + GetParam() + "` | "));
}

INSTANTIATE_TEST_SUITE_P(Machines, ReadyMachine, ::testing::ValuesIn(ready_machines()),
                         [](const auto& machine) {
                             std::string name = machine.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST(ReadyMachines, AreThoseThatPeopleAskFor) {
    EXPECT_THAT(
        ready_machines(),
        ElementsAre("auto-online", "dynamic-capacity", "eight-card-pool", "growing-extents", "held-range",
                    "hmem-and-pmem", "laptop-with-nothing", "legacy-plain-ram", "misaligned-device",
                    "negative-target-node", "sixteen-tib-pool", "two-card-server", "two-cards-7-3"));
}

TEST(ReadyMachines, TheEightCardPoolGoesOverTwoSwitches) {
    const Topology pool = scan("eight-card-pool");
    EXPECT_THAT(pool.root_decoders.at(0).memdevs, ElementsAre("mem0", "mem1", "mem2", "mem3"));
    EXPECT_THAT(pool.root_decoders.at(1).memdevs, ElementsAre("mem4", "mem5", "mem6", "mem7"));
    EXPECT_EQ(pool.root_decoders.at(2).memdevs.size(), 8U);
    EXPECT_EQ(pool.root_decoders.at(2).interleave_ways, 2U);
    EXPECT_EQ(pool.regions.at(0).interleave_ways, 8U);
    EXPECT_EQ(pool.blocks.size(), 1024U);  // of 2 GiB
}

TEST(ReadyMachines, TheLegacySystemHasItsCardsAsPlainRam) {
    const Topology legacy = scan("legacy-plain-ram");
    EXPECT_TRUE(legacy.dax_devices.empty());
    EXPECT_TRUE(legacy.regions.at(0).locked);
    const Node& node = legacy.nodes.at(1);
    EXPECT_FALSE(node.has_cpu);
    EXPECT_EQ(node.bytes_kernel, legacy.regions.at(0).size);
    EXPECT_EQ(node.tier, 4);  // the kernel takes memory of the firmware's map for DRAM

    const Emulator emulator = make_emulator(described("legacy-plain-ram"));
    const auto destroyed =
        emulator.pair.worker_side->destroy_region(identity_of(legacy, legacy.regions.at(0)));
    ASSERT_FALSE(destroyed);
    EXPECT_EQ(destroyed.error().code, ErrorCode::not_supported);
    EXPECT_THAT(destroyed.error().text(), HasSubstr("locked"));
}

TEST(ReadyMachines, HmemAndPmemAreOfEveryKind) {
    const Topology machine = scan("hmem-and-pmem");
    std::vector<DaxKind> kinds;
    for (const DaxDevice& device : machine.dax_devices) kinds.push_back(device.kind);
    EXPECT_THAT(kinds, ElementsAre(DaxKind::hmem, DaxKind::pmem, DaxKind::cxl_ram, DaxKind::cxl_pmem));
    EXPECT_EQ(find_dax(machine, "dax0.0")->ranges.size(), 2U);
    const auto blocks = present_blocks(machine, *find_dax(machine, "dax2.0"));
    EXPECT_EQ(std::ranges::count(blocks, Zone::movable, &Block::zone), 16);
}

TEST(ReadyMachines, On73MemoryInTheKernelZoneStays) {
    const Emulator emulator = make_emulator(described("two-cards-7-3"));
    const Topology machine = emulator.pair.worker_side->scan().value();
    EXPECT_TRUE(machine.features.dax_state);
    EXPECT_EQ(machine.regions.at(0).access.read_latency, Nanoseconds{270});
    const auto offline = emulator.pair.worker_side->set_block(
        machine.dax_devices.at(0).id, machine.blocks.at(0).index, BlockTarget::offline);
    ASSERT_FALSE(offline);
    EXPECT_EQ(offline.error().code, ErrorCode::busy);
}

}  // namespace
}  // namespace cxlmemd::emulator
