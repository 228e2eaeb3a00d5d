// SPDX-License-Identifier: LGPL-2.1-or-later
// Files -> Policy: each file parsed and its tables checked on their own, then what concerns all files
// together: how many rules, whose name is taken, which rule can never decide.
#include "policy/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "policy/check_rule.h"
#include "policy/check_tables.h"
#include "policy/coverage.h"
#include "policy/report.h"
#include "policy/schema.h"
#include "policy/syntax.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::size_t max_file_words = 120;

// "at a.toml:3:8"; of a long name the end, which tells files of one folder apart.
std::string at_place(const Place& place) {
    std::string_view file = place.file;
    if (file.size() <= max_file_words)
        return fmt::format("at {}:{}:{}", visible(file), place.line, place.column);
    file.remove_prefix(file.size() - max_file_words);
    while (!file.empty() && is_utf8_continuation(file.front())) file.remove_prefix(1);
    return fmt::format("at ...{}:{}:{}", visible(file), place.line, place.column);
}

// Names of one noun that are taken, over all files.
class Names final {
 public:
    explicit Names(std::string_view noun) : noun_(noun) {}

    // False, and reported, if the name is taken. A rule without a name has been reported before.
    bool take(Report& report, const std::string& name, syntax::Position at) {
        if (name.empty()) return true;
        const auto [it, is_new] = taken_.try_emplace(name, report.place(at));
        if (is_new) return true;
        report.error(at, fmt::format("{} {} exists already {}; every {} has a name of its own", noun_,
                                     in_quotes(name), at_place(it->second), noun_));
        return false;
    }

 private:
    std::string_view noun_;
    std::unordered_map<std::string, Place> taken_;
};

