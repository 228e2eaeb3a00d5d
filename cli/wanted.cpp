// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/wanted.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "cli/units.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;

constexpr std::uint64_t no_bytes = 0;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// As systemd unescapes: \xNN is a byte; with `dashes`, - is a slash.
std::string unescaped(std::string_view text, bool dashes) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i).starts_with("\\x") && i + 3 < text.size() && hex(text[i + 2]) >= 0 &&
            hex(text[i + 3]) >= 0) {
            out += static_cast<char>(hex(text[i + 2]) * 16 + hex(text[i + 3]));
            i += 3;
        } else {
            out += dashes && text[i] == '-' ? '/' : text[i];
        }
    }
    return out;
}

bool holds_path(const json& list, const std::string& path) {
    return std::any_of(list.begin(), list.end(), [&](const json& one) { return one == path; });
}

// The card below a region, or the region below a device.
bool stands_on(const Objects& objects, const Object& device, const Object& below) {
    const std::string region = text_of(device.properties, "Region");
    if (below.kind == Kind::region) return below.path == region;
    if (below.kind != Kind::memdev) return below.path == device.path;
    const Object* middle = find_path(objects, region);
    return middle != nullptr && holds_path(list_of(middle->properties, "Memdevs"), below.path);
}

bool is_node(const Wanted& wanted, const json& number) {
    return wanted.is_called(number.dump());
}

Objects chosen(const Wanted& wanted, const Objects& objects) {
    Objects out;
    for (const Object& device : objects) {
        if (device.kind != Kind::dax) continue;
        const json& p = device.properties;
        bool counts = false;
        switch (wanted.by) {
            case Wanted::By::rule: counts = wanted.is_called(text_of(p, "Rule")); break;
            case Wanted::By::node:
                counts = p.is_object() && is_node(wanted, p.value("TargetNode", json()));
                break;
            case Wanted::By::device:
                counts = std::any_of(objects.begin(), objects.end(), [&](const Object& object) {
                    return wanted.is_called(object.name) && stands_on(objects, device, object);
                });
        }
        if (counts) out.push_back(device);
    }
    return out;
}

// What policy gives to programs as a device is there as soon as it has that mode.
bool is_given_as_device(const json& p) {
    const std::string mode = text_of(p, "Mode");
    return (mode == "devdax" || mode == "famfs") && flag_of(p, "InPolicy") && !text_of(p, "Rule").empty();
}

std::uint64_t usable(const json& p) {
    return is_given_as_device(p) ? number_of(p, "Size") : number_of(p, "BytesOnline");
}

bool is_settled(const json& p) {
    return text_of(p, "State") == "online" || (flag_of(p, "InPolicy") && !text_of(p, "Rule").empty());
}

// The first job at a device, or below it, that is not over and does such work.
template <class Matches>
const Object* job_at(const Objects& objects, const Object& device, const Matches& is_meant) {
    const auto found = std::find_if(objects.begin(), objects.end(), [&](const Object& job) {
        if (job.kind != Kind::job || text_of(job.properties, "State") == "finished") return false;
        if (!is_meant(text_of(job.properties, "Operation"))) return false;
        const Object* object = find_path(objects, text_of(job.properties, "Object"));
        return object != nullptr && stands_on(objects, device, *object);
    });
    return found == objects.end() ? nullptr : &*found;
}

std::string why_not(const Objects& objects, const Object& device) {
    const json& p = device.properties;
    std::string out =
        fmt::format("{} of {} online", format_bytes(usable(p)), format_bytes(number_of(p, "Size")));
    const auto add = [&](const std::string& text) {
        if (!text.empty()) out += "; " + text;
    };
    const json error = p.is_object() ? p.value("LastError", json::object()) : json::object();
    const auto any = [](const std::string&) { return true; };
    if (const Object* job = job_at(objects, device, any); job != nullptr) {
        add(fmt::format("{} ({}) is at {:.0f}%", job->name, text_of(job->properties, "Operation"),
                        real_of(job->properties, "Progress") * 100));
    }
    if (flag_of(p, "RebootRequired")) add("its memory is leaked: reboot");
    add(text_of(error, "message"));
    add(text_of(p, "Rule").empty() ? "no rule matches it" : text_of(p, "Reason"));
    if (flag_of(p, "Held")) add(fmt::format("give it back with: cxlmemctl release {}", device.name));
    return out;
}

