// SPDX-License-Identifier: LGPL-2.1-or-later
// What was known of memory that a dax device has left behind: whose it was, and which cards carry it. The
// kernel shows no more than the memory blocks, so it is noted when the device goes, and kept in RUNTIME/leaks
// over restarts of the daemon; a reboot ends both the memory and the file. Loop thread.
//
// Without it nothing is forgotten but names: leaked blocks are found by the firmware's memory map alone
// (policy/occupancy.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

class LeakBook final {
 public:
    explicit LeakBook(const std::filesystem::path& folder) : file_(folder / "leaks") {}

    // A file that does not exist is an empty book. On an error the book is empty.
    [[nodiscard]] Result<> load();

    struct News {
        std::vector<Leak> fresh;       // noted since the last call
        bool any_doubtful = false;     // ask again in a moment, without an event: see Leak::certain
        std::optional<Error> unsaved;  // the book is kept in memory only
    };
    // `before` is the topology that was in force, with leaks filled in; fills in those of `now`. While no
    // block of a device that has gone is online, another process may be removing it in good order, and the
    // kernel is still at its blocks: what stays for `doubt_usec` stays for good.
    News update(const Topology& before, Topology& now, std::uint64_t now_usec);

    static constexpr std::uint64_t doubt_usec = 1'000'000;

 private:
    // Identifies a card beyond its name, for as long as it is there.
    struct Carrier {
        std::string name;
        std::uint64_t serial = 0;
        std::uint64_t generation = 0;

        bool operator==(const Carrier&) const = default;
    };
    struct Entry {
        PhysRange range;  // whole blocks
        std::string dax;
        std::string region;
        std::vector<Carrier> carriers;
        bool certain = true;
        std::uint64_t since_usec = 0;

        bool operator==(const Entry&) const = default;
    };

    void note(const Topology& before, const Topology& now, const DaxDevice& device, std::uint64_t now_usec);
    [[nodiscard]] Result<> save() const;

    std::filesystem::path file_;
    std::vector<Entry> entries_;  // by address
};

}  // namespace cxlmemd
