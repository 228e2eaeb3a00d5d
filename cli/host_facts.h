// SPDX-License-Identifier: LGPL-2.1-or-later
// The files of this machine that say how it is set up, as they are. What they mean is doctor.h's.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace cxlmemctl {

// nullopt: there is no such file. Error: it could not be read, as "PATH: Permission denied (EACCES)".
using FileRead = tl::expected<std::optional<std::string>, std::string>;

struct ConfigFile {
    std::string path;
    std::string text;
};

// The files of several folders that hold configuration: those of an earlier folder mask those of the same
// name in a later one, an empty one or a link to /dev/null masks them, too.
struct ConfigFiles {
    std::vector<ConfigFile> files;    // in the order in which their program reads them
    std::vector<std::string> unread;  // what could not be read, and why
};

struct PciCard {
    std::string function;  // "0000:0d:00.0", with the class of CXL memory
    bool has_memdev = false;
};

struct HostFacts {
    FileRead release = std::nullopt;                             // /proc/sys/kernel/osrelease
    FileRead command_line = std::nullopt;                        // /proc/cmdline
    FileRead config = std::nullopt;                              // the kernel's options: /boot/config-RELEASE
    FileRead built_in = std::nullopt;                            // modules.builtin
    FileRead loadable = std::nullopt;                            // modules.dep
    tl::expected<std::vector<std::string>, std::string> loaded;  // /sys/module
    tl::expected<std::vector<PciCard>, std::string> cards;       // CXL memory on the PCI bus
    tl::expected<std::vector<std::string>, std::string> kdamonds;  // names of the kernel's threads
    tl::expected<std::vector<std::string>, std::string> enabled;   // units that a *.wants folder has
    FileRead damon_stat = std::nullopt;                            // its parameter "enabled"
    FileRead auto_online = std::nullopt;                           // auto_online_blocks
    FileRead online_policy = std::nullopt;                         // parameters of memory_hotplug
    FileRead memmap_on_memory = std::nullopt;
    FileRead tuned_profile = std::nullopt;   // /etc/tuned/active_profile
    FileRead polkit = std::nullopt;          // how the bus starts polkit
    FileRead polkit_actions = std::nullopt;  // ours
    FileRead bus_policy = std::nullopt;      // ours
    FileRead settings = std::nullopt;        // daemon.toml
    std::string settings_path;
    ConfigFiles udev, tmpfiles, daxctl, modprobe, tuned, journald, bus;
};

// Reads below `root`, which is "/" but for tests and images of machines. Links are followed as they are.
[[nodiscard]] HostFacts read_host(const std::string& root);

}  // namespace cxlmemctl
