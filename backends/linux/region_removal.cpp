// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/region_removal.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "backends/linux/dax_scan.h"
#include "backends/linux/firmware_ram.h"
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

Error cannot_tell(const std::string& region, const std::string& what, int errnum) {
    const bool is_gone = sysfs::is_absence(errnum);
    Error error = refusal(is_gone           ? ErrorCode::gone
                          : errnum == EINTR ? ErrorCode::canceled
                                            : ErrorCode::failed,
                          region,
                          fmt::format("cannot tell whether it is in use: {} {}", what,
                                      errnum == 0 ? "makes no sense" : "cannot be read"),
                          is_gone ? "" : "nothing is destroyed on a guess; try again");
    error.errnum = errnum;
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
        if (lost.code != ErrorCode::busy && lost.code != ErrorCode::reboot_required) {
            lost.reason = "it is disabled, but not destroyed: " + lost.reason;
            return fail(std::move(lost));
        }
        lost.code = ErrorCode::reboot_required;
        lost.reason = "it was disabled while another process brought memory of it online: " + lost.reason;
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
    const auto mode = sysfs::read(file(region.name, "mode"));
    if (!mode) return fail(cannot_tell(region.name, "mode", mode.error()));
    if (*mode != "ram") {
        return fail(refusal(ErrorCode::not_supported, region.name, "it is not known to be volatile memory",
                            "use ndctl and cxl destroy-region"));
    }
    const RegionTargets targets = read_targets(paths_, region.name);
    if (targets.unread) return fail(cannot_tell(region.name, targets.unread->what, targets.unread->errnum));
    const auto locked = any_locked(paths_, targets.list);
    if (!locked) return fail(cannot_tell(region.name, "whether its decoders are locked", locked.error()));
    if (*locked) {
        return fail(refusal(ErrorCode::not_supported, region.name, "the firmware has locked its decoders"));
    }
    const auto above = read_above(paths_, region.name, targets.list);
    if (!above) return fail(cannot_tell(region.name, "what stands above it", above.error()));
    if (!above->empty()) {
        return fail(refusal(
            ErrorCode::conflict, region.name,
            fmt::format("a card gives its capacity back from its last decoder down, and {} stands above it",
                        fmt::join(*above, ", ")),
            fmt::format("remove {} first", above->back())));
    }
    return {};
}

// By their place: an hmem device may lie in the region, and is not below it in sysfs.
Result<std::string> RegionRemoval::bound_device_in(const std::string& region, const PhysRange& range) const {
    const auto names = sysfs::list(paths_.dax_devices());
    if (!names) {
        if (sysfs::is_absence(names.error())) return std::string{};
        return fail(cannot_tell(region, "the devices of the dax bus", names.error()));
    }
    for (const std::string& name : *names) {
        const auto mode = read_dax_mode(paths_, name);
        if (!mode && sysfs::is_absence(mode.error())) continue;
        if (!mode) return fail(cannot_tell(region, name + ": driver", mode.error()));
        if (*mode == DaxMode::unbound) continue;
        if (dax_place(real_path(paths_.dax_devices() + "/" + name)).region == region) return name;
        const auto ranges = read_dax_ranges(paths_, name);
        if (!ranges)
            return fail(cannot_tell(region, name + ": " + ranges.error().part, ranges.error().errnum));
        if (std::ranges::any_of(*ranges, [&](const PhysRange& each) { return overlap(each, range); }))
            return name;
    }
    return std::string{};
}

// R11, seen in the kernel: no block of it, whether or not a dax device is left to say so, and no driver.
Result<> RegionRemoval::holds_no_memory(const RegionIdentity& region) const {
    const auto size = sysfs::number_or_errno(file(region.name, "size"));
    if (!size) return fail(cannot_tell(region.name, "size", size.error()));
    const PhysRange range{region.resource, Bytes{*size}};
    const bool has_place = *size != 0;
    const auto bound = has_place ? bound_device_in(region.name, range) : Result<std::string>{std::string{}};
    if (!bound) return fail(bound.error());

    const auto block_size = blocks_.block_size();
    if (!block_size) return fail(block_size.error());
    std::vector<Block> present;
    if (has_place && block_size->value() != 0) {
        auto found = blocks_.read_overlapping(range, *block_size, no_node);
        if (!found) {
            Error unknown = found.error();
            unknown.reason =
                fmt::format("cannot tell whether memory of {} is in use: {}", region.name, unknown.reason);
            return fail(std::move(unknown));
        }
        present = std::move(*found);
    }
    const auto online =
        std::ranges::find_if(present, [](const Block& block) { return block.state != BlockState::offline; });

    if (bound->empty() && !present.empty()) {
        const BlockIndex some = (online == present.end() ? present.front() : *online).index;
        const auto firmware = read_firmware_ram(paths_);
        const PhysRange place{PhysAddr{some.value() * block_size->value()}, *block_size};
        const bool is_plain = firmware && std::ranges::any_of(*firmware, [&](const PhysRange& each) {
                                  return overlap(each, place);
                              });
        if (is_plain) {
            return fail(
                refusal(ErrorCode::conflict, region.name,
                        fmt::format("memory block {} of it is plain System RAM: the firmware gave it to "
                                    "the kernel; it cannot be emptied",
                                    some.value()),
                        "have the firmware hand it over as specific-purpose memory"));
        }
        return fail(
            refusal(ErrorCode::reboot_required, region.name,
                    fmt::format("memory block {} of it exists, and no dax device has it: it is leaked, "
                                "and nobody can give it back before a reboot",
                                some.value()),
                    "reboot to have it back"));
    }
    if (online != present.end()) {
        Error error = refusal(ErrorCode::busy, region.name,
                              fmt::format("memory block {} is not offline", online->index.value()),
                              "take its dax devices offline first");
        error.errnum = EBUSY;
        return fail(std::move(error));
    }
    if (!bound->empty()) {
        Error error = refusal(ErrorCode::busy, region.name, *bound + " is bound to a driver",
                              "unbind its dax devices first");
        error.errnum = EBUSY;
        return fail(std::move(error));
    }
    return {};
}

Result<> RegionRemoval::disable(const std::string& region) const {
    const std::string driver = file(region, "driver");
    const auto is_bound = sysfs::is_there(driver);
    if (!is_bound) {
        return fail(
            not_written(region, "disable", "whether a driver has it cannot be read", is_bound.error()));
    }
    if (!*is_bound) return {};  // it was never enabled, or is disabled
    const auto done = sysfs::write(paths_.sys + "/bus/cxl/drivers/cxl_region/unbind", region);
    if (const auto still = sysfs::is_there(driver); still && !*still) return {};
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
    const RegionTargets targets = read_targets(paths_, region);
    if (targets.unread) return failed(targets.unread->what + " cannot be read", targets.unread->errnum);
    for (const RegionTarget& target : targets.list) {
        const std::string attribute = "target" + std::to_string(target.position);
        if (auto done = sysfs::write(file(region, attribute), "\n"); !done) {
            return failed(target.decoder + " could not be detached", done.error());
        }
        if (auto done = sysfs::write(file(target.decoder, "dpa_size"), "0"); !done) {
            // Attached again, so that whoever removes the region again finds the decoder.
            const auto attached = sysfs::write(file(region, attribute), target.decoder);
            return failed(fmt::format("{} kept its capacity of {}{}", target.decoder, target.memdev,
                                      attached ? "" : ", and is no longer the region's"),
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
