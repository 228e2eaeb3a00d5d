// SPDX-License-Identifier: LGPL-2.1-or-later
// The real kernel as a contract machine: one region of one card for every test, made and removed past the
// backend.
//
// It wants a machine of its own with CXL cards that nobody uses, the VM: the card with the lowest serial is
// the reusable one; each test that loses memory spoils another, from the highest serial down.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "backends/linux/linux_backend.h"
#include "backends/linux/sysfs.h"
#include "tests/contract/contract_machine.h"
#include "tests/contract/linux_card_region.h"

namespace cxlmemd::contract {

namespace {

class LinuxMachine final : public ContractMachine {
 public:
    LinuxMachine(std::uint64_t serial, std::uint64_t spare) : region_(serial), spare_(spare) {}

    ~LinuxMachine() override {
        if (spoiled_) return;  // nothing brings it back
        (void)clean(extra_);
        (void)clean(region_);
    }

    Result<> prepare() {
        if (auto done = put(memory + "auto_online_blocks", "offline"); !done) return done;
        if (auto done = region_.make(); !done) return done;
        if (std::system("udevadm settle --timeout=60") != 0) return fail(problem("udev did not settle"));
        pair_ = make_linux();
        return {};
    }

    void will_spoil() { spoiled_ = true; }

    Backend& backend() override { return *pair_.worker_side; }
    EventSource& events() override { return *pair_.loop_side; }
    std::string dax() const override { return region_.dax(); }

    Result<> other_sets_block(BlockIndex block, BlockTarget target) override {
        return put(memory + "memory" + std::to_string(block.value()) + "/state", to_string(target));
    }
    Result<> other_unbinds() override { return put(dax_bus + "drivers/kmem/unbind", dax()); }
    Result<> other_binds() override { return put(dax_bus + "drivers/kmem/bind", dax()); }
    Result<> other_removes_region() override { return region_.remove(); }
    Result<> other_makes_region() override { return region_.make(); }

    // The dax bus cuts a region's memory into devices as it is told: 64 MiB first, so that what follows
    // starts in the middle of a block.
    Result<std::string> device_without_whole_block() override {
        return cut_spare().map([](Cut cut) { return cut.head; });
    }
    Result<std::string> device_misaligned() override {
        return cut_spare().map([](Cut cut) { return cut.rest; });
    }

 private:
    struct Cut {
        std::string head;
        std::string rest;
    };

    Result<Cut> cut_spare() {
        if (extra_.name().empty()) {
            if (auto done = extra_.make(); !done) return tl::unexpected(done.error());
        }
        Cut out{.head = extra_.dax(), .rest = {}};
        const auto block_size = sysfs::read_number(memory + "block_size_bytes", 16).value_or(0);
        const std::string head = dax_bus + "devices/" + out.head;
        const auto folder = std::filesystem::canonical(head).parent_path().string() + "/dax_region";
        if (auto done = put(dax_bus + "drivers/kmem/unbind", out.head); !done)
            return tl::unexpected(done.error());
        if (auto done = put(head + "/size", std::to_string(block_size / 2)); !done)
            return tl::unexpected(done.error());
        if (auto done = put(folder + "/create", "1"); !done) return tl::unexpected(done.error());
        out.rest = sysfs::read(folder + "/seed").value_or("");
        if (auto done = put(dax_bus + "devices/" + out.rest + "/size", std::to_string(3 * block_size));
            !done) {
            return tl::unexpected(done.error());
        }
        return out;
    }

    static Result<> clean(CardRegion& region) {
        const std::string device = region.dax();
        if (!device.empty() && sysfs::link_name(dax_bus + "devices/" + device + "/driver") == "kmem") {
            for (const std::string& block : region.blocks()) {
                if (sysfs::read(block + "/state").value_or("offline") == "offline") continue;
                if (auto done = put(block + "/state", "offline"); !done) return done;
            }
        }
        return region.remove();
    }

    CardRegion region_;
    std::uint64_t spare_;
    CardRegion extra_{spare_};
    BackendPair pair_;
    bool spoiled_ = false;
};

}  // namespace

Result<std::unique_ptr<ContractMachine>> make_contract_machine(Wear wear) {
    static std::set<std::uint64_t> spoiled;
    const char* allowed = std::getenv("CXLMEMD_CONTRACT_ON_THIS_MACHINE");  // NOLINT(concurrency-mt-unsafe)
    if (allowed == nullptr || std::string_view(allowed) != "yes") {
        return fail(
            problem("it changes the memory of the machine it runs on: set "
                    "CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes if that is a test machine"));
    }
    if (::geteuid() != 0) return fail(problem("it takes root"));
    const auto all = cards();
    if (all.size() < 2) return fail(problem("it takes two CXL cards", ErrorCode::not_supported));
    const std::uint64_t reusable = all.begin()->first;
    const std::uint64_t spare = std::next(all.begin())->first;

    std::uint64_t serial = reusable;
    if (wear == Wear::spoils) {
        const auto fresh = std::find_if(all.rbegin(), all.rend(), [&](const auto& card) {
            return card.first != reusable && card.first != spare && !spoiled.contains(card.first);
        });
        if (fresh == all.rend()) return fail(problem("no card is left to lose", ErrorCode::not_supported));
        serial = fresh->first;
        spoiled.insert(serial);
    }
    auto machine = std::make_unique<LinuxMachine>(serial, spare);
    if (wear == Wear::spoils) machine->will_spoil();
    if (auto ready = machine->prepare(); !ready) {
        return fail(problem("not prepared: " + ready.error().text()));  // never a reason to skip
    }
    return machine;
}

}  // namespace cxlmemd::contract
