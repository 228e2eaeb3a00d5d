// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/destroy_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cerrno>

namespace cxlmemd::emulator {

Result<> may_destroy(const Machine& machine, const RegionIdentity& identity) {
    const auto no = [&](ErrorCode code, std::string reason, std::string advice = {}) {
        return fail({.code = code,
                     .object = identity.name,
                     .operation = "destroy",
                     .errnum = code == ErrorCode::busy ? EBUSY : 0,
                     .reason = std::move(reason),
                     .advice = std::move(advice)});
    };
    const std::optional<Region> region = machine.region(identity.name);
    if (!region || machine.identity_of(*region) != identity) {
        return no(ErrorCode::gone, "the region is not the one this was meant for any more");
    }
    if (region->type == RegionType::pmem) {
        return no(ErrorCode::not_supported, "it is persistent memory", "use ndctl and cxl destroy-region");
    }
    if (region->locked) {
        return no(ErrorCode::not_supported, "the firmware has locked its decoders",
                  "it stays until the machine is reset");
    }
    if (!region->destroyed_first.empty()) {
        return no(
            ErrorCode::conflict,
            fmt::format("a card gives its capacity back from its last decoder down, and {} stands above it",
                        fmt::join(region->destroyed_first, ", ")),
            fmt::format("remove {} first", region->destroyed_first.back()));
    }

    const PhysRange range{region->resource, region->size};
    if (const int errnum = machine.unreadable_in(range); errnum != 0) {
        Error unknown{.code = ErrorCode::failed,
                      .object = identity.name,
                      .operation = "destroy",
                      .errnum = errnum,
                      .reason = "cannot tell whether it is in use: a memory block of it cannot be read",
                      .advice = "nothing is destroyed on a guess; try again"};
        return fail(std::move(unknown));
    }
    DaxDevice whole;
    whole.ranges = {range};
    // By their place: an hmem device may lie in the region.
    const std::string bound = machine.bound_in(identity.name, range);
    for (const MemoryBlocks::Span span : machine.whole_spans(whole)) {
        if (bound.empty() && machine.blocks().overlaps(span)) {
            if (machine.is_firmware_ram(span.first)) {
                return no(ErrorCode::conflict,
                          "its memory is plain System RAM: the firmware gave it to the kernel; it cannot be "
                          "emptied");
            }
            return no(
                ErrorCode::reboot_required,
                "memory blocks of it exist, and no dax device has them: they are leaked, and nobody can "
                "give them back before a reboot",
                "reboot to have it back");
        }
        for (const BlockIndex block : machine.blocks().online(span, 1)) {
            return no(ErrorCode::busy, fmt::format("memory block {} is not offline", block.value()),
                      "take its dax devices offline first");
        }
    }
    if (!bound.empty()) {
        return no(ErrorCode::busy, bound + " is bound to a driver", "unbind its dax devices first");
    }
    return {};
}

}  // namespace cxlmemd::emulator
