// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>

#include "backends/emulator/file_checks.h"
#include "backends/emulator/file_cxl.h"
#include "backends/emulator/file_dax.h"
#include "backends/emulator/file_memory.h"
#include "backends/emulator/file_table.h"
#include "backends/emulator/scenario_file.h"
#include "backends/emulator/values.h"
#include "policy/parser_guard.h"

namespace cxlmemd::emulator {

namespace {

constexpr std::uint64_t smallest_block = 128ULL << 20;
constexpr std::uint64_t longest_delay_usec = 60'000'000;
constexpr std::uint64_t largest_block = 2ULL << 30;

// Reads the sections and holds what they say against each other.
class MachineFile final {
 public:
    MachineFile(FileTable root, const std::string& name) : root_(std::move(root)), name_(name) {}

    MachineDescription read() {
        machine_.machine_file = root_.text("machine");
        machine_.scenario = read_scenario(root_, name_);
        if (!machine_.machine_file) read_machine();
        root_.finish();
        return std::move(machine_);
    }

 private:
    void read_machine() {
        read_settings();
        read_host();
        node_tables_ = root_.tables("node", max_entries);
        for (FileTable& table : node_tables_) read_node(table);
        CxlSections cxl{machine_, dynamic_capacity_};
        for (FileTable& table : root_.tables("port", max_entries)) cxl.read_port(table);
        for (FileTable& table : root_.tables("memdev", max_entries)) cxl.read_memdev(table);
        for (FileTable& table : root_.tables("root_decoder", max_entries)) cxl.read_root_decoder(table);
        for (FileTable& table : root_.tables("region", max_entries)) cxl.read_region(table);
        DaxSection dax{machine_};
        for (FileTable& table : root_.tables("dax", max_entries)) dax.read_dax(table);
        for (FileTable& table : root_.tables("reserved", max_entries)) read_reserved(table);
        for (FileTable& table : root_.tables("competitor", max_entries)) read_competitor(table);
        MemorySections memory{machine_};
        for (FileTable& table : root_.tables("memory", max_entries)) memory.read_memory(table);
        for (FileTable& table : root_.tables("endpoint_decoder", max_entries))
            memory.read_endpoint_decoder(table);
        place_memory_of_cards(memory);
    }

    // Memory of a node without CPUs is a card's, which the firmware gave to the kernel, unless the file says
    // that it is not.
    void place_memory_of_cards(MemorySections& memory) {
        for (NodeDescription& node : machine_.nodes) {
            const auto said = is_of_card_.find(node.id);
            const bool wanted = said == is_of_card_.end() ? !node.has_cpu : said->second.first;
            if (wanted && !memory.place(node) && said != is_of_card_.end())
                said->second.second->wrong("of_card", "finds no region or window with room for its memory");
        }
        for (NodeDescription& node : machine_.nodes) {
            std::uint64_t all = node.kernel_bytes.value();
            for (const LooseMemory& each : machine_.memory) {
                if (each.node != node.id || !each.firmware) continue;
                for (const BlockRun& run : each.runs) {
                    if (run.zone == Zone::kernel) all += run.count * machine_.block_size.value();
                }
            }
            if (node.used_bytes.value() > all)
                tables_of_nodes_.at(node.id)->wrong("used", "must not be more than memory");
        }
    }

    void read_settings() {
        if (const auto size = root_.size("block_size")) {
            if (*size != 0 &&
                (!std::has_single_bit(*size) || *size < smallest_block || *size > largest_block)) {
                root_.wrong("block_size",
                            "must be a power of two from 128MiB to 2GiB, or 0 for no memory blocks");
            } else {
                machine_.block_size = Bytes{*size};
            }
        }
        machine_.auto_online =
            root_.word("auto_online", auto_online_from, "offline, online, online_kernel or online_movable")
                .value_or(AutoOnline::offline);
        machine_.interleave_auto = root_.truth("interleave_auto").value_or(true);
        machine_.demotion_enabled = root_.truth("demotion_enabled").value_or(false);
        machine_.firmware_map = root_.truth("firmware_map").value_or(true);
        machine_.kernel_zone_unmovable = root_.truth("kernel_zone_unmovable").value_or(false);
        if (std::optional<FileTable> table = root_.table("features")) {
            Features& features = machine_.features;
            const auto read = [&](std::string_view key, bool& into) {
                into = table->truth(key).value_or(into);
            };
            read("dax_state", features.dax_state);
            read("weighted_interleave", features.weighted_interleave);
            read("weighted_interleave_auto", features.weighted_interleave_auto);
            read("access_coordinates", features.access_coordinates);
            read("region_create", features.region_create);
            read("memory_hotremove", features.memory_hotremove);
            read("demotion", features.demotion);
            read("dynamic_capacity", dynamic_capacity_);
            table->finish();
        }
        if (std::optional<FileTable> table = root_.table("kernel")) {
            machine_.time_model =
                table->word("time_model", time_model_from, "none, before-7.4 or 7.4").value_or(TimeModel{});
            const auto time = [](std::string_view text) -> std::optional<std::uint64_t> {
                const auto usec = parse_duration_usec(text);
                return usec && *usec <= longest_delay_usec ? usec : std::nullopt;
            };
            machine_.late_dax_usec =
                table->word("late_dax", time, "a time such as \"20ms\", a minute at most").value_or(0);
            machine_.features.famfs = table->truth("famfs").value_or(false);
            machine_.live_extents = table->truth("live_extents").value_or(false);
            if (machine_.live_extents && !dynamic_capacity_)
                table->wrong("live_extents", "needs the feature dynamic_capacity");
            table->finish();
        }
    }

