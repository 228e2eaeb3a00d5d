#include "backends/linux/competitors.h"

#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

struct Line {
    std::size_t number = 0;  // from 1: where it begins
    std::string text;
};

// Without comments; a backslash at the end joins lines.
std::vector<Line> rule_lines(std::string_view text) {
    std::vector<Line> out;
    bool joined = false;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (!joined) {
            const std::size_t start = line.find_first_not_of(" \t");
            if (start == std::string_view::npos || line[start] == '#') continue;
            out.push_back({number, {}});
        }
        joined = line.ends_with('\\');
        if (joined) line.remove_suffix(1);
        out.back().text += line;
    }
    return out;
}

// The value of an assignment `key="value"`, not of a comparison.
std::optional<std::string> assigned(std::string_view line, std::string_view key) {
    for (std::size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
        std::string_view rest = line.substr(at + key.size());
        if (!rest.starts_with("=\"")) continue;
        rest.remove_prefix(2);
        return std::string{rest.substr(0, rest.find('"'))};
    }
    return std::nullopt;
}

Zone zone_of_write(std::string_view value) {
    if (value == "online_movable") return Zone::movable;
    return Zone::kernel;  // as the kernel does with "online" unless told otherwise at boot
}

std::int64_t changed_at(const std::string& folder) {
    struct stat st {};
    if (::stat(folder.c_str(), &st) != 0) return std::numeric_limits<std::int64_t>::min();
    return std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
}

struct Folder {
    std::string path;
    std::string_view ending;
    std::vector<Competitor> (*read)(const std::string&, std::string_view);
};

std::vector<Folder> folders(const LinuxPaths& paths) {
    // An earlier folder's file masks one of the same name in a later one.
    return {{paths.etc + "/udev/rules.d", ".rules", competitors_in_udev_rules},
            {paths.run + "/udev/rules.d", ".rules", competitors_in_udev_rules},
            {paths.lib + "/udev/rules.d", ".rules", competitors_in_udev_rules},
            {paths.etc + "/daxctl.conf.d", ".conf", competitors_in_daxctl_conf}};
}

}  // namespace

std::vector<Competitor> competitors_in_udev_rules(const std::string& path, std::string_view text) {
    const std::vector<Line> lines = rule_lines(text);
    const bool of_memory = std::ranges::any_of(lines, [](const Line& line) {
        return line.text.find("\"memory\"") != std::string::npos ||
               line.text.find("/devices/system/memory/") != std::string::npos;
    });
    std::vector<Competitor> out;
    if (!of_memory) return out;
    for (const Line& line : lines) {
        const auto value = assigned(line.text, "ATTR{state}");
        if (!value || !value->starts_with("online")) continue;
        out.push_back({path + ":" + std::to_string(line.number), "a udev rule", zone_of_write(*value)});
    }
    return out;
}

std::vector<Competitor> competitors_in_daxctl_conf(const std::string& path, std::string_view text) {
    std::vector<Competitor> out;
    for (const Line& line : rule_lines(text)) {
        if (line.text.find("[reconfigure-device") == std::string::npos) continue;
        out.push_back({path + ":" + std::to_string(line.number), "a daxctl configuration", Zone::none});
    }
    return out;
}

const std::vector<Competitor>& Competitors::look() {
    const std::vector<Folder> all = folders(paths_);
    std::vector<std::int64_t> now;
    for (const Folder& folder : all) now.push_back(changed_at(folder.path));
    if (now == seen_) return found_;
    seen_ = std::move(now);
    found_.clear();
    std::vector<std::string> masked;
    for (const Folder& folder : all) {
        std::vector<std::string> names = sysfs::names_in(folder.path);
        std::ranges::sort(names);
        for (const std::string& name : names) {
            if (!name.ends_with(folder.ending) || std::ranges::find(masked, name) != masked.end()) continue;
            masked.push_back(name);
            const std::string path = folder.path + "/" + name;
            const auto text = sysfs::read(path);
            if (!text) continue;  // a link to nowhere: udev passes over it as well
            std::ranges::move(folder.read(path, *text), std::back_inserter(found_));
        }
    }
    return found_;
}

}  // namespace cxlmemd
