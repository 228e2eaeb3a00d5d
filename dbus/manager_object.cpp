// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/manager_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/guard.h"
#include "dbus/names.h"
#include "dbus/plan_map.h"
#include "dbus/policy_options.h"
#include "dbus/reply_budget.h"
#include "policy/compile.h"
#include "policy/report.h"
#include "policy/text.h"

namespace cxlmemd::bus {

namespace {

std::vector<sdbus::Struct<std::string, uint32_t, uint32_t, std::string, std::string>> to_structs(
    const std::vector<Problem>& problems) {
    std::vector<sdbus::Struct<std::string, uint32_t, uint32_t, std::string, std::string>> out;
    ProblemList fitting{max_problems, max_problem_bytes};
    for (const Problem& p : problems) fitting.add(p);
    for (const Problem& p : fitting.take()) {
        out.emplace_back(visible(p.place.file), p.place.line, p.place.column,
                         p.severity == Severity::error ? "error" : "warning", p.message);
    }
    return out;
}

// What all callers together may have us keep while the bus is asked who they are.
constexpr std::size_t max_bytes_at_the_door = std::size_t{16} * 1024 * 1024;

// The files of one call: large, and kept once, however often its handler is copied.
struct HeldText {
    HeldText(cxlmemd::Result<std::vector<SourceFile>> given, std::shared_ptr<std::size_t> all)
        : files(std::move(given)), all_(std::move(all)) {
        if (!files) return;
        for (const SourceFile& file : *files) bytes_ += file.text.size();
        *all_ += bytes_;
        if (*all_ <= max_bytes_at_the_door) return;
        files = fail({.code = ErrorCode::busy,
                      .operation = "CheckPolicy",
                      .reason = "too many texts are waiting to be checked",
                      .advice = "try again"});
    }
    HeldText(const HeldText&) = delete;
    HeldText& operator=(const HeldText&) = delete;
    ~HeldText() { *all_ -= bytes_; }

    cxlmemd::Result<std::vector<SourceFile>> files;

