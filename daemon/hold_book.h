// SPDX-License-Identifier: LGPL-2.1-or-later
// The one owner of what policy keeps its hands off: dax devices that an administrator holds, and cards that
// are being emptied or ready to be pulled. Kept over restarts in one file, STATE/holds, which is replaced
// whole. Loop thread.
//
// A change counts once it is saved; if it cannot be, it fails and the book is as before. "Being emptied" ends
// with the job that does it, or with the daemon that ran that job. "Ready" ends when the card has gone, or
// come back, or the machine was restarted, or somebody releases it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/hold_file.h"
#include "policy/error.h"
#include "policy/holds.h"

namespace cxlmemd {

class HoldBook final {
 public:
    class Preparation;
    class RegionRemoval;

    // `boot`: /proc/sys/kernel/random/boot_id; empty if it is not known, and then no mark ends by it.
    // `unsaved` takes the errors of changes that no call answers for.
    HoldBook(const std::filesystem::path& folder, std::string boot,
             std::function<void(const Error&)> unsaved);
    HoldBook(const HoldBook&) = delete;
    HoldBook& operator=(const HoldBook&) = delete;

    // Once, before all else; writes nothing. No file: nothing is held. A file that cannot be read, or is not
    // understood: what is held is not known, and every change fails, so that the file stays as it is.
    [[nodiscard]] Result<> load();

    [[nodiscard]] const Holds& holds() const { return holds_; }  // stays at its place

    [[nodiscard]] Result<> hold(const Topology& topology, const DaxDevice& device);
    // An administrator works on the device. `held`: it is held from now on; `fills_card`: memory of it is put
    // to use, and the cards below it are no longer ready to be pulled.
    [[nodiscard]] Result<> take_in_hand(const Topology& topology, const DaxDevice& device, bool held,
                                        bool fills_card);
    // Devices by all their hold_keys(). Busy, and nothing is released, if a job empties one of the cards.
    [[nodiscard]] Result<> release(const std::vector<std::string>& keys, const std::vector<CardKey>& cards);

    // From now on the card is being emptied by that job; see Preparation.
    [[nodiscard]] Result<Preparation> begin(const Memdev& card, std::uint32_t job);
    // A job takes a region away, and these devices of it; see RegionRemoval.
    [[nodiscard]] Result<RegionRemoval> begin_region_removal(const Topology& topology,
                                                             const std::vector<const DaxDevice*>& devices);

    struct Settled {
        std::vector<std::string> ended;  // sentences: what no longer holds, and why
        bool look_again = false;         // a card seems to have gone: another scan decides
    };
    enum class Keep : std::uint8_t { on_disk, in_memory };
    // Holds the book against a complete scan. What has ended is saved, and is told of once; if that fails, it
    // is tried again with the next scan. In memory: nothing is written.
    [[nodiscard]] Result<Settled> settle(const Topology& topology, Keep keep = Keep::on_disk);

 private:
    [[nodiscard]] Result<> save(HoldPage fresh);
    void put_in_force(HoldPage fresh);
    void end_what_a_dead_daemon_began();
    void settle_devices(const Topology& topology, HoldPage& fresh, std::vector<std::string>& ended) const;
    void verify_old_cards(const Topology& topology, HoldPage& fresh, std::vector<std::string>& ended) const;
    // The ready cards that the scan does not show.
    [[nodiscard]] std::set<CardKey> settle_cards(const Topology& topology, HoldPage& fresh,
                                                 Settled& out) const;

    const std::filesystem::path file_;
    const std::filesystem::path old_file_;  // the second one of version 1
    const std::string boot_;
    const std::function<void(const Error&)> unsaved_;
    std::optional<Error> unknown_;  // why nothing is known
    HoldPage page_;
    Holds holds_;                     // of the page
    bool is_saved_ = true;            // the file reads as the page does
    bool has_old_file_ = false;       // it goes once the new one is durable
    bool is_settled_ = false;         // a scan was held against it
    std::vector<std::string> ended_;  // not told of yet
    std::set<CardKey> missing_;       // in the scan before
};

// A card that is being emptied. Undoes itself: unless finish() says that the card is ready, its mark ends
// with this object. finish() and undo() may be called again if they fail. The book outlives it.
class HoldBook::Preparation final {
 public:
    Preparation(HoldBook& book, CardKey card) : book_(&book), card_(std::move(card)) {}
    Preparation(Preparation&& other) noexcept
        : book_(std::exchange(other.book_, nullptr)), card_(std::move(other.card_)) {}
    Preparation& operator=(Preparation&&) = delete;
    ~Preparation();

    [[nodiscard]] Result<> finish();
    [[nodiscard]] Result<> undo();

 private:
    HoldBook* book_;  // null: it is over
    CardKey card_;
};

// The holds of what a region's removal takes away. They end with finish(), for another region at that place
// is another thing; else they stay.
class HoldBook::RegionRemoval final {
 public:
    RegionRemoval(HoldBook& book, std::vector<std::string> keys) : book_(&book), keys_(std::move(keys)) {}
    RegionRemoval(RegionRemoval&& other) noexcept
        : book_(std::exchange(other.book_, nullptr)), keys_(std::move(other.keys_)) {}
    RegionRemoval& operator=(RegionRemoval&&) = delete;
    ~RegionRemoval();

    [[nodiscard]] Result<> finish();
    [[nodiscard]] Result<> undo();

 private:
    HoldBook* book_;
    std::vector<std::string> keys_;
};

}  // namespace cxlmemd
