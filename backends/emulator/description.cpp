// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/description.h"

namespace cxlmemd::emulator {

namespace {

constexpr Bytes card_size{4ULL << 30};
constexpr std::uint64_t first_address = 0x590000000;

void add_card(MachineDescription& machine, unsigned number) {
    const std::string digit = std::to_string(number);
    const PhysRange range{PhysAddr{first_address + number * card_size.value()}, card_size};

    Memdev card;
    card.name = "mem" + digit;
    card.serial = number + 1;
    card.host = number == 0 ? "0000:0d:00.0" : "0000:0e:00.0";
    card.numa_node = NodeId{0};
    card.ram_size = card_size;
    card.firmware = "emulated";
    machine.memdevs.push_back(card);

    Region region;
    region.name = "region" + digit;
    region.resource = range.start;
    region.size = range.size;
    region.interleave_granularity = 256;
    region.root_decoder = "decoder0.0";
    region.memdevs = {card.name};
    machine.regions.push_back(region);

    DaxDevice device;
    device.id.name = "dax" + digit + ".0";
    device.id.region = region.name;
    device.id.start = range.start;
    device.target_node = NodeId{static_cast<int>(number) + 1};
    device.numa_node = NodeId{0};
    device.size = range.size;
    device.resource = range.start;
    device.align = Bytes{2ULL << 20};
    device.ranges = {range};
    device.mode = DaxMode::system_ram;
    machine.dax_devices.push_back({device, std::nullopt});
}

}  // namespace

MachineDescription two_card_server() {
    MachineDescription machine;
    machine.features.region_create = true;
    machine.features.weighted_interleave = true;
    machine.features.demotion = true;

    NodeDescription dram;
    dram.id = NodeId{0};
    dram.has_cpu = true;
    dram.kernel_bytes = Bytes{16ULL << 30};
    dram.used_bytes = Bytes{dram.kernel_bytes.value() / 4};
    machine.nodes.push_back(dram);

    RootDecoder window;
    window.name = "decoder0.0";
    window.window = {PhysAddr{first_address}, Bytes{64ULL << 30}};
    window.volatile_capable = true;
    machine.root_decoders.push_back(window);

    add_card(machine, 0);
    add_card(machine, 1);
    return machine;
}

}  // namespace cxlmemd::emulator
