// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/metrics.h"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string_view>

#include "cli/text.h"
#include "cli/units.h"

namespace cxlmemctl {
namespace {

using nlohmann::json;
using Labels = std::vector<std::pair<std::string, std::string>>;

std::optional<double> known(const json& p, const char* key) {
    const auto found = p.is_object() ? p.find(key) : p.end();
    if (!p.is_object() || found == p.end()) return std::nullopt;
    if (found->is_boolean()) return found->get<bool>() ? 1.0 : 0.0;
    return found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

// Of properties for which the API has a word for "unknown".
std::optional<double> unless(double unknown, std::optional<double> value) {
    return value && *value == unknown ? std::nullopt : value;
}

// Nanoseconds in seconds, to the last digit: 300 / 1e9 is 3e-07, and 300 * 1e-9 is not.
std::optional<double> scaled(std::optional<double> value, double factor, double divisor) {
    return value ? std::optional{*value * factor / divisor} : std::nullopt;
}

std::string node_name(const json& p, const char* key) {
    const auto number = p.is_object() && p.contains(key) ? signed_of(p, key) : -1;
    return number < 0 ? "" : fmt::format("{}", number);
}

std::string name_in(const json& p, const char* key) {
    const std::string path = text_of(p, key);
    return path.empty() || path == "/" ? "" : name_of_path(path);
}

class Families final {
 public:
    Family& add(const char* name, const char* help) {
        families_.push_back({std::string("cxlmemd_") + name, help, {}, false});
        return families_.back();
    }
    // A family with a sample for each object of a kind.
    template <class Value>
    void each(const Objects& objects, const char* name, const char* help, const char* label,
              const Value& value) {
        Family& family = add(name, help);
        for (const Object& object : objects) put(family, {{label, object.name}}, value(object.properties));
    }
    static void put(Family& family, Labels labels, std::optional<double> value) {
        if (value) family.samples.push_back({std::move(labels), *value});
    }
    [[nodiscard]] std::vector<Family> take() {
        std::vector<Family> out;
        for (Family& family : families_) {
            if (!family.samples.empty()) out.push_back(std::move(family));
        }
        return out;
    }

 private:
    std::deque<Family> families_;  // references to its elements stay good
};

// One sample for each word that is known, so that an alert sees it become 0 again, and for others that come.
void count_words(Family& family, const char* label, std::map<std::string, double> counts) {
    for (auto& [word, count] : counts) Families::put(family, {{label, word}}, count);
}

void problems(Families& out, const json& manager) {
    Family& family =
        out.add("policy_problems", "Problems of policy files, of those in force and as last read");
    for (const auto& [files, key] :
         {std::pair{"in_force", "PolicyProblemsInForce"}, {"last_read", "PolicyProblems"}}) {
        if (!manager.contains(key)) continue;
        std::map<std::string, double> counts{{"error", 0}, {"warning", 0}};
        for (const json& problem : list_of(manager, key)) counts[text_of(problem, "severity")] += 1;
        for (const auto& [severity, count] : counts) {
            Families::put(family, {{"files", files}, {"severity", severity}}, count);
        }
    }
}

void conflicts(Families& out, const json& manager) {
    if (!manager.contains("Conflicts")) return;
    constexpr std::array<const char*, 11> kinds = {
        "auto-online", "competitor", "work-per-block", "movable-ratio", "tier",      "dram-node",
        "leaked",      "tuning",     "region",         "removal",       "unreadable"};
    std::map<std::string, double> counts{{"worker", 0}};
    for (const char* kind : kinds) counts[kind] = 0;
    for (const json& conflict : list_of(manager, "Conflicts")) counts[text_of(conflict, "kind")] += 1;
    count_words(out.add("conflicts", "What stands against the policy, by kind"), "kind", std::move(counts));
}

void daemon(Families& out, const json& m) {
    out.add("up", "1 if cxlmemd answers on the bus").samples.push_back({{}, 1});
    out.add("build_info", "Version and backend of the daemon")
        .samples.push_back({{{"backend", text_of(m, "Backend")}, {"version", text_of(m, "Version")}}, 1});
    if (const std::string mode = text_of(m, "Mode"); !mode.empty()) {
        out.add("enforcing", "1 if policy is carried out, 0 if it is only planned")
            .samples.push_back({{}, mode == "enforce" ? 1.0 : 0.0});
    }
    std::map<std::string, double> states{{"idle", 0}, {"working", 0}, {"degraded", 0}};
    if (const std::string state = text_of(m, "State"); !state.empty()) states[state] = 1;
    count_words(out.add("state", "1 for the state that the daemon is in"), "state", std::move(states));
    Families::put(out.add("policy_generation", "Policies put in force since the daemon started"), {},
                  known(m, "PolicyGeneration"));
    if (m.contains("PolicyFiles")) {
        out.add("policy_files", "Policy files in force")
            .samples.push_back({{}, static_cast<double>(list_of(m, "PolicyFiles").size())});
    }
    Families::put(out.add("policy_pending", "1 if edited policy files wait for a reload"), {},
                  known(m, "PolicyPending"));
    problems(out, m);
    conflicts(out, m);
    Family& features = out.add("feature", "What the kernel can do");
    for (const json& feature : list_of(m, "Features")) {
        if (feature.is_string()) Families::put(features, {{"feature", feature.get<std::string>()}}, 1);
    }
    if (const std::string value = text_of(m, "KernelAutoOnline"); !value.empty()) {
        out.add("kernel_auto_online_info", "What the kernel does with new memory by itself")
            .samples.push_back({{{"value", value}}, 1});
    }
    Families::put(out.add("block_size_bytes", "Size of a memory block"), {},
                  unless(0, known(m, "BlockSize")));
    Families::put(out.add("movable_ratio", "Movable memory divided by kernel memory, whole machine"), {},
                  unless(0, known(m, "MovableRatio")));
}

void device_memory(Family& family, const Object& device, std::optional<double> block) {
    const json& p = device.properties;
    const auto total = known(p, "BlocksTotal");
    const auto online = known(p, "BlocksOnline");
    const auto movable = known(p, "BlocksMovable");
    if (!block || !total || !online || !movable) return;
    const std::string node = node_name(p, "TargetNode");
    const auto put = [&](const char* state, const char* zone, double blocks) {
        Families::put(family, {{"device", device.name}, {"node", node}, {"state", state}, {"zone", zone}},
                      blocks * *block);
    };
    put("online", "movable", *movable);
    put("online", "kernel", *online - *movable);
    put("offline", "none", *total - *online);
}

void devices(Families& out, const json& manager, const Objects& all) {
    Family& info = out.add("device_info", "What a dax device is, and the rule that decided about it");
    for (const Object& device : all) {
        const json& p = device.properties;
        Families::put(info,
                      {{"device", device.name},
                       {"kind", text_of(p, "Kind")},
                       {"mode", text_of(p, "Mode")},
                       {"node", node_name(p, "TargetNode")},
                       {"region", name_in(p, "Region")},
                       {"rule", text_of(p, "Rule")}},
                      1);
    }
    Family& memory = out.add("device_memory_bytes", "Memory blocks of a dax device by node, state and zone");
    for (const Object& device : all) device_memory(memory, device, unless(0, known(manager, "BlockSize")));
    const auto number = [](const char* key) { return [key](const json& p) { return known(p, key); }; };
    out.each(all, "device_size_bytes", "Size of a dax device", "device", number("Size"));
    out.each(all, "device_stranded_bytes", "Bytes lost to block alignment", "device",
             number("BytesStranded"));
    out.each(all, "device_in_policy", "1 if everything is as policy says", "device", number("InPolicy"));
    out.each(all, "device_held", "1 if policy keeps off until a release", "device", number("Held"));
    out.each(all, "device_reboot_required", "1 if its memory is leaked until a reboot", "device",
             number("RebootRequired"));
    out.each(all, "device_failing", "1 if the last that was tried with it failed", "device",
             [](const json& p) -> std::optional<double> {
                 const auto error = p.is_object() ? p.find("LastError") : p.end();
                 if (!p.is_object() || error == p.end() || !error->is_object()) return std::nullopt;
                 return text_of(*error, "name").empty() ? 0.0 : 1.0;
             });
}

// MB/s and nanoseconds on the bus, bytes and seconds here.
void coordinates(Families& out, const Objects& all, const std::string& noun) {
    struct Coordinate {
        const char* key;
        const char* name;
        const char* help;
        double factor;
        double divisor;
    };
    constexpr std::array<Coordinate, 4> table = {
        {{"ReadLatency", "read_latency_seconds", "Read latency from the nearest initiator", 1, 1e9},
         {"WriteLatency", "write_latency_seconds", "Write latency from the nearest initiator", 1, 1e9},
         {"ReadBandwidth", "read_bandwidth_bytes_per_second", "Read bandwidth", 1e6, 1},
         {"WriteBandwidth", "write_bandwidth_bytes_per_second", "Write bandwidth", 1e6, 1}}};
    for (const Coordinate& one : table) {
        out.each(
            all, fmt::format("{}_{}", noun, one.name).c_str(), one.help, noun.c_str(),
            [&](const json& p) { return scaled(unless(0, known(p, one.key)), one.factor, one.divisor); });
    }
}

void nodes(Families& out, const Objects& all) {
    Family& memory = out.add("node_memory_bytes", "Memory of a NUMA node by zone");
    for (const Object& node : all) {
        const auto online = known(node.properties, "BytesOnline");
        const auto movable = known(node.properties, "BytesMovable");
        if (!online || !movable) continue;
        Families::put(memory, {{"node", node.name}, {"zone", "movable"}}, *movable);
        Families::put(memory, {{"node", node.name}, {"zone", "kernel"}}, *online - *movable);
    }
    out.each(all, "node_has_cpu", "1 if the node has a CPU", "node",
             [](const json& p) { return known(p, "HasCpu"); });
    out.each(all, "node_tier", "Memory tier of the node", "node",
             [](const json& p) { return unless(-1, known(p, "Tier")); });
    out.each(all, "node_interleave_weight", "Weight of the node in weighted interleave", "node",
             [](const json& p) { return unless(0, known(p, "InterleaveWeight")); });
    coordinates(out, all, "node");
}

void cards(Families& out, const Objects& all) {
    Family& info = out.add("memdev_info", "What a card is");
    Family& size = out.add("memdev_size_bytes", "Capacity of a card by type");
    Family& preparation = out.add("memdev_preparation", "1 for how far a preparation for removal has come");
    for (const Object& card : all) {
        const json& p = card.properties;
        Families::put(info,
                      {{"firmware", text_of(p, "Firmware")},
                       {"host", text_of(p, "Host")},
                       {"memdev", card.name},
                       {"serial", format_hex(number_of(p, "Serial"))}},
                      1);
        Families::put(size, {{"memdev", card.name}, {"type", "ram"}}, known(p, "RamSize"));
        Families::put(size, {{"memdev", card.name}, {"type", "pmem"}}, known(p, "PmemSize"));
        const std::string now = text_of(p, "Preparation");
        for (const char* state : {"emptying", "ready", "occupied"}) {
            Families::put(preparation, {{"memdev", card.name}, {"state", state}}, now == state ? 1.0 : 0.0);
        }
    }
    out.each(all, "memdev_unmanaged", "1 if memory of the card is not managed as a dax device", "memdev",
             [](const json& p) { return std::optional{text_of(p, "Reason").empty() ? 0.0 : 1.0}; });
}

void regions(Families& out, const Objects& all) {
    Family& info = out.add("region_info", "What a region is");
    for (const Object& region : all) {
        const json& p = region.properties;
        Families::put(info,
                      {{"decoder", text_of(p, "RootDecoder")},
                       {"node", node_name(p, "TargetNode")},
                       {"region", region.name},
                       {"type", text_of(p, "Type")}},
                      1);
    }
    out.each(all, "region_size_bytes", "Size of a region", "region",
             [](const json& p) { return known(p, "Size"); });
    out.each(all, "region_interleave_ways", "Cards that a region is interleaved over", "region",
             [](const json& p) { return unless(0, known(p, "InterleaveWays")); });
    coordinates(out, all, "region");
}

void windows(Families& out, const Objects& all) {
    const auto sized = [](const json& p) { return unless(0, known(p, "Size")); };
    out.each(all, "window_size_bytes", "Size of a CXL window", "decoder", sized);
    out.each(all, "window_free_bytes", "Bytes of a CXL window that nothing takes", "decoder",
             [&](const json& p) { return sized(p) ? known(p, "Free") : std::nullopt; });
}

void jobs(Families& out, const Objects& all) {
    Family& family = out.add("jobs", "Jobs that run or wait, by operation");
    for (const char* operation : {"online", "offline", "set-mode", "policy", "remove", "prepare-remove"}) {
        for (const char* state : {"running", "waiting"}) {
            double count = 0;
            for (const Object& job : all) {
                const json& p = job.properties;
                if (text_of(p, "Operation") == operation && text_of(p, "State") == state) count += 1;
            }
            Families::put(family, {{"operation", operation}, {"state", state}}, count);
        }
    }
}

// Of a label: control characters as everywhere, then what the format wants.
std::string quoted(const std::string& text) {
    std::string out;
    for (const char c : escape(text)) {
        if (c == '\\' || c == '"') out += '\\';
        out += c;
    }
    return out;
}

// What Manager.Statistics counts. Microseconds there, seconds here.
void statistics(Families& out, const json& manager) {
    struct Row {
        const char* statistic;
        const char* name;
        const char* help;
        double divisor;
        bool is_counter;
    };
    constexpr std::array<Row, 9> table = {{
        {"jobs", "jobs_ended", "Jobs that have ended", 1, true},
        {"job_usec", "job_seconds", "Time that jobs took, from their first step on", 1e6, true},
        {"job_kernel_usec", "job_kernel_seconds", "Time of jobs inside the kernel's writes", 1e6, true},
        {"kernel_errors", "kernel_errors", "Writes that the kernel refused", 1, true},
        {"drifts", "drifts", "Changes by somebody else that policy put right or reported", 1, true},
        {"scans", "scans", "Looks at the whole machine", 1, true},
        {"reloads", "reloads", "Policies that were put in force, or refused", 1, true},
        {"cpu_usec", "process_cpu_seconds", "Processor time of the daemon", 1e6, true},
        {"resident_bytes", "process_resident_memory_bytes", "Resident memory of the daemon", 1, false},
    }};
    const json& all = list_of(manager, "Statistics");
    for (const Row& row : table) {
        Family& family = out.add(row.name, row.help);
        family.is_counter = row.is_counter;
        for (const json& one : all) {
            if (text_of(one, "name") != row.statistic || !one.contains("labels")) continue;
            Labels labels;
            for (const auto& [label, value] : one["labels"].items())
                labels.emplace_back(label, value.get<std::string>());
            Families::put(family, std::move(labels), scaled(known(one, "value"), 1, row.divisor));
        }
    }
    for (const json& one : all) {
        if (text_of(one, "name") != "started_usec") continue;
        Families::put(out.add("process_start_time_seconds", "When the daemon was started, since 1970"), {},
                      scaled(known(one, "value"), 1, 1e6));
    }
}

std::string name_of_samples(const Family& family) {
    return family.name + (family.is_counter ? "_total" : "");
}

}  // namespace

std::vector<Family> metrics_of(const json& manager, const Objects& objects) {
    Families out;
    daemon(out, manager);
    statistics(out, manager);
    devices(out, manager, of_kind(objects, Kind::dax));
    nodes(out, of_kind(objects, Kind::node));
    regions(out, of_kind(objects, Kind::region));
    windows(out, of_kind(objects, Kind::decoder));
    cards(out, of_kind(objects, Kind::memdev));
    jobs(out, of_kind(objects, Kind::job));
    return out.take();
}

std::vector<Family> metrics_of_nobody() {
    return {{"cxlmemd_up", "1 if cxlmemd answers on the bus", {{{}, 0}}, false}};
}

std::string metrics_text(const std::vector<Family>& families) {
    std::string out;
    for (const Family& family : families) {
        out += fmt::format("# TYPE {} {}\n# HELP {} {}\n", family.name,
                           family.is_counter ? "counter" : "gauge", family.name, family.help);
        for (const Sample& sample : family.samples) {
            std::string labels;
            for (const auto& [name, value] : sample.labels) {
                labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "{" : ",", name, quoted(value));
            }
            if (!labels.empty()) labels += "}";
            out += fmt::format("{}{} {}\n", name_of_samples(family), labels, sample.value);
        }
    }
    return out + "# EOF\n";
}

json metrics_json(const std::vector<Family>& families) {
    json out = json::array();
    for (const Family& family : families) {
        json samples = json::array();
        for (const Sample& sample : family.samples) {
            json labels = json::object();
            for (const auto& [name, value] : sample.labels) labels[name] = value;
            samples.push_back({{"Labels", labels}, {"Value", sample.value}});
        }
        out.push_back({{"Name", name_of_samples(family)}, {"Help", family.help}, {"Samples", samples}});
    }
    return out;
}

}  // namespace cxlmemctl
