// SPDX-License-Identifier: LGPL-2.1-or-later
// What the contract suite asks of a machine, real or emulated. One program links the suite
// (contract_test.cpp) with one implementation of make_contract_machine():
//  - emulator_machine.cpp -> contract_emulator, runs on the host under ctest;
//  - linux_machine.cpp    -> contract_linux, runs as root in the VM only. Its make_contract_machine()
//    fails unless the environment says CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes.
// One thread plays worker and loop in turn, so a machine need not be thread-safe.
#pragma once

#include <memory>
#include <string>

#include "backends/backend.h"

namespace cxlmemd::contract {

// Whether the test loses the device's memory until reboot.
enum class Wear {
    reusable,  // the machine can be brought back to its first state afterwards
    spoils,    // memory is leaked: use a card that no `reusable` test needs; if every card is spoiled
               // already, make_contract_machine() fails with not_supported and the test is skipped
};

// Made anew for every test, in this state: the device under test has four memory blocks at least, is
// bound to kmem, all its blocks are offline, auto_online_blocks is `offline`, and events that come
// from preparing are the machine's business (it settles; the suite drains events() before it acts).
class ContractMachine {
 public:
    ContractMachine() = default;
    ContractMachine(const ContractMachine&) = delete;
    ContractMachine& operator=(const ContractMachine&) = delete;
    virtual ~ContractMachine() = default;

    virtual Backend& backend() = 0;
    virtual EventSource& events() = 0;

    // Name of the device under test, as it is now: it may be another one after a region was made.
    [[nodiscard]] virtual std::string dax() const = 0;

    // --- A competing actor: straight to the kernel, past Backend, without any check of ours. ---
    virtual Result<> other_sets_block(BlockIndex block, BlockTarget target) = 0;
    virtual Result<> other_unbinds() = 0;         // from kmem, whatever its blocks are doing
    virtual Result<> other_binds() = 0;           // to kmem; EBUSY if the memory is lost
    virtual Result<> other_removes_region() = 0;  // region and dax device go
    // The same again on the same memdev with the same size, bound to kmem once more; the name may
    // be the old one. Returns when the dax device is complete.
    virtual Result<> other_makes_region() = 0;

    // --- What not every machine can show: not_supported with the reason makes the test skip. ---
    // The kernel will say EBUSY to offlining this block until the machine goes.
    virtual Result<> other_pins(BlockIndex) { return cannot("pin a page"); }
    // Further dax devices, bound to nothing; the name is returned.
    virtual Result<std::string> device_without_node() { return cannot("make a device with node -1"); }
    virtual Result<std::string> device_misaligned() { return cannot("make a misaligned device"); }
    virtual Result<std::string> device_without_whole_block() { return cannot("make a tiny device"); }
    // Its range is reserved in iomem by "Contract Holder".
    virtual Result<std::string> device_on_held_range() { return cannot("hold a physical range"); }
    virtual Result<> lose_hotremove() { return cannot("take memory hot-remove away"); }

 protected:
    static tl::unexpected<Error> cannot(const std::string& what) {
        return fail({.code = ErrorCode::not_supported,
                     .object = {},
                     .operation = {},
                     .errnum = 0,
                     .reason = "this machine cannot " + what,
                     .advice = {}});
    }
};

// Defined once per program. Fails with not_supported (the test is skipped, with the reason) or with
// another error (the test fails).
[[nodiscard]] Result<std::unique_ptr<ContractMachine>> make_contract_machine(Wear wear);

}  // namespace cxlmemd::contract
