// SPDX-License-Identifier: LGPL-2.1-or-later
// Who else brings memory online, moves it, or works for each block of it. The daemon reads the same files,
// and says more of them, but only while a rule of its manages memory: what it says comes first.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "cli/doctor_checks.h"
#include "cli/import.h"

namespace cxlmemctl {
namespace {

// Which program's configuration a conflict of kind "competitor" is about.
bool is_of_daxctl(const std::string& message) {
    return message.find("daxctl") != std::string::npos;
}
bool is_of_tmpfiles(const std::string& message) {
    return message.find("tmpfiles.d") != std::string::npos;
}
bool is_of_udev(const std::string& message) {
    return !is_of_daxctl(message) && !is_of_tmpfiles(message);
}

// The first word that is a path, without the line number behind it.
std::string path_in(const std::string& message) {
    const std::size_t begin = message.find('/');
    if (begin == std::string::npos) return {};
    std::string path = message.substr(begin, message.find_first_of(" ;,", begin) - begin);
    const std::size_t colon = path.find(':');
    return path.substr(0, colon);
}

// What the daemon says of others, if it runs; the first file is the subject. Without it the files say it.
void conflicts(const Facts& facts, std::string_view kind, Answer& answer,
               const std::function<bool(const std::string& message)>& wanted) {
    if (!facts.daemon) return;
    add_conflicts(facts, kind, answer, wanted);
    if (!answer.seen.empty()) answer.subject = path_in(answer.seen.front());
}

// An administrator's own file cannot be masked by one of its name; it is moved away.
void move_away(Answer& answer, std::string_view before) {
    if (!answer.next.empty() || !answer.subject.starts_with("/etc/")) return;
    answer.next = fmt::format("{}move the file away: mv {} {}", before, shell_word(answer.subject),
                              shell_word(answer.subject + ".off"));
}

void import_and_move_away(Answer& answer) {
    move_away(answer, fmt::format("cxlmemctl import {} prints the policy that does the same; then ",
                                  shell_word(answer.subject)));
}

bool is_said(const Answer& answer, const std::string& path) {
    return std::any_of(answer.seen.begin(), answer.seen.end(),
                       [&](const std::string& seen) { return seen.find(path) != std::string::npos; });
}

// Lines of a file that say what is imported.
void add_imported(const ConfigFile& file, const Imported& imported, Answer& answer) {
    for (const ImportedRule& rule : imported.rules) {
        const std::string what = rule.notes.empty() ? "brings memory online" : rule.notes.front();
        add_seen(answer, file.path, fmt::format("{}: {}", file.path, what));
    }
}

bool is_about_memory(std::string_view line) {
    return line.find("SUBSYSTEM") != std::string_view::npos &&
           line.find("\"memory\"") != std::string_view::npos;
}

bool names_the_crash_kernel(std::string_view line) {
    return line.find("kdump") != std::string_view::npos || line.find("kexec") != std::string_view::npos;
}

// Programs that rules run for memory blocks: what they do is not known.
void add_programs(const ConfigFile& file, const Imported& imported, Answer& answer) {
    bool about_memory = false;
    each_line(file.text, [&](std::size_t, std::string_view line) {
        about_memory = about_memory || (!line.starts_with('#') && is_about_memory(line));
    });
    if (!about_memory) return;
    const bool is_first = answer.seen.empty();
    for (const std::string& note : imported.notes) {
        if (note.find("program") == std::string::npos || names_the_crash_kernel(note)) continue;
        add_seen(answer, file.path, fmt::format("{}: may bring memory online: {}", file.path, note));
        if (is_first)
            answer.next = "see what the program in " + file.path +
                          " does; if it brings memory online, mask the rule by a link to /dev/null of its "
                          "name in /etc/udev/rules.d, or move it away if it lies there";
    }
}

void udev(const Facts& facts, Answer& answer) {
    conflicts(facts, "competitor", answer, is_of_udev);
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->udev.unread, answer);
    for (const ConfigFile& file : host->udev.files) {
        if (is_said(answer, file.path)) continue;
        const Imported imported = import_udev(file.path, file.text);
        add_imported(file, imported, answer);
        if (imported.rules.empty()) add_programs(file, imported, answer);
    }
}

void tmpfiles(const Facts& facts, Answer& answer) {
    conflicts(facts, "competitor", answer, is_of_tmpfiles);
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->tmpfiles.unread, answer);
    for (const ConfigFile& file : host->tmpfiles.files) {
        if (!is_said(answer, file.path)) add_imported(file, import_tmpfiles(file.path, file.text), answer);
    }
}

void daxctl(const Facts& facts, Answer& answer) {
    conflicts(facts, "competitor", answer, is_of_daxctl);
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->daxctl.unread, answer);
    for (const ConfigFile& file : host->daxctl.files) {
        if (is_said(answer, file.path)) continue;
        each_line(file.text, [&](std::size_t number, std::string_view line) {
            if (line.starts_with("[reconfigure-device"))
                add_seen(answer, file.path, fmt::format("{}:{}: {}", file.path, number, line));
        });
    }
}

// Settings that the daemon writes, too.
constexpr std::array<std::string_view, 4> contested = {"auto_online_blocks", "demotion_enabled",
                                                       "weighted_interleave", "memory_hotplug"};

