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

    DaxDevice whole;
    whole.ranges = {{region->resource, region->size}};
    std::string bound;
    for (const std::string& name : machine.dax_of(identity.name)) {
        if (machine.dax(name)->mode != DaxMode::unbound) bound = name;
    }
    for (const MemoryBlocks::Span span : machine.whole_spans(whole)) {
        if (bound.empty() && machine.blocks().overlaps(span)) {
            return no(ErrorCode::reboot_required,
                      "memory blocks of it exist, and no driver is there to remove them: they were online "
                      "when it was unbound",
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
