// SPDX-License-Identifier: LGPL-2.1-or-later
// A question about a caller's right, and who answers it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace cxlmemd::bus {

struct Question {
    std::string sender;  // the caller's unique name, ":1.42"
    std::uint32_t uid = 0;
    std::string action{};                          // "org.cxlmemd1.online"
    std::map<std::string, std::string> details{};  // for polkit's rules and messages
    bool interactive = false;                      // polkit may ask the user
};

enum class Answer : std::uint8_t {
    yes,
    no,
    challenge,  // only if the user may be asked, which the caller does not allow
    dismissed,  // the user was asked and waved it away
    absent,     // nobody to ask: there is no polkit
    silent,     // no answer in time
    failed,     // no answer that makes sense, or polkit died over it
};

struct Verdict {
    Answer answer = Answer::no;
    std::string text{};  // what was said, if that is worth reading
};

// Whoever decides. Loop thread; no call blocks.
class Asker {
 public:
    using Done = std::function<void(Verdict)>;

    Asker() = default;
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;
    virtual ~Asker() = default;

    // `done` is called once, later, never from inside ask(); not at all after cancel(id).
    // Throws sdbus::Error if the question cannot even be sent.
    virtual void ask(std::uint64_t id, const Question& question, Done done) = 0;

    // Nobody waits for the answer any more. Unknown ids are ignored.
    virtual void cancel(std::uint64_t id) = 0;
};

}  // namespace cxlmemd::bus