 private:
    std::shared_ptr<std::size_t> all_;
    std::size_t bytes_ = 0;
};

Viewer viewer(std::uint32_t uid) {
    return is_trusted(uid) ? Viewer::root : Viewer::anyone;
}

using F = ManagerFacts;
constexpr std::array properties{
    plain<F, &F::mode>("Mode"),
    plain<F, &F::state>("State"),
    Property<F>{"PolicyFiles", same_member<F, &F::policy_files>},
    plain<F, &F::policy_generation>("PolicyGeneration"),
    plain<F, &F::policy_pending>("PolicyPending"),
    Property<F>{"PolicyProblems", same_member<F, &F::policy_problems>},
    Property<F>{"PolicyProblemsInForce", same_member<F, &F::policy_problems_in_force>},
    plain<F, &F::kernel_auto_online>("KernelAutoOnline"),
    Property<F>{"Conflicts", same_member<F, &F::conflicts>},
    Property<F>{"Features", same_member<F, &F::features>},
    plain<F, &F::block_size>("BlockSize"),
    plain<F, &F::bytes_total>("BytesTotal"),
    plain<F, &F::bytes_online>("BytesOnline"),
    plain<F, &F::movable_ratio>("MovableRatio"),
};

}  // namespace

ManagerObject::ManagerObject(sdbus::IConnection& connection, ManagerFixed fixed, ManagerFacts facts,
                             Requests& requests, Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{root_path}),
      fixed_(std::move(fixed)),
      facts_(std::move(facts)),
      requests_(requests),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void ManagerObject::update(ManagerFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

ManagerObject::ProblemStructs ManagerObject::PolicyProblems() {
    return to_structs(facts_.policy_problems);
}

ManagerObject::ProblemStructs ManagerObject::PolicyProblemsInForce() {
    return to_structs(facts_.policy_problems_in_force);
}

std::vector<sdbus::Struct<std::string, std::map<std::string, std::string>, uint64_t>>
ManagerObject::Statistics() {
    std::vector<sdbus::Struct<std::string, std::map<std::string, std::string>, uint64_t>> out;
    for (Statistic& one : requests_.statistics()) out.emplace_back(one.name, one.labels, one.value);
    return out;
}

std::vector<sdbus::Struct<std::string, std::string>> ManagerObject::Conflicts() {
    std::vector<sdbus::Struct<std::string, std::string>> out;
    std::size_t bytes = 0;
    for (const auto& [kind, message] : facts_.conflicts) {
        bytes += message.size();
        if (bytes > max_problem_bytes) {
            out.emplace_back(kind,
                             std::to_string(facts_.conflicts.size() - out.size()) + " more are not shown");
            break;
        }
        out.emplace_back(kind, message);
    }
    return out;
}

void ManagerObject::Reload(sdbus::Result<uint64_t>&& result, VariantMap options) {
    gate_.pass_later("Reload", "policy", std::move(result),
                     [this, options](std::uint32_t uid, const std::shared_ptr<Reply<uint64_t>>& reply) {
                         unwrap(no_options(options));
                         requests_.reload(viewer(uid), reply->later());
                     });
}

void ManagerObject::CheckPolicy(sdbus::Result<ProblemStructs>&& result, std::string name, std::string text,
                                VariantMap options) {
    const auto held = std::make_shared<HeldText>(files_to_check(name, text, options), bytes_at_the_door_);
    gate_.pass_later("CheckPolicy", "policy", std::move(result),
                     [this, held](std::uint32_t uid, const std::shared_ptr<Reply<ProblemStructs>>& reply) {
                         requests_.check_policy(
                             unwrap(std::move(held->files)), uid,
                             [reply](const cxlmemd::Result<std::vector<Problem>>& problems) {
                                 reply->send([&] { return to_structs(unwrap(problems)); });
                             });
                     });
}

void ManagerObject::EffectivePolicy(sdbus::Result<RuleStructs, FileStructs, ProblemStructs>&& result,
                                    VariantMap options) {
    gate_.pass("EffectivePolicy", "policy", std::move(result), [this, options](std::uint32_t uid) {
        const auto found = requests_.effective_policy(unwrap(asks_for_in_force(options)), viewer(uid));
        RuleStructs rules;
        ReplyBudget budget{"EffectivePolicy"};
        for (const ListedRule& rule : found.rules) {
            budget.add_strings(rule.place.file, rule.name, rule.match, rule.action);
            rules.emplace_back(visible(rule.place.file), rule.place.line, rule.name, rule.match, rule.action);
        }
        FileStructs files;
        for (const PolicyFile& file : found.files) {
            budget.add_strings(file.path, file.masked_by);
            files.emplace_back(visible(file.path), visible(file.masked_by));
        }
        return std::tuple{std::move(rules), std::move(files), to_structs(found.problems)};
    });
}

void ManagerObject::Plan(sdbus::Result<PlanStructs>&& result, VariantMap options) {
    const auto structs = [](const std::vector<PlanEntry>& plan) {
        PlanStructs out;
        ReplyBudget budget{"Plan"};
        for (const PlanEntry& entry : plan) {
            budget.add(size_of(entry));
            const std::string path = entry.dax.empty() ? root_path : object_path(Noun::dax, entry.dax);
            out.emplace_back(sdbus::ObjectPath{path}, to_map(entry));
        }
        return out;
    };
    gate_.pass_later(
        "Plan", "policy", std::move(result),
        [this, options, structs](std::uint32_t uid, const std::shared_ptr<Reply<PlanStructs>>& reply) {
            unwrap(no_options(options));
            requests_.plan(viewer(uid), reply->later(structs));
        });
}

void ManagerObject::Apply(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, VariantMap options) {
    const auto paths = [](const std::vector<std::uint32_t>& ids) {
        std::vector<sdbus::ObjectPath> out;
        for (const std::uint32_t id : ids) out.push_back(job_path(id));
        return out;
    };
    using ReplyHere = Reply<std::vector<sdbus::ObjectPath>>;
    gate_.pass_later("Apply", "policy", std::move(result),
                     [this, options, paths](std::uint32_t uid, const std::shared_ptr<ReplyHere>& reply) {
                         unwrap(no_options(options));
                         requests_.apply(uid, reply->later(paths));
                     });
}

void ManagerObject::Explain(sdbus::Result<VariantMap>&& result, sdbus::ObjectPath object,
                            VariantMap options) {
    const auto map = [](const Explanation& explanation) {
        ReplyBudget budget{"Explain"};
        for (const PlanEntry& step : explanation.steps) budget.add(size_of(step));
        for (const RejectedRule& r : explanation.rejected) {
            budget.add_strings(r.rule, r.place.file, r.why.key, r.why.want, r.why.seen);
        }
        for (const std::string& obstacle : explanation.obstacles) budget.add_strings(obstacle);
        return to_map(explanation);
    };
    gate_.pass_later(
        "Explain", "policy", std::move(result),
        [this, object, options, map](std::uint32_t uid, const std::shared_ptr<Reply<VariantMap>>& reply) {
            unwrap(no_options(options));
            const auto named = object_of_path(object);
            if (!named || named->noun == Noun::job) {
                throw to_bus_error(
                    {.code = ErrorCode::invalid_argument,
                     .object = in_quotes(object),
                     .operation = "explain",
                     .reason = "this is not the path of a dax device, memdev, region, root decoder or node"});
            }
            requests_.explain(*named, viewer(uid), reply->later(map));
        });
}

void ManagerObject::Record(sdbus::Result<std::string>&& result, VariantMap options) {
    const auto fitting = [](std::string topology) {
        ReplyBudget{"Record"}.add(topology.size());
        return topology;
    };
    gate_.pass_later(
        "Record", "topology", std::move(result),
        [this, options, fitting](std::uint32_t uid, const std::shared_ptr<Reply<std::string>>& reply) {
            RecordOptions wanted = unwrap(record_options(options));
            wanted.viewer = viewer(uid);
            requests_.record(wanted, reply->later(fitting));
        },
        [options] {
            const bool is_anonymous = record_options(options).value_or(RecordOptions{}).anonymise;
            return is_anonymous ? std::vector<Right>{} : std::vector<Right>{Right::read_addresses};
        });
}

}  // namespace cxlmemd::bus
