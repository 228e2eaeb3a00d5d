// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/spelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "policy/glob.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::string_view digits = "0123456789";
constexpr std::string_view hex = "0123456789abcdef";

// The kernel's names of one noun: in each place one of some characters, some of them as often as one likes.
struct Part {
    std::string_view one_of;
    bool repeats = false;  // once or more
};

std::vector<Part> parts_of(Noun noun) {
    const auto spelled = [](std::string_view prefix) {
        std::vector<Part> out;
        for (std::size_t i = 0; i < prefix.size(); ++i) out.push_back({prefix.substr(i, 1)});
        return out;
    };
    const auto with = [](std::vector<Part> out, std::initializer_list<Part> more) {
        out.insert(out.end(), more);
        return out;
    };
    switch (noun) {
        case Noun::host:
            return {{hex}, {hex}, {hex}, {hex, true}, {":"}, {hex},
                    {hex}, {":"}, {hex}, {hex},       {"."}, {"01234567"}};
        case Noun::region: return with(spelled("region"), {{digits, true}});
        case Noun::root_decoder: return with(spelled("decoder"), {{digits, true}, {"."}, {digits, true}});
        case Noun::dax: return with(spelled("dax"), {{digits, true}, {"."}, {digits, true}});
    }
    return {};
}

// Whether any name fits a pattern of literal characters, * and ?.
bool some_name_fits(std::string_view pattern, const std::vector<Part>& parts) {
    // (place in the pattern, place in the name); a part that repeats is left as late as one likes.
    using At = std::pair<std::size_t, std::size_t>;
    std::set<At> seen;
    std::vector<At> open{{0, 0}};
    while (!open.empty()) {
        const At at = open.back();
        open.pop_back();
        if (!seen.insert(at).second) continue;
        const auto [p, n] = at;
        if (p == pattern.size() && n == parts.size()) return true;
        const bool star = p < pattern.size() && pattern[p] == '*';
        if (star) open.emplace_back(p + 1, n);
        if (p == pattern.size() || n == parts.size()) continue;
        const bool takes =
            star || pattern[p] == '?' || parts[n].one_of.find(pattern[p]) != std::string_view::npos;
        if (!takes) continue;
        const std::size_t next = star ? p : p + 1;
        open.emplace_back(next, n + 1);
        if (parts[n].repeats) open.emplace_back(next, n);
    }
    return false;
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

// What may have been meant, most likely first.
std::vector<std::string> guesses(Noun noun, const std::string& pattern) {
    const std::string word = lower(pattern.substr(pattern.rfind('/') + 1));
    std::vector<std::string> out{word};
    const auto with_prefix = [&](const std::string& prefix) {
        out.push_back(prefix + word);
        out.push_back(prefix + word + ".*");
    };
    switch (noun) {
        case Noun::host:
            // The domain is there and too short, or is not there.
            for (const char* domain : {"", "0000:", "0", "00", "000"}) {
                for (const char* function : {"", ".0"}) out.push_back(domain + word + function);
            }
            break;
        case Noun::region:
            with_prefix("region");
            if (word.starts_with("dax_")) out.push_back(word.substr(4));
            break;
        case Noun::root_decoder:
            with_prefix("decoder");
            out.push_back(word + ".*");
            if (word.starts_with("root")) out.push_back("decoder" + word.substr(4) + ".*");
            break;
        case Noun::dax:
            with_prefix("dax");
            out.push_back(word + ".*");
            break;
    }
    return out;
}

std::string_view example(Noun noun) {
    switch (noun) {
        case Noun::host: return "0000:0d:00.0";
        case Noun::region: return "region0";
        case Noun::root_decoder: return "decoder0.0";
        case Noun::dax: return "dax0.0";
    }
    return "";
}

std::string_view words_of(Noun noun) {
    switch (noun) {
        case Noun::host: return "host of a card";
        case Noun::region: return "region";
        case Noun::root_decoder: return "root decoder";
        case Noun::dax: return "dax device";
    }
    return "";
}

bool is_like_a_function(std::string_view text) {
    return text.find(':') != std::string_view::npos &&
           text.find_first_not_of("0123456789abcdefABCDEF:.*?") == std::string_view::npos;
}

bool is_memdev(std::string_view text) {
    constexpr std::string_view prefix = "mem";
    return text.starts_with(prefix) && text.size() > prefix.size() &&
           text.find_first_not_of(digits, prefix.size()) == std::string_view::npos;
}

}  // namespace

std::optional<std::string> never_fits(Noun noun, const std::string& pattern) {
    // Whoever writes brackets knows what for; no name is that long, and an empty one is an error already.
    constexpr std::size_t longest = 64;
    if (pattern.empty() || pattern.size() > longest || pattern.find_first_of("[\\") != std::string::npos)
        return std::nullopt;
    if (noun == Noun::host && is_memdev(pattern)) {
        return fmt::format("no {} is called {}: that is a memdev; its host is a PCI function, such as \"{}\"",
                           words_of(noun), in_quotes(pattern), example(noun));
    }
    if (noun == Noun::host && !is_like_a_function(pattern)) return std::nullopt;
    const std::vector<Part> parts = parts_of(noun);
    if (some_name_fits(pattern, parts)) return std::nullopt;
    for (const std::string& guess : guesses(noun, pattern)) {
        if (!some_name_fits(guess, parts)) continue;
        return fmt::format("no {} is called {}: the kernel writes \"{}\"", words_of(noun), in_quotes(pattern),
                           guess);
    }
    return fmt::format("no {} is called {}: the kernel writes such names as \"{}\"", words_of(noun),
                       in_quotes(pattern), example(noun));
}

}  // namespace cxlmemd
