// SPDX-License-Identifier: LGPL-2.1-or-later
// The contract's machine on the emulator: two cards, and a few devices that no real card would be.
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdlib>

#include "backends/emulator/emulator_backend.h"
#include "tests/contract/contract_machine.h"

namespace cxlmemd::contract {

namespace {

constexpr std::uint64_t MiB = 1ULL << 20;
constexpr PhysAddr odd_devices{0x8000000000};

emulator::DaxDescription odd_device(const std::string& name, PhysRange range, NodeId node) {
    DaxDevice device;
    device.id.name = name;
    device.kind = DaxKind::hmem;
    device.target_node = node;
    device.numa_node = NodeId{0};
    device.align = Bytes{2 * MiB};
    device.ranges = {range};
    return {device, std::nullopt};
}

PhysRange odd_range(std::uint64_t number, std::uint64_t offset, std::uint64_t size) {
    return {PhysAddr{odd_devices.value() + number * 4096 * MiB + offset}, Bytes{size}};
}

emulator::MachineDescription description() {
    emulator::MachineDescription machine = emulator::two_card_server();
    // "7.3", or "7.3-dark": one whose firmware tells nothing of any node.
    const char* kernel = std::getenv("CXLMEMD_CONTRACT_KERNEL");  // NOLINT(concurrency-mt-unsafe)
    if (kernel != nullptr && std::string_view{kernel}.starts_with("7.3")) {
        machine.features.dax_state = true;
        machine.features.weighted_interleave_auto = true;
        machine.late_dax_usec = 20'000;
        machine.features.famfs = true;
    }
    if (kernel != nullptr && std::string_view{kernel} == "7.3") {
        machine.features.access_coordinates = true;
        machine.nodes.front().access = {Nanoseconds{90}, Nanoseconds{90}, MegabytesPerSecond{64000},
                                        MegabytesPerSecond{64000}};
    }
    const PhysRange held = odd_range(3, 0, 256 * MiB);
    machine.dax_devices.push_back(odd_device("dax10.0", odd_range(0, 0, 256 * MiB), no_node));
    machine.dax_devices.push_back(odd_device("dax11.0", odd_range(1, 2 * MiB, 512 * MiB), NodeId{3}));
    machine.dax_devices.push_back(odd_device("dax12.0", odd_range(2, 2 * MiB, 200 * MiB), NodeId{4}));
    machine.dax_devices.push_back(odd_device("dax13.0", held, NodeId{5}));
    machine.reserved.push_back({held, "Contract Holder"});
    return machine;
}

class EmulatorMachine final : public ContractMachine {
 public:
    EmulatorMachine() : emulator_(make_emulator(description())) {}

    Backend& backend() override { return *emulator_.pair.worker_side; }
    EventSource& events() override { return *emulator_.pair.loop_side; }
    [[nodiscard]] std::string dax() const override { return "dax0.0"; }

    Result<> other_sets_block(BlockIndex block, BlockTarget target) override {
        const InjectDetails which{{"block", block.value()}};
        if (target == BlockTarget::offline) return emulator_.control->inject("offline-block", which);
        InjectDetails details = which;
        details["zone"] = std::string{target == BlockTarget::online_movable ? "movable" : "kernel"};
        return emulator_.control->inject("online-block", details);
    }
    Result<> other_unbinds() override { return emulator_.control->inject("unbind-dax", {{"dax", dax()}}); }
    Result<> other_binds() override { return emulator_.control->inject("bind-dax", {{"dax", dax()}}); }
    Result<> other_removes_region() override {
        return emulator_.control->inject("remove-region", {{"region", "region0"}});
    }
    Result<> other_makes_region() override {
        auto made =
            emulator_.control->inject("add-region", {{"memdevs", "mem0"}, {"target_node", std::int64_t{1}}});
        if (!made) return made;
        // Since 7.3 its dax device comes later; what it tells of is the test's.
        for (int i = 0; i < 1000; ++i) {
            const auto now = backend().scan();
            if (!now || find_dax(*now, dax()) != nullptr) return now ? Result<>{} : fail(now.error());
            static_cast<void>(::poll(nullptr, 0, 1));
        }
        return cannot("make a region whose device comes");
    }

    Result<> other_pins(BlockIndex block) override {
        return emulator_.control->inject("pin-block", {{"block", block.value()}});
    }
    Result<std::string> device_without_node() override { return std::string{"dax10.0"}; }
    Result<std::string> device_misaligned() override { return std::string{"dax11.0"}; }
    Result<std::string> device_without_whole_block() override { return std::string{"dax12.0"}; }
    Result<std::string> device_on_held_range() override { return std::string{"dax13.0"}; }
    Result<> lose_hotremove() override {
        return emulator_.control->inject("set-hotremove", {{"possible", false}});
    }

 private:
    Emulator emulator_;
};

}  // namespace

Result<std::unique_ptr<ContractMachine>> make_contract_machine(Wear) {
    return std::make_unique<EmulatorMachine>();
}

}  // namespace cxlmemd::contract
