// SPDX-License-Identifier: LGPL-2.1-or-later
// Which machine it is, and which host bridge a card is below.
#include "backends/linux/host.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <string>

#include "backends/linux/cxl_ports.h"
#include "tests/unit/linux_fake_tree.h"

namespace cxlmemd {
namespace {

std::string virtualization(const std::map<std::string, std::string>& files, const CpuidFacts& cpu = {}) {
    const FakeTree tree;
    for (const auto& [path, text] : files) tree.file(path, text);
    return read_virtualization(tree.paths(), cpu);
}

TEST(LinuxHost, TellsVirtualMachinesAsSystemdDoes) {
    EXPECT_EQ(virtualization({}), "none");
    EXPECT_EQ(virtualization({{"sys/class/dmi/id/sys_vendor", "Dell Inc.\n"}}), "none");
    EXPECT_EQ(virtualization({{"sys/class/dmi/id/sys_vendor", "QEMU\n"}}), "qemu");
    // What the processor says goes before the makers' names, but for a few.
    EXPECT_EQ(virtualization({{"sys/class/dmi/id/sys_vendor", "QEMU\n"}}, {true, "KVMKVMKVM"}), "kvm");
    EXPECT_EQ(
        virtualization({{"sys/class/dmi/id/product_name", "Google Compute Engine\n"}}, {true, "KVMKVMKVM"}),
        "google");
    EXPECT_EQ(virtualization({}, {true, "Microsoft Hv"}), "microsoft");
    EXPECT_EQ(virtualization({}, {true, "SomethingNew"}), "vm-other");
    EXPECT_EQ(virtualization({{"sys/hypervisor/type", "xen\n"}}), "xen");
    EXPECT_EQ(virtualization({{"proc/device-tree/hypervisor/compatible", "linux,kvm"}}), "kvm");
    EXPECT_EQ(virtualization({{"run/systemd/container", "systemd-nspawn\n"}}, {true, "KVMKVMKVM"}),
              "systemd-nspawn");
}

TEST(LinuxHost, ReadsItsNamesAnewAndTheRestOnce) {
    const FakeTree tree;
    tree.file("proc/sys/kernel/hostname", "one\n");
    tree.file("proc/sys/kernel/osrelease", "6.12.95-amd64\n");
    tree.file("etc/machine-id", "0123\n");
    tree.file("sys/class/dmi/id/bios_vendor", "ACME\n");
    tree.file("sys/class/dmi/id/product_name", "Model 1\n");
    const LinuxPaths paths = tree.paths();
    HostReader reader{paths};
    const HostFacts first = reader.read();
    EXPECT_EQ(first.name, "one");
    EXPECT_EQ(first.machine_id, "0123");
    EXPECT_EQ(first.kernel_version, "6.12.95-amd64");
    EXPECT_EQ(first.firmware_vendor, "ACME");
    EXPECT_EQ(first.product, "Model 1");
    tree.file("proc/sys/kernel/hostname", "two\n");
    EXPECT_EQ(reader.read().name, "two");
}

TEST(LinuxPorts, FindsTheHostBridgeAboveAnEndpoint) {
    const FakeTree tree;
    const std::string root = "sys/devices/platform/ACPI0017:00/root0";
    tree.folder("sys/devices/pci0000:0c");
    tree.folder(root + "/port1/port3/endpoint5");
    tree.link(root + "/port1/parent_dport", "../../../../pci0000:0c");
    const std::string real = std::filesystem::canonical(tree.paths().sys).string();
    EXPECT_EQ(bridge_above(real + "/devices/platform/ACPI0017:00/root0/port1/port3/endpoint5"), "pci0000:0c");
    EXPECT_EQ(bridge_above(real + "/devices/pci0000:0c"), "");
}

}  // namespace
}  // namespace cxlmemd
