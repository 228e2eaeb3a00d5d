#include "policy/match_words.h"

#include <fmt/format.h>

#include <array>

namespace cxlmemd {

namespace {

constexpr std::array all_keys{MatchKey::kind,
                              MatchKey::memdev_serial,
                              MatchKey::memdev_host,
                              MatchKey::region,
                              MatchKey::root_decoder,
                              MatchKey::dax,
                              MatchKey::target_node,
                              MatchKey::size,
                              MatchKey::interleave_ways,
                              MatchKey::qos_class,
                              MatchKey::read_latency,
                              MatchKey::write_latency,
                              MatchKey::read_bandwidth,
                              MatchKey::write_bandwidth,
                              MatchKey::phys_range,
                              MatchKey::host,
                              MatchKey::virtualization,
                              MatchKey::kernel_version,
                              MatchKey::firmware_vendor,
                              MatchKey::product,
                              MatchKey::backed_by};

constexpr std::string_view absent = "the kernel gives none";

std::string text(DaxKind kind) {
    return std::string{to_string(kind)};
}
std::string text(std::uint64_t serial) {
    return fmt::format("{:#x}", serial);
}
std::string text(int number) {
    return fmt::format("{}", number);
}
std::string text(NodeId node) {
    return text(node.value());
}
std::string text(const Glob& glob) {
    return glob.pattern;
}
std::string text(const std::string& word) {
    return word;
}
std::string text(std::string_view name) {
    return std::string{name};
}
std::string text(const std::pair<PhysAddr, PhysAddr>& range) {
    return fmt::format("{:#x}-{:#x}", range.first.value(), range.second.value());
}
std::string text(const PhysRange& range) {
    return fmt::format("{:#x}-{:#x}", range.start.value(), range.end().value() - 1);
}

std::string_view sign(Comparison op) {
    switch (op) {
        case Comparison::equal: return "";
        case Comparison::less: return "< ";
        case Comparison::less_equal: return "<= ";
        case Comparison::greater: return "> ";
        case Comparison::greater_equal: return ">= ";
    }
    return "";
}

using WithUnit = std::string (*)(std::uint64_t);

std::string as_size(std::uint64_t number) {
    return format_size(Bytes{number});
}
std::string as_number(std::uint64_t number) {
    return fmt::format("{}", number);
}
std::string as_latency(std::uint64_t number) {
    return fmt::format("{}ns", number);
}
std::string as_bandwidth(std::uint64_t number) {
    return fmt::format("{}MB/s", number);
}

template <class Items, class Text>
std::string joined(const Items& items, std::string_view separator, std::size_t most, Text text_of) {
    std::string out;
    std::size_t count = 0;
    for (const auto& item : items) {
        if (count == most) return fmt::format("{}{}{} more", out, separator, items.size() - most);
        if (count++ != 0) out += separator;
        out += text_of(item);
    }
    return out;
}

template <class Entry>
std::string entries(const std::vector<Entry>& list, std::size_t most) {
    return joined(list, " or ", most, [](const Entry& entry) { return text(entry); });
}

std::string compared(const std::vector<Compare>& list, std::size_t most, WithUnit with_unit) {
    return joined(list, " or ", most, [&](const Compare& entry) {
        return fmt::format("{}{}", sign(entry.op), with_unit(entry.number));
    });
}

template <class Items>
std::string each(const Items& items) {
    if (items.empty()) return std::string{absent};
    return joined(items, ", ", SIZE_MAX, [](const auto& item) { return text(item); });
}

// Of an hmem device only the addresses tell.
template <class Items>
std::string of_cards(const Facts& facts, const Items& items) {
    if (!items.empty() || facts.candidates.size() < 2) return each(items);
    return fmt::format("not known: it may be on any of {}; phys_range tells such memory apart",
                       each(facts.candidates));
}

std::string known(const std::string& fact) {
    return fact.empty() ? "not known" : fact;
}

template <class Fact>
std::string one(const std::optional<Fact>& fact) {
    return fact ? text(*fact) : std::string{absent};
}

std::string measured(std::optional<std::uint64_t> fact, WithUnit with_unit) {
    return fact ? with_unit(*fact) : std::string{absent};
}

}  // namespace

std::span<const MatchKey> match_keys() {
    return all_keys;
}

std::string wanted(MatchKey key, const Match& match, std::size_t most) {
    switch (key) {
        case MatchKey::kind: return entries(match.kind, most);
        case MatchKey::memdev_serial: return entries(match.memdev_serial, most);
        case MatchKey::memdev_host: return entries(match.memdev_host, most);
        case MatchKey::region: return entries(match.region, most);
        case MatchKey::root_decoder: return entries(match.root_decoder, most);
        case MatchKey::dax: return entries(match.dax, most);
        case MatchKey::target_node: return entries(match.target_node, most);
        case MatchKey::size: return compared(match.size, most, as_size);
        case MatchKey::interleave_ways: return compared(match.interleave_ways, most, as_number);
        case MatchKey::qos_class: return entries(match.qos_class, most);
        case MatchKey::read_latency: return compared(match.read_latency, most, as_latency);
        case MatchKey::write_latency: return compared(match.write_latency, most, as_latency);
        case MatchKey::read_bandwidth: return compared(match.read_bandwidth, most, as_bandwidth);
        case MatchKey::write_bandwidth: return compared(match.write_bandwidth, most, as_bandwidth);
        case MatchKey::phys_range: return entries(match.phys_range, most);
        case MatchKey::host: return entries(match.host, most);
        case MatchKey::virtualization: return entries(match.virtualization, most);
        case MatchKey::kernel_version: return entries(match.kernel_version, most);
        case MatchKey::firmware_vendor: return entries(match.firmware_vendor, most);
        case MatchKey::product: return entries(match.product, most);
        case MatchKey::backed_by: return match.backed_by_cxl ? "cxl" : "";
    }
    return {};
}

std::string seen(MatchKey key, const Facts& facts) {
    const DaxDevice& device = *facts.device;
    switch (key) {
        case MatchKey::kind: return text(device.kind);
        case MatchKey::memdev_serial: return of_cards(facts, facts.serials);
        case MatchKey::memdev_host: return of_cards(facts, facts.hosts);
        case MatchKey::region: return one(facts.region);
        case MatchKey::root_decoder: return one(facts.root_decoder);
        case MatchKey::dax: return device.id.name;
        case MatchKey::target_node: return text(device.target_node);
        case MatchKey::size: return as_size(device.size.value());
        case MatchKey::interleave_ways: return measured(facts.interleave_ways, as_number);
        case MatchKey::qos_class: return one(facts.qos_class);
        case MatchKey::read_latency: return measured(facts.read_latency, as_latency);
        case MatchKey::write_latency: return measured(facts.write_latency, as_latency);
        case MatchKey::read_bandwidth: return measured(facts.read_bandwidth, as_bandwidth);
        case MatchKey::write_bandwidth: return measured(facts.write_bandwidth, as_bandwidth);
        case MatchKey::phys_range: return each(device.ranges);
        case MatchKey::host: return known(facts.machine->name);
        case MatchKey::virtualization: return known(facts.machine->virtualization);
        case MatchKey::kernel_version: return known(facts.machine->kernel_version);
        case MatchKey::firmware_vendor: return known(facts.machine->firmware_vendor);
        case MatchKey::product: return known(facts.machine->product);
        case MatchKey::backed_by:
            return facts.backed_by_cxl ? "covered by no CXL window"
                                       : "not known: the kernel does not say where a CXL window lies";
    }
    return {};
}

}  // namespace cxlmemd
