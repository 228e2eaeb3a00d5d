// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/host.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

using Names = std::pair<std::string_view, std::string_view>;

// DMI strings by how they begin, and what systemd calls that.
constexpr std::array dmi_vendors{Names{"KVM", "kvm"},
                                 Names{"OpenStack", "kvm"},
                                 Names{"KubeVirt", "kvm"},
                                 Names{"Amazon EC2", "amazon"},
                                 Names{"QEMU", "qemu"},
                                 Names{"VMware", "vmware"},
                                 Names{"VMW", "vmware"},
                                 Names{"innotek GmbH", "oracle"},
                                 Names{"VirtualBox", "oracle"},
                                 Names{"Oracle Corporation", "oracle"},
                                 Names{"Xen", "xen"},
                                 Names{"Bochs", "bochs"},
                                 Names{"Parallels", "parallels"},
                                 Names{"BHYVE", "bhyve"},
                                 Names{"Hyper-V", "microsoft"},
                                 Names{"Apple Virtualization", "apple"},
                                 Names{"Google Compute Engine", "google"}};
constexpr std::array cpuid_vendors{Names{"XenVMMXenVMM", "xen"},    Names{"KVMKVMKVM", "kvm"},
                                   Names{"Linux KVM Hv", "kvm"},    Names{"TCGTCGTCGTCG", "qemu"},
                                   Names{"VMwareVMware", "vmware"}, Names{"Microsoft Hv", "microsoft"},
                                   Names{"bhyve bhyve ", "bhyve"},  Names{"QNXQVMBSQG", "qnx"},
                                   Names{"ACRNACRNACRN", "acrn"},   Names{"SRESRESRESRE", "sre"}};

std::string dmi(const LinuxPaths& paths, const char* name) {
    return sysfs::read(paths.sys + "/class/dmi/id/" + name).value_or("");
}

std::string virtualization_by_dmi(const LinuxPaths& paths) {
    for (const char* name :
         {"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"}) {
        const std::string text = dmi(paths, name);
        for (const auto& [vendor, word] : dmi_vendors) {
            if (!text.starts_with(vendor)) continue;
            // The makers of VirtualBox sell machines too; those of EC2 rent some out whole.
            const bool bare = (word == "oracle" && vendor == "Oracle Corporation") ||
                              (word == "amazon" && dmi(paths, "product_name").ends_with(".metal"));
            if (!bare) return std::string{word};
        }
    }
    return {};
}

std::string text_of(const sysfs::OrErrno<std::string>& text) {
    return text.value_or("");
}

}  // namespace

CpuidFacts read_cpuid() {
    CpuidFacts out;
#if defined(__x86_64__) || defined(__i386__)
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    constexpr unsigned hypervisor_bit = 1U << 31U;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & hypervisor_bit) == 0) return out;
    out.hypervisor = true;
    __cpuid(0x40000000U, eax, ebx, ecx, edx);
    std::array<char, 12> text{};
    std::memcpy(text.data(), &ebx, 4);
    std::memcpy(text.data() + 4, &ecx, 4);
    std::memcpy(text.data() + 8, &edx, 4);
    out.vendor.assign(text.data(), text.size());
    out.vendor.resize(std::strlen(out.vendor.c_str()));
#endif
    return out;
}

std::string read_virtualization(const LinuxPaths& paths, const CpuidFacts& cpu) {
    // systemd as PID 1 of a container says so there.
    if (const auto container = sysfs::read(paths.run + "/systemd/container");
        container && !container->empty())
        return *container;
    const std::string by_dmi = virtualization_by_dmi(paths);
    for (const std::string_view word : {"oracle", "xen", "amazon", "parallels", "google"}) {
        if (by_dmi == word) return by_dmi;
    }
    for (const auto& [vendor, word] : cpuid_vendors) {
        if (cpu.hypervisor && cpu.vendor == vendor) return std::string{word};
    }
    if (!by_dmi.empty()) return by_dmi;
    if (text_of(sysfs::read(paths.sys + "/hypervisor/type")) == "xen") return "xen";
    // arm64 and riscv: QEMU's tree of devices says what it is.
    const std::string compatible =
        text_of(sysfs::read(paths.proc + "/device-tree/hypervisor/compatible")).c_str();
    if (compatible == "linux,kvm") return "kvm";
    if (compatible.find("xen") != std::string::npos) return "xen";
    if (compatible.find("vmware") != std::string::npos) return "vmware";
    return cpu.hypervisor || !compatible.empty() ? "vm-other" : "none";
}

HostFacts HostReader::read() {
    if (!fixed_) {
        fixed_ = HostFacts{.name = {},
                           .machine_id = {},
                           .virtualization = read_virtualization(paths_, read_cpuid()),
                           .kernel_version = text_of(sysfs::read(paths_.proc + "/sys/kernel/osrelease")),
                           .firmware_vendor = dmi(paths_, "bios_vendor"),
                           .product = dmi(paths_, "product_name")};
    }
    HostFacts out = *fixed_;
    out.name = text_of(sysfs::read(paths_.proc + "/sys/kernel/hostname"));
    out.machine_id = text_of(sysfs::read(paths_.etc + "/machine-id"));
    return out;
}

}  // namespace cxlmemd
