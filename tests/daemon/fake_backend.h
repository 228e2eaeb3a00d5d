// SPDX-License-Identifier: LGPL-2.1-or-later
// A backend in memory whose answers a test writes down.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.h"

namespace cxlmemd::test {

class FakeBackend final : public Backend {
 public:
    std::map<BlockIndex, Block> blocks;
    std::vector<std::pair<BlockIndex, BlockTarget>> writes;
    // What the next write to a block answers instead of doing it; empty: it is done.
    std::map<BlockIndex, std::vector<Error>> refusals;
    std::vector<std::pair<std::string, std::vector<BlockIndex>>> expected;  // by device, as it was said
    std::function<void(BlockIndex)> before_write;
    std::optional<Error> mode_error;
    std::size_t mode_errors_left = SIZE_MAX;  // so often
    std::size_t modes_set = 0;                // tries
    std::function<void()> after_mode;         // once it succeeded
    std::optional<Error> destroy_error;
    std::vector<std::string> destroyed;
    std::shared_ptr<std::vector<std::string>> looks = std::make_shared<std::vector<std::string>>();

    Topology scanned;             // what a scan shows
    std::size_t scan_errors = 0;  // so many scans fail
    std::function<void()> before_scan;
    std::atomic<bool> go_on = false;  // for before_scan

    void add(std::uint64_t index, BlockState state, Zone zone) {
        blocks[BlockIndex{index}] = {.index = BlockIndex{index},
                                     .state = state,
                                     .zone = zone,
                                     .kernel_allowed = true,
                                     .movable_allowed = true,
                                     .node = NodeId{1}};
    }

    std::string_view name() const override { return "fake"; }
    Result<Topology> scan() override {
        looks->emplace_back("everything");
        if (before_scan) before_scan();
        if (scan_errors != 0) {
            --scan_errors;
            return fail({.code = ErrorCode::failed, .object = "/sys", .operation = "read", .errnum = EIO});
        }
        return scanned;
    }
    Result<Topology> scan_memory() override {
        looks->emplace_back("memory");
        return Topology{};
    }

    Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override {
        std::vector<Block> out;
        for (const BlockIndex index : indices) {
            if (const auto found = blocks.find(index); found != blocks.end()) out.push_back(found->second);
        }
        return out;
    }

    void expect_blocks(const DaxIdentity& owner, std::span<const BlockIndex> indices) override {
        expected.emplace_back(owner.name, std::vector<BlockIndex>(indices.begin(), indices.end()));
    }

    Result<> set_block(const DaxIdentity&, BlockIndex index, BlockTarget target) override {
        if (before_write) before_write(index);
        writes.emplace_back(index, target);
        if (auto& refused = refusals[index]; !refused.empty()) {
            const Error error = refused.front();
            refused.erase(refused.begin());
            return fail(error);
        }
        const auto found = blocks.find(index);
        if (found == blocks.end()) return kernel_says(index, ENOENT);
        Block& block = found->second;
        const bool wants_online = target != BlockTarget::offline;
        if (wants_online == (block.state == BlockState::online)) return kernel_says(index, EINVAL);
        block.state = wants_online ? BlockState::online : BlockState::offline;
        block.zone = target == BlockTarget::online_movable  ? Zone::movable
                     : target == BlockTarget::online_kernel ? Zone::kernel
                                                            : Zone::none;
        return {};
    }

    Result<> set_mode(const DaxIdentity&, DaxMode) override {
        ++modes_set;
        if (mode_error && mode_errors_left != 0) {
            --mode_errors_left;
            return fail(*mode_error);
        }
        if (after_mode) after_mode();
        return {};
    }
    // All blocks that there are belong to the device.
    Result<> set_hotplug_state(const DaxIdentity&, HotplugState state, const Progress&) override {
        states_set.push_back(state);
        if (state_error) return fail(*state_error);
        if (state == HotplugState::unplugged) {
            unplugged.merge(blocks);
            blocks.clear();
            return {};
        }
        blocks.merge(unplugged);
        for (auto& [index, block] : blocks) {
            block.state = BlockState::online;
            block.zone = state == HotplugState::online_kernel ? Zone::kernel : Zone::movable;
        }
        if (after_state) after_state();
        return {};
    }
    Result<> destroy_region(const RegionIdentity& region) override {
        destroyed.push_back(region.name);
        if (destroy_error) return fail(*destroy_error);
        return {};
    }
    Result<> set_auto_online(AutoOnline) override { return {}; }
    Result<> set_interleave_weight(NodeId, std::uint32_t) override { return {}; }
    Result<> set_interleave_auto(bool) override { return {}; }
    Result<> set_demotion(bool) override {
        ++demotions_set;
        if (demotion_error) return fail(*demotion_error);
        return {};
    }
    Result<RegionDraft> draft_region(const RegionOrder& order) override {
        return RegionDraft{order, {"region9", "decoder0.0", {"decoder1.0"}}};
    }
    Result<> create_region(const RegionDraft&) override {
        ++regions_made;
        if (create_error) return fail(*create_error);
        return {};
    }
    Result<> clear_region(const RegionTrace&) override {
        ++regions_cleared;
        if (clear_error) return fail(*clear_error);
        return {};
    }

    std::vector<HotplugState> states_set;
    std::optional<Error> state_error;
    std::function<void()> after_state;  // once it succeeded
    std::map<BlockIndex, Block> unplugged;

    std::optional<Error> demotion_error;
    std::optional<Error> create_error;
    std::optional<Error> clear_error;
    // Tries.
    std::size_t demotions_set = 0;
    std::size_t regions_made = 0;
    std::size_t regions_cleared = 0;

    static tl::unexpected<Error> kernel_says(BlockIndex index, int errnum) {
        return fail({.code = code_of_errno(errnum),
                     .object = "memory block " + std::to_string(index.value()),
                     .operation = "write",
                     .errnum = errnum,
                     .reason = "the kernel said no",
                     .advice = {}});
    }
};

}  // namespace cxlmemd::test
