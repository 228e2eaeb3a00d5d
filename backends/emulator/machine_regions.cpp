// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions that the daemon makes, and how they go: drivers/cxl/core/region.c.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

using Action = Uevent::Action;
using Subsystem = Uevent::Subsystem;

Error refused(ErrorCode code, const std::string& object, int errnum, std::string reason) {
    Error error = kernel_error(object, "create region", errnum, std::move(reason));
    error.code = code;
    return error;
}

}  // namespace

Result<RegionDraft> Machine::draft_region(const RegionOrder& order) const {
    if (!features_.region_create) {
        return fail(refused(ErrorCode::not_supported, order.root_decoder, ENOENT,
                            "this kernel cannot create regions"));
    }
    const auto root = std::ranges::find(root_decoders_, order.root_decoder, &RootDecoder::name);
    if (root == root_decoders_.end())
        return fail(refused(ErrorCode::gone, order.root_decoder, ENOENT, "the root decoder has gone"));
    if (!(order.type == RegionType::pmem ? root->pmem_capable : root->volatile_capable)) {
        return fail(refused(ErrorCode::not_supported, order.root_decoder, ENOENT,
                            "it makes no " + std::string{to_string(order.type)} + " regions"));
    }
    RegionDraft out{.order = order,
                    .trace = {.region = {}, .root_decoder = order.root_decoder, .decoders = {}}};
    for (const RegionMember& member : order.members) {
        const auto memdev = std::ranges::find(memdevs_, member.memdev, &Memdev::name);
        if (memdev == memdevs_.end() || memdev->generation != member.generation) {
            return fail(refused(ErrorCode::gone, member.memdev, 0,
                                "the memdev is not the one this was meant for any more"));
        }
        // Capacity is given out in the order of a card's decoders, and back from the last one down.
        const auto taken = std::ranges::count_if(regions_, [&](const Region& region) {
            return std::ranges::find(region.memdevs, member.memdev) != region.memdevs.end();
        });
        out.trace.decoders.push_back("decoder-" + member.memdev + "." + std::to_string(taken));
    }
    unsigned number = 0;
    const auto taken = [&] {
        return std::ranges::find(regions_, out.trace.region, &Region::name) != regions_.end() ||
               dax("dax" + std::to_string(number) + ".0") != nullptr;
    };
    for (out.trace.region = "region0"; taken(); ++number) {
        out.trace.region = "region" + std::to_string(number + 1);
    }
    return out;
}

Result<> Machine::create_region(const RegionDraft& draft) {
    // The machine may have changed since it was drafted.
    const auto again = draft_region(draft.order);
    if (!again) return fail(again.error());
    // The kernel gives one name at a time (drivers/cxl/core/region.c, create_region_store()).
    if (again->trace.region != draft.trace.region) {
        return fail(refused(ErrorCode::busy, draft.order.root_decoder, EBUSY,
                            "it makes " + again->trace.region + " next, and not " + draft.trace.region));
    }
    // cxl_region_attach_position(): position i comes from below root target i modulo ways.
    const auto root = std::ranges::find(root_decoders_, draft.order.root_decoder, &RootDecoder::name);
    for (std::size_t i = 0; root->targets.size() > 1 && i < draft.order.members.size(); ++i) {
        const auto memdev = std::ranges::find(memdevs_, draft.order.members[i].memdev, &Memdev::name);
        if (memdev->bridge.empty() || memdev->bridge == root->targets[i % root->targets.size()]) continue;
        return fail(kernel_error(draft.order.root_decoder, "create region", ENXIO,
                                 fmt::format("{} has an invalid target position: {} is below {}",
                                             draft.trace.region, memdev->name, memdev->bridge)));
    }
    RegionRequest request;
    request.name = draft.trace.region;
    request.kind = draft.order.type == RegionType::pmem ? DaxKind::cxl_pmem : DaxKind::cxl_ram;
    for (const RegionMember& member : draft.order.members) request.memdevs.push_back(member.memdev);
    request.root_decoder = draft.order.root_decoder;
    request.size = draft.order.size;
    request.interleave_granularity = draft.order.interleave_granularity;
    auto made = add_region(request);
    return made ? Result<>{} : fail(made.error());
}

