// SPDX-License-Identifier: LGPL-2.1-or-later
// What the contract's tests share: a machine for each test, and questions about it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/contract/contract_machine.h"

// Skips the test, with the reason, where the machine cannot show what is asked of it.
#define CONTRACT_OR_SKIP(result)                                                                     \
    do {                                                                                             \
        if (!(result).has_value() && (result).error().code == ::cxlmemd::ErrorCode::not_supported) { \
            GTEST_SKIP() << (result).error().text();                                                 \
        }                                                                                            \
        ASSERT_TRUE((result).has_value()) << (result).error().text();                                \
    } while (false)

#define CONTRACT_OK(expression)                                                     \
    do {                                                                            \
        const auto contract_result = (expression);                                  \
        ASSERT_TRUE(contract_result.has_value()) << contract_result.error().text(); \
    } while (false)

namespace cxlmemd::contract {

class ContractTest : public ::testing::Test {
 protected:
    explicit ContractTest(Wear wear = Wear::reusable) : wear_(wear) {}

    void SetUp() override {
        auto made = make_contract_machine(wear_);
        CONTRACT_OR_SKIP(made);
        machine_ = std::move(*made);
        blocks_ = whole_blocks(device(), scan().block_size);
        ASSERT_GE(blocks_.size(), 4U) << "the machine under test is too small";
        while (!machine_->events().take().empty()) {
            // What came from preparing the machine is none of the test's business.
        }
    }

    ContractMachine& machine() { return *machine_; }
    Backend& backend() { return machine_->backend(); }

    // Empty, and the test fails, if the backend cannot.
    Topology scan();
    DaxDevice device() { return device(machine_->dax()); }
    DaxDevice device(const std::string& name);

    // Blocks of the device under test, ascending, as they were at the start.
    [[nodiscard]] BlockIndex block(std::size_t nth) const { return blocks_.at(nth); }
    [[nodiscard]] const std::vector<BlockIndex>& blocks() const { return blocks_; }

    // The zone of the block now, none if it is offline; the test fails if it does not exist.
    Zone zone(BlockIndex index);
    std::size_t online_blocks();  // of the device under test

    // True once the event source has said to look at this block, or at everything. Waits for at most
    // five seconds, on the file descriptor.
    bool told_to_look_at(BlockIndex index);
    // True once the event source has said to look at everything.
    bool told_to_scan();
    // True once it has said that the device of this name is gone.
    bool told_of_removal(const std::string& name);
    // Takes all events, until none has come for a while.
    void quiet();
    // True once the condition holds: asked again whenever an event has come. For what the kernel does in its
    // own time.
    bool comes(const std::function<bool()>& condition);

    // What the device under test stands on, and an order for a region like it: the whole of its card.
    Region region();
    RegionIdentity region_identity();
    RegionOrder order_of_the_card();

    // All that a caller can act on: which error, and what it is about.
    template <class T>
    static void expect_error(const Result<T>& result, ErrorCode code, int errnum, const std::string& object,
                             const std::string& operation) {
        ASSERT_FALSE(result);
        const Error& error = result.error();
        EXPECT_EQ(error.code, code) << error.text();
        EXPECT_EQ(error.errnum, errnum) << error.text();
        EXPECT_EQ(error.object, object) << error.text();
        EXPECT_EQ(error.operation, operation) << error.text();
        EXPECT_FALSE(error.reason.empty());
    }
    static std::string name_of(BlockIndex block) { return "memory block " + std::to_string(block.value()); }

 private:
    template <class Wanted>
    bool told(Wanted wanted);

    Wear wear_;
    std::unique_ptr<ContractMachine> machine_;
    std::vector<BlockIndex> blocks_;
};

// Tests that lose memory until reboot; run them last, one card each.
class SpoilingContractTest : public ContractTest {
 protected:
    SpoilingContractTest() : ContractTest(Wear::spoils) {}
};

}  // namespace cxlmemd::contract
