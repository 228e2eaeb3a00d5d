// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/hold_book.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/hold_file.h"
#include "daemon/small_file.h"

namespace cxlmemd {

namespace {

Error busy(const CardKey& card, std::uint32_t job) {
    return {.code = ErrorCode::busy,
            .object = to_string(card),
            .operation = "release",
            .errnum = 0,
            .reason = fmt::format("job {} (prepare-remove) empties the card", job),
            .advice = fmt::format("wait for it, or cancel job {}", job)};
}

}  // namespace

HoldBook::HoldBook(const std::filesystem::path& folder, std::string boot,
                   std::function<void(const Error&)> unsaved)
    : file_(folder / "holds"),
      old_file_(folder / "prepared"),
      boot_(std::move(boot)),
      unsaved_(std::move(unsaved)) {}

Result<> HoldBook::load() {
    auto read = read_hold_file(file_, old_file_);
    if (!read) {
        unknown_ = read.error();
        return fail(read.error());
    }
    has_old_file_ = read->has_old_file;
    is_saved_ = !read->is_old;
    put_in_force(std::move(read->page));
    end_what_a_dead_daemon_began();
    return {};
}

// The jobs that are at work on cards are this daemon's, and it has none yet.
void HoldBook::end_what_a_dead_daemon_began() {
    HoldPage fresh = page_;
    std::erase_if(fresh.cards, [&](const auto& entry) {
        const auto& [card, mark] = entry;
        if (mark.state != CardState::emptying) return false;
        const bool restarted = !boot_.empty() && !mark.boot.empty() && mark.boot != boot_;
        ended_.push_back(fmt::format(
            "{}: {} while job {} emptied the card: it is not prepared for its removal", to_string(card),
            restarted ? "the machine was restarted" : "the daemon ended", mark.job));
        return true;
    });
    if (fresh == page_) return;
    put_in_force(std::move(fresh));
    is_saved_ = false;
}

void HoldBook::put_in_force(HoldPage fresh) {
    page_ = std::move(fresh);
    holds_ = {};
    for (const auto& [key, leaving] : page_.devices) holds_.devices.insert(key);
    for (const auto& [card, mark] : page_.cards) holds_.cards.emplace(card, mark.state);
}

Result<> HoldBook::save(HoldPage fresh) {
    if (unknown_) {
        return fail({.code = ErrorCode::failed,
                     .object = file_.string(),
                     .operation = "change",
                     .errnum = 0,
                     .reason = "what is held is not known: " + unknown_->text(),
                     .advice = "mend the file, or delete it to hold nothing, and restart cxlmemd"});
    }
    if (fresh == page_ && is_saved_) return {};
    if (auto saved = replace_small_file(file_, text_of(fresh)); !saved) return saved;
    is_saved_ = true;
    put_in_force(std::move(fresh));
    if (has_old_file_) {
        // The new file is durable, and with it nobody reads the old one: no harm if it stays.
        std::error_code ignored;
        std::filesystem::remove(old_file_, ignored);
        has_old_file_ = false;
    }
    return {};
}

Result<> HoldBook::hold(const Topology& topology, const DaxDevice& device) {
    return take_in_hand(topology, device, true, false);
}

Result<> HoldBook::take_in_hand(const Topology& topology, const DaxDevice& device, bool held,
                                bool fills_card) {
    HoldPage fresh = page_;
    if (held && !is_held_by_hand(holds_, topology, device))
        fresh.devices.emplace(hold_key(topology, device), "");
    if (fills_card) {
        for (const Memdev* card : cards_below(topology, device)) {
            const auto found = fresh.cards.find(card_of(*card));
            if (found != fresh.cards.end() && found->second.state == CardState::ready)
                fresh.cards.erase(found);
        }
    }
    if (fresh == page_) return {};
    return save(std::move(fresh));
}

Result<> HoldBook::release(const std::vector<std::string>& keys, const std::vector<CardKey>& cards) {
    HoldPage fresh = page_;
    for (const std::string& key : keys) fresh.devices.erase(key);
    for (const CardKey& card : cards) {
        const auto found = fresh.cards.find(card);
        if (found == fresh.cards.end()) continue;
        if (found->second.state == CardState::emptying) return fail(busy(card, found->second.job));
        fresh.cards.erase(found);
    }
    return save(std::move(fresh));
}

Result<HoldBook::Preparation> HoldBook::begin(const Memdev& card, std::uint32_t job) {
    HoldPage fresh = page_;
    fresh.cards[card_of(card)] = {
        .state = CardState::emptying, .boot = boot_, .generation = card.generation, .job = job};
    if (auto saved = save(std::move(fresh)); !saved) return fail(saved.error());
    return Preparation{*this, card_of(card)};
}

Result<HoldBook::RegionRemoval> HoldBook::begin_region_removal(const Topology& topology,
                                                               const std::vector<const DaxDevice*>& devices) {
    HoldPage fresh = page_;
    std::vector<std::string> keys;
    for (const DaxDevice* device : devices) {
        for (std::string& key : hold_keys(topology, *device)) {
            const auto held = fresh.devices.find(key);
            // Without a boot nobody could tell after a restart: then a hold outlives its region, not the
            // other way round.
            if (held != fresh.devices.end()) held->second = boot_;
            keys.push_back(std::move(key));
        }
    }
    if (fresh != page_) {
        if (auto saved = save(std::move(fresh)); !saved) return fail(saved.error());
    }
    return RegionRemoval{*this, std::move(keys)};
}

HoldBook::Preparation::~Preparation() {
    if (book_ == nullptr) return;
    HoldBook& book = *book_;
    if (auto undone = undo(); !undone) book.unsaved_(undone.error());
}

Result<> HoldBook::Preparation::finish() {
    HoldPage fresh = book_->page_;
    HoldPage::Card& mark = fresh.cards[card_];
    mark.state = CardState::ready;
    mark.job = 0;
    auto saved = book_->save(std::move(fresh));
    if (saved) book_ = nullptr;
    return saved;
}

Result<> HoldBook::Preparation::undo() {
    HoldPage fresh = book_->page_;
    fresh.cards.erase(card_);
    auto saved = book_->save(std::move(fresh));
    if (saved) book_ = nullptr;
    return saved;
}

HoldBook::RegionRemoval::~RegionRemoval() {
    if (book_ == nullptr) return;
    HoldBook& book = *book_;
    if (auto undone = undo(); !undone) book.unsaved_(undone.error());
}

Result<> HoldBook::RegionRemoval::finish() {
    HoldPage fresh = book_->page_;
    for (const std::string& key : keys_) fresh.devices.erase(key);
    auto saved = fresh == book_->page_ ? Result<>{} : book_->save(std::move(fresh));
    if (saved) book_ = nullptr;
    return saved;
}

Result<> HoldBook::RegionRemoval::undo() {
    HoldPage fresh = book_->page_;
    for (const std::string& key : keys_) {
        if (const auto held = fresh.devices.find(key); held != fresh.devices.end()) held->second.clear();
    }
    auto saved = fresh == book_->page_ ? Result<>{} : book_->save(std::move(fresh));
    if (saved) book_ = nullptr;
    return saved;
}

Result<HoldBook::Settled> HoldBook::settle(const Topology& topology, Keep keep) {
    if (unknown_) return Settled{};
    Settled out;
    HoldPage fresh = page_;
    const bool first = !std::exchange(is_settled_, true);
    if (first) {
        settle_devices(topology, fresh, out.ended);
        verify_old_cards(topology, fresh, out.ended);
    }
    std::set<CardKey> missing = settle_cards(topology, fresh, out);
    if (keep == Keep::in_memory) {
        is_saved_ = is_saved_ && fresh == page_;
        put_in_force(std::move(fresh));
    } else if (fresh != page_ || !is_saved_) {
        if (auto saved = save(std::move(fresh)); !saved) {
            if (first) is_settled_ = false;
            return fail(saved.error());
        }
    }
    missing_ = std::move(missing);
    out.ended.insert(out.ended.begin(), std::make_move_iterator(ended_.begin()),
                     std::make_move_iterator(ended_.end()));
    ended_.clear();
    return out;
}

// Holds whose region a daemon before this one was taking away: did it get there?
void HoldBook::settle_devices(const Topology& topology, HoldPage& fresh,
                              std::vector<std::string>& ended) const {
    for (auto held = fresh.devices.begin(); held != fresh.devices.end();) {
        const bool is_there = std::ranges::any_of(topology.dax_devices, [&](const DaxDevice& device) {
            return std::ranges::count(hold_keys(topology, device), held->first) != 0;
        });
        if (!held->second.empty() && held->second == boot_ && !is_there) {
            ended.push_back(fmt::format("{}: its region was removed: its hold ends", held->first));
            held = fresh.devices.erase(held);
        } else {
            held->second.clear();
            ++held;
        }
    }
}

// Marks of which nobody knows the boot, or the host, have to prove true: they are of the cards with that
// serial on which nothing stands.
void HoldBook::verify_old_cards(const Topology& topology, HoldPage& fresh,
                                std::vector<std::string>& ended) const {
    std::map<CardKey, HoldPage::Card> verified;
    std::erase_if(fresh.cards, [&](const auto& entry) {
        const auto& [card, mark] = entry;
        if (mark.state != CardState::ready || !mark.boot.empty()) return false;
        bool any = false;
        for (const Memdev& memdev : topology.memdevs) {
            if (memdev.serial != card.serial || (!card.host.empty() && memdev.host != card.host)) continue;
            if (!is_drained(topology, memdev)) continue;
            verified[card_of(memdev)] = {
                .state = CardState::ready, .boot = boot_, .generation = memdev.generation, .job = 0};
            any = true;
        }
        if (!any)
            ended.push_back(
                fmt::format("{}: no such card is there with nothing on it: it is not prepared for "
                            "its removal",
                            to_string(card)));
        return true;
    });
    fresh.cards.merge(verified);
}

std::set<CardKey> HoldBook::settle_cards(const Topology& topology, HoldPage& fresh, Settled& out) const {
    std::set<CardKey> missing;
    // Why it is no longer ready to be pulled; empty if it is, or nobody knows yet.
    const auto why_over = [&](const CardKey& card, HoldPage::Card& mark) -> std::string_view {
        if (mark.state != CardState::ready) return {};  // its job sees to it
        if (!boot_.empty() && !mark.boot.empty() && mark.boot != boot_)
            return "the machine was restarted, and the card was not pulled";
        const Memdev* memdev = find_memdev(topology, card);
        if (memdev == nullptr) {
            // A scan that could not read the card leaves it out as well.
            if (missing_.contains(card)) return "the card has gone";
            missing.insert(card);
            return {};
        }
        if (mark.generation == 0) mark.generation = memdev->generation;
        return mark.generation == memdev->generation ? "" : "the card has gone and come back";
    };
    for (auto entry = fresh.cards.begin(); entry != fresh.cards.end();) {
        const std::string_view why = why_over(entry->first, entry->second);
        if (why.empty()) {
            ++entry;
            continue;
        }
        out.ended.push_back(
            fmt::format("{}: {}: it is no longer prepared for its removal", to_string(entry->first), why));
        entry = fresh.cards.erase(entry);
    }
    out.look_again = !missing.empty();
    return missing;
}

}  // namespace cxlmemd
