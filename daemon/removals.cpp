// Service's answers to callers who take a region or a card away.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/refusals.h"
#include "daemon/service.h"

namespace cxlmemd {

namespace {

Error not_found(const std::string& name, const char* operation, const char* noun) {
    return {.code = ErrorCode::not_found,
            .object = name,
            .operation = operation,
            .errnum = 0,
            .reason = fmt::format("there is no such {}", noun),
            .advice = {}};
}

// In PreparedHolds, beside the keys of devices: no key of a device reads so.
const std::string card_itself = "-";

// Of several rules' settings the most patient.
DrainSettings patient(const DrainSettings& a, const DrainSettings& b) {
    const bool no_limit = a.timeout_usec == 0 || b.timeout_usec == 0;
    return {.timeout_usec = no_limit ? 0 : std::max(a.timeout_usec, b.timeout_usec),
            .retries = std::max(a.retries, b.retries),
            .rollback = a.rollback || b.rollback};
}

}  // namespace

Result<std::uint32_t> Service::remove_region(const std::string& region, const bus::OperationOptions& options,
                                             std::uint32_t uid) {
    const Region* found = find_region(model_.topology, region);
    if (found == nullptr) return fail(not_found(region, "remove", "region"));
    return start_removal({.operation = "remove",
                          .target = identity_of(model_.topology, *found),
                          .goal = {},
                          .started_by = uid,
                          .by_policy = false,
                          .whole_drain = true,
                          .timeout_usec = options.timeout_usec},
                         options);
}

Result<std::uint32_t> Service::prepare_remove(const std::string& memdev, const bus::OperationOptions& options,
                                              std::uint32_t uid) {
    const Memdev* found = find_memdev(model_.topology, memdev);
    if (found == nullptr) return fail(not_found(memdev, "prepare-remove", "memdev"));
    return start_removal({.operation = "prepare-remove",
                          .target = identity_of(*found),
                          .goal = {},
                          .started_by = uid,
                          .by_policy = false,
                          .whole_drain = true,
                          .timeout_usec = options.timeout_usec},
                         options);
}

Result<std::uint32_t> Service::start_removal(JobOrder order, const bus::OperationOptions& options) {
    if (model_.observe_asked) return fail(only_watching(name_of(order.target), order.operation));
    const JointPlan plan = plan_job(model_.topology, order.target, order.goal);
    if (plan.steps.empty() && plan.blocked) return fail(*plan.blocked);  // known now, said now

    std::optional<DrainSettings> drain;
    for (const DaxDevice* device : devices_of(model_.topology, order.target)) {
        const Decision* decision = decision_for(device->id.name);
        if (decision == nullptr || !decision->goal) continue;
        drain = drain ? patient(*drain, decision->goal->drain) : decision->goal->drain;
    }
    order.goal.drain = drain.value_or(DrainSettings{});
    order.goal.amount = AmountNone{};
    if (options.rollback) order.goal.drain.rollback = *options.rollback;

    // Of a region nothing is left to hold; while the job is there, policy keeps off (Jobs::active).
    const JobTarget target = order.target;
    std::vector<DaxDevice> held;
    Holds keys;
    for (const DaxDevice* device : devices_of(model_.topology, target)) keys.insert(hold_key(*device));
    if (std::holds_alternative<MemdevIdentity>(target)) {
        auto done = hold_for_card(target);
        if (!done) return fail(done.error());
        held = std::move(*done);
    }
    auto id = jobs_.add(std::move(order));
    if (!id) {
        for (const DaxDevice& device : held) {
            if (auto undone = set_hold(device, false); !undone)
                log_.write(LogLevel::error, undone.error().text());
        }
    } else if (std::holds_alternative<RegionIdentity>(target)) {
        ends_with_region_[*id] = std::move(keys);
    } else if (!held.empty()) {
        std::ranges::move(held, std::back_inserter(held_by_job_[*id]));
    }
    refresh();
    return id;
}

// Holds every device of a card that is not held yet, until the card has gone; those devices.
Result<std::vector<DaxDevice>> Service::hold_for_card(const JobTarget& target) {
    std::vector<DaxDevice> fresh;
    Holds holds = model_.holds;
    PreparedHolds prepared = model_.prepared;
    auto& keys = prepared[std::get<MemdevIdentity>(target).serial];
    keys.insert(card_itself);  // also one without a device: nothing new is to be put on it
    for (const DaxDevice* device : devices_of(model_.topology, target)) {
        if (!holds.insert(hold_key(*device)).second) continue;
        keys.insert(hold_key(*device));
        fresh.push_back(*device);
    }
    if (fresh.empty() && prepared == model_.prepared) return fresh;
    // First which holds will end, then the holds: a crash in between leaves none that does not.
    auto saved = holds_store_.save(prepared);
    if (saved) saved = holds_store_.save(holds);
    if (!saved) return fail(saved.error());
    model_.holds = std::move(holds);
    model_.prepared = std::move(prepared);
    return fresh;
}

// The devices' holds are no longer, or never were, the card's.
void Service::release_for_card(const std::vector<DaxDevice>& devices) {
    PreparedHolds prepared = model_.prepared;
    for (auto& [serial, keys] : prepared) {
        for (const DaxDevice& device : devices) keys.erase(hold_key(device));
    }
    if (prepared == model_.prepared) return;
    std::erase_if(prepared, [](const auto& entry) { return entry.second == Holds{card_itself}; });
    if (auto saved = holds_store_.save(prepared); !saved) log_.write(LogLevel::error, saved.error().text());
    model_.prepared = std::move(prepared);
}

// What PrepareRemove held stays held if the card is ready to be pulled; else policy has it as before.
void Service::removal_ended(const Job& job) {
    if (const auto gone = ends_with_region_.extract(job.id); gone && job.result == JobResult::done) {
        // What was held is no more; another region at its place is another thing.
        Holds holds = model_.holds;
        for (const std::string& key : gone.mapped()) holds.erase(key);
        if (auto saved = holds_store_.save(holds); !saved) log_.write(LogLevel::error, saved.error().text());
        model_.holds = std::move(holds);
    }
    if (!std::holds_alternative<MemdevIdentity>(job.order.target)) return;
    const auto held = held_by_job_.extract(job.id);
    if (job.result == JobResult::done) {
        // Devices that came while it ran were emptied as well.
        if (auto done = hold_for_card(job.order.target); !done)
            log_.write(LogLevel::error, done.error().text());
        return;
    }
    // The card is not ready, and not prepared any more.
    PreparedHolds prepared = model_.prepared;
    const auto mine = prepared.find(std::get<MemdevIdentity>(job.order.target).serial);
    if (mine != prepared.end() && (held || mine->second == Holds{card_itself})) {
        prepared.erase(mine);
        if (auto saved = holds_store_.save(prepared); !saved)
            log_.write(LogLevel::error, saved.error().text());
        model_.prepared = std::move(prepared);
    }
    if (!held) return;
    for (const DaxDevice& device : held.mapped()) {
        if (auto undone = set_hold(device, false); !undone)
            log_.write(LogLevel::error, undone.error().text());
    }
}

// A card that comes back is policy's again.
void Service::end_prepared_holds() {
    if (model_.observe_asked || model_.prepared.empty()) return;
    Holds holds = model_.holds;
    PreparedHolds prepared = model_.prepared;
    std::erase_if(prepared, [&](const auto& entry) {
        const auto& [serial, keys] = entry;
        // At start-up a card may not have been probed yet.
        if (!cards_seen_.contains(serial) ||
            std::ranges::find(model_.topology.memdevs, serial, &Memdev::serial) !=
                model_.topology.memdevs.end())
            return false;
        for (const std::string& key : keys) holds.erase(key);
        log_.write(LogLevel::notice,
                   fmt::format("the card with serial {:#x} has gone: holds of its devices end", serial));
        return true;
    });
    if (prepared == model_.prepared) return;
    auto saved = holds_store_.save(holds);
    if (saved) saved = holds_store_.save(prepared);
    if (!saved) log_.write(LogLevel::error, saved.error().text());
    model_.holds = std::move(holds);
    model_.prepared = std::move(prepared);
}

}  // namespace cxlmemd
