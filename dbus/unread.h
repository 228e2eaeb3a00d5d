// SPDX-License-Identifier: LGPL-2.1-or-later
// What callers have not read yet, so that nobody can fill the broker with answers that stay there.
//
// A broker keeps what a client does not read and charges it to whoever sent it. dbus-daemon stops listening
// to a sender at 127 MiB (max_incoming_bytes); for us that would be the end of every answer and signal. So
// large answers are counted by caller, and of callers with many the broker is asked how much still waits for
// them (GetConnectionStats). A broker that does not tell, such as dbus-broker, bounds its clients by itself;
// then nothing is refused here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

// In bytes, as far as they are known: what the broker said, and what was sent since.
struct UnreadLimits {
    std::size_t worth_asking = std::size_t{64} * 1024;  // of one caller, sent since it was last asked about
    std::size_t of_caller = std::size_t{8} << 20;
    std::size_t of_user = std::size_t{16} << 20;
    std::size_t all = std::size_t{64} << 20;  // of callers who are not root
    std::size_t small =
        std::size_t{16} * 1024;  // an answer that only its own caller's unread ones can prevent
    std::size_t callers = 1024;  // that are remembered
    std::chrono::microseconds look_again{
        100'000};  // between two looks at everybody, while somebody is refused
};

// Loop thread; no call blocks.
class Unread final {
 public:
    explicit Unread(sdbus::IConnection& connection, UnreadLimits limits = {});
    Unread(const Unread&) = delete;
    Unread& operator=(const Unread&) = delete;

    enum class Verdict {
        answer,
        refuse,
        ignore,  // it does not read refusals either
    };
    // Of a call whose answer is about so large; with `answer` it is counted.
    Verdict admit(const std::string& sender, std::size_t bytes);

 private:
    using Slot = std::unique_ptr<sd_bus_slot, decltype(&::sd_bus_slot_unref)>;
    struct Caller {
        Unread& owner;
        std::string sender;
        std::size_t told = 0;         // by the broker
        std::size_t in_question = 0;  // sent before the question that is under way
        std::size_t since = 0;        // sent after it
        std::uint64_t last_used = 0;
        std::optional<std::uint32_t> uid{};
        Slot question{nullptr, &::sd_bus_slot_unref};
        Slot who{nullptr, &::sd_bus_slot_unref};

        [[nodiscard]] std::size_t unread() const { return told + in_question + since; }
    };

    Caller& caller_of(const std::string& sender);
    [[nodiscard]] bool is_too_much(const Caller& caller, std::size_t bytes) const;
    [[nodiscard]] static bool is_of_root(const Caller& caller);
    // Of one user, or of all but root.
    [[nodiscard]] std::size_t total(std::optional<std::uint32_t> uid) const;
    Verdict refuse(Caller& caller);
    void ask(Caller& caller);
    void ask_about_everybody();
    void take_answer(Caller& caller, sd_bus_message* message);

    static int on_stats(sd_bus_message* message, void* caller, sd_bus_error*) noexcept;
    static int on_uid(sd_bus_message* message, void* caller, sd_bus_error*) noexcept;

    sd_bus* bus_;
    const UnreadLimits limits_;
    std::map<std::string, std::unique_ptr<Caller>> callers_;
    std::uint64_t uses_ = 0;
    bool broker_tells_ = true;
    std::chrono::steady_clock::time_point looked_{};
};

}  // namespace cxlmemd::bus