class Compiler final {
 public:
    Compiler(const std::vector<SourceFile>& files, const std::atomic<bool>* stop) : stop_(stop) {
        reports_.reserve(files.size());
        for (const SourceFile& file : files) reports_.emplace_back(file.name);
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < files.size(); ++i) {
            file_ = i;
            bytes += files[i].text.size();
            if (is_too_much(i, bytes) || is_stopped()) break;
            if (const auto root = syntax::parse(files[i].text, reports_[i])) check_file(*root);
        }
        if (!is_stopped()) warn_of_unreachable();
    }

    Compiled finish() {
        ProblemList problems{max_problems, std::numeric_limits<std::size_t>::max()};
        for (Report& report : reports_) {
            for (Problem& problem : report.take()) problems.add(std::move(problem));
        }
        out_.problems = problems.take();
        return std::move(out_);
    }

 private:
    struct Origin {
        std::size_t file;
        syntax::Position at;
        bool sound;
    };

    Report& report() { return reports_[file_]; }
    [[nodiscard]] bool is_stopped() const { return stop_ != nullptr && *stop_; }

    // Said at the first file that does not fit any more; the files behind it are not looked at.
    bool is_too_much(std::size_t file, std::size_t bytes_so_far) {
        if (file >= max_files) {
            report().error({}, fmt::format("too many: {} policy files are the limit", max_files));
        } else if (bytes_so_far > max_total_bytes) {
            report().error({}, fmt::format("too large: {} bytes of all policy files together are the limit",
                                           max_total_bytes));
        } else {
            return false;
        }
        return true;
    }

    void check_file(const syntax::Table& root) {
        for (const syntax::Entry& entry : root.entries) {
            if (entry.key == "rule") {
                each_table(entry, out_.policy.rules.size(), &Compiler::add_rule);
            } else if (entry.key == "node") {
                each_table(entry, out_.policy.nodes.size(), &Compiler::add_node);
            } else if (entry.key == "region") {
                each_table(entry, out_.policy.regions.size(), &Compiler::add_region);
            } else {
                report().error(entry.at,
                               report().full() ? "" : schema::unknown_key(schema::policy_file, entry.key));
            }
        }
    }

    // The tables of [[key]], up to the limit, of which `count` are used up.
    void each_table(const syntax::Entry& entry, std::size_t count,
                    void (Compiler::*add)(const syntax::Table&, syntax::Position)) {
        if (const auto* table = entry.value.as<syntax::Table>()) {
            report().error(entry.value.at, fmt::format("[{0}] is one table; write [[{0}]]", entry.key));
            (this->*add)(*table, entry.value.at);
            return;
        }
        const auto* list = entry.value.as<syntax::List>();
        if (list == nullptr) {
            if (entry.value.as<syntax::Refused>() == nullptr) {
                report().error(entry.at, fmt::format("{0} takes tables, each under [[{0}]], not {1}",
                                                     entry.key, syntax::type_name(entry.value)));
            }
            return;
        }
        for (const syntax::Value& value : *list) {
            if (is_stopped()) return;
            if (count++ == max_rules) {
                report().error(value.at, fmt::format("too many: {} [[{}]] tables over all files is the limit",
                                                     max_rules, entry.key));
                return;
            }
            if (const auto* table = value.as<syntax::Table>()) {
                (this->*add)(*table, value.at);
            } else if (value.as<syntax::Refused>() == nullptr) {
                report().error(value.at, fmt::format("{0} takes tables, each under [[{0}]], not {1}",
                                                     entry.key, syntax::type_name(value)));
            }
        }
    }

    void add_rule(const syntax::Table& table, syntax::Position at) {
        CheckedRule checked = check_rule(report(), table, at);
        const bool is_new = rule_names_.take(report(), checked.rule.name, checked.name_at);
        origins_.push_back(Origin{file_, at, checked.sound && is_new});
        out_.policy.rules.push_back(std::move(checked.rule));
    }

    void add_node(const syntax::Table& table, syntax::Position at) {
        NodeTuning tuning = check_node(report(), table, at);
        const auto has_all = [](const auto& earlier, const auto& later) {
            return !later.empty() && std::ranges::all_of(later, [&](const auto& each) {
                return std::ranges::find(earlier, each) != earlier.end();
            });
        };
        for (const NodeTuning& earlier : out_.policy.nodes) {
            if (!has_all(earlier.id, tuning.id) && !has_all(earlier.kind, tuning.kind)) continue;
            report().warning(at,
                             fmt::format("this [[node]] never decides: the one {} comes first and matches "
                                         "whatever it does",
                                         at_place(earlier.place)));
            break;
        }
        out_.policy.nodes.push_back(std::move(tuning));
    }

    void add_region(const syntax::Table& table, syntax::Position at) {
        CheckedRegion checked = check_region(report(), table, at);
        region_names_.take(report(), checked.region.name, checked.name_at);
        out_.policy.regions.push_back(std::move(checked.region));
    }

    void warn_of_unreachable() {
        const std::vector<Rule>& rules = out_.policy.rules;
        std::vector<std::optional<Match>> matches;
        matches.reserve(rules.size());
        for (std::size_t i = 0; i < rules.size(); ++i) {
            matches.push_back(origins_[i].sound ? std::optional{rules[i].match} : std::nullopt);
        }
        const auto covered = covered_by(matches);
        for (std::size_t i = 0; i < rules.size(); ++i) {
            if (!covered[i]) continue;
            const Rule& earlier = rules[*covered[i]];
            reports_[origins_[i].file].warning(
                origins_[i].at,
                fmt::format("rule {} never decides: rule {} {} comes first and holds whenever it does",
                            in_quotes(rules[i].name), in_quotes(earlier.name), at_place(earlier.place)));
        }
    }

    const std::atomic<bool>* stop_;
    std::vector<Report> reports_;  // one a file, in order
    std::size_t file_ = 0;         // the one being checked
    std::vector<Origin> origins_;  // of policy.rules
    Names rule_names_{"rule"};
    Names region_names_{"region"};
    Compiled out_;
};

}  // namespace

Compiled compile(const std::vector<SourceFile>& files, const std::atomic<bool>* stop) {
    try {
        return Compiler{files, stop}.finish();
    } catch (const std::exception& bug) {
        // Out of memory, or a bug of ours: the daemon keeps its old policy and says so.
        Place place;
        if (!files.empty()) place.file = files.front().name;
        return Compiled{
            {}, {Problem{place, Severity::error, std::string{"the policy compiler failed: "} + bug.what()}}};
    }
}

}  // namespace cxlmemd
