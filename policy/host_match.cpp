// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/host_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <optional>
#include <utility>
#include <vector>

#include "policy/glob.h"
#include "policy/suggest.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

// src/basic/virt.c
constexpr std::array<std::string_view, 18> machines{
    "kvm", "amazon",    "qemu",  "bochs", "xen",  "uml",     "vmware", "oracle", "microsoft",
    "zvm", "parallels", "bhyve", "qnx",   "acrn", "powervm", "apple",  "sre",    "google"};
constexpr std::array<std::string_view, 10> containers{
    "systemd-nspawn", "lxc-libvirt", "lxc", "openvz", "docker", "podman", "rkt", "wsl", "proot", "pouch"};
constexpr std::array<std::string_view, 6> words{"yes", "no", "vm", "container", "none", "vm-other"};

bool is_one_of(std::string_view word, const auto& list) {
    return std::ranges::find(list, word) != list.end();
}

// A release: its numbers, and N of -rcN.
struct Version {
    std::vector<std::uint64_t> numbers;
    std::optional<std::uint64_t> candidate;
};

std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return out;
}

std::optional<Version> version_of(std::string_view text) {
    Version out;
    while (const auto number = take_number(text)) {
        out.numbers.push_back(*number);
        if (!text.starts_with('.')) break;
        text.remove_prefix(1);
    }
    if (out.numbers.empty()) return std::nullopt;
    constexpr std::string_view mark = "-rc";
    if (text.starts_with(mark)) {
        text.remove_prefix(mark.size());
        out.candidate = take_number(text);
    }
    while (!out.numbers.empty() && out.numbers.back() == 0) out.numbers.pop_back();
    return out;
}

std::strong_ordering compare(const Version& a, const Version& b) {
    const auto numbers = std::lexicographical_compare_three_way(a.numbers.begin(), a.numbers.end(),
                                                                b.numbers.begin(), b.numbers.end());
    if (numbers != std::strong_ordering::equal) return numbers;
    constexpr std::uint64_t released = ~std::uint64_t{0};
    return a.candidate.value_or(released) <=> b.candidate.value_or(released);
}

enum class Sign : std::uint8_t { less, less_equal, equal, unequal, greater_equal, greater };

struct Condition {
    Sign sign;
    std::string_view version;
};

std::optional<Sign> take_sign(std::string_view& text) {
    constexpr std::array signs{std::pair{std::string_view{"<="}, Sign::less_equal},
                               std::pair{std::string_view{">="}, Sign::greater_equal},
                               std::pair{std::string_view{"!="}, Sign::unequal},
                               std::pair{std::string_view{"=="}, Sign::equal},
                               std::pair{std::string_view{"<"}, Sign::less},
                               std::pair{std::string_view{">"}, Sign::greater},
                               std::pair{std::string_view{"="}, Sign::equal}};
    for (const auto& [mark, sign] : signs) {
        if (!text.starts_with(mark)) continue;
        text.remove_prefix(mark.size());
        return sign;
    }
    return std::nullopt;
}

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ')));
}

// nullopt: one of them has no sign or no version.
std::optional<std::vector<Condition>> conditions_of(std::string_view text) {
    std::vector<Condition> out;
    for (skip_blanks(text); !text.empty(); skip_blanks(text)) {
        const auto sign = take_sign(text);
        if (!sign) return std::nullopt;
        skip_blanks(text);
        const std::string_view version = text.substr(0, text.find_first_of(" <>=!"));
        if (!version_of(version)) return std::nullopt;
        out.push_back({*sign, version});
        text.remove_prefix(version.size());
    }
    return out;
}

bool holds(Sign sign, std::strong_ordering order) {
    switch (sign) {
        case Sign::less: return order < 0;
        case Sign::less_equal: return order <= 0;
        case Sign::equal: return order == 0;
        case Sign::unequal: return order != 0;
        case Sign::greater_equal: return order >= 0;
        case Sign::greater: return order > 0;
    }
    return false;
}

bool begins_with_a_sign(std::string_view text) {
    skip_blanks(text);
    return take_sign(text).has_value();
}

}  // namespace

Parsed<std::string> parse_virtualization(std::string_view text) {
    const std::string_view word = text.starts_with('!') ? text.substr(1) : text;
    if (is_one_of(word, words) || is_one_of(word, machines) || is_one_of(word, containers))
        return std::string{text};
    std::vector<std::string_view> all{words.begin(), words.end()};
    all.insert(all.end(), machines.begin(), machines.end());
    all.insert(all.end(), containers.begin(), containers.end());
    return tl::unexpected{
        fmt::format("{} is not a virtualization: \"yes\", \"no\", \"vm\", \"container\" or a "
                    "word of systemd-detect-virt{}",
                    in_quotes(text), did_you_mean(word, all))};
}

bool fits_virtualization(std::string_view word, std::string_view fact) {
    if (word.starts_with('!')) return !fits_virtualization(word.substr(1), fact);
    const bool container = is_one_of(fact, containers);
    if (word == "yes") return fact != "none";
    if (word == "no") return fact == "none";
    if (word == "container") return container;
    if (word == "vm") return fact != "none" && !container;
    return word == fact;
}

Parsed<std::string> parse_kernel_version(std::string_view text) {
    if (begins_with_a_sign(text)) {
        if (conditions_of(text)) return std::string{text};
        return tl::unexpected{
            fmt::format("{} is not a kernel version: write \">= 6.12\", \">= 6.12 < 7.1\" or a "
                        "pattern such as \"6.12.*\"",
                        in_quotes(text))};
    }
    return parse_glob(text).map([](const Glob& glob) { return glob.pattern; });
}

bool fits_kernel_version(std::string_view condition, std::string_view fact) {
    if (!begins_with_a_sign(condition)) return glob_fits(std::string{condition}, fact);
    const auto conditions = conditions_of(condition);
    const auto is = version_of(fact);
    return conditions && is && std::ranges::all_of(*conditions, [&](const Condition& each) {
               const auto wanted = version_of(each.version);
               return wanted && holds(each.sign, compare(*is, *wanted));
           });
}

}  // namespace cxlmemd
