// Regions that the daemon makes: drivers/cxl/core/region.c.
#include <algorithm>
#include <cerrno>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

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
    if (std::ranges::find(root_decoders_, order.root_decoder, &RootDecoder::name) == root_decoders_.end()) {
        return fail(refused(ErrorCode::gone, order.root_decoder, ENOENT, "the root decoder has gone"));
    }
    RegionDraft out{.order = order,
                    .trace = {.region = {}, .root_decoder = order.root_decoder, .decoders = {}}};
    for (const RegionMember& member : order.members) {
        const auto memdev = std::ranges::find(memdevs_, member.memdev, &Memdev::name);
        if (memdev == memdevs_.end() || memdev->generation != member.generation) {
            return fail(refused(ErrorCode::gone, member.memdev, 0,
                                "the memdev is not the one this was meant for any more"));
        }
        out.trace.decoders.push_back("decoder-" + member.memdev);
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
    if (auto again = draft_region(draft.order); !again) return fail(again.error());
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

}  // namespace cxlmemd::emulator
