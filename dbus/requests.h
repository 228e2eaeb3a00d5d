// SPDX-License-Identifier: LGPL-2.1-or-later
// What callers on the bus can ask of the daemon. The objects check form and authorisation, then call
// this; daemon/ implements it. Loop thread; no call blocks.
//
// Those that take a `Then` look at the machine first, if only before a refusal: `then` runs once, at once or
// when the machine has been scanned, after two seconds at the latest (daemon/fresh_look.h).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dbus/names.h"
#include "policy/compile.h"
#include "policy/decide.h"
#include "policy/error.h"
#include "policy/listing.h"
#include "policy/policy.h"

namespace cxlmemd::bus {

// The options a{sv} of the methods that start a job.
struct OperationOptions {
    std::optional<std::uint64_t> amount;        // bytes
    std::optional<std::uint64_t> timeout_usec;  // 0: no limit
    std::optional<bool> rollback;
    bool hold = true;
};

// One step of a plan, or what stands in the way of one.
struct PlanEntry {
    std::string dax;     // "dax0.0"; empty for a region that is to be made
    std::string action;  // set-mode, offline, online, create-region, blocked, none
    std::string zone;    // "movable", "kernel"; "none" but for online
    std::string mode{};  // the new mode; set-mode only
    std::uint32_t blocks = 0;
    std::uint64_t bytes = 0;
    std::string rule;
    std::string file;
    std::uint32_t line = 0;
    std::string reason;

    bool operator==(const PlanEntry&) const = default;
};

struct Explanation {
    std::string verdict;
    PlanEntry decision;  // the first step, or action "none" or "blocked"
    std::vector<PlanEntry> steps;
    std::vector<RejectedRule> rejected;
    std::vector<std::string> obstacles;  // what stands in the way, or what it waits for
};

// What counts of the policy files, and in which order.
struct EffectivePolicy {
    std::vector<ListedRule> rules;
    std::vector<PolicyFile> files;
    std::vector<Problem> problems;
};

// For whom an answer is. What only root may read (the text of policy files that are closed to others,
// addresses that the kernel keeps for root) is in an answer for root alone.
enum class Viewer : std::uint8_t { anyone, root };

struct RecordOptions {
    bool anonymise = false;
    std::optional<std::uint64_t> since_usec{};  // CLOCK_REALTIME
    Viewer viewer = Viewer::anyone;
};

// What an operation would do to memory, for the rights that it takes.
struct Deeds {
    bool takes_offline = false;
    bool brings_online = false;
    bool sets_mode = false;
};

// A number of what the daemon has done, or is: Manager.Statistics names them.
using StatisticLabels = std::map<std::string, std::string>;
struct Statistic {
    std::string name;
    StatisticLabels labels;
    std::uint64_t value = 0;
};

using InjectValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

class Requests {
 public:
    Requests() = default;
    Requests(const Requests&) = delete;
    Requests& operator=(const Requests&) = delete;
    virtual ~Requests() = default;

    template <class T>
    using Then = std::function<void(Result<T>)>;

    virtual void reload(Viewer viewer, Then<std::uint64_t> then) = 0;
    // Files that are checked together. `then` runs once, later: a text may take its time.
    using Checked = std::function<void(Result<std::vector<Problem>>)>;
    virtual void check_policy(std::vector<SourceFile> files, std::uint32_t uid, Checked then) = 0;
    // Of the policy in force, or of the files as they lie on disk.
    [[nodiscard]] virtual EffectivePolicy effective_policy(bool in_force, Viewer viewer) = 0;
    // If it is of an older scan, the last entry says so.
    virtual void plan(Viewer viewer, Then<std::vector<PlanEntry>> then) = 0;
    virtual void apply(std::uint32_t uid, Then<std::vector<std::uint32_t>> then) = 0;
    // Any object but a job. If it is of an older scan, the last obstacle says so.
    virtual void explain(const ObjectName& object, Viewer viewer, Then<Explanation> then) = 0;
    // A topology file; anonymous: without serial numbers and addresses. With since_usec an incident.
    virtual void record(const RecordOptions& options, Then<std::string> then) = 0;

    [[nodiscard]] virtual std::vector<Statistic> statistics() const = 0;

    // What online() and set_mode() would do now; nothing if they would fail.
    [[nodiscard]] virtual Deeds deeds_of_online(const std::string& dax, const std::string& zone,
                                                const OperationOptions& options) = 0;
    [[nodiscard]] virtual Deeds deeds_of_set_mode(const std::string& dax, const std::string& mode) = 0;

    // The job's id. `zone`: "movable", "kernel", "auto", or "" for what the rule says.
    virtual void online(const std::string& dax, const std::string& zone, const OperationOptions& options,
                        std::uint32_t uid, Then<std::uint32_t> then) = 0;
    virtual void offline(const std::string& dax, const OperationOptions& options, std::uint32_t uid,
                         Then<std::uint32_t> then) = 0;
    virtual void set_mode(const std::string& dax, const std::string& mode, const OperationOptions& options,
                          std::uint32_t uid, Then<std::uint32_t> then) = 0;
    virtual void remove_region(const std::string& region, const OperationOptions& options, std::uint32_t uid,
                               Then<std::uint32_t> then) = 0;
    virtual void prepare_remove(const std::string& memdev, const OperationOptions& options, std::uint32_t uid,
                                Then<std::uint32_t> then) = 0;
    virtual Result<> hold(const std::string& dax) = 0;
    virtual Result<> release(const std::string& dax) = 0;
    virtual Result<> release_region(const std::string& region) = 0;
    virtual Result<> release_memdev(const std::string& memdev) = 0;
    virtual Result<> cancel(std::uint32_t job) = 0;
};

}  // namespace cxlmemd::bus
