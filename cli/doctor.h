// SPDX-License-Identifier: LGPL-2.1-or-later
// cxlmemctl doctor: is this machine well set up? Pure.
//
// One table has what a finding says: its symptom, why it matters, what to do next. The report, its JSON and
// docs/troubleshooting.md are made from it. A check answers one row; what it could not read is never fine.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "cli/host_facts.h"
#include "cli/objects.h"
#include "cli/text.h"

namespace cxlmemctl {

enum class Severity { error, warning };
// The sections of the troubleshooting page.
enum class Area { daemon, online, kernel, boot, hardware, memory, system };

// Words between ` are typed as they stand.
struct Row {
    std::string_view id;  // for scripts; never renamed
    Area area;
    Severity severity;
    std::string_view symptom;  // as a user sees it and searches for it
    std::string_view why;
    std::string_view next;  // "{}": the first object or file that was found, "{base}": its last part
};

[[nodiscard]] std::span<const Row> doctor_rows();
[[nodiscard]] const Row* doctor_row(std::string_view id);

// What the daemon says of itself and of the machine.
struct DaemonFacts {
    nlohmann::json manager;
    Objects objects;
};

struct Facts {
    tl::expected<DaemonFacts, std::string> daemon;  // error: why it does not say anything
    tl::expected<HostFacts, std::string> host;      // error: why no file of the machine is read
};

// Of one row. A finding if something was seen, else unknown if something could not be read, else fine.
struct Answer {
    const Row* row = nullptr;
    std::vector<std::string> seen;     // one line each
    std::vector<std::string> unknown;  // what could not be read and why; also beside what was seen
    std::string subject;               // for "{}" in next
    std::string next;                  // where more is known than the table says

    [[nodiscard]] bool is_finding() const { return !seen.empty(); }
    [[nodiscard]] bool is_unknown() const { return seen.empty() && !unknown.empty(); }
    [[nodiscard]] std::string next_step() const;
};

// An answer for each row, in the order of the table.
using Report = std::vector<Answer>;
[[nodiscard]] Report examine(const Facts& facts);

// A check of one row, and the checks of each source file.
struct Check {
    std::string_view id;
    void (*look)(const Facts& facts, Answer& answer);
};
[[nodiscard]] std::span<const Check> daemon_checks();
[[nodiscard]] std::span<const Check> hardware_checks();
[[nodiscard]] std::span<const Check> kernel_checks();
[[nodiscard]] std::span<const Check> online_checks();
[[nodiscard]] std::span<const Check> system_checks();

// failed: there are findings; partial: there are none, but not everything could be looked at; done: all of it
// is fine. A daemon that is not there is the caller's to count.
[[nodiscard]] Exit exit_of_report(const Report& report);

// Folded to `columns` as long as no single word is wider.
[[nodiscard]] std::string report_text(const Report& report, std::size_t columns, const Paint& paint);
// Without the marks of what is typed.
[[nodiscard]] std::string plain(std::string_view text);
// With the marks of the table replaced.
[[nodiscard]] std::string with_subject(std::string text, const std::string& subject);
// Quoted for a shell, if need be: names come from files and from other machines, and are pasted.
[[nodiscard]] std::string shell_word(const std::string& text);
[[nodiscard]] nlohmann::json report_json(const Report& report, bool daemon_is_there);
// docs/troubleshooting.md.
[[nodiscard]] std::string troubleshooting_page();

}  // namespace cxlmemctl
