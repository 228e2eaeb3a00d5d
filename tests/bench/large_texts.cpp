// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/bench/large_texts.h"

#include <fmt/format.h>

#include <string>

namespace cxlmemd::test {

namespace {

// As many rules as fit into files of 1 MiB, 4 MiB together and 4,096 rules.
template <class Keys>
std::vector<SourceFile> rules(Keys match_of) {
    std::vector<SourceFile> out(1);
    std::size_t total = 0;
    for (std::size_t i = 0; i < max_rules; ++i) {
        const std::string rule =
            fmt::format("[[rule]]\nname=\"r{}\"\nmemory.mode=\"ignore\"\n[rule.match]\n{}\n", i, match_of(i));
        if (total + rule.size() > max_total_bytes) break;
        if (out.back().text.size() + rule.size() > max_file_bytes) out.emplace_back();
        out.back().text += rule;
        total += rule.size();
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i].name = fmt::format("{:03}.toml", i);
    return out;
}

template <class Entry>
std::string list(std::string_view key, std::size_t entries, Entry entry_of) {
    std::string out = fmt::format("{}=[", key);
    for (std::size_t k = 0; k < entries; ++k) out += fmt::format("{},", entry_of(k));
    return out + "]";
}

std::vector<SourceFile> many_serials() {
    return rules([](std::size_t i) {
        return list("memdev_serial", 200, [i](std::size_t k) { return i + k * 10'000; });
    });
}

// Nobody covers anybody, and that takes long to see: lists that agree but for their last entry.
std::vector<SourceFile> nearly_equal_serials() {
    return rules([](std::size_t i) {
        return list("memdev_serial", 200, [i](std::size_t k) { return k < 199 ? k : 100'000 + i; });
    });
}

std::vector<SourceFile> many_globs() {
    return rules([](std::size_t i) {
        return list("dax", 50, [i](std::size_t k) { return fmt::format("\"*a*{}*b*{}\"", i, k); });
    });
}

std::vector<SourceFile> long_globs() {
    return rules([](std::size_t i) {
        std::string pattern;
        while (pattern.size() < 240) pattern += "*a?";
        return list("dax", 3, [&](std::size_t k) { return fmt::format("\"{}{}.{}\"", pattern, i, k); });
    });
}

std::vector<SourceFile> globs_and_names() {
    return rules([](std::size_t i) {
        if (i % 2 == 0) {
            std::string pattern;
            while (pattern.size() < 240) pattern += "*a";
            return list("dax", 3, [&](std::size_t k) { return fmt::format("\"{}b{}{}\"", pattern, i, k); });
        }
        return list("dax", 3,
                    [&](std::size_t k) { return fmt::format("\"{}{}{}\"", std::string(240, 'a'), i, k); });
    });
}

std::vector<SourceFile> many_sizes() {
    return rules([](std::size_t i) {
        return list("size", 70, [i](std::size_t k) { return fmt::format("\"={}\"", 1 + i + k * 10'000); });
    });
}

std::vector<SourceFile> many_ranges() {
    return rules([](std::size_t i) {
        return list("phys_range", 30, [i](std::size_t k) {
            return fmt::format("\"{:#x}-{:#x}\"", k * 0x100000 + i, k * 0x100000 + i + 100);
        });
    });
}

std::vector<SourceFile> only_mistakes() {
    std::vector<SourceFile> out;
    for (std::size_t file = 0; file < max_total_bytes / max_file_bytes; ++file) {
        std::string text;
        for (std::size_t i = 0; text.size() + 20 < max_file_bytes; ++i) text += fmt::format("kee{}=1\n", i);
        out.push_back({fmt::format("{}.toml", file), std::move(text)});
    }
    return out;
}

std::vector<SourceFile> small_tables() {
    std::vector<SourceFile> out(max_total_bytes / max_file_bytes);
    for (std::size_t file = 0; file < out.size(); ++file) {
        out[file].name = fmt::format("{}.toml", file);
        while (out[file].text.size() + 10 < max_file_bytes) out[file].text += "[[rule]]\n";
    }
    return out;
}

std::vector<SourceFile> deep_tables() {
    std::vector<SourceFile> out(max_total_bytes / max_file_bytes);
    for (std::size_t file = 0; file < out.size(); ++file) {
        out[file].name = fmt::format("{}.toml", file);
        for (std::size_t i = 0; out[file].text.size() + 60 < max_file_bytes; ++i) {
            out[file].text += fmt::format("[a{}.b.c.d.e.f.g.h.i.j]\n", i);
        }
    }
    return out;
}

}  // namespace

const std::vector<LargeText>& large_texts() {
    static const std::vector<LargeText> texts{
        {"many_serials", many_serials},       {"nearly_equal_serials", nearly_equal_serials},
        {"many_globs", many_globs},           {"long_globs", long_globs},
        {"globs_and_names", globs_and_names}, {"many_sizes", many_sizes},
        {"many_ranges", many_ranges},         {"only_mistakes", only_mistakes},
        {"small_tables", small_tables},       {"deep_tables", deep_tables},
    };
    return texts;
}

}  // namespace cxlmemd::test
