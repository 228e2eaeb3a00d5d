// SPDX-License-Identifier: LGPL-2.1-or-later
// Scenarios on the emulator: trace_emulator MACHINE-FILE SCENARIO-FILE prints the trace.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <utility>

#include "backends/emulator/core.h"
#include "backends/emulator/file.h"
#include "tests/contract/trace_main.h"

namespace cxlmemd::contract {

namespace {

using emulator::Core;
using emulator::Machine;
using emulator::Uevent;

std::string subject_of(const Uevent& uevent) {
    return uevent.subsystem == Uevent::Subsystem::memory ? fmt::format("memory{}", uevent.block.value())
                                                         : uevent.name;
}

class EmulatorTraceMachine final : public TraceMachine {
 public:
    explicit EmulatorTraceMachine(emulator::MachineDescription description)
        : core_(std::make_shared<Core>(std::move(description), emulator::monotonic_clock())),
          emulator_(make_emulator(core_)) {
        core_->on_uevent([this](const Uevent& uevent) {
            events_.push_back({std::string{to_string(uevent.action)}, subject_of(uevent)});
        });
    }

    Backend& backend() override { return *emulator_.pair.worker_side; }

    Result<> write_block(BlockIndex block, std::string_view word) override {
        return act([&](Machine& machine) { return machine.write_block_state(block, word); });
    }
    Result<> write_auto_online(std::string_view word) override {
        return act([&](Machine& machine) { return machine.write_auto_online(word); });
    }
    Result<> write_dax_state(const std::string& dax, std::string_view word) override {
        return act([&](Machine& machine) { return machine.write_dax_state(dax, word); });
    }
    Result<> bind(const std::string& dax) override {
        return act([&](Machine& machine) { return machine.bind(dax, DaxMode::system_ram); });
    }
    Result<> unbind(const std::string& dax) override {
        return act([&](Machine& machine) { return machine.unbind(dax); });
    }
    Result<> make_region(std::uint64_t serial, Bytes size) override {
        return act([&](Machine& machine) -> Result<> {
            const auto& all = machine.memdevs();
            const auto memdev = std::ranges::find(all, serial, &Memdev::serial);
            if (memdev == all.end()) return fail(emulator::kernel_error("region", "make", ENODEV, "no card"));
            auto made = machine.add_region({.memdevs = {memdev->name}, .size = size});
            return made ? Result<>{} : fail(made.error());
        });
    }
    Result<> remove_region(const std::string& region) override {
        return act([&](Machine& machine) { return machine.remove_region(region); });
    }

    Result<std::string> read_dax_state(const std::string& dax) override {
        return core_->look([&](const Machine& machine) { return machine.dax_state(dax); });
    }
    std::string valid_zones(BlockIndex block) override {
        return core_->look([&](const Machine& machine) { return machine.valid_zones(block); });
    }
    std::vector<KernelEvent> events() override { return std::exchange(events_, {}); }
    void await_region(std::uint64_t) override {}  // a region is complete when create_region() returns

 private:
    template <class Act>
    Result<> act(Act act) {
        return core_->act([](const Machine&) { return Result<>{}; }, act);
    }

    std::vector<KernelEvent> events_;
    std::shared_ptr<Core> core_;
    Emulator emulator_;
};

int run(const std::string& machine_file, const std::string& scenario_file) {
    auto description = emulator::read_machine_file(machine_file);
    if (!description) {
        std::cerr << machine_file << ": " << description.error().text() << "\n";
        return 2;
    }
    EmulatorTraceMachine machine{std::move(*description)};
    return print_trace(scenario_file, machine, true);
}

}  // namespace

}  // namespace cxlmemd::contract

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: trace_emulator MACHINE-FILE SCENARIO-FILE\n";
        return 2;
    }
    return cxlmemd::contract::run(argv[1], argv[2]);
}
