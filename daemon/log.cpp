// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>

// The message names its place itself; source lines of this file would say nothing.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "policy/text.h"

namespace cxlmemd {

namespace {

// By syslog priority.
constexpr std::array<std::string_view, 8> level_words{"emerg",   "alert",  "crit", "err",
                                                      "warning", "notice", "info", "debug"};

int priority_of(LogLevel level) {
    switch (level) {
        case LogLevel::error: return LOG_ERR;
        case LogLevel::warning: return LOG_WARNING;
        case LogLevel::notice: return LOG_NOTICE;
        case LogLevel::info: return LOG_INFO;
        case LogLevel::debug: return LOG_DEBUG;
    }
    return LOG_INFO;
}

const char* word_of(LogLevel level) {
    switch (level) {
        case LogLevel::error: return "error: ";
        case LogLevel::warning: return "warning: ";
        default: return "";
    }
}

}  // namespace

void Log::set_level(LogLevel level) {
    most_ = priority_of(level);
}

bool Log::set_level(std::string_view word) {
    const auto found = std::ranges::find(level_words, word);
    if (found == level_words.end()) return false;
    most_ = static_cast<int>(found - level_words.begin());
    return true;
}

std::string Log::level_word() const {
    return std::string{level_words[static_cast<std::size_t>(most_)]};
}

bool Log::set_target(std::string_view word) {
    if (word == "auto") {
        target_ = start_target_;
    } else if (word == "journal") {
        target_ = Target::journal;
    } else if (word == "console") {
        target_ = Target::console;
    } else if (word == "null") {
        target_ = Target::none;
    } else {
        return false;
    }
    return true;
}

std::string Log::target_word() const {
    switch (target_) {
        case Target::console: return "console";
        case Target::journal: return "journal";
        case Target::none: return "null";
    }
    return "null";
}

void Log::write(MessageId id, LogLevel level, const std::string& message, const Fields& fields) const {
    Fields all = fields;
    all.emplace_back("MESSAGE_ID", id.text);
    write(level, message, all);
}

void Log::write(LogLevel level, const std::string& message, const Fields& fields) const {
    if (priority_of(level) > most_ || target_ == Target::none) return;
    // Names of files and devices are in it: one entry is one line, and nothing that a terminal obeys.
    const std::string text = visible(message);
    if (target_ == Target::console) {
        // A closed standard error is nothing that a daemon could report anywhere.
        static_cast<void>(std::fprintf(stderr, "cxlmemd: %s%s\n", word_of(level), text.c_str()));
        return;
    }
    std::vector<std::string> lines{"PRIORITY=" + std::to_string(priority_of(level)), "MESSAGE=" + text};
    for (const auto& [key, value] : fields) lines.push_back(key + "=" + value);
    std::vector<iovec> vectors;
    vectors.reserve(lines.size());
    for (std::string& line : lines) vectors.push_back({line.data(), line.size()});
    ::sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size()));
}

bool Log::stderr_is_journal(const char* journal_stream) {
    if (journal_stream == nullptr) return false;
    unsigned long long device = 0;
    unsigned long long inode = 0;
    if (std::sscanf(journal_stream, "%llu:%llu", &device, &inode) != 2) return false;
    struct stat st {};
    return ::fstat(2, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

}  // namespace cxlmemd
