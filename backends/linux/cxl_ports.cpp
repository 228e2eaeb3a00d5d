// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/cxl_ports.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

// Empty if there is nothing there.
std::string resolved(const std::string& path) {
    std::error_code ec;
    const auto real = std::filesystem::canonical(path, ec);
    return ec ? std::string{} : real.string();
}

// The host bridge through which a port that is the root's child hangs on it.
std::string bridge_of(const std::string& port) {
    const std::string dport = resolved(port + "/parent_dport");  // since 6.3
    return dport.empty() ? resolved(port + "/uport") : dport;
}

}  // namespace

Endpoints read_endpoints(const LinuxPaths& paths) {
    Endpoints out;
    for (const std::string& name : sysfs::names_in(paths.cxl_devices())) {
        if (!sysfs::number_after(name, "endpoint")) continue;
        const std::string folder = paths.cxl_devices() + "/" + name;
        const auto memdev = sysfs::link_name(folder + "/uport");
        std::string real = resolved(folder);
        if (memdev && !real.empty()) out.emplace(*memdev, std::move(real));
    }
    return out;
}

std::string bridge_above(const std::string& endpoint) {
    // .../root0/port1/port2/endpoint5
    for (std::size_t at = endpoint.find("/root"); at != std::string::npos;
         at = endpoint.find("/root", at + 1)) {
        const std::size_t end = endpoint.find('/', at + 1);
        if (end == std::string::npos) break;
        if (!sysfs::number_after(endpoint.substr(at + 1, end - at - 1), "root")) continue;
        const std::string port = endpoint.substr(0, endpoint.find('/', end + 1));
        return std::filesystem::path(bridge_of(port)).filename().string();
    }
    return {};
}

std::vector<std::string> bridges_of(const LinuxPaths& paths, const std::string& root_decoder) {
    const std::string decoder = paths.cxl_devices() + "/" + root_decoder;
    std::vector<std::string> out;
    for (const int dport : sysfs::to_list(sysfs::read(decoder + "/target_list").value_or(""))) {
        const std::string bridge = resolved(decoder + "/../dport" + std::to_string(dport));
        if (!bridge.empty()) out.push_back(std::filesystem::path(bridge).filename().string());
    }
    return out;
}

std::vector<std::string> memdevs_below(const LinuxPaths& paths, const std::string& root_decoder,
                                       const Endpoints& endpoints) {
    const std::string decoder = paths.cxl_devices() + "/" + root_decoder;
    const std::string root = resolved(decoder + "/..");
    std::set<std::string> bridges;
    for (const int dport : sysfs::to_list(sysfs::read(decoder + "/target_list").value_or(""))) {
        bridges.insert(resolved(root + "/dport" + std::to_string(dport)));
    }
    bridges.erase("");

    std::vector<std::string> out;
    for (const auto& [memdev, endpoint] : endpoints) {
        if (root.empty() || !endpoint.starts_with(root + "/")) continue;
        const std::string port = endpoint.substr(0, endpoint.find('/', root.size() + 1));
        if (bridges.contains(bridge_of(port))) out.push_back(memdev);
    }
    return out;
}

}  // namespace cxlmemd
