// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel: version, options, modules, boot parameters.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <tuple>

#include "cli/doctor_checks.h"
#include "cli/import.h"
#include "cli/units.h"

namespace cxlmemctl {
namespace {

constexpr std::array<std::string_view, 7> modules = {"cxl_acpi", "cxl_pci",    "cxl_mem", "cxl_port",
                                                     "dax_cxl",  "device_dax", "kmem"};

struct Version {
    unsigned major = 0, minor = 0;
};

// "6.12.95-amd64"
std::optional<Version> version_of(std::string_view text) {
    Version out;
    const char* end = text.data() + text.size();
    const auto major = std::from_chars(text.data(), end, out.major);
    if (major.ec != std::errc{} || major.ptr == end || *major.ptr != '.') return std::nullopt;
    const auto minor = std::from_chars(major.ptr + 1, end, out.minor);
    return minor.ec == std::errc{} ? std::optional{out} : std::nullopt;
}

bool has_feature(const DaemonFacts& daemon, const char* feature) {
    const auto& all = list_of(daemon.manager, "Features");
    return std::find(all.begin(), all.end(), feature) != all.end();
}

void kernel_old(const Facts& facts, Answer& answer) {
    if (facts.daemon && has_feature(*facts.daemon, "region-create")) return;
    const bool has_windows =
        facts.daemon &&
        std::any_of(facts.daemon->objects.begin(), facts.daemon->objects.end(), [](const Object& each) {
            return each.kind == Kind::decoder && flag_of(each.properties, "Volatile");
        });
    if (has_windows)
        add_seen(answer, "", "there are CXL windows, and nothing to make regions with (region-create)");
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto release = text_of_file(host->release, answer);
    if (!release) {
        if (host->release) answer.unknown.emplace_back("/proc/sys/kernel/osrelease: is not there");
        return;
    }
    constexpr Version first_with_ram_regions{6, 3};
    const auto version = version_of(line_of(*release));
    if (!version) {
        answer.unknown.push_back("no version number: " + line_of(*release));
    } else if (std::tie(version->major, version->minor) <
               std::tie(first_with_ram_regions.major, first_with_ram_regions.minor)) {
        add_seen(answer, "", "the kernel is " + line_of(*release));
    }
}

// Words of a text, one on each line.
std::set<std::string> lines_in(const std::string& text) {
    std::set<std::string> out;
    each_line(text, [&](std::size_t, std::string_view line) { out.emplace(line); });
    return out;
}

void options(const Facts& facts, Answer& answer) {
    if (facts.daemon && !has_feature(*facts.daemon, "memory-hotremove"))
        add_seen(answer, "", "the daemon misses memory-hotremove (CONFIG_MEMORY_HOTREMOVE)");
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto config = text_of_file(host->config, answer);
    if (!config) return;
    const std::set<std::string> lines = lines_in(*config);
    for (const char* option :
         {"NUMA", "ACPI_HMAT", "MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "MIGRATION", "CXL_BUS", "CXL_PCI",
          "CXL_ACPI", "CXL_MEM", "CXL_REGION", "DEV_DAX", "DEV_DAX_CXL", "DEV_DAX_HMEM", "DEV_DAX_KMEM"}) {
        const std::string name = std::string("CONFIG_") + option;
        if (!lines.contains(name + "=y") && !lines.contains(name + "=m"))
            add_seen(answer, "", name + " is not set");
    }
}

// Names of modules in modules.builtin and modules.dep: "kernel/drivers/dax/kmem.ko.xz: …".
std::set<std::string> modules_in(const std::string& text) {
    std::set<std::string> out;
    each_line(text, [&](std::size_t, std::string_view line) {
        const std::string_view path = line.substr(0, line.find(':'));
        std::string name(base_name(path));
        name.resize(std::min(name.find(".ko"), name.size()));
        std::replace(name.begin(), name.end(), '-', '_');
        if (!name.empty()) out.insert(std::move(name));
    });
    return out;
}

// What is built in; nullopt, and the answer says so: not known.
std::optional<std::set<std::string>> built_in(const HostFacts& host, Answer& answer) {
    const auto text = text_of_file(host.built_in, answer);
    if (!text) return std::nullopt;
    return modules_in(*text);
}

void missing(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto inside = built_in(*host, answer);
    const auto loadable = text_of_file(host->loadable, answer);
    if (!inside || !loadable) return;
    const std::set<std::string> files = modules_in(*loadable);
    for (const std::string_view name : modules) {
        const std::string module(name);
        if (!inside->contains(module) && !files.contains(module))
            add_seen(answer, module, module + ": neither built in nor a module");
    }
}

bool is_ours(std::string_view module) {
    return module == "dax_hmem" || std::find(modules.begin(), modules.end(), module) != modules.end();
}

// A list of modules that a boot parameter forbids.
void forbidden_by(const Parameter& parameter, Answer& answer) {
    if (parameter.name != "modprobe.blacklist" && parameter.name != "module_blacklist") return;
    for (std::size_t at = 0; at < parameter.value.size();) {
        const std::size_t end = std::min(parameter.value.find(',', at), parameter.value.size());
        std::string module = parameter.value.substr(at, end - at);
        std::replace(module.begin(), module.end(), '-', '_');
        if (is_ours(module))
            add_seen(answer, module, fmt::format("boot parameter {} has {}", parameter.name, module));
        at = end + 1;
    }
}

void blocked(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    if (const auto line = text_of_file(host->command_line, answer)) {
        for (const Parameter& parameter : parameters_of(*line)) forbidden_by(parameter, answer);
    }
    add_unread(host->modprobe.unread, answer);
    for (const ConfigFile& file : host->modprobe.files) {
        each_line(file.text, [&](std::size_t number, std::string_view line) {
            const bool refuses = line.ends_with("/false") || line.ends_with("/true") || line.ends_with(" :");
            const bool forbids = line.starts_with("blacklist ") || (line.starts_with("install ") && refuses);
            if (!forbids) return;
            const std::string_view rest = trimmed(line.substr(line.find(' ')));
            std::string module(rest.substr(0, rest.find_first_of(" \t")));
            std::replace(module.begin(), module.end(), '-', '_');
            if (is_ours(module)) add_seen(answer, module, fmt::format("{}:{}: {}", file.path, number, line));
        });
    }
}

void unloaded(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    if (!host->cards) {
        answer.unknown.push_back(host->cards.error());
        return;
    }
    if (host->cards->empty()) return;
    if (!host->loaded) {
        answer.unknown.push_back(host->loaded.error());
        return;
    }
    std::vector<std::string> absent;
    for (const std::string_view module : modules) {
        if (std::find(host->loaded->begin(), host->loaded->end(), module) == host->loaded->end())
            absent.emplace_back(module);
    }
    if (absent.empty()) return;
    // Without parameters, what is built in is not in /sys/module.
    const auto inside = built_in(*host, answer);
    if (!inside) return;
    for (const std::string& module : absent) {
        if (!inside->contains(module))
            add_seen(answer, module,
                     fmt::format("{}: not loaded, and {} has a card", module, host->cards->front().function));
    }
}

void no_memdev(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    if (!host->cards) {
        answer.unknown.push_back(host->cards.error());
        return;
    }
    for (const PciCard& card : *host->cards) {
        if (!card.has_memdev)
            add_seen(answer, card.function, card.function + ": a CXL memory device without a memdev");
    }
}

std::optional<std::vector<Parameter>> boot(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return std::nullopt;
    const auto line = text_of_file(host->command_line, answer);
    if (line) return parameters_of(*line);
    if (host->command_line) answer.unknown.emplace_back("/proc/cmdline: is not there");
    return std::nullopt;
}

// The last one counts.
std::string value_of(const std::vector<Parameter>& parameters, std::string_view name) {
    std::string out;
    for (const Parameter& parameter : parameters) {
        if (parameter.name == name) out = parameter.value;
    }
    return out;
}

void module_built_in(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto inside = built_in(*host, answer);
    const auto parameters = boot(facts, answer);
    if (!inside || !parameters) return;
    const std::string state = value_of(*parameters, "memhp_default_state");
    if (state == "offline" || (!inside->contains("kmem") && !inside->contains("dax_hmem"))) return;
    std::string how = "memhp_default_state=" + state;
    if (state.empty()) {
        const auto config = text_of_file(host->config, answer);
        if (!config) return;
        how = online_by_default(*config);
        if (how.empty()) return;
    }
    for (const char* module : {"kmem", "dax_hmem"}) {
        if (inside->contains(module))
            add_seen(answer, module, fmt::format("{} is built in, and {}", module, how));
    }
}

void default_state(const Facts& facts, Answer& answer) {
    const auto parameters = boot(facts, answer);
    if (!parameters) return;
    const std::string state = value_of(*parameters, "memhp_default_state");
    if (state.starts_with("online")) add_seen(answer, "", "memhp_default_state=" + state);
}

void movable_node(const Facts& facts, Answer& answer) {
    const auto parameters = boot(facts, answer);
    if (!parameters) return;
    for (const Parameter& parameter : *parameters) {
        if (parameter.name == "movable_node") add_seen(answer, "", "the kernel was booted with movable_node");
    }
}

void online_policy(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    const auto policy = text_of_file(host->online_policy, answer);
    if (policy && line_of(*policy) == "auto-movable")
        add_seen(answer, "", "/sys/module/memory_hotplug/parameters/online_policy reads auto-movable");
}

void memmap(const Facts& facts, Answer& answer) {
    const DaemonFacts* daemon = daemon_of(facts, answer);
    const HostFacts* host = host_of(facts, answer);
    if (daemon == nullptr || host == nullptr) return;
    const auto setting = text_of_file(host->memmap_on_memory, answer);
    if (!setting && !host->memmap_on_memory) return;
    if (setting && line_of(*setting) != "N") return;
    std::uint64_t kernel = 0;
    for (const Object& node : of_kind(daemon->objects, Kind::node)) {
        const std::uint64_t all = number_of(node.properties, "BytesOnline");
        kernel += all - std::min(all, number_of(node.properties, "BytesMovable"));
    }
    // A tenth is felt.
    const std::uint64_t needed = number_of(daemon->manager, "BytesTotal") / 64;
    if (kernel == 0 || needed <= kernel / 10) return;
    add_seen(answer, "",
             fmt::format("memmap_on_memory is off; struct pages of all dax devices take {} of the {} that "
                         "the kernel has for itself",
                         format_bytes(needed), format_bytes(kernel)));
}

bool is_true(const std::string& value) {
    return value.empty() || value == "1" || value == "y" || value == "Y" || value == "on";
}

void hmem(const Facts& facts, Answer& answer) {
    const auto parameters = boot(facts, answer);
    if (!parameters) return;
    for (const auto& [name, value] : *parameters) {
        const bool not_reserved = name == "efi" && value.find("nosoftreserve") != std::string::npos;
        const bool off = (name.ends_with("hmem.disable") || name == "dax_hmem.region_idle") && is_true(value);
        const bool made_up =
            name == "efi_fake_mem" || (name == "memmap" && value.find("+0xefffffff") != std::string::npos);
        if (not_reserved || off || made_up)
            add_seen(answer, "", fmt::format("boot parameter {}={}", name, value));
    }
}

void numa(const Facts& facts, Answer& answer) {
    const auto parameters = boot(facts, answer);
    if (!parameters) return;
    for (const auto& [name, value] : *parameters) {
        const bool no_nodes = name == "numa" && (value == "off" || value == "noacpi" || value == "nohmat");
        if (no_nodes || (name == "acpi" && value == "off"))
            add_seen(answer, "", fmt::format("boot parameter {}={}", name, value));
    }
}

constexpr std::array all_kernel_checks = {
    Check{"kernel-old", kernel_old},
    Check{"kernel-options", options},
    Check{"module-missing", missing},
    Check{"module-blocked", blocked},
    Check{"module-unloaded", unloaded},
    Check{"module-built-in", module_built_in},
    Check{"card-no-memdev", no_memdev},
    Check{"boot-default-state", default_state},
    Check{"boot-movable-node", movable_node},
    Check{"boot-online-policy", online_policy},
    Check{"boot-memmap", memmap},
    Check{"boot-hmem", hmem},
    Check{"boot-numa", numa},
};

}  // namespace

// CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE until 6.13, CONFIG_MHP_DEFAULT_ONLINE_TYPE_* since.
std::string online_by_default(const std::string& config) {
    for (const std::string& line : lines_in(config)) {
        const bool sets = line == "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE=y" ||
                          line.starts_with("CONFIG_MHP_DEFAULT_ONLINE_TYPE_ONLINE");
        if (sets && line.ends_with("=y")) return line;
    }
    return {};
}

std::span<const Check> kernel_checks() {
    return all_kernel_checks;
}

}  // namespace cxlmemctl
