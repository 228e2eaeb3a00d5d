// SPDX-License-Identifier: LGPL-2.1-or-later
// Scenarios on the real kernel: trace_linux SCENARIO-FILE prints the trace. It wants a machine of its own,
// the VM: see linux_machine.cpp.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

#include "backends/linux/linux_backend.h"
#include "tests/contract/kernel_events.h"
#include "tests/contract/linux_card_region.h"
#include "tests/contract/trace_main.h"

namespace cxlmemd::contract {

namespace {

class LinuxTraceMachine final : public TraceMachine {
 public:
    LinuxTraceMachine() : backend_(LinuxPaths{}) {}

    Backend& backend() override { return backend_; }

    Result<> write_block(BlockIndex block, std::string_view word) override {
        return put(memory + "memory" + std::to_string(block.value()) + "/state", word);
    }
    Result<> write_auto_online(std::string_view word) override {
        return put(memory + "auto_online_blocks", word);
    }
    Result<> write_dax_state(const std::string& dax, std::string_view word) override {
        return put(dax_bus + "devices/" + dax + "/state", word);
    }
    Result<> bind(const std::string& dax) override { return put(dax_bus + "drivers/kmem/bind", dax); }
    Result<> unbind(const std::string& dax) override { return put(dax_bus + "drivers/kmem/unbind", dax); }

    Result<> make_region(std::uint64_t serial, Bytes size) override {
        CardRegion region{serial};
        auto done = region.make(std::to_string(size.value()));
        if (done) await_region(serial);
        return done;
    }
    Result<> remove_region(const std::string& region) override { return CardRegion{region}.remove(); }

    Result<std::string> read_dax_state(const std::string& dax) override {
        auto text = sysfs::read(dax_bus + "devices/" + dax + "/state");
        if (text) return *text;
        return fail({.code = code_of_errno(text.error()), .object = dax, .errnum = text.error()});
    }
    std::string valid_zones(BlockIndex block) override {
        return sysfs::read(memory + "memory" + std::to_string(block.value()) + "/valid_zones").value_or("");
    }
    std::vector<KernelEvent> events() override { return events_.take(); }

    // The dax device, its region and its dax region are bound, in whatever order.
    void await_region(std::uint64_t) override {
        const bool complete = events_.until([](const std::vector<KernelEvent>& events) {
            return std::ranges::count(events, "bind", &KernelEvent::action) >= 3;
        });
        if (!complete) std::cerr << "the region did not get complete\n";
    }

 private:
    LinuxBackend backend_;
    KernelEvents events_;
};

int run(const std::string& scenario_file) {
    const char* allowed = std::getenv("CXLMEMD_CONTRACT_ON_THIS_MACHINE");  // NOLINT(concurrency-mt-unsafe)
    if (allowed == nullptr || std::string_view(allowed) != "yes" || ::geteuid() != 0) {
        std::cerr << "it changes the memory of the machine it runs on, as root: set "
                     "CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes if that is a test machine\n";
        return 2;
    }
    LinuxTraceMachine machine;
    if (auto done = machine.write_auto_online("offline"); !done) {
        std::cerr << done.error().text() << "\n";
        return 2;
    }
    return print_trace(scenario_file, machine, false);
}

}  // namespace

}  // namespace cxlmemd::contract

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: trace_linux SCENARIO-FILE\n";
        return 2;
    }
    return cxlmemd::contract::run(argv[1]);
}
