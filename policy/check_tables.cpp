#include "policy/check_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "policy/check_match.h"
#include "policy/fields.h"
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
        return tl::unexpected{fmt::format("{} is no interleave_weight: {}", in_quotes(*text), takes)};
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
            return tl::unexpected{in_quotes(*text) + R"( is no size: "max" or a size such as "16GiB")"};
        bytes = *parsed;
    } else {
        return tl::unexpected{wrong_type("size", R"("max" or a size such as "16GiB")", value)};
    }
    if (bytes.value() == 0) return tl::unexpected{std::string{"a region's size is more than 0"}};
    return std::optional{bytes};
}

void check_members(const Fields& fields, const RegionWish& region) {
    const syntax::Entry* entry = fields.find("memdev_serial");
    if (entry == nullptr) {
        fields.report().error(fields.at(),
                              "this region has no memdev_serial: list the cards that it is made of");
        return;
    }
    std::vector<std::uint64_t> sorted = region.memdev_serial;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
        fields.report().error(entry->value.at, fmt::format("serial {:#x} is listed twice", *twice));
    } else if (std::ranges::find(cxl_ways, sorted.size()) == cxl_ways.end() && !sorted.empty()) {
        fields.report().error(
            entry->value.at,
            fmt::format("{} memdevs cannot be interleaved: CXL takes 1, 2, 3, 4, 6, 8, 12 or 16",
                        sorted.size()));
    }
}

void check_size(const Fields& fields, const RegionWish& region) {
    if (!region.size || region.memdev_serial.empty()) return;
    const Bytes unit{hdm_alignment * region.memdev_serial.size()};
    if (region.size->value() % unit.value() == 0) return;
    fields.report().error(
        fields.find("size")->value.at,
        fmt::format("{} is no multiple of {}, 256MiB for each of {} memdevs", format_size(*region.size),
                    format_size(unit), region.memdev_serial.size()));
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
    const bool members_are_known = report.errors() == errors_before;
    fields.read("root_decoder", region.root_decoder,
                [](const syntax::Value& value) { return name_text("root_decoder", value); });
    if (region.root_decoder == "auto") region.root_decoder.clear();
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
