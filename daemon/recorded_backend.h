// SPDX-License-Identifier: LGPL-2.1-or-later
// The backend, with a record of the call that is under way, and of what the kernel answers to writes. Worker
// thread.
//
// A new function of Backend gets its line here: name the call, pass it on, and note the answer if it writes.
#pragma once

#include <memory>

#include "backends/backend.h"
#include "daemon/call_record.h"
#include "daemon/kernel_answers.h"

namespace cxlmemd {

class RecordedBackend final : public Backend {
 public:
    RecordedBackend(std::unique_ptr<Backend> inner, CallRecord& record, KernelAnswers& answers)
        : inner_(std::move(inner)), record_(record), answers_(answers) {}

    [[nodiscard]] std::string_view name() const override { return inner_->name(); }
    [[nodiscard]] Result<Topology> scan() override;
    [[nodiscard]] Result<Topology> scan_memory() override;
    [[nodiscard]] Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override;
    [[nodiscard]] Result<> set_block(const DaxIdentity& owner, BlockIndex block, BlockTarget target) override;
    void expect_blocks(const DaxIdentity& owner, std::span<const BlockIndex> blocks) override;
    [[nodiscard]] std::uint64_t usec_in_writes() const override { return inner_->usec_in_writes(); }
    [[nodiscard]] Result<> set_mode(const DaxIdentity& device, DaxMode mode) override;
    [[nodiscard]] Result<> set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                             const Progress& progress) override;
    [[nodiscard]] Result<> destroy_region(const RegionIdentity& region) override;
    [[nodiscard]] Result<> set_auto_online(AutoOnline value) override;
    [[nodiscard]] Result<> set_interleave_weight(NodeId node, std::uint32_t weight) override;
    [[nodiscard]] Result<> set_interleave_auto(bool on) override;
    [[nodiscard]] Result<> set_demotion(bool on) override;
    [[nodiscard]] Result<RegionDraft> draft_region(const RegionOrder& order) override;
    [[nodiscard]] Result<> create_region(const RegionDraft& draft) override;
    [[nodiscard]] Result<> clear_region(const RegionTrace& trace) override;

 private:
    std::unique_ptr<Backend> inner_;
    CallRecord& record_;
    KernelAnswers& answers_;
};

}  // namespace cxlmemd
