// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/questions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace cxlmemd::bus {

namespace {

// Why not, and what to do about it.
std::pair<std::string, std::string> words_of(const Verdict& verdict, bool interactive) {
    switch (verdict.answer) {
        case Answer::yes: return {};
        case Answer::no: return {"polkit says no", "call it as root, or have a polkit rule allow it"};
        case Answer::challenge:
            return interactive ? std::pair{"polkit wants a password, and nobody could be asked for it",
                                           "call it as root, or from a session with a polkit agent"}
                               : std::pair{"polkit wants a password, and the call does not allow it to ask",
                                           "allow interactive authorisation, or call it as root"};
        case Answer::dismissed: return {"the question for a password was dismissed", ""};
        case Answer::absent: return {"there is no polkit to ask", "call it as root"};
        case Answer::silent: return {"polkit did not answer in time", "call it as root"};
        case Answer::failed: return {"polkit did not answer: " + verdict.text, "call it as root"};
    }
    return {"polkit says no", ""};
}

}  // namespace

Questions::Questions(Asker& asker, StartTimer start_timer)
    : asker_(asker), start_timer_(std::move(start_timer)) {}

void Questions::ask(Question question, const std::string& object, const std::string& operation, Done done) {
    if (std::string reason = too_many(question); !reason.empty()) {
        return done(fail({.code = ErrorCode::busy,
                          .object = object,
                          .operation = operation,
                          .reason = std::move(reason),
                          .advice = "wait until they are answered"}));
    }
    const std::uint64_t id = next_id_++;
    Open& open = open_[id];
    open.denied = {.code = ErrorCode::not_authorized, .object = object, .operation = operation};
    open.done = std::move(done);
    open.question = std::move(question);
    open.deadline =
        start_timer_(open.question.interactive ? patience_interactive_usec : patience_usec, [this, id] {
            asker_.cancel(id);
            answered(id, {.answer = Answer::silent});
        });
    try {
        asker_.ask(id, open.question, [this, id](const Verdict& verdict) { answered(id, verdict); });
    } catch (const std::exception& e) {
        answered(id, {.answer = Answer::failed, .text = e.what()});
    }
}

void Questions::answered(std::uint64_t id, const Verdict& verdict) {
    auto node = open_.extract(id);
    if (node.empty()) return;
    Open& open = node.mapped();
    if (verdict.answer == Answer::yes) return open.done({});
    const auto [reason, advice] = words_of(verdict, open.question.interactive);
    open.denied.reason = fmt::format("uid {} is not authorised for {} (caller {}): {}", open.question.uid,
                                     open.question.action, open.question.sender, reason);
    open.denied.advice = advice;
    open.done(fail(std::move(open.denied)));
}

void Questions::sender_vanished(const std::string& sender) {
    for (auto it = open_.begin(); it != open_.end();) {
        if (it->second.question.sender != sender) {
            ++it;
            continue;
        }
        asker_.cancel(it->first);
        it = open_.erase(it);
    }
}

void Questions::close() {
    for (auto& [id, open] : std::exchange(open_, {})) {
        asker_.cancel(id);
        open.denied.code = ErrorCode::canceled;
        open.denied.reason = "the daemon stops";
        open.done(fail(std::move(open.denied)));
    }
}

bool Questions::has_open(const std::string& sender) const {
    return std::ranges::any_of(open_,
                               [&](const auto& entry) { return entry.second.question.sender == sender; });
}

std::string Questions::too_many(const Question& question) const {
    std::size_t of_sender = 0;
    std::size_t of_user = 0;
    for (const auto& [id, open] : open_) {
        if (open.question.sender == question.sender) ++of_sender;
        if (open.question.uid == question.uid) ++of_user;
    }
    if (of_user >= most_questions_of_user) {
        return fmt::format("{} questions about the rights of uid {} are open, the most for one user", of_user,
                           question.uid);
    }
    if (of_sender >= most_questions_of_sender) {
        return fmt::format("{} questions of this connection (uid {}) are open, the most for one connection",
                           of_sender, question.uid);
    }
    const std::size_t most = of_user < share_of_user ? most_questions_with_shares : most_questions;
    if (open_.size() >= most) {
        return fmt::format("{} questions about the rights of all users are open, {} of them of uid {}",
                           open_.size(), of_user, question.uid);
    }
    return {};
}

}  // namespace cxlmemd::bus
