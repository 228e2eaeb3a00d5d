// SPDX-License-Identifier: LGPL-2.1-or-later
// The journal, or standard error where there is none. Only daemon/ logs; transitions, not states.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/message_ids.h"
#include "policy/settings.h"

namespace cxlmemd {

class Log final {
 public:
    using Fields = std::vector<std::pair<std::string, std::string>>;  // "CXLMEMD_DEVICE", "dax0.0"
    enum class Target { console, journal, none };

    // `to_journal`: standard error is the journal's socket; then entries go there with their fields.
    explicit Log(bool to_journal)
        : start_target_(to_journal ? Target::journal : Target::console), target_(start_target_) {}

    void set_level(LogLevel level);
    void write(MessageId id, LogLevel level, const std::string& message, const Fields& fields = {}) const;
    // For what nobody looks up.
    void write(LogLevel level, const std::string& message, const Fields& fields = {}) const;

    // The same by the words of org.freedesktop.LogControl1; false: there is no such word. Levels are those
    // of syslog ("err", "debug"); targets "console", "journal", "null", and "auto", which is what the
    // daemon was started with.
    [[nodiscard]] bool set_level(std::string_view word);
    [[nodiscard]] std::string level_word() const;
    [[nodiscard]] bool set_target(std::string_view word);
    [[nodiscard]] std::string target_word() const;

    // Whether file descriptor 2 is what $JOURNAL_STREAM ("device:inode") names.
    [[nodiscard]] static bool stderr_is_journal(const char* journal_stream);

 private:
    Target start_target_;
    Target target_;
    int most_ = 6;  // syslog priority; what is less important is dropped
};

}  // namespace cxlmemd
