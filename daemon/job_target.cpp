// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/job_target.h"

#include <algorithm>

#include "policy/occupancy.h"

namespace cxlmemd {

const std::string& name_of(const JobTarget& target) {
    return std::visit([](const auto& identity) -> const std::string& { return identity.name; }, target);
}

std::string_view noun_of(const JobTarget& target) {
    if (std::holds_alternative<RegionIdentity>(target)) return "region";
    return std::holds_alternative<MemdevIdentity>(target) ? "memdev" : "device";
}

bool is_removal(const JobTarget& target) {
    return !std::holds_alternative<DaxIdentity>(target);
}

bool is_there(const Topology& topology, const JobTarget& target) {
    if (const auto* dax = std::get_if<DaxIdentity>(&target)) return find_dax(topology, *dax) != nullptr;
    if (const auto* region = std::get_if<RegionIdentity>(&target))
        return find_region(topology, *region) != nullptr;
    return find_memdev(topology, std::get<MemdevIdentity>(target)) != nullptr;
}

std::vector<const DaxDevice*> devices_of(const Topology& topology, const JobTarget& target) {
    if (const auto* dax = std::get_if<DaxIdentity>(&target)) {
        const DaxDevice* device = find_dax(topology, *dax);
        return device == nullptr ? std::vector<const DaxDevice*>{} : std::vector{device};
    }
    if (const auto* region = std::get_if<RegionIdentity>(&target)) {
        const Region* found = find_region(topology, *region);
        return found == nullptr ? std::vector<const DaxDevice*>{} : occupancy(topology, *found).devices;
    }
    const Memdev* memdev = find_memdev(topology, std::get<MemdevIdentity>(target));
    return memdev == nullptr ? std::vector<const DaxDevice*>{} : occupancy(topology, *memdev).devices;
}

bool touches(const Topology& topology, const JobTarget& target, std::string_view dax) {
    if (!is_removal(target)) return name_of(target) == dax;
    return std::ranges::any_of(devices_of(topology, target),
                               [&](const DaxDevice* device) { return device->id.name == dax; });
}

bool overlap(const Topology& topology, const JobTarget& a, const JobTarget& b) {
    if (a == b) return true;
    if (!is_removal(a)) return touches(topology, b, name_of(a));
    return std::ranges::any_of(devices_of(topology, a), [&](const DaxDevice* device) {
        return touches(topology, b, device->id.name);
    });
}

JointPlan plan_job(const Topology& topology, const JobTarget& target, const Goal& goal) {
    if (const auto* identity = std::get_if<RegionIdentity>(&target)) {
        const Region* region = find_region(topology, *identity);
        return region == nullptr ? JointPlan{} : plan_region_removal(topology, *region);
    }
    if (const auto* identity = std::get_if<MemdevIdentity>(&target)) {
        const Memdev* memdev = find_memdev(topology, *identity);
        return memdev == nullptr ? JointPlan{} : plan_memdev_removal(topology, *memdev);
    }
    const DaxDevice* device = find_dax(topology, std::get<DaxIdentity>(target));
    if (device == nullptr) return {};
    DevicePlan plan = plan_device(topology, *device, goal);
    JointPlan out{.steps = {}, .blocked = std::move(plan.blocked)};
    for (Step& step : plan.steps) out.steps.push_back({device->id, std::move(step)});
    return out;
}

}  // namespace cxlmemd
