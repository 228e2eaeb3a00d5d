// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/step_run.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>

namespace cxlmemd {

namespace {

BlockTarget target_of(const Step& step) {
    if (step.kind == StepKind::offline) return BlockTarget::offline;
    return step.zone == Zone::movable ? BlockTarget::online_movable : BlockTarget::online_kernel;
}

std::string block_name(BlockIndex block) {
    return "memory block " + std::to_string(block.value());
}

Error elsewhere(const Step& step, const Block& block) {
    if (step.kind == StepKind::offline) {
        return {.code = ErrorCode::busy,
                .object = block_name(block.index),
                .operation = "offline",
                .errnum = 0,
                .reason = "it is " + std::string{to_string(block.state)} + " again",
                .advice = {}};
    }
    if (block.state == BlockState::online) {
        return {.code = ErrorCode::conflict,
                .object = block_name(block.index),
                .operation = "online",
                .errnum = 0,
                .reason = "it is online in the " + std::string{to_string(block.zone)} + " zone already",
                .advice = {}};
    }
    return {.code = ErrorCode::busy,
            .object = block_name(block.index),
            .operation = "online",
            .errnum = 0,
            .reason = "it is " + std::string{to_string(block.state)} + " again",
            .advice = {}};
}

// EINVAL is what the kernel says of a block that is online already, in whatever zone.
bool says_already_online(const Error& error, const Step& step, const Block* now) {
    return error.errnum == EINVAL && step.kind == StepKind::online && now != nullptr &&
           now->state == BlockState::online;
}

Error not_there(BlockIndex block) {
    return {.code = ErrorCode::gone,
            .object = block_name(block),
            .operation = {},
            .errnum = 0,
            .reason = "the block is gone",
            .advice = {}};
}

HotplugState state_of(const Step& step) {
    if (step.kind != StepKind::online) return HotplugState::unplugged;
    return step.zone == Zone::movable ? HotplugState::online_movable : HotplugState::online_kernel;
}

// One write for all blocks: what came of each is read afterwards.
StepReport run_by_state(Backend& backend, const DaxIdentity& device, const Step& step,
                        const std::function<void(std::uint64_t)>& progress) {
    StepReport report;
    const std::uint64_t in_writes_before = backend.usec_in_writes();
    const auto done = backend.set_hotplug_state(device, state_of(step), progress);
    report.usec_in_writes = backend.usec_in_writes() - in_writes_before;
    if (!done && (done.error().code == ErrorCode::gone || done.error().code == ErrorCode::canceled ||
                  step.blocks.empty()))
        report.stopped = done.error();
    if (step.blocks.empty()) return report;
    auto found = backend.read_blocks(step.blocks);
    if (!found) {
        if (!report.stopped) report.stopped = found.error();
        return report;
    }
    report.looked_at = step.blocks;
    report.found = std::move(*found);
    std::unordered_map<std::uint64_t, const Block*> now;
    for (const Block& block : report.found) now.emplace(block.index.value(), &block);
    const bool goes = step.kind == StepKind::offline;
    for (const BlockIndex block : step.blocks) {
        const auto seen = now.find(block.value());
        const bool is_there = seen != now.end();
        if (is_there ? is_reached(step, *seen->second) : goes) {
            report.reached.push_back(block);
        } else if (!done) {
            if (!report.stopped) report.failed.push_back({block, done.error()});
        } else {
            report.failed.push_back({block, is_there ? elsewhere(step, *seen->second) : not_there(block)});
        }
    }
    progress(report.reached.size());
    return report;
}

}  // namespace

bool is_reached(const Step& step, const Block& block) {
    if (step.kind == StepKind::offline) return block.state == BlockState::offline;
    return block.state == BlockState::online && block.zone == step.zone;
}

StepReport run_step(Backend& backend, const DaxIdentity& device, const Step& step,
                    const std::atomic<bool>& stop, const std::function<void(std::uint64_t)>& progress) {
    StepReport report;
    if (step.kind == StepKind::set_mode) {
        if (auto done = backend.set_mode(device, step.mode); !done) report.stopped = done.error();
        return report;
    }
    if (step.kind == StepKind::unplug || step.by_state) return run_by_state(backend, device, step, progress);

    std::unordered_map<std::uint64_t, Error> errors;
    std::uint64_t good = 0;
    report.looked_at.reserve(step.blocks.size());
    const std::uint64_t in_writes_before = backend.usec_in_writes();
    backend.expect_blocks(device, step.blocks);
    for (const BlockIndex block : step.blocks) {
        if (stop) {
            report.stopped = Error{.code = ErrorCode::canceled,
                                   .object = device.name,
                                   .operation = {},
                                   .errnum = 0,
                                   .reason = "it was asked to stop",
                                   .advice = {}};
            break;
        }
        // Written at once, not read first: the kernel itself answers EINVAL when there is nothing to
        // do, and what it then shows decides below.
        auto done = backend.set_block(device, block, target_of(step));
        report.looked_at.push_back(block);
        if (done) {
            progress(++good);
            continue;
        }
        errors.emplace(block.value(), done.error());
        const bool owner_gone = done.error().code == ErrorCode::gone && done.error().object == device.name;
        if (owner_gone || done.error().code == ErrorCode::canceled) {
            report.stopped = done.error();
            break;
        }
    }

    backend.expect_blocks(device, {});
    report.usec_in_writes = backend.usec_in_writes() - in_writes_before;

    // The kernel has the last word on what was reached: zone and state, read once a block.
    auto found = backend.read_blocks(report.looked_at);
    if (!found) {
        if (!report.stopped) report.stopped = found.error();
        report.looked_at.clear();
        return report;
    }
    report.found = std::move(*found);
    std::unordered_map<std::uint64_t, const Block*> now;
    for (const Block& block : report.found) now.emplace(block.index.value(), &block);
    for (const BlockIndex block : report.looked_at) {
        const auto seen = now.find(block.value());
        const auto error = errors.find(block.value());
        if (seen != now.end() && is_reached(step, *seen->second)) {
            report.reached.push_back(block);
        } else if (error != errors.end() &&
                   !says_already_online(error->second, step, seen == now.end() ? nullptr : seen->second)) {
            report.failed.push_back({block, error->second});
        } else if (seen == now.end()) {
            report.failed.push_back({block, not_there(block)});
        } else {
            report.failed.push_back({block, elsewhere(step, *seen->second)});
        }
    }
    return report;
}

}  // namespace cxlmemd
