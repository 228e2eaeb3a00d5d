// SPDX-License-Identifier: LGPL-2.1-or-later
// What the daemon shows, kept up to date by its signals: nothing is asked twice.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/client.h"
#include "cli/objects.h"

namespace cxlmemctl {

// Subscribes when it is made and lives until the program ends (the subscriptions refer to it). The daemon may
// come and go: while it is away, what it said last stays readable.
class Mirror final {
 public:
    explicit Mirror(Client& client);
    Mirror(const Mirror&) = delete;
    Mirror& operator=(const Mirror&) = delete;

    // After EventPump::drain(): reads everything if the daemon is new. Throws sdbus::Error if it refuses.
    // False: it is there and did not answer; worth another try.
    bool refresh();

    [[nodiscard]] bool is_present() const { return present_ && !stale_; }
    [[nodiscard]] const nlohmann::json& manager() const { return manager_; }
    [[nodiscard]] Objects objects() const;
    // Grows whenever an object appears or disappears.
    [[nodiscard]] unsigned arrivals() const { return arrivals_; }

 private:
    void subscribe();

    Client& client_;
    std::map<std::string, Object> objects_;  // by path
    nlohmann::json manager_;
    bool present_ = false;
    bool stale_ = true;
    unsigned arrivals_ = 0;
};

}  // namespace cxlmemctl
