// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/incident.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "backends/emulator/agenda.h"
#include "backends/emulator/anonymous.h"
#include "backends/emulator/file.h"
#include "backends/emulator/inject.h"
#include "backends/emulator/machine.h"
#include "backends/emulator/recorded_machine.h"
#include "backends/emulator/toml_text.h"
#include "backends/emulator/write.h"
#include "daemon/incident_faults.h"
#include "daemon/incident_lines.h"
#include "daemon/incident_words.h"

namespace cxlmemd {

namespace {

using incident::Line;
using incident::number_of;
using incident::text_of;
using nlohmann::json;

constexpr std::uint64_t longest_at_usec = 3'500'000'000;  // docs/emulator.md: an hour at most
// Nothing of the daemon's own waits for longer by default (the pause before a retry).
constexpr std::uint64_t longest_gap_usec = 90'000'000;
constexpr std::uint64_t merged_usec = 1'000'000;
constexpr std::size_t most_steps = emulator::Agenda::most - 64;

std::string clock_time(std::uint64_t usec) {
    const auto seconds = static_cast<time_t>(usec / 1'000'000);
    tm utc{};
    ::gmtime_r(&seconds, &utc);
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                       utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string comment(const std::string& text) {
    return "# " + emulator::TomlText::printable(text) + "\n";
}

Error nothing_recorded() {
    return {.code = ErrorCode::not_found,
            .object = "the flight recorder",
            .operation = "record",
            .errnum = 0,
            .reason = "no machine is recorded",
            .advice = "the daemon's log says whether the recording has stopped"};
}

class Incident final {
 public:
    Incident(std::vector<Line> lines, std::size_t begin, const IncidentOrder& order)
        : order_(order), lines_(std::move(lines)), begin_(begin) {}

    Result<std::string> text();

 private:
    [[nodiscard]] Result<emulator::MachineDescription> machine() const;
    void sort_and_time();
    void make_up(const Topology& topology);
    void lead_everywhere(emulator::MachineDescription& description) const;
    [[nodiscard]] std::string head() const;
    [[nodiscard]] std::string policy() const;
    [[nodiscard]] std::string faults() const;
    [[nodiscard]] std::string timeline();
    [[nodiscard]] std::string event(const Line& line, std::uint64_t count) const;
    [[nodiscard]] std::string told(const Line& line) const;
    [[nodiscard]] std::uint64_t number(const std::string& key, std::uint64_t value) const;
    [[nodiscard]] InjectDetails details_of(const Line& line, std::uint64_t count) const;
    [[nodiscard]] std::string stamp(const Line& line) const {
        return fmt::format("{:.6f} s ",
                           static_cast<double>(at_[static_cast<std::size_t>(&line - &lines_[begin_])]) / 1e6);
    }

    const IncidentOrder& order_;
    std::vector<Line> lines_;
    std::size_t begin_;
    std::vector<std::uint64_t> at_;  // of each line behind the beginning: microseconds since then
    std::uint64_t left_out_usec_ = 0;
    std::unique_ptr<emulator::MadeUp> made_up_;
};

Result<emulator::MachineDescription> Incident::machine() const {
    emulator::ParsedMachine parsed = emulator::parse_machine(text_of(lines_[begin_].all, "text"), "recorder");
    if (parsed) return std::move(*parsed);
    return fail({.code = ErrorCode::failed,
                 .object = to_string(parsed.error().front()),
                 .operation = "record",
                 .errnum = 0,
                 .reason = "the recorded machine is damaged",
                 .advice = {}});
}

// What was first seen earlier and written later goes to its place; pauses in which nothing happened are cut
// short.
void Incident::sort_and_time() {
    const auto first = lines_.begin() + static_cast<std::ptrdiff_t>(begin_) + 1;
    // Of another boot, times cannot be compared.
    const std::uint64_t boot = lines_[begin_].m;
    std::stable_sort(first, lines_.end(),
                     [&](const Line& a, const Line& b) { return a.m >= boot && b.m >= boot && a.m < b.m; });
    for (std::uint64_t limit = longest_gap_usec;; limit /= 4) {
        at_.assign(1, 0);
        left_out_usec_ = 0;
        std::uint64_t last = boot;
        std::uint64_t at = 0;
        for (auto line = first; line != lines_.end(); ++line) {
            const std::uint64_t gap = line->m > last ? line->m - last : 0;
            at += std::min(gap, limit);
            left_out_usec_ += gap - std::min(gap, limit);
            last = std::max(last, line->m);
            at_.push_back(at);
        }
        if (at <= longest_at_usec || limit < 1000) return;
    }
}

void Incident::make_up(const Topology& topology) {
    Topology all = topology;
    for (std::size_t i = begin_ + 1; i < lines_.size(); ++i) {
        if (lines_[i].what != "event" || !lines_[i].all.contains("details")) continue;
        const json& details = lines_[i].all["details"];
        const std::string event = text_of(lines_[i].all, "event");
        if (event == "add-memdev") {
            Memdev memdev;
            memdev.name = text_of(details, "name");
            memdev.serial = number_of(details, "serial");
            memdev.host = text_of(details, "host");
            all.memdevs.push_back(std::move(memdev));
        } else if (event == "add-region") {
            Region region;
            region.resource = PhysAddr{number_of(details, "start")};
            region.size = Bytes{number_of(details, "size")};
            all.regions.push_back(std::move(region));
        }
    }
    made_up_ = std::make_unique<emulator::MadeUp>(all);
}

// A card that comes later is in no decoder's list: where one does, they lead to every card.
void Incident::lead_everywhere(emulator::MachineDescription& description) const {
    const bool comes =
        std::any_of(lines_.begin() + static_cast<std::ptrdiff_t>(begin_), lines_.end(),
                    [](const Line& line) { return text_of(line.all, "event") == "add-memdev"; });
    if (comes) description.decoders_with_list.clear();
}

std::uint64_t Incident::number(const std::string& key, std::uint64_t value) const {
    if (!made_up_) return value;
    if (key == "serial") return made_up_->serial(value);
    if (key == "start") return made_up_->address(PhysAddr{value}).value();
    if (key == "block") return made_up_->block(BlockIndex{value}).value();
    return value;
}

// Of the details of a line, as they are told here.
InjectDetails Incident::details_of(const Line& line, std::uint64_t count) const {
    constexpr std::uint64_t longest_usec = 3'600'000'000;
    InjectDetails out{{"at", fmt::format("{}us", at_[static_cast<std::size_t>(&line - &lines_[begin_])])}};
    if (const auto details = line.all.find("details"); details != line.all.end() && details->is_object()) {
        for (const auto& [key, value] : details->items()) {
            if (value.is_number_unsigned()) {
                const auto given = value.get<std::uint64_t>();
                out[key] = key == "timeout" ? std::min(given, longest_usec) : number(key, given);
            } else if (value == "true" || value == "false") {
                out[key] = value == "true";
            } else if (value.is_string()) {
                out[key] = emulator::TomlText::printable(value.get<std::string>());
            }
        }
    }
    if (count > 1) out["count"] = count;
    return out;
}

// A name that no device has, of a caller who asked for nonsense, is none of the emulator's either.
std::string Incident::event(const Line& line, std::uint64_t count) const {
    const std::string event = text_of(line.all, "event");
    const InjectDetails details = details_of(line, count);
    if (!emulator::read_order(event, details, "").problems.empty())
        return comment(stamp(line) + "the emulator has no event for this: " + event);
    emulator::TomlText out;
    out.section("[[step]]");
    out.text("event", event);
    for (const auto& [key, value] : details) {
        if (const auto* number = std::get_if<std::uint64_t>(&value)) out.hex(key, *number);
        if (const auto* truth = std::get_if<bool>(&value)) out.truth(key, *truth);
        if (const auto* text = std::get_if<std::string>(&value)) out.text(key, *text);
    }
    return out.take() + "\n";
}

std::string Incident::told(const Line& line) const {
    return incident::told(line, {.block = [this](std::uint64_t block) { return number("block", block); },
                                 .reasons = !made_up_ && order_.for_root});
}

std::string Incident::timeline() {
    std::string out;
    std::size_t steps = 0;
    const auto joins = [&](const Line& a, const Line& b, std::uint64_t count) {
        const std::string event = text_of(a.all, "event");
        if (a.what != "event" || b.what != "event" || (event != "online-block" && event != "offline-block"))
            return false;
        return text_of(b.all, "event") == event && b.m - a.m < merged_usec &&
               text_of(a.all["details"], "zone") == text_of(b.all["details"], "zone") &&
               number_of(b.all["details"], "block") == number_of(a.all["details"], "block") + count;
    };
    for (std::size_t i = begin_ + 1; i < lines_.size(); ++i) {
        const Line& line = lines_[i];
        if (line.what != "event") {
            out += comment(stamp(line) + told(line));
            continue;
        }
        std::uint64_t count = 1;
        while (i + 1 < lines_.size() && joins(line, lines_[i + 1], count)) {
            ++count;
            ++i;
        }
        if (++steps <= most_steps) {
            out += event(line, count);
        } else {
            out += comment(stamp(line) + "one step too many for a scenario: " + text_of(line.all, "event"));
        }
    }
    return out;
}

std::string Incident::faults() const {
    FaultHistory history;
    for (std::size_t i = begin_ + 1; i < lines_.size(); ++i) {
        const json& all = lines_[i].all;
        if (lines_[i].what != "answer") continue;
        history.add({.operation = text_of(all, "operation"),
                     .object = text_of(all, "object"),
                     .block = all.contains("block") ? std::optional{number_of(all, "block")} : std::nullopt,
                     .blocks = number_of(all, "blocks"),
                     .errnum = static_cast<int>(number_of(all, "errno"))});
    }
    std::string out;
    for (const RecordedFault& fault : history.faults()) {
        emulator::TomlText step;
        step.section("[[step]]");
        const bool hangs = fault.errnum == EINTR;
        step.text("event", hangs ? "hang" : "fail");
        step.text("operation", fault.operation);
        if (fault.block) step.number("block", number("block", *fault.block));
        if (!fault.dax.empty()) step.text("dax", fault.dax);
        if (!hangs) step.text("errno", errno_name(fault.errnum));
        step.number("nth", fault.nth);
        step.number("count", fault.count);
        out += step.take();
    }
    return out.empty() ? out : comment("What the kernel refused, as often as it did:") + out + "\n";
}

std::string Incident::policy() const {
    const Line* in_force = nullptr;
    std::vector<const Line*> later;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        if (lines_[i].what != "policy") continue;
        if (i < begin_) {
            in_force = &lines_[i];
        } else {
            later.push_back(&lines_[i]);
        }
    }
    if (made_up_)
        return comment("The policy is not in an anonymous record: its files may name people and machines.");
    if (in_force == nullptr)
        return comment("Which policy was in force is not known: nothing so old is kept.");
    std::string out;
    const auto add = [&](const Line& line, const char* file_mark, const char* text_mark) {
        out += comment(fmt::format("Policy generation {}:", number_of(line.all, "generation")));
        const auto files = line.all.find("files");
        if (files == line.all.end() || !files->is_array()) return;
        for (const json& file : *files) {
            out += std::string{file_mark} + " " + emulator::TomlText::printable(text_of(file, "name")) + "\n";
            if (!order_.for_root && file.contains("closed") && file["closed"] == true) {
                out += comment("Only root may read it.");
                continue;
            }
            std::string text = text_of(file, "text");
            if (!text.empty() && text.back() == '\n') text.pop_back();
            for (std::size_t at = 0; at <= text.size();) {
                const std::size_t end = std::min(text.find('\n', at), text.size());
                out += std::string{text_mark} + " " +
                       emulator::TomlText::printable(text.substr(at, end - at)) + "\n";
                at = end + 1;
            }
        }
    };
    add(*in_force, "#file", "#|");
    // Not the one that a replay begins with.
    for (const Line* line : later) add(*line, "#later", "#+");
    return out;
}

std::string Incident::head() const {
    const Line& begin = lines_[begin_];
    std::string out = emulator::toml_comment(
        fmt::format("An incident, recorded by cxlmemd {}, {} backend{}.", order_.by.version,
                    order_.by.backend, order_.by.kernel.empty() ? "" : " on " + order_.by.kernel));
    out += emulator::toml_comment(
        "cxlmemd --backend emulator:FILE with the policy below replays it; docs/fleet.md.");
    out += emulator::toml_comment(fmt::format("0 s is {}.", clock_time(begin.usec)));
    if (begin.usec > order_.since_usec) out += emulator::toml_comment("Nothing older is kept.");
    if (left_out_usec_ != 0) {
        out += emulator::toml_comment(
            fmt::format("Pauses are cut short, by {} s together.", left_out_usec_ / 1'000'000));
    }
    if (made_up_) out += emulator::toml_comment("Serial numbers and physical addresses are made up.");
    const auto list = [&](const char* key, const char* what) {
        const auto found = begin.all.find(key);
        if (found == begin.all.end() || !found->is_array() || found->empty()) return;
        out += emulator::toml_comment(what);
        for (const json& one : *found) {
            if (one.is_string())
                out += made_up_ ? comment(" - (anonymous)") : comment(" - " + one.get<std::string>());
        }
    };
    list("holds", "Held at the beginning, which the emulator cannot say:");
    list("differences", "The emulator shows this otherwise:");
    if (number_of(begin.all, "jobs") != 0)
        out += emulator::toml_comment(
            fmt::format("{} jobs were under way at the beginning.", number_of(begin.all, "jobs")));
    return out + "#\n";
}

Result<std::string> Incident::text() {
    auto description = machine();
    if (!description) return fail(description.error());
    sort_and_time();
    if (order_.anonymise) {
        const Topology topology = emulator::Machine{*description, {}}.topology();
        make_up(topology);
        *description = emulator::recorded_machine((*made_up_)(topology)).description;
    }
    lead_everywhere(*description);
    std::string out = head() + policy() + "\n" + emulator::write_machine(*description) + "\n[scenario]\n\n";
    out += faults();
    out += timeline();
    if (const auto again = emulator::parse_machine(out, "record"); !again) {
        return fail({.code = ErrorCode::failed,
                     .object = to_string(again.error().front()),
                     .operation = "record",
                     .errnum = 0,
                     .reason = "no scenario can say this",
                     .advice = "ask for a shorter time, or report it"});
    }
    return out;
}

}  // namespace

Result<std::string> incident_of(const FlightLines& lines, const IncidentOrder& order) {
    std::vector<Line> read = incident::parsed(lines);
    const auto begin = incident::beginning(read, order.since_usec);
    if (!begin) return fail(nothing_recorded());
    return Incident{std::move(read), *begin, order}.text();
}

}  // namespace cxlmemd
