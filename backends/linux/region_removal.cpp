#include "backends/linux/region_removal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "backends/linux/dax_scan.h"
#include "backends/linux/region_sysfs.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

Error refusal(ErrorCode code, const std::string& region, std::string reason, std::string advice = {}) {
    return {.code = code,
            .object = region,
            .operation = "destroy",
            .errnum = 0,
            .reason = std::move(reason),
            .advice = std::move(advice)};
}

Error not_written(const std::string& region, const char* operation, const std::string& what, int errnum) {
    Error error{.code = code_of_errno(errnum),
                .object = region,
                .operation = operation,
                .errnum = errnum,
                .reason = what};
    if (errnum == EACCES || errnum == EPERM || errnum == EROFS) {
        error.advice = "it takes root and write access to /sys/bus/cxl and /sys/devices";
    }
    return error;
}

// The real folder that a link in /sys/bus leads to; empty if it has gone.
std::string real_path(const std::string& link) {
    std::error_code error;
    const auto path = std::filesystem::canonical(link, error);
    return error ? std::string{} : path.string();
}

}  // namespace

Result<> RegionRemoval::destroy(const RegionIdentity& region) const {
    if (auto may = may_go(region); !may) return may;
    if (auto empty = holds_no_memory(region); !empty) return empty;
    if (auto disabled = disable(region.name); !disabled) return disabled;
    // Somebody may have bound and onlined it in the moment between: then it is lost, but not forgotten.
    if (auto empty = holds_no_memory(region); !empty) {
        Error lost = empty.error();
        lost.code = ErrorCode::reboot_required;
        lost.reason = "it was disabled while somebody else brought memory of it online: " + lost.reason;
        lost.advice = "reboot to have it back";
        return fail(std::move(lost));
    }
    return give_back(region.name);
}

Result<> RegionRemoval::may_go(const RegionIdentity& region) const {
    if (read_region_identity(paths_, region.name) != region) {
        return fail(
            refusal(ErrorCode::gone, region.name, "the region is not the one this was meant for any more"));
    }
    if (sysfs::read(file(region.name, "mode")).value_or("") != "ram") {
        return fail(refusal(ErrorCode::not_supported, region.name, "it is not known to be volatile memory",
                            "use ndctl and cxl destroy-region"));
    }
    const auto targets = read_targets(paths_, region.name);
    if (any_locked(paths_, targets)) {
        return fail(refusal(ErrorCode::not_supported, region.name, "the firmware has locked its decoders"));
    }
    if (const auto above = read_above(paths_, region.name, targets); !above.empty()) {
        return fail(refusal(
            ErrorCode::conflict, region.name,
            fmt::format("a card gives its capacity back from its last decoder down, and {} stands above it",
                        fmt::join(above, ", ")),
            fmt::format("remove {} first", above.back())));
    }
    return {};
}

// R11, seen in the kernel: no block of it, whether or not a dax device is left to say so, and no driver.
Result<> RegionRemoval::holds_no_memory(const RegionIdentity& region) const {
    std::string bound;
    for (const std::string& name : sysfs::names_in(paths_.dax_devices())) {
        const std::string path = real_path(paths_.dax_devices() + "/" + name);
        if (dax_place(path).region != region.name) continue;
        const auto mode = read_dax_mode(paths_, name);
        if (mode && *mode != DaxMode::unbound) bound = name;
    }

    DaxDevice all;
    all.ranges = {{region.resource, Bytes{sysfs::read_number(file(region.name, "size")).value_or(0)}}};
    const Bytes block_size = blocks_.block_size();
    std::vector<Block> present;
    if (all.ranges.front().size.value() != 0 && block_size.value() != 0) {
        blocks_.read_overlapping(all.ranges.front(), block_size, no_node, present);
        const auto whole = whole_blocks(all, block_size);
        std::erase_if(present,
                      [&](const Block& block) { return !std::ranges::binary_search(whole, block.index); });
    }
    const auto online =
        std::ranges::find_if(present, [](const Block& block) { return block.state != BlockState::offline; });

    if (bound.empty() && !present.empty()) {
        return fail(refusal(
            ErrorCode::reboot_required, region.name,
            fmt::format("memory block {} of it exists, and no driver is there to remove it: it was online "
                        "when it was unbound",
                        (online == present.end() ? present.front() : *online).index.value()),
            "reboot to have it back"));
    }
    if (online != present.end()) {
        Error error = refusal(ErrorCode::busy, region.name,
                              fmt::format("memory block {} is not offline", online->index.value()),
                              "take its dax devices offline first");
        error.errnum = EBUSY;
        return fail(std::move(error));
    }
    if (!bound.empty()) {
        Error error = refusal(ErrorCode::busy, region.name, bound + " is bound to a driver",
                              "unbind its dax devices first");
        error.errnum = EBUSY;
        return fail(std::move(error));
    }
    return {};
}

Result<> RegionRemoval::disable(const std::string& region) const {
    const std::string driver = file(region, "driver");
    if (!sysfs::exists(driver)) return {};  // it was never enabled, or is disabled
    const auto done = sysfs::write(paths_.sys + "/bus/cxl/drivers/cxl_region/unbind", region);
    if (!sysfs::exists(driver)) return {};
    return fail(not_written(region, "disable", "the driver did not let it go", done ? EIO : done.error()));
}

// Target by target, and the decoder's capacity with it: while a target is attached, this can be done again.
Result<> RegionRemoval::give_back(const std::string& region) const {
    const auto failed = [&](const std::string& what, int errnum) {
        Error error = not_written(region, "destroy", "it is disabled, but " + what, errnum);
        if (error.advice.empty()) error.advice = "remove it again";
        return fail(std::move(error));
    };
    if (auto done = sysfs::write(file(region, "commit"), "0"); !done) {
        return failed("its decoders could not be reset", done.error());
    }
    for (const RegionTarget& target : read_targets(paths_, region)) {
        const std::string attribute = "target" + std::to_string(target.position);
        if (auto done = sysfs::write(file(region, attribute), "\n"); !done) {
            return failed(target.decoder + " could not be detached", done.error());
        }
        if (auto done = sysfs::write(file(target.decoder, "dpa_size"), "0"); !done) {
            return failed(fmt::format("{} kept its capacity of {}", target.decoder, target.memdev),
                          done.error());
        }
    }
    const std::string folder = real_path(paths_.cxl_devices() + "/" + region);
    const std::string root = std::filesystem::path(folder).parent_path().string();
    if (auto done = sysfs::write(root + "/delete_region", region); !done) {
        return failed("it could not be deleted", done.error());
    }
    return {};
}

std::string RegionRemoval::file(const std::string& device, const std::string& attribute) const {
    return paths_.cxl_devices() + "/" + device + "/" + attribute;
}

}  // namespace cxlmemd