// The region's driver leaves it, and takes along what it made: the dax region with its devices.
void Machine::disable(Region& region) {
    if (!disabled_.insert(region.generation).second) return;
    const bool was_late = late_dax_.erase(region.generation) != 0;
    while (true) {
        const auto dax =
            std::ranges::find(dax_devices_, region.name, [](const Dax& d) { return d.device.id.region; });
        if (dax == dax_devices_.end()) break;
        remove_dax(std::string{dax->name()});
    }
    const std::string dax_region = "dax_" + region.name;
    if (!was_late) tell(Action::unbind, Subsystem::cxl, dax_region);
    tell(Action::remove, Subsystem::cxl, dax_region);
    tell(Action::unbind, Subsystem::cxl, region.name);
}

Result<> Machine::remove_region(std::string_view name) {
    const auto it = std::ranges::find(regions_, name, &Region::name);
    if (it == regions_.end()) {
        Error error = kernel_error(std::string{name}, "delete region", ENODEV, "there is no such device");
        error.code = ErrorCode::not_found;
        return fail(std::move(error));
    }
    disable(*it);
    disabled_.erase(it->generation);
    std::erase(dynamic_regions_, it->name);
    tell(Action::remove, Subsystem::cxl, it->name);
    regions_.erase(it);
    return {};
}

Result<> Machine::disable_region(std::string_view name) {
    const auto it = std::ranges::find(regions_, name, &Region::name);
    if (it == regions_.end())
        return fail(kernel_error(std::string{name}, "disable region", ENODEV, "there is no such device"));
    if (disabled_.contains(it->generation))
        return fail(kernel_error(std::string{name}, "disable region", ENODEV, "it has no driver"));
    disable(*it);
    return {};
}

std::optional<Region> Machine::region(std::string_view name) const {
    const auto it = std::ranges::find(regions_, name, &Region::name);
    return it == regions_.end() ? std::nullopt : std::optional{shown(*it)};
}

RegionIdentity Machine::identity_of(const Region& region) const {
    RegionIdentity out{
        .name = region.name, .resource = region.resource, .serials = {}, .generation = region.generation};
    for (const std::string& name : region.memdevs) {
        const auto memdev = std::ranges::find(memdevs_, name, &Memdev::name);
        if (memdev != memdevs_.end()) out.serials.push_back(memdev->serial);
    }
    return out;
}

std::vector<std::string> Machine::dax_of(std::string_view region) const {
    std::vector<std::string> out;
    for (const Dax& dax : dax_devices_) {
        if (dax.device.id.region == region) out.push_back(dax.device.id.name);
    }
    return out;
}

std::string Machine::bound_in(std::string_view region, const PhysRange& range) const {
    for (const Dax& dax : dax_devices_) {
        if (dax.device.mode == DaxMode::unbound) continue;
        const auto lies_there = [&](const PhysRange& each) { return overlap(each, range); };
        if (dax.device.id.region == region || std::ranges::any_of(dax.device.ranges, lies_there))
            return dax.device.id.name;
    }
    return {};
}

// Regions are made upwards, each with the next decoder of its cards: those made later stand above.
std::vector<std::string> Machine::above(const Region& region) const {
    std::vector<std::string> out;
    bool later = false;
    for (const Region& other : regions_) {
        const bool shares_a_card = std::ranges::any_of(other.memdevs, [&](const std::string& memdev) {
            return std::ranges::find(region.memdevs, memdev) != region.memdevs.end();
        });
        if (later && shares_a_card) out.push_back(other.name);
        if (other.name == region.name) later = true;
    }
    return out;
}

}  // namespace cxlmemd::emulator
