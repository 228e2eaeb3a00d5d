// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/region_sysfs.h"

#include <algorithm>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

constexpr std::uint32_t most_ways = 16;  // the specification's largest interleave

std::string file(const LinuxPaths& paths, const std::string& device, const std::string& attribute) {
    return paths.cxl_devices() + "/" + device + "/" + attribute;
}

}  // namespace

RegionTargets read_targets(const LinuxPaths& paths, const std::string& region) {
    RegionTargets out;
    const auto unread = [&](const std::string& part, int errnum) {
        if (sysfs::is_absence(errnum) || out.unread) return;
        out.unread =
            Unreadable{.what = region + ": " + part, .where = std::nullopt, .memdev = {}, .errnum = errnum};
    };
    const auto ways = sysfs::number_or_errno(file(paths, region, "interleave_ways"));
    if (!ways) unread("interleave_ways", ways.error());
    for (std::uint32_t i = 0; i < std::min<std::uint64_t>(ways.value_or(0), most_ways); ++i) {
        const std::string part = "target" + std::to_string(i);
        const auto decoder = sysfs::read(file(paths, region, part));
        if (!decoder) unread(part, decoder.error());
        if (!decoder || decoder->empty()) continue;
        if (decoder->find('/') != std::string::npos) {
            unread(part, 0);
            continue;
        }
        const auto memdev = sysfs::link_or_errno(file(paths, *decoder, "../uport"));
        if (!memdev) {
            unread(part, memdev.error());
            continue;
        }
        out.list.push_back({.position = i, .decoder = *decoder, .memdev = *memdev});
    }
    return out;
}

// The decoders of a port are numbered without a gap.
sysfs::OrErrno<std::vector<std::string>> read_above(const LinuxPaths& paths, const std::string& region,
                                                    const std::vector<RegionTarget>& targets) {
    std::vector<std::string> out;
    for (const RegionTarget& target : targets) {
        const std::size_t dot = target.decoder.rfind('.');
        if (dot == std::string::npos) continue;
        const auto own = sysfs::to_number(target.decoder.substr(dot + 1), 10);
        if (!own) continue;
        for (std::uint64_t number = *own + 1;; ++number) {
            const std::string decoder = target.decoder.substr(0, dot + 1) + std::to_string(number);
            const auto capacity = sysfs::number_or_errno(file(paths, decoder, "dpa_size"));
            if (!capacity && !sysfs::is_absence(capacity.error())) return tl::unexpected(capacity.error());
            if (!capacity) break;  // there is no such decoder
            if (*capacity == 0) continue;
            const std::string user = sysfs::read(file(paths, decoder, "region")).value_or("");
            const std::string& name = user.empty() ? decoder : user;
            if (name != region && std::ranges::find(out, name) == out.end()) out.push_back(name);
        }
    }
    return out;
}

sysfs::OrErrno<bool> any_locked(const LinuxPaths& paths, const std::vector<RegionTarget>& targets) {
    for (const RegionTarget& target : targets) {
        const auto locked = sysfs::number_or_errno(file(paths, target.decoder, "locked"));
        if (!locked && !sysfs::is_absence(locked.error())) return tl::unexpected(locked.error());
        if (locked.value_or(0) != 0) return true;
    }
    return false;
}

DecoderScan read_decoders(const std::string& memdev, const std::string& endpoint) {
    DecoderScan out;
    const auto unread = [&](const std::string& what, int errnum) {
        if (sysfs::is_absence(errnum)) return;
        out.unreadable.push_back({.what = what, .where = std::nullopt, .memdev = memdev, .errnum = errnum});
    };
    const auto names = sysfs::list(endpoint);
    if (!names) {
        unread(memdev + ": its decoders", names.error());
        return out;
    }
    for (const std::string& name : *names) {
        // "decoder5.0", and not "decoders_committed".
        const std::size_t dot = name.rfind('.');
        if (!name.starts_with("decoder") || dot == std::string::npos) continue;
        if (!sysfs::number_after(std::string_view{name}.substr(0, dot), "decoder")) continue;
        const std::string folder = endpoint + "/" + name + "/";
        const auto capacity = sysfs::number_or_errno(folder + "dpa_size");
        if (!capacity) unread(name + ": dpa_size", capacity.error());
        if (capacity.value_or(0) == 0) continue;
        const auto region = sysfs::read(folder + "region");
        if (!region) unread(name + ": region", region.error());
        EndpointDecoder decoder{.name = name,
                                .memdev = memdev,
                                .capacity = Bytes{*capacity},
                                .region = region.value_or(""),
                                .mapped = std::nullopt,
                                .locked = sysfs::read_number(folder + "locked").value_or(0) != 0};
        if (decoder.region.empty()) {  // else the region says it
            const auto start = sysfs::number_or_errno(folder + "start");
            const auto size = sysfs::number_or_errno(folder + "size");
            if (!start) unread(name + ": start", start.error());
            if (!size) unread(name + ": size", size.error());
            if (start && size && *size != 0) decoder.mapped = PhysRange{PhysAddr{*start}, Bytes{*size}};
        }
        out.decoders.push_back(std::move(decoder));
    }
    std::ranges::sort(out.decoders, {}, &EndpointDecoder::name);
    return out;
}

std::optional<RegionIdentity> read_region_identity(const LinuxPaths& paths, const std::string& name) {
    const auto generation = sysfs::inode(paths.cxl_devices() + "/" + name);
    if (!generation) return std::nullopt;
    RegionIdentity out{.name = name,
                       .resource = PhysAddr{sysfs::read_number(file(paths, name, "resource")).value_or(0)},
                       .serials = {},
                       .generation = *generation};
    for (const RegionTarget& target : read_targets(paths, name).list) {
        const auto serial = sysfs::read_number(file(paths, target.memdev, "serial"));
        if (serial) out.serials.push_back(*serial);
    }
    return out;
}

}  // namespace cxlmemd