void tuned(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->tuned.unread, answer);
    for (const ConfigFile& file : host->tuned.files) {
        each_line(file.text, [&](std::size_t number, std::string_view line) {
            if (line.starts_with('#') || line.starts_with(';')) return;
            if (std::any_of(contested.begin(), contested.end(),
                            [&](std::string_view word) { return line.find(word) != std::string_view::npos; }))
                add_seen(answer, file.path, fmt::format("{}:{}: {}", file.path, number, line));
        });
    }
}

// udev rules about memory blocks that name a program of the crash kernel. The daemon reads them as udev does.
void kdump(const Facts& facts, Answer& answer) {
    conflicts(facts, "work-per-block", answer, nullptr);
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    add_unread(host->udev.unread, answer);
    for (const ConfigFile& file : host->udev.files) {
        if (is_said(answer, file.path)) continue;
        bool about_memory = false;
        std::string reload;
        each_line(file.text, [&](std::size_t number, std::string_view line) {
            if (line.starts_with('#')) return;
            about_memory = about_memory || is_about_memory(line);
            const bool runs =
                line.find("RUN") != std::string_view::npos || line.find("PROGRAM") != std::string_view::npos;
            if (runs && reload.empty() && names_the_crash_kernel(line))
                reload = fmt::format("{}:{}: {}", file.path, number, line);
        });
        if (about_memory && !reload.empty()) add_seen(answer, file.path, reload);
    }
}

// What writes auto_online_blocks, as far as files tell.
std::vector<std::string> setters(const HostFacts& host, Answer& answer) {
    std::vector<std::string> out;
    bool by_parameter = false;
    if (const auto line = text_of_file(host.command_line, answer)) {
        for (const Parameter& parameter : parameters_of(*line)) {
            if (parameter.name != "memhp_default_state") continue;
            out.push_back("the boot parameter memhp_default_state=" + parameter.value);
            by_parameter = true;
        }
    }
    if (!by_parameter) {
        if (const auto config = text_of_file(host.config, answer)) {
            const std::string option = online_by_default(*config);
            if (!option.empty()) out.push_back("the kernel's default, " + option);
        }
    }
    add_unread(host.tmpfiles.unread, answer);
    add_unread(host.tuned.unread, answer);
    add_unread(host.udev.unread, answer);
    for (const ConfigFiles* files : {&host.tmpfiles, &host.tuned, &host.udev}) {
        for (const ConfigFile& file : files->files) {
            each_line(file.text, [&](std::size_t number, std::string_view line) {
                if (!line.starts_with('#') && line.find("auto_online_blocks") != std::string_view::npos)
                    out.push_back(fmt::format("{}:{}", file.path, number));
            });
        }
    }
    return out;
}

void auto_online(const Facts& facts, Answer& answer) {
    std::string value;
    if (facts.daemon) {
        value = text_of(facts.daemon->manager, "KernelAutoOnline");
    } else if (facts.host) {
        value = line_of(text_of_file(facts.host->auto_online, answer).value_or(""));
    } else {
        answer.unknown.push_back(facts.host.error());
    }
    if (!value.starts_with("online")) return;
    add_seen(answer, "", fmt::format("auto_online_blocks reads '{}'", value));
    if (!facts.host) {
        answer.unknown.push_back("who sets it: " + facts.host.error());
        return;
    }
    for (const std::string& setter : setters(*facts.host, answer)) add_seen(answer, "", "set by " + setter);
    if (answer.seen.size() == 1) add_seen(answer, "", "no file says who sets it");
    const FileRead& settings = facts.host->settings;
    if (facts.daemon && settings && *settings && settings_of(**settings).manages)
        answer.next =
            "auto_online = \"manage\" is set already: journalctl -u cxlmemd says whether the kernel refused "
            "it; if not, find the process that writes the file, then systemctl reload cxlmemd";
}

void kdamonds(const Facts& facts, Answer& answer) {
    const HostFacts* host = host_of(facts, answer);
    if (host == nullptr) return;
    if (!host->kdamonds) {
        answer.unknown.push_back(host->kdamonds.error());
        return;
    }
    if (host->kdamonds->empty()) return;
    // One of them only watches, since 6.17: DAMON_STAT.
    if (host->kdamonds->size() == 1) {
        const auto stat = text_of_file(host->damon_stat, answer);
        if (!host->damon_stat || (stat && line_of(*stat) == "Y")) return;
    }
    add_seen(
        answer, "",
        fmt::format("{} of DAMON's threads: {}", host->kdamonds->size(), fmt::join(*host->kdamonds, ", ")));
}

constexpr std::array all_online_checks = {
    Check{"auto-online", auto_online},
    Check{"udev-online",
          [](const Facts& facts, Answer& answer) {
              udev(facts, answer);
              import_and_move_away(answer);
          }},
    Check{"tmpfiles-online",
          [](const Facts& facts, Answer& answer) {
              tmpfiles(facts, answer);
              import_and_move_away(answer);
          }},
    Check{"daxctl-config", daxctl},
    Check{"tuned", tuned},
    Check{"kdump-rules",
          [](const Facts& facts, Answer& answer) {
              kdump(facts, answer);
              move_away(answer, "unless the kernel is older, ");
          }},
    Check{"kdamonds", kdamonds},
};

}  // namespace

std::span<const Check> online_checks() {
    return all_online_checks;
}

}  // namespace cxlmemctl
