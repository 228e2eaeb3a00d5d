// SPDX-License-Identifier: LGPL-2.1-or-later
// The open questions about callers' rights: how many there may be, how long each may take, and what
// becomes of it when its caller leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "dbus/question.h"
#include "policy/error.h"

namespace cxlmemd::bus {

// Runs a function once, `usec` from now, on the loop thread; not at all if the handle is gone by then.
using Timer = std::shared_ptr<void>;
using StartTimer = std::function<Timer(std::uint64_t usec, std::function<void()> expired)>;

// Somebody may have to find a password first; but not for ever.
inline constexpr std::uint64_t patience_interactive_usec = 120'000'000;
inline constexpr std::uint64_t patience_usec = 10'000'000;
// One connection, one user, all together. What is beyond is ErrorCode::busy at once. Each user has a share of
// its own that others cannot use up; only what is beyond it counts against all together.
inline constexpr std::size_t most_questions_of_sender = 8;
inline constexpr std::size_t most_questions_of_user = 32;
inline constexpr std::size_t share_of_user = 4;
inline constexpr std::size_t most_questions = 128;
inline constexpr std::size_t most_questions_with_shares = 512;

// Loop thread.
class Questions final {
 public:
    // Success: the caller may. Else not_authorized, busy (too many questions), or canceled (closed).
    using Done = std::function<void(Result<>)>;

    Questions(Asker& asker, StartTimer start_timer);
    Questions(const Questions&) = delete;
    Questions& operator=(const Questions&) = delete;

    // `done` is called once, perhaps at once; not at all if the sender vanishes before the answer.
    // `object` and `operation` are for the error.
    void ask(Question question, const std::string& object, const std::string& operation, Done done);

    // Its questions are canceled, and nothing happens.
    void sender_vanished(const std::string& sender);

    // The daemon stops: every open question ends as canceled.
    void close();

    [[nodiscard]] bool has_open(const std::string& sender) const;

 private:
    struct Open {
        Question question;
        Error denied;  // its text but for the reason
        Done done;
        Timer deadline;
    };
    // Why ask() would say busy; empty if it would not.
    [[nodiscard]] std::string too_many(const Question& question) const;
    void answered(std::uint64_t id, const Verdict& verdict);

    Asker& asker_;
    StartTimer start_timer_;
    std::map<std::uint64_t, Open> open_;
    std::uint64_t next_id_ = 1;
};

}  // namespace cxlmemd::bus
