// SPDX-License-Identifier: LGPL-2.1-or-later
// What can go wrong, and the exit code that it means.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace cxlmemctl {

// Exit codes: the contract with scripts; never renumbered.
enum class Exit : int {
    done = 0,
    failed = 1,
    usage = 2,
    partial = 3,
    unreachable = 4,
    not_authorized = 5,
    timed_out = 6,
    interrupted = 130,  // Ctrl-C while waiting: the outcome is not known
};

struct Failure {
    Exit code = Exit::failed;
    std::string message;  // one line without "cxlmemctl: "; not yet escaped for a terminal
};

template <class T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(Exit code, std::string message) {
    return tl::unexpected<Failure>(Failure{code, std::move(message)});
}

// Of a D-Bus error's name: there is no object at that path.
[[nodiscard]] bool is_unknown_object(const std::string& name);

// What a D-Bus error means for the user. `name` is the error's D-Bus name.
[[nodiscard]] Failure failure_of_dbus(const std::string& name, const std::string& message);

// An error's text as it came, or with what to do next if it does not say that itself.
[[nodiscard]] std::string with_next_step(const std::string& error_name, std::string text);
// True if it does.
[[nodiscard]] bool says_what_to_do(const std::string& text);

// The exit code of a job that ended with this Result and error name ("done", "").
[[nodiscard]] Exit exit_of_result(const std::string& result, const std::string& error_name);

// One exit code for several jobs: all the same, or partial if only some were done. Not being
// authorised or not reaching the daemon wins over everything.
[[nodiscard]] Exit combine(Exit a, Exit b);

}  // namespace cxlmemctl
