// SPDX-License-Identifier: LGPL-2.1-or-later
#include "policy/check_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "policy/check_match.h"
#include "policy/fields.h"
#include "policy/spelling.h"
#include "policy/text.h"

namespace cxlmemd {

namespace {

constexpr std::array region_types{Word<RegionType>{"ram", RegionType::ram},
                                  Word<RegionType>{"pmem", RegionType::pmem}};
constexpr std::array<std::size_t, 8> cxl_ways{1, 2, 3, 4, 6, 8, 12, 16};
constexpr std::uint64_t hdm_alignment = 256ULL * 1024 * 1024;  // drivers/cxl/core/region.c, alloc_hpa()
constexpr std::uint64_t min_granularity = 256;
constexpr std::uint64_t max_granularity = 16384;

Parsed<std::optional<std::uint32_t>> interleave_weight(const syntax::Value& value) {
    constexpr std::string_view takes = R"("auto", "leave" or an integer from 1 to 255)";
    if (const auto* text = value.as<std::string>()) {
        if (*text == "leave") return std::optional<std::uint32_t>{};
        if (*text == "auto") return std::optional<std::uint32_t>{0};
        return tl::unexpected{fmt::format("{} is not an interleave_weight: {}", in_quotes(*text), takes)};
    }
    if (value.as<std::int64_t>() == nullptr)
        return tl::unexpected{wrong_type("interleave_weight", takes, value)};
    return integer_between("interleave_weight", 1, 255, value).map([](std::int64_t n) {
        return std::optional{static_cast<std::uint32_t>(n)};
    });
}

Parsed<std::uint32_t> granularity(const syntax::Value& value) {
    std::uint64_t bytes = 0;
    if (const auto* number = value.as<std::int64_t>()) {
        bytes = *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
    } else if (const auto* text = value.as<std::string>()) {
        const auto parsed = parse_size(*text);
        if (!parsed) return tl::unexpected{parsed.error()};
        bytes = parsed->value();
    } else {
        return tl::unexpected{wrong_type("interleave_granularity", "bytes, such as 256", value)};
    }
    if (!std::has_single_bit(bytes) || bytes < min_granularity || bytes > max_granularity) {
        return tl::unexpected{std::string{"interleave_granularity is a power of two from 256 to 16384"}};
    }
    return static_cast<std::uint32_t>(bytes);
}

Parsed<std::optional<Bytes>> region_size(const syntax::Value& value) {
    Bytes bytes;
    if (const auto* number = value.as<std::int64_t>()) {
        bytes = Bytes{*number < 0 ? 0 : static_cast<std::uint64_t>(*number)};
    } else if (const auto* text = value.as<std::string>()) {
        if (*text == "max") return std::optional<Bytes>{};
        const auto parsed = parse_size(*text);
        const bool starts_with_digit = !text->empty() && text->front() >= '0' && text->front() <= '9';
        if (!parsed && starts_with_digit) return tl::unexpected{parsed.error()};
        if (!parsed)
            return tl::unexpected{in_quotes(*text) + R"( is not a size: "max" or a size such as "16GiB")"};
        bytes = *parsed;
    } else {
        return tl::unexpected{wrong_type("size", R"("max" or a size such as "16GiB")", value)};
    }
    if (bytes.value() == 0) return tl::unexpected{std::string{"a region's size is more than 0"}};
    return std::optional{bytes};
}

// A host is what the kernel calls the card's function, and names one card.
Parsed<std::string> card_host(const syntax::Value& value) {
    return name_text("memdev_host", value).and_then([](const std::string& host) -> Parsed<std::string> {
        if (host.find_first_of("*?[") == std::string::npos) return host;
        return tl::unexpected{
            fmt::format("{} is a pattern: memdev_host of a region names one card, such as \"0000:0d:00.0\"",
                        in_quotes(host))};
    });
}

// The first that is listed twice.
template <class T>
std::optional<T> listed_twice(std::vector<T> list) {
    std::ranges::sort(list);
    const auto twice = std::ranges::adjacent_find(list);
    return twice == list.end() ? std::nullopt : std::optional{*twice};
}

void check_members(const Fields& fields, const RegionWish& region) {
    const syntax::Entry* serials = fields.find("memdev_serial");
    const syntax::Entry* hosts = fields.find("memdev_host");
    Report& report = fields.report();
    if (serials == nullptr && hosts == nullptr) {
        report.error(fields.at(),
                     "this region has no memdev_serial or memdev_host: list the cards that it is made of");
        return;
    }
    const auto at = (serials != nullptr ? serials : hosts)->value.at;
    if (serials != nullptr && hosts != nullptr && region.memdev_serial.size() != region.memdev_host.size()) {
        report.error(hosts->value.at,
                     fmt::format("memdev_host lists {} cards, memdev_serial {}: list the same cards in the "
                                 "same order, or leave one of them out",
                                 region.memdev_host.size(), region.memdev_serial.size()));
        return;
    }
    if (const auto twice = listed_twice(region.memdev_host)) {
        report.error(hosts->value.at, fmt::format("host {} is listed twice", *twice));
    } else if (const auto serial_twice = listed_twice(region.memdev_serial);
               serial_twice && hosts == nullptr) {
        report.error(at, fmt::format("serial {:#x} is listed twice", *serial_twice));
    } else if (std::ranges::find(cxl_ways, region.ways()) == cxl_ways.end() && region.ways() != 0) {
        report.error(at, fmt::format("{} memdevs cannot be interleaved: CXL takes 1, 2, 3, 4, 6, 8, 12 or 16",
                                     region.ways()));
    }
}

void check_size(const Fields& fields, const RegionWish& region) {
    if (!region.size || region.ways() == 0) return;
    const Bytes unit{hdm_alignment * region.ways()};
    if (region.size->value() % unit.value() == 0) return;
    fields.report().error(fields.find("size")->value.at,
                          fmt::format("{} is not a multiple of {}, 256MiB for each of {} memdevs",
                                      format_size(*region.size), format_size(unit), region.ways()));
}

void warn_of_spellings(const Fields& fields, const RegionWish& region) {
    const auto warn = [&](std::string_view key, Noun noun, const std::string& text) {
        if (auto warning = never_fits(noun, text))
            fields.report().warning(fields.find(key)->value.at, *warning);
    };
    for (const std::string& host : region.memdev_host) warn("memdev_host", Noun::host, host);
    if (!region.root_decoder.empty()) warn("root_decoder", Noun::root_decoder, region.root_decoder);
}

}  // namespace

NodeTuning check_node(Report& report, const syntax::Table& table, syntax::Position at) {
    const Fields fields{report, schema::node, table, at};
    NodeTuning out;
    out.place = report.place(at);
    if (fields.find("match") == nullptr) {
        report.error(at, "this [[node]] has no match; write match = { id = [1] } or { kind = \"cxl-ram\" }");
    } else if (const auto match = fields.table("match", schema::node_match)) {
        match->read_list("id", out.id, [](const syntax::Value& value) { return node_id("id", value); });
        match->read_list("kind", out.kind, one_word("kind", kind_words()));
        const bool by_id = match->find("id") != nullptr;
        const bool by_kind = match->find("kind") != nullptr;
        if (by_id == by_kind) {
            report.error(match->at(), by_id ? "match takes id or kind, not both" : "match needs id or kind");
        }
    }
    if (fields.find("interleave_weight") == nullptr) {
        report.error(at, "this [[node]] does nothing; add interleave_weight");
    }
    fields.read("interleave_weight", out.interleave_weight, interleave_weight);
    return out;
}

CheckedRegion check_region(Report& report, const syntax::Table& table, syntax::Position at) {
    const Fields fields{report, schema::region, table, at};
    CheckedRegion out;
    RegionWish& region = out.region;
    region.place = report.place(at);
    out.name_at = at;

    if (const syntax::Entry* name = fields.find("name")) {
        out.name_at = name->value.at;
        fields.read("name", region.name, [](const syntax::Value& value) { return name_text("name", value); });
    } else {
        report.error(at, "this region has no name; add name = \"...\"");
    }
    fields.read("type", region.type, one_word("type", std::span<const Word<RegionType>>{region_types}));
    const std::size_t errors_before = report.errors();
    fields.read_list("memdev_serial", region.memdev_serial,
                     [](const syntax::Value& value) { return serial("memdev_serial", value); });
    fields.read_list("memdev_host", region.memdev_host, card_host);
    const bool members_are_known = report.errors() == errors_before;
    fields.read("root_decoder", region.root_decoder,
                [](const syntax::Value& value) { return name_text("root_decoder", value); });
    if (region.root_decoder == "auto") region.root_decoder.clear();
    warn_of_spellings(fields, region);
    fields.read("node", region.node, [](const syntax::Value& value) {
        return node_id("node", value).map([](NodeId id) { return std::optional{id}; });
    });
    if (!region.root_decoder.empty() && fields.find("node") != nullptr) {
        report.error(fields.find("node")->at, "a region takes root_decoder or node, not both");
    }
    fields.read("interleave_granularity", region.interleave_granularity, granularity);
    fields.read("size", region.size, region_size);
    if (members_are_known) {
        check_members(fields, region);
        check_size(fields, region);
    }
    return out;
}

}  // namespace cxlmemd
