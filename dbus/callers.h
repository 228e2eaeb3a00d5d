// SPDX-License-Identifier: LGPL-2.1-or-later
// Who calls: the uid that the broker gives for each sender, asked once and without waiting, kept until the
// sender leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

// Senders that are remembered at once; dbus-daemon gives a connection 512 match rules. The one that has been
// silent for longest makes room.
inline constexpr std::size_t most_callers = 256;
// Calls of one sender, and of all, that may wait for a uid: each holds its arguments (Door says how many).
// What is beyond is refused.
inline constexpr std::size_t most_waiting_of_caller = 256;
inline constexpr std::size_t most_waiting = 1024;

// Names of senders are never used twice on one bus. Loop thread; no call blocks.
class Callers final {
 public:
    // The uid, or nullopt: the sender has gone, or the broker does not tell.
    using Then = std::function<void(std::optional<std::uint32_t> uid)>;
    // A sender that was asked for has left the bus. Never called from inside uid_of().
    using Left = std::function<void(const std::string& sender)>;
    // Whether somebody counts on hearing that the sender leaves.
    using IsAwaited = std::function<bool(const std::string& sender)>;

    Callers(sdbus::IConnection& connection, Left left, IsAwaited is_awaited);
    Callers(const Callers&) = delete;
    Callers& operator=(const Callers&) = delete;

    enum class Asked { yes, too_many };
    // `then` runs once, at once if the uid is known. With too_many it does not run.
    Asked uid_of(const std::string& sender, Then then);

 private:
    using Slot = std::unique_ptr<sd_bus_slot, decltype(&::sd_bus_slot_unref)>;
    struct Caller {
        Callers& owner;
        std::string sender;
        std::optional<std::uint32_t> uid{};
        std::vector<Then> waiting{};
        std::uint64_t last_used = 0;
        Slot watch{nullptr, &::sd_bus_slot_unref};
        Slot question{nullptr, &::sd_bus_slot_unref};
    };

    bool make_room();
    bool begin_to_ask(Caller& caller);
    void answer(Caller& caller, std::optional<std::uint32_t> uid);
    void run(std::vector<Then> waiting, std::optional<std::uint32_t> uid);
    void forget(const std::string& sender);

    static int on_left(sd_bus_message* message, void* caller, sd_bus_error*) noexcept;
    static int on_watched(sd_bus_message* message, void* caller, sd_bus_error*) noexcept;
    static int on_uid(sd_bus_message* message, void* caller, sd_bus_error*) noexcept;

    sd_bus* bus_;
    Left left_;
    IsAwaited is_awaited_;
    std::map<std::string, std::unique_ptr<Caller>> callers_;
    std::size_t waiting_ = 0;  // of all callers
    std::uint64_t uses_ = 0;
};

}  // namespace cxlmemd::bus
