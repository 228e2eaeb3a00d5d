// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/kernel_answers.h"

#include <utility>

namespace cxlmemd {

namespace {

// Puts the block at an end of a run; false if it does not belong there.
bool lengthens(KernelAnswer& run, BlockIndex block) {
    const std::uint64_t first = run.block->value();
    if (block.value() == first + run.blocks && (run.blocks == 1 || !run.downwards)) {
        run.downwards = false;
    } else if (block.value() + 1 == first && (run.blocks == 1 || run.downwards)) {
        run.downwards = true;
        run.block = block;
    } else {
        return false;
    }
    ++run.blocks;
    return true;
}

}  // namespace

void KernelAnswers::switch_on() {
    const std::lock_guard lock{mutex_};
    on_ = true;
}

void KernelAnswers::note_block(std::string_view operation, const std::string& object, std::string_view value,
                               BlockIndex block, std::uint64_t began_usec, std::uint64_t now_usec,
                               const Error* error) {
    const std::lock_guard lock{mutex_};
    if (error != nullptr && error->errnum != 0) ++refused_[error->errnum];
    if (!on_) return;
    if (error == nullptr && !kept_.answers.empty() && kept_.lost == 0) {
        KernelAnswer& last = kept_.answers.back();
        if (last.block && !last.error && last.operation == operation && last.value == value &&
            last.object == object && lengthens(last, block)) {
            last.ended_usec = now_usec;
            return;
        }
    }
    if (kept_.answers.size() >= most) {
        ++kept_.lost;
        return;
    }
    kept_.answers.push_back({.operation = std::string{operation},
                             .object = object,
                             .value = std::string{value},
                             .block = block,
                             .began_usec = began_usec,
                             .ended_usec = now_usec,
                             .error = error == nullptr ? std::nullopt : std::optional{*error}});
}

void KernelAnswers::note(KernelAnswer answer) {
    const std::lock_guard lock{mutex_};
    if (answer.error && answer.error->errnum != 0) ++refused_[answer.error->errnum];
    if (!on_) return;
    if (kept_.answers.size() >= most) {
        ++kept_.lost;
    } else {
        kept_.answers.push_back(std::move(answer));
    }
}

std::map<int, std::uint64_t> KernelAnswers::refused() const {
    const std::lock_guard lock{mutex_};
    return refused_;
}

KernelAnswers::Fetched KernelAnswers::fetch() {
    const std::lock_guard lock{mutex_};
    return std::exchange(kept_, {});
}

}  // namespace cxlmemd