    void read_host() {
        std::optional<FileTable> table = root_.table("host");
        if (!table) return;
        HostFacts& host = machine_.host;
        host.name = table->text("name").value_or("");
        host.machine_id = table->text("machine_id").value_or("");
        host.virtualization = table->text("virtualization").value_or("");
        host.kernel_version = table->text("kernel_version").value_or("");
        host.firmware_vendor = table->text("firmware_vendor").value_or("");
        host.product = table->text("product").value_or("");
        table->finish();
    }

    void read_node(FileTable& table) {
        NodeDescription node;
        node.id = table.needed(table.node("id"), "id");
        node.has_cpu = table.truth("cpus").value_or(false);
        node.kernel_bytes = Bytes{table.size("memory").value_or(0)};
        node.movable_bytes = Bytes{table.size("movable").value_or(0)};
        node.used_bytes = Bytes{table.size("used").value_or(node.kernel_bytes.value() / 4)};
        const DescribedAccess described = read_access(table);
        node.access = described.access;
        node.access_shown = described.shown;
        node.present = table.truth("present").value_or(false);
        if (const auto of_card = table.truth("of_card"))
            is_of_card_.emplace(node.id, std::pair{*of_card, &table});
        tables_of_nodes_.emplace(node.id, &table);
        if (const auto tier = table.tier("tier")) node.tier = *tier;
        if (const auto weight = table.number("interleave_weight", 255)) {
            node.interleave_weight = static_cast<std::uint32_t>(*weight);
        }
        if (node.id.value() < 0) table.wrong("id", "must not be negative");
        check_unique(table, "id", machine_.nodes, [&](const NodeDescription& n) { return n.id == node.id; });
        table.finish();
        machine_.nodes.push_back(node);
    }

    void read_competitor(FileTable& table) {
        Competitor competitor;
        competitor.where = table.needed(table.text("where"), "where");
        competitor.what = table.text("what").value_or("a udev rule");
        competitor.zone = table.word("zone", zone_from, "offline, kernel or movable").value_or(Zone::none);
        competitor.kind =
            table.word("kind", competitor_kind_from, "onlines, may-online, crash-dump or block-by-block")
                .value_or(CompetitorKind::onlines);
        table.finish();
        machine_.competitors.push_back(std::move(competitor));
    }

    void read_reserved(FileTable& table) {
        ReservedRange reserved;
        reserved.range = read_range(table);
        reserved.holder = table.needed(table.text("holder"), "holder");
        table.finish();
        machine_.reserved.push_back(std::move(reserved));
    }

    FileTable root_;
    const std::string& name_;
    MachineDescription machine_;
    bool dynamic_capacity_ = false;
    std::vector<FileTable> node_tables_;
    std::map<NodeId, FileTable*> tables_of_nodes_;
    std::map<NodeId, std::pair<bool, FileTable*>> is_of_card_;
};

tl::unexpected<std::vector<FileProblem>> one_problem(FileProblem problem) {
    return tl::unexpected(std::vector<FileProblem>{std::move(problem)});
}

}  // namespace

std::string to_string(const FileProblem& problem) {
    return fmt::format("{}:{}:{}: error: {}", problem.file, problem.line, problem.column, problem.message);
}

ParsedMachine parse_machine(std::string_view text, const std::string& name) {
    if (text.size() > max_file_bytes) {
        return one_problem({name, 0, 0, fmt::format("the file is larger than {} bytes", max_file_bytes)});
    }
    if (const auto refusal = syntax::refusal_of(text)) {
        return one_problem({name, refusal->at.line, refusal->at.column, refusal->message});
    }
    toml::table table;
    try {
        table = toml::parse(text, name);
    } catch (const toml::parse_error& error) {  // the one exception that toml++ has for bad text
        const toml::source_position& place = error.source().begin;
        return one_problem({name, place.line, place.column, std::string{error.description()}});
    }
    std::vector<FileProblem> problems;
    MachineDescription machine = MachineFile{FileTable{table, "", name, problems}, name}.read();
    if (problems.empty()) return machine;
    std::ranges::stable_sort(problems, {}, [](const FileProblem& p) { return std::tuple{p.line, p.column}; });
    return tl::unexpected(std::move(problems));
}

}  // namespace cxlmemd::emulator
