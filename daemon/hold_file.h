// SPDX-License-Identifier: LGPL-2.1-or-later
// How the book of holds stands on disk: STATE/holds, one line an entry between a head with the version and
// "end". Version 1 had no head, keys of devices alone, and a second file, STATE/prepared, with one
// "SERIAL KEY" for each hold that ended with a card ("SERIAL -" for the card itself).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "policy/error.h"
#include "policy/holds.h"

namespace cxlmemd {

struct HoldPage {
    struct Card {
        CardState state = CardState::ready;
        std::string boot;              // in which it was marked; empty: not known
        std::uint64_t generation = 0;  // of the memdev; 0: not known
        std::uint32_t job = 0;         // emptying only

        bool operator==(const Card&) const = default;
    };
    // By hold_key(); the boot in which a job began to take the region below away, empty if none did.
    std::map<std::string, std::string> devices;
    std::map<CardKey, Card> cards;  // of version 1: without a host

    bool operator==(const HoldPage&) const = default;
};

struct HoldFile {
    HoldPage page;
    bool is_old = false;        // of version 1
    bool has_old_file = false;  // STATE/prepared exists
};

// No file at all is an empty page. Whatever is not wholly understood is an error, and so is a newer version.
[[nodiscard]] Result<HoldFile> read_hold_file(const std::filesystem::path& file,
                                              const std::filesystem::path& old_file);
[[nodiscard]] std::string text_of(const HoldPage& page);

}  // namespace cxlmemd
