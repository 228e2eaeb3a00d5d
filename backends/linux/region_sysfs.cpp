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

std::vector<RegionTarget> read_targets(const LinuxPaths& paths, const std::string& region) {
    std::vector<RegionTarget> out;
    const auto ways = sysfs::read_number(file(paths, region, "interleave_ways")).value_or(0);
    for (std::uint32_t i = 0; i < std::min<std::uint64_t>(ways, most_ways); ++i) {
        const auto decoder = sysfs::read(file(paths, region, "target" + std::to_string(i)));
        if (!decoder || decoder->empty() || decoder->find('/') != std::string::npos) continue;
        const auto memdev = sysfs::link_name(file(paths, *decoder, "../uport"));
        if (memdev) out.push_back({.position = i, .decoder = *decoder, .memdev = *memdev});
    }
    return out;
}

// The decoders of a port are numbered without a gap.
std::vector<std::string> read_above(const LinuxPaths& paths, const std::string& region,
                                    const std::vector<RegionTarget>& targets) {
    std::vector<std::string> out;
    for (const RegionTarget& target : targets) {
        const std::size_t dot = target.decoder.rfind('.');
        if (dot == std::string::npos) continue;
        const auto own = sysfs::to_number(target.decoder.substr(dot + 1), 10);
        if (!own) continue;
        for (std::uint64_t number = *own + 1;; ++number) {
            const std::string decoder = target.decoder.substr(0, dot + 1) + std::to_string(number);
            const auto capacity = sysfs::read_number(file(paths, decoder, "dpa_size"));
            if (!capacity) break;  // there is no such decoder
            if (*capacity == 0) continue;
            const std::string user = sysfs::read(file(paths, decoder, "region")).value_or("");
            const std::string& name = user.empty() ? decoder : user;
            if (name != region && std::ranges::find(out, name) == out.end()) out.push_back(name);
        }
    }
    return out;
}

bool any_locked(const LinuxPaths& paths, const std::vector<RegionTarget>& targets) {
    return std::ranges::any_of(targets, [&](const RegionTarget& target) {
        return sysfs::read_number(file(paths, target.decoder, "locked")).value_or(0) != 0;
    });
}

std::optional<RegionIdentity> read_region_identity(const LinuxPaths& paths, const std::string& name) {
    const auto generation = sysfs::inode(paths.cxl_devices() + "/" + name);
    if (!generation) return std::nullopt;
    RegionIdentity out{.name = name,
                       .resource = PhysAddr{sysfs::read_number(file(paths, name, "resource")).value_or(0)},
                       .serials = {},
                       .generation = *generation};
    for (const RegionTarget& target : read_targets(paths, name)) {
        const auto serial = sysfs::read_number(file(paths, target.memdev, "serial"));
        if (serial) out.serials.push_back(*serial);
    }
    return out;
}

}  // namespace cxlmemd
