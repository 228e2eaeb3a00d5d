// SPDX-License-Identifier: LGPL-2.1-or-later
// Reads the details of one event. Ask for everything first, then finish(): it gives the first problem (wrong
// type, missing, out of range, a detail that nobody asked for), and problems() gives all of them.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backends/emulator/inject_value.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd::emulator {

struct DetailProblem {
    std::string key;
    std::string reason;  // what follows on the key: "is missing"
};

// The error of a detail that makes no sense: invalid_argument.
[[nodiscard]] Error detail_error(const std::string& event, const std::string& key, const std::string& reason);

class Details final {
 public:
    Details(std::string event, const InjectDetails& details) : event_(std::move(event)), details_(details) {}

    [[nodiscard]] const std::string& event() const { return event_; }
    [[nodiscard]] bool has(const std::string& key) const { return details_.contains(key); }

    [[nodiscard]] std::optional<std::string> text(const std::string& key);
    // Whether it is this string; if so, it counts as asked for.
    [[nodiscard]] bool text_is(const std::string& key, std::string_view text);
    // A string that a device can be called by.
    [[nodiscard]] std::optional<std::string> device_name(const std::string& key);
    // A string, or an integer as the string that it reads.
    [[nodiscard]] std::optional<std::string> word(const std::string& key);
    [[nodiscard]] std::optional<bool> truth(const std::string& key);
    // Any integer that is not negative, or a string with one ("0x1").
    [[nodiscard]] std::optional<std::uint64_t> number(const std::string& key);
    // The same, or a string with a unit ("4GiB").
    [[nodiscard]] std::optional<std::uint64_t> size(const std::string& key);
    // Microseconds: an integer, or a string with a unit ("1.5s", "20ms", "7us", "2min"); an hour at most.
    [[nodiscard]] std::optional<std::uint64_t> duration(const std::string& key);
    // 0 to 1; a string will do ("0.25").
    [[nodiscard]] std::optional<double> probability(const std::string& key);
    // "mode"; system-ram if it is not there.
    [[nodiscard]] DaxMode mode();
    // -1 to 1023
    [[nodiscard]] std::optional<int> node(const std::string& key);

    // Without it the event is not complete.
    template <class T>
    [[nodiscard]] T needed(std::optional<T> value, const std::string& key) {
        if (!has(key)) wrong(key, "is missing");
        return value.value_or(T{});
    }
    void wrong(const std::string& key, const std::string& reason) { problems_.push_back({key, reason}); }

    [[nodiscard]] std::vector<DetailProblem> problems() const;
    [[nodiscard]] Result<> finish() const;

 private:
    [[nodiscard]] const InjectValue* find(const std::string& key);

    std::string event_;
    const InjectDetails& details_;
    std::set<std::string> asked_;
    std::vector<DetailProblem> problems_;
};

}  // namespace cxlmemd::emulator
