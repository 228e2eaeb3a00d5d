// SPDX-License-Identifier: LGPL-2.1-or-later
// Which machine this is: its names, its kernel, its firmware, and whether it is a virtual one. Worker thread.
#pragma once

#include <optional>
#include <string>

#include "backends/linux/paths.h"
#include "policy/topology.h"

namespace cxlmemd {

// What the processor says of itself, as far as it tells a virtual machine from a real one.
struct CpuidFacts {
    bool hypervisor = false;  // leaf 1, ecx bit 31
    std::string vendor;       // leaf 0x40000000, "KVMKVMKVM"; empty without a hypervisor
};
[[nodiscard]] CpuidFacts read_cpuid();

// The word of systemd-detect-virt(1): "none", "kvm", "qemu", "docker", ...; in its order (src/basic/virt.c).
// Empty if what it takes cannot be read.
[[nodiscard]] std::string read_virtualization(const LinuxPaths& paths, const CpuidFacts& cpu);

// Reads anew what may change while the machine runs (its names); the rest once.
class HostReader final {
 public:
    explicit HostReader(const LinuxPaths& paths) : paths_(paths) {}  // must outlive it

    [[nodiscard]] HostFacts read();

 private:
    const LinuxPaths& paths_;
    std::optional<HostFacts> fixed_;
};

}  // namespace cxlmemd
