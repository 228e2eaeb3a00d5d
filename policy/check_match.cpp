#include "policy/check_match.h"

#include <fmt/format.h>

#include <array>

#include "policy/host_match.h"
#include "policy/interval.h"
#include "policy/spelling.h"

namespace cxlmemd {

namespace {

constexpr std::array kinds{Word<DaxKind>{"cxl-ram", DaxKind::cxl_ram},
                           Word<DaxKind>{"cxl-pmem", DaxKind::cxl_pmem}, Word<DaxKind>{"hmem", DaxKind::hmem},
                           Word<DaxKind>{"pmem", DaxKind::pmem}};

constexpr std::array spelled_keys{std::pair{std::string_view{"memdev_host"}, Noun::host},
                                  std::pair{std::string_view{"region"}, Noun::region},
                                  std::pair{std::string_view{"root_decoder"}, Noun::root_decoder},
                                  std::pair{std::string_view{"dax"}, Noun::dax}};

constexpr std::int64_t max_node = 1023;
constexpr std::int64_t max_qos_class = 65535;  // 16 bits in the CFMWS structure

std::string_view comparison_example(Quantity quantity) {
    switch (quantity) {
        case Quantity::size: return R"(a comparison such as ">= 16GiB", or bytes)";
        case Quantity::latency: return R"(a comparison such as "<= 400ns", or nanoseconds)";
        case Quantity::bandwidth: return R"(a comparison such as ">= 16GB/s", or MB/s)";
        case Quantity::ways: return R"(a comparison such as ">= 2", or a number)";
    }
    return "a comparison";
}

// A list means any of: [">= 16GiB", "< 1TiB"] holds for every size, which nobody wants to say.
void warn_if_always_true(const Fields& fields, std::string_view key, const std::vector<Compare>& list,
                         Quantity quantity) {
    if (list.size() < 2) return;
    std::vector<Interval> intervals;
    for (const Compare& compare : list) {
        if (const auto interval = interval_of(compare, quantity)) intervals.push_back(*interval);
    }
    if (covers(merged(std::move(intervals)), possible(quantity))) {
        fields.report().warning(fields.find(key)->value.at,
                                fmt::format("this list holds for every {}: a list means any of, not all of",
                                            to_string(quantity)));
    }
}

void read_comparisons(const Fields& fields, std::string_view key, Quantity quantity,
                      std::vector<Compare>& out) {
    fields.read_list(key, out, [&](const syntax::Value& value) -> Parsed<Compare> {
        if (const auto* number = value.as<std::int64_t>()) return compare_equal(*number, quantity);
        if (const auto* text = value.as<std::string>()) return parse_compare(*text, quantity);
        return tl::unexpected{wrong_type(key, comparison_example(quantity), value)};
    });
    warn_if_always_true(fields, key, out, quantity);
}

void read_globs(const Fields& fields, std::string_view key, std::string_view takes, std::vector<Glob>& out) {
    fields.read_list(key, out, from_text(key, takes, parse_glob));
}

constexpr std::array backings{Word<bool>{"cxl", true}};

void check_host(const Fields& fields, Match& out) {
    read_globs(fields, "host", R"(a pattern such as "db*", or a machine ID)", out.host);
    fields.read_list(
        "virtualization", out.virtualization, [](const syntax::Value& value) -> Parsed<std::string> {
            if (const auto* truth = value.as<bool>()) return *truth ? "yes" : "no";
            if (const auto* text = value.as<std::string>()) return parse_virtualization(*text);
            return tl::unexpected{
                wrong_type("virtualization", R"(a word such as "vm" or "none", or a boolean)", value)};
        });
    fields.read_list("kernel_version", out.kernel_version,
                     from_text("kernel_version", R"(a comparison such as ">= 6.12")", parse_kernel_version));
    read_globs(fields, "firmware_vendor", R"(a pattern such as "American Megatrends*")", out.firmware_vendor);
    read_globs(fields, "product", R"(a pattern such as "PowerEdge*")", out.product);
}

// Each text of the key, with its place.
template <class Visit>
void visit_texts(const Fields& fields, std::string_view key, Visit visit) {
    const syntax::Entry* entry = fields.find(key);
    if (entry == nullptr) return;
    const auto each = [&](const syntax::Value& value) {
        if (const auto* text = value.as<std::string>()) visit(value.at, *text);
    };
    if (const auto* list = entry->value.as<syntax::List>()) {
        for (const syntax::Value& value : *list) each(value);
    } else {
        each(entry->value);
    }
}

// Of sizes that nothing is as small as: a unit was forgotten.
void warn_of_small_sizes(const Fields& fields, std::string_view key) {
    const auto warn = [&](const syntax::Value& value) {
        std::optional<std::uint64_t> bytes;
        if (const auto* number = value.as<std::int64_t>()) {
            if (*number > 0) bytes = static_cast<std::uint64_t>(*number);
        } else if (const auto* text = value.as<std::string>()) {
            const auto compare = parse_compare(*text, Quantity::size);
            if (compare && compare->number != 0) bytes = compare->number;
        }
        // What no device, region or block of the kernel's is smaller than.
        constexpr std::uint64_t smallest = 1ULL << 20;
        if (!bytes || *bytes >= smallest) return;
        fields.report().warning(value.at,
                                fmt::format("{} of {} bytes is smaller than any memory: without a unit it "
                                            "is bytes; for GiB write \"{}GiB\"",
                                            key, *bytes, *bytes));
    };
    const syntax::Entry* entry = fields.find(key);
    if (entry == nullptr) return;
    if (const auto* list = entry->value.as<syntax::List>()) {
        for (const syntax::Value& value : *list) warn(value);
    } else {
        warn(entry->value);
    }
}

void warn_of_spellings(const Fields& fields) {
    for (const auto& [key, noun] : spelled_keys) {
        visit_texts(fields, key, [&, noun = noun](syntax::Position at, const std::string& text) {
            if (auto warning = never_fits(noun, text)) fields.report().warning(at, std::move(*warning));
        });
    }
    warn_of_small_sizes(fields, "size");
}

}  // namespace

std::span<const Word<DaxKind>> kind_words() {
    return kinds;
}

Parsed<NodeId> node_id(std::string_view key, const syntax::Value& value) {
    return integer_between(key, 0, max_node, value).map([](std::int64_t n) {
        return NodeId{static_cast<int>(n)};
    });
}

Parsed<std::uint64_t> serial(std::string_view key, const syntax::Value& value) {
    if (const auto* number = value.as<std::int64_t>()) {
        if (*number >= 0) return static_cast<std::uint64_t>(*number);
        return tl::unexpected{fmt::format(
            "{} is no serial number: it cannot be negative; write a large one as a string, \"{:#x}\"",
            *number, static_cast<std::uint64_t>(*number))};
    }
    if (const auto* text = value.as<std::string>()) return parse_serial(*text);
    return tl::unexpected{wrong_type(key, "a number, or a string in decimal or 0x hex", value)};
}

Match check_match(const Fields& fields) {
    Match out;
    fields.read_list("kind", out.kind, one_word("kind", kind_words()));
    fields.read_list("memdev_serial", out.memdev_serial,
                     [](const syntax::Value& value) { return serial("memdev_serial", value); });
    read_globs(fields, "memdev_host", R"(a pattern such as "0000:0d:*")", out.memdev_host);
    read_globs(fields, "region", R"(a pattern such as "region*")", out.region);
    read_globs(fields, "root_decoder", R"(a pattern such as "decoder0.*")", out.root_decoder);
    read_globs(fields, "dax", R"(a pattern such as "dax0.*")", out.dax);
    fields.read_list("target_node", out.target_node,
                     [](const syntax::Value& value) { return node_id("target_node", value); });
    read_comparisons(fields, "size", Quantity::size, out.size);
    read_comparisons(fields, "interleave_ways", Quantity::ways, out.interleave_ways);
    fields.read_list("qos_class", out.qos_class, [](const syntax::Value& value) {
        return integer_between("qos_class", 0, max_qos_class, value).map([](std::int64_t n) {
            return static_cast<int>(n);
        });
    });
    read_comparisons(fields, "read_latency", Quantity::latency, out.read_latency);
    read_comparisons(fields, "write_latency", Quantity::latency, out.write_latency);
    read_comparisons(fields, "read_bandwidth", Quantity::bandwidth, out.read_bandwidth);
    read_comparisons(fields, "write_bandwidth", Quantity::bandwidth, out.write_bandwidth);
    fields.read_list(
        "phys_range", out.phys_range,
        from_text("phys_range", R"(a string such as "0x590000000-0x98fffffff")", parse_phys_range));
    check_host(fields, out);
    bool backed = false;
    if (fields.read("backed_by", backed, one_word("backed_by", std::span<const Word<bool>>{backings})))
        out.backed_by_cxl = backed;
    warn_of_spellings(fields);
    return out;
}

}  // namespace cxlmemd
