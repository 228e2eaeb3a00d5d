// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/write_errors.h"

#include <fmt/format.h>

#include <cerrno>

namespace cxlmemd {

namespace {

// What means the same of both.
void explain(Error& error) {
    switch (error.errnum) {
        case EINTR: error.reason = "interrupted"; break;
        case ENOMEM:
            error.reason = "the kernel has no memory left for it";
            error.advice = "free memory on the other nodes";
            break;
        case EACCES:
        case EPERM:
        case EROFS:
            error.reason = "the kernel's file cannot be written";
            error.advice = "it takes root and write access to /sys/devices";
            break;
        default: error.reason = "the kernel refused"; break;
    }
}

}  // namespace

std::string block_words(BlockIndex block) {
    return fmt::format("memory block {}", block.value());
}

// Documentation/admin-guide/mm/memory-hotplug.rst, and drivers/base/memory.c for what it leaves out.
Error block_error(BlockIndex block, BlockTarget target, int errnum) {
    const bool goes = target == BlockTarget::offline;
    Error error{.code = code_of_errno(errnum),
                .object = block_words(block),
                .operation = std::string(to_string(target)),
                .errnum = errnum};
    switch (errnum) {
        case EBUSY:
        case EAGAIN:
            error.reason =
                goes ? "it holds pages that the kernel cannot move now" : "another actor holds the block";
            error.advice = "try again later";
            break;
        case EINVAL:
            error.reason = goes ? "the kernel does not offline this block"
                                : "it is online already, or its zone is not one that it may go to";
            break;
        case EHWPOISON:
            error.reason = "it holds a poisoned page";
            error.advice = goes ? "it stays online until the machine is rebooted"
                                : "it stays offline until its device is bound anew";
            break;
        case ENOENT:
        case ENODEV:
        case ENXIO: error.reason = "the block does not exist any more"; break;
        default: explain(error); break;
    }
    return error;
}

// drivers/dax/kmem.c
Error state_error(const DaxIdentity& device, HotplugState state, int errnum) {
    const bool goes = state == HotplugState::unplugged;
    Error error{.code = errnum == ENOENT ? ErrorCode::not_supported : code_of_errno(errnum),
                .object = device.name,
                .operation = "set state " + std::string(to_string(state)),
                .errnum = errnum};
    switch (errnum) {
        case ENOENT: error.reason = "the kernel has no daxX.Y/state for it: 7.3 and newer have it"; break;
        case EBUSY:
        case EAGAIN:
            error.reason = goes ? "it holds pages that the kernel cannot move now: all of its memory stays"
                                : "the kernel takes that from an unplugged device only";
            error.advice = goes ? "the kernel log names the page; try again later" : "unplug it first";
            break;
        default: explain(error); break;
    }
    return error;
}

}  // namespace cxlmemd
