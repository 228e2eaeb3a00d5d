// SPDX-License-Identifier: LGPL-2.1-or-later
// Service's part about holds: what callers hold and release, and how the marks of removals end.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/refusals.h"
#include "daemon/service.h"
#include "policy/occupancy.h"

namespace cxlmemd {

namespace {

// Every key of the devices, and every card below them.
struct Below {
    std::vector<std::string> keys;
    std::vector<CardKey> cards;

    Below(const Topology& topology, const std::vector<const DaxDevice*>& devices) {
        for (const DaxDevice* device : devices) {
            std::ranges::move(hold_keys(topology, *device), std::back_inserter(keys));
            for (const Memdev* memdev : cards_below(topology, *device)) cards.push_back(card_of(*memdev));
        }
    }
};

}  // namespace

Result<> Service::hold(const std::string& dax) {
    recorder_.called({.method = "hold", .object = dax});
    auto found = device(dax, "hold");
    if (!found) return fail(found.error());
    if (auto done = book_.hold(model_.topology, **found); !done) return done;
    // No job's any more.
    const std::string key = hold_key(model_.topology, **found);
    std::erase_if(taken_holds_, [&](const auto& entry) { return entry.second == key; });
    refresh();
    return {};
}

Result<> Service::release(const std::string& dax) {
    recorder_.called({.method = "release", .object = dax});
    auto found = device(dax, "release");
    if (!found) return fail(found.error());
    const Below below{model_.topology, {*found}};
    return release({dax}, below.keys, below.cards);
}

Result<> Service::release_region(const std::string& region) {
    recorder_.called({.method = "release-region", .object = region});
    const Region* found = find_region(model_.topology, region);
    if (found == nullptr) return fail(not_found(region, "release", "region"));
    const auto devices = occupancy(model_.topology, *found).devices;
    Below below{model_.topology, devices};
    for (const std::string& name : found->memdevs) {  // also if it has no device
        if (const Memdev* memdev = find_memdev(model_.topology, name))
            below.cards.push_back(card_of(*memdev));
    }
    std::vector<std::string> names;
    for (const DaxDevice* device : devices) names.push_back(device->id.name);
    return release(names, below.keys, below.cards);
}

Result<> Service::release_memdev(const std::string& memdev) {
    recorder_.called({.method = "release-memdev", .object = memdev});
    const Memdev* found = find_memdev(model_.topology, memdev);
    if (found == nullptr) return fail(not_found(memdev, "release", "memdev"));
    std::vector<std::string> names;
    for (const DaxDevice* device : occupancy(model_.topology, *found).devices)
        names.push_back(device->id.name);
    return release(names, {}, {card_of(*found)});
}

Result<> Service::release(const std::vector<std::string>& devices, const std::vector<std::string>& keys,
                          const std::vector<CardKey>& cards) {
    close_removals();  // of jobs that are over, should it not have been possible at their end
    const auto before = model_.holds.cards;
    if (auto done = book_.release(keys, cards); !done) return done;
    log_ended_preparations(before);
    for (const std::string& dax : devices) reconciler_.forget_failures(dax);
    refresh();
    return {};
}

// By a caller's hand.
void Service::log_ended_preparations(const std::map<CardKey, CardState>& before) {
    for (const auto& [card, state] : before) {
        if (model_.holds.cards.contains(card)) continue;
        log_.write(LogLevel::notice, fmt::format("{}: a caller took it back: it is no longer {}",
                                                 to_string(card), words_of(state)));
    }
}

// Marks of a removal end with its job: what it was to leave stays if it got there, else policy has all as
// before. If that cannot be saved, the book stays as it is, and it is tried again after the next scan.
void Service::removal_ended(const Job& job) {
    const auto removal = removals_.find(job.id);
    if (removal == removals_.end()) return;
    removal->second.succeeded = job.result == JobResult::done;
    close_removals();
}

// A job that left everything as it was before leaves nothing that an administrator did.
void Service::give_hold_back(const Job& job) {
    const auto taken = taken_holds_.find(job.id);
    if (taken == taken_holds_.end()) return;
    if (job.rolled_back) {
        if (auto released = book_.release({taken->second}, {}); !released) say_unsaved(released.error());
    }
    taken_holds_.erase(taken);
}

bool Service::close_removals() {
    bool all_saved = true;
    for (auto entry = removals_.begin(); entry != removals_.end();) {
        Removal& removal = entry->second;
        Result<> saved;
        if (removal.succeeded) {
            saved =
                std::visit([&](auto& marks) { return *removal.succeeded ? marks.finish() : marks.undo(); },
                           removal.marks);
        }
        if (!saved) say_unsaved(saved.error());
        all_saved = all_saved && saved;
        entry = removal.succeeded && saved ? removals_.erase(entry) : std::next(entry);
    }
    return all_saved;
}

void Service::settle_holds() {
    if (model_.holds_unknown) return;
    const bool all_saved = close_removals();
    // Who only watches, maybe beside the daemon whose book it is, writes nothing.
    auto settled = book_.settle(model_.topology,
                                model_.observe_asked ? HoldBook::Keep::in_memory : HoldBook::Keep::on_disk);
    if (!settled) return say_unsaved(settled.error());
    if (all_saved) unsaved_.reset();
    for (const std::string& sentence : settled->ended) log_.write(LogLevel::notice, sentence);
    if (settled->look_again) scanner_.look_again();
}

// It is tried again and again; said once.
void Service::say_unsaved(const Error& error) {
    if (unsaved_ != error) log_.write(message::holds_not_saved, LogLevel::error, error.text());
    unsaved_ = error;
}

}  // namespace cxlmemd
