// SPDX-License-Identifier: LGPL-2.1-or-later
// Cards that are ready to be pulled, and memory that appears on them all the same: it is left as it came, and
// reported. Loop thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/log.h"
#include "daemon/model.h"

namespace cxlmemd {

class CardWatch final {
 public:
    CardWatch(Model& model, const Log& log) : model_(model), log_(log) {}

    // From the model as it is now. Sets Model::card_conflicts; a new one is logged as a warning.
    void look();

 private:
    struct Seen {
        DaxIdentity device;
        std::vector<PhysRange> ranges;

        bool operator==(const Seen&) const = default;
    };
    struct Card {
        std::vector<Seen> emptied;                // what stood on it, unused, when it was first looked at
        std::map<std::string, std::string> told;  // by dax name: what was logged of it last
    };

    void look_at(const CardKey& key, const Memdev& memdev, Card& card, bool is_new);

    Model& model_;
    const Log& log_;
    std::map<CardKey, Card> cards_;  // that are ready
};

}  // namespace cxlmemd
