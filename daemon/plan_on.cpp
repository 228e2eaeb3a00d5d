// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/plan_on.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "backends/emulator/file.h"
#include "backends/emulator/machine.h"
#include "daemon/configuration.h"
#include "daemon/fleet.h"
#include "daemon/json_text.h"
#include "policy/compile.h"
#include "policy/text.h"

namespace cxlmemd {

namespace fs = std::filesystem;

namespace {

// Of the document; a reader that knows it can read every later one of the same number.
constexpr int document_version = 1;

struct ReadPolicy {
    FleetPolicy policy;
    std::vector<Problem> problems;
};

Problem problem_of(const fs::path& file, std::string message) {
    return {.place = {.file = file.string(), .line = 0, .column = 0},
            .severity = Severity::error,
            .message = std::move(message)};
}

void take_settings(CompiledSettings compiled, ReadPolicy& out) {
    out.policy.settings = compiled.settings;
    std::ranges::move(compiled.problems, std::back_inserter(out.problems));
}

// Names of *.toml in a folder, in order; hidden files are not among them.
std::vector<fs::path> files_in(const fs::path& folder, std::error_code& ec) {
    std::vector<fs::path> out;
    for (fs::directory_iterator it{folder, ec}; !ec && it != fs::directory_iterator{}; it.increment(ec)) {
        if (is_policy_name(it->path().filename().string())) out.push_back(it->path());
    }
    std::ranges::sort(out);
    return out;
}

// A folder of policy files, or one with policy.d and daemon.toml as --config takes it. Who may write it does
// not matter here: nothing is carried out.
ReadPolicy read_folder(const fs::path& folder) {
    ReadPolicy out;
    std::error_code ec;
    const bool is_whole = fs::is_directory(folder / "policy.d", ec);
    const fs::path policy_folder = is_whole ? folder / "policy.d" : folder;
    std::vector<fs::path> paths = files_in(policy_folder, ec);
    if (ec) {
        out.problems.push_back(problem_of(policy_folder, "cannot be read (" + errno_name(ec.value()) + ")"));
    }
    std::optional<fs::path> settings;
    if (is_whole && fs::exists(folder / "daemon.toml", ec)) settings = folder / "daemon.toml";
    std::vector<SourceFile> sources;
    for (const fs::path& path : paths) {
        if (is_masked(path)) continue;
        if (!is_whole && path.filename() == "daemon.toml") {
            settings = path;
        } else if (auto text = read_source(path)) {
            if (!text->empty()) sources.push_back({path.string(), std::move(*text)});
        } else {
            out.problems.push_back(text.error());
        }
    }
    if (settings) {
        if (auto text = read_source(*settings)) {
            take_settings(compile_settings({settings->string(), std::move(*text)}), out);
        } else {
            out.problems.push_back(text.error());
        }
    }
    Compiled compiled = compile(sources);
    std::ranges::move(compiled.problems, std::back_inserter(out.problems));
    out.policy.policy = std::move(compiled.policy);
    return out;
}

ReadPolicy read_policy(const std::optional<fs::path>& folder, const ConfigPaths& system) {
    ReadPolicy out;
    if (folder) {
        out = read_folder(*folder);
    } else {
        LoadedConfig loaded = load_config(system);
        out = {{std::move(loaded.policy), loaded.settings}, std::move(loaded.problems)};
    }
    out.policy.policy.max_movable_ratio = out.policy.settings.max_movable_ratio;
    return out;
}

struct FileError {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;
};

// "FILE:LINE:COLUMN" comes from the parser; what cannot be read has no line.
FileError file_error(const std::string& file, const Error& error) {
    FileError out{.file = file, .line = 0, .column = 0, .message = error.text()};
    std::string_view rest = error.object;
    const std::size_t column = rest.rfind(':');
    const std::size_t line = column == 0 || column == rest.npos ? rest.npos : rest.rfind(':', column - 1);
    if (line == rest.npos) return out;
    const auto number = [](std::string_view text, std::uint32_t& value) {
        return std::from_chars(text.data(), text.data() + text.size(), value).ptr ==
               text.data() + text.size();
    };
    std::uint32_t at_line = 0;
    std::uint32_t at_column = 0;
    if (!number(rest.substr(line + 1, column - line - 1), at_line) ||
        !number(rest.substr(column + 1), at_column)) {
        return out;
    }
    return {std::string{rest.substr(0, line)}, at_line, at_column, error.reason};
}

// The files that are meant, each once.
std::vector<fs::path> machine_files(const std::vector<fs::path>& paths, std::vector<FileError>& errors) {
    std::vector<fs::path> out;
    std::set<fs::path> seen;
    const auto add = [&](const fs::path& path) {
        std::error_code ec;
        const fs::path real = fs::weakly_canonical(path, ec);
        if (seen.insert(ec ? path : real).second) out.push_back(path);
    };
    for (const fs::path& path : paths) {
        std::error_code ec;
        if (!fs::is_directory(path, ec)) {
            add(path);
            continue;
        }
        const std::vector<fs::path> found = files_in(path, ec);
        if (ec) {
            errors.push_back({path.string(), 0, 0, "cannot be read (" + errno_name(ec.value()) + ")"});
        } else if (found.empty()) {
            errors.push_back({path.string(), 0, 0, "has no *.toml files"});
        }
        for (const fs::path& file : found) add(file);
    }
    return out;
}

std::string problems_json(const std::vector<Problem>& problems) {
    JsonList out;
    for (const Problem& problem : problems) {
        out.raw(JsonObject{}
                    .text("file", problem.place.file)
                    .number("line", problem.place.line)
                    .number("column", problem.place.column)
                    .text("severity", problem.severity == Severity::error ? "error" : "warning")
                    .text("message", problem.message)
                    .take());
    }
    return out.take();
}

std::string errors_json(const std::vector<FileError>& errors) {
    JsonList out;
    for (const FileError& error : errors) {
        out.raw(JsonObject{}
                    .text("file", error.file)
                    .number("line", error.line)
                    .number("column", error.column)
                    .text("message", error.message)
                    .take());
    }
    return out.take();
}

std::string tables_json(const std::vector<IdleTable>& tables) {
    JsonList out;
    for (const IdleTable& idle : tables) {
        out.raw(JsonObject{}
                    .text("table", idle.table)
                    .text("name", idle.name)
                    .text("file", idle.place.file)
                    .number("line", idle.place.line)
                    .take());
    }
    return out.take();
}

}  // namespace

int plan_on(const Options& options, const ConfigPaths& system) {
    const ReadPolicy policy = read_policy(options.policy, system);
    const ReadPolicy before = options.against ? read_policy(options.against, system) : ReadPolicy{};
    std::vector<Problem> problems = policy.problems;
    std::ranges::copy(before.problems, std::back_inserter(problems));
    JsonObject out;
    out.number("version", document_version);
    if (has_errors(problems)) {
        // Of a policy with errors nobody can say what it would do.
        std::cout << out.raw("problems", problems_json(problems)).take() << '\n';
        return 1;
    }
    std::vector<FileError> errors;
    FleetPlan plan{policy.policy, options.against ? &before.policy : nullptr};
    for (const fs::path& file : machine_files(options.plan_on, errors)) {
        auto described = emulator::read_machine_file(file.string());
        if (!described) {
            errors.push_back(file_error(file.string(), described.error()));
            continue;
        }
        const Topology topology = emulator::Machine{std::move(*described), {}}.topology();
        plan.add({file.string(), topology.host.name}, topology);
    }
    const std::vector<IdleTable> unmatched = plan.unmatched();
    out.number("machines", plan.machines());
    if (options.against) out.number("unchanged", plan.unchanged());
    out.raw(options.against ? "changes" : "outcomes", plan.groups_json());
    out.raw("unmatched", tables_json(unmatched)).raw("shadowed", tables_json(plan.shadowed()));
    out.raw("problems", problems_json(problems)).raw("errors", errors_json(errors));
    std::cout << out.take() << '\n' << std::flush;
    if (!std::cout || !errors.empty()) return 1;
    constexpr int matches_nowhere = 3;
    return unmatched.empty() ? 0 : matches_nowhere;
}

}  // namespace cxlmemd