// Conflicts that keep memory away; the others are about how it is used.
void add_conflicts(const json& manager, std::vector<Missing>& missing) {
    constexpr std::array<std::string_view, 7> kinds = {"unreadable", "worker",     "region",     "removal",
                                                       "leaked",     "competitor", "auto-online"};
    for (const json& conflict : list_of(manager, "Conflicts")) {
        const std::string kind = text_of(conflict, "kind");
        if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
        missing.push_back({"", fmt::format("conflict, {}: {}", kind, text_of(conflict, "message"))});
    }
}

void add_machine(const Wanted& wanted, const json& manager, const Objects& objects, Standing& standing) {
    if (!standing.matched) {
        standing.missing.push_back(
            {"", wanted.by == Wanted::By::rule
                     ? fmt::format("no dax device is decided by {}", wanted.text())
                     : fmt::format("there is no dax device of {} on this machine", wanted.text())});
        for (const Object& card : objects) {
            const std::string reason = card.kind == Kind::memdev ? text_of(card.properties, "Reason") : "";
            if (!reason.empty()) standing.missing.push_back({card.path, reason});
        }
    }
    if (text_of(manager, "Mode") == "observe") {
        standing.missing.push_back(
            {"", "the daemon only observes and changes nothing; see: cxlmemctl status"});
    }
    add_conflicts(manager, standing.missing);
}

}  // namespace

std::string Wanted::text() const {
    const std::string& name = names.front();
    switch (by) {
        case By::rule: return "rule " + name;
        case By::node: return "node" + name;
        case By::device: break;
    }
    return name;
}

bool Wanted::is_called(const std::string& name) const {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> instance_names(const std::string& instance) {
    std::vector<std::string> out{instance};
    for (const bool dashes : {false, true}) {
        std::string name = unescaped(instance, dashes);
        if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(std::move(name));
    }
    return out;
}

Standing stand(const Wanted& wanted, const json& manager, const Objects& objects) {
    Standing out;
    const Objects devices = chosen(wanted, objects);
    bool settled = true;
    for (const Object& device : devices) {
        out.online += usable(device.properties);
        out.wanted += number_of(device.properties, "Size");
        out.devices.push_back(device.path);
        settled = settled && is_settled(device.properties);
    }
    out.matched = !devices.empty();
    // A node may have memory that is no dax device's; its own word counts.
    const Object* node =
        wanted.by == Wanted::By::node ? find_path(objects, path_of(Kind::node, wanted.text())) : nullptr;
    if (node != nullptr) {
        out.online = std::max(out.online, number_of(node->properties, "BytesOnline"));
        out.matched = out.matched || out.online > 0;
    }
    if (wanted.bytes) out.wanted = *wanted.bytes;
    out.there = wanted.bytes ? out.online >= *wanted.bytes : out.matched && settled && out.online > 0;
    if (out.there) return out;
    for (const Object& device : devices) {
        const json& p = device.properties;
        const bool is_whole = usable(p) >= number_of(p, "Size");
        if (!is_whole) out.missing.push_back({device.path, why_not(objects, device)});
    }
    if (out.missing.empty() && out.matched) {
        out.missing.push_back(
            {"", fmt::format("all of it is online, and that is {}", format_bytes(out.online))});
    }
    add_machine(wanted, manager, objects, out);
    return out;
}

const Object* drain_of(const Objects& objects, const Object& device) {
    constexpr std::array<std::string_view, 4> operations = {"offline", "set-mode", "remove",
                                                            "prepare-remove"};
    return job_at(objects, device, [&](const std::string& operation) {
        return std::find(operations.begin(), operations.end(), operation) != operations.end();
    });
}

std::uint64_t staying(const Wanted& wanted, const Objects& objects) {
    std::uint64_t out = 0;
    std::uint64_t going = 0;
    for (const Object& device : chosen(wanted, objects)) {
        (drain_of(objects, device) == nullptr ? out : going) += usable(device.properties);
    }
    if (wanted.by != Wanted::By::node) return out;
    const Object* node = find_path(objects, path_of(Kind::node, wanted.text()));
    const std::uint64_t all = node == nullptr ? no_bytes : number_of(node->properties, "BytesOnline");
    return std::max(out, all > going ? all - going : no_bytes);
}

}  // namespace cxlmemctl
