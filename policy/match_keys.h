// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of the keys of [rule.match]: a row a key. How a key is parsed, whether it holds, how it is put
// into words, how it is looked up among thousands of rules and which rules it makes unreachable follow from
// its row.
//
// A new key is a field of Match, a field of Facts with its line in facts_of(), a row, and a line in
// docs/policy-guide.md. Pure, any thread.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "policy/check_match.h"
#include "policy/host_match.h"
#include "policy/interval.h"
#include "policy/match.h"
#include "policy/policy.h"
#include "policy/spelling.h"
#include "policy/syntax.h"
#include "policy/values.h"

namespace cxlmemd::keys {

// Whether a fact is the device's own, of the cards behind it, or the same for all devices of a machine.
enum class Of : std::uint8_t { device, cards, machine };

// One of two names of the same thing; either may be empty: not known.
struct Either {
    std::string_view first;
    std::string_view second;
};

// `fact`, of Facts, is an optional value; or a list of which each has to fit, empty if it is not known; or
// Either.
template <class E, Of scope, class FactOf>
struct Key {
    using Entry = E;
    static constexpr Of of = scope;

    std::string_view name;
    std::vector<Entry> Match::*entries;
    FactOf fact;
    std::string_view absent = of == Of::machine ? "not known" : "the kernel reports none";
};

// Patterns of a name. `takes` says what to write; `noun`, if the kernel's way to write such names is known.
template <Of scope, class FactOf>
struct PatternKey : Key<Glob, scope, FactOf> {
    std::string_view takes;
    std::optional<Noun> noun;
};

// Comparisons of a number.
template <Of scope, class FactOf>
struct NumberKey : Key<Compare, scope, FactOf> {
    Quantity quantity;
};

// Values that are listed.
template <class E, Of scope, class FactOf>
struct ValueKey : Key<E, scope, FactOf> {
    Parsed<E> (*read)(std::string_view key, const syntax::Value& value);
};

// Inclusive ranges of addresses.
template <Of scope, class FactOf>
struct RangeKey : Key<std::pair<PhysAddr, PhysAddr>, scope, FactOf> {};

// Words with rules of their own. `fits(word, fact)`.
template <Of scope, class FactOf>
struct ConditionKey : Key<std::string, scope, FactOf> {
    Parsed<std::string> (*read)(std::string_view key, const syntax::Value& value);
    bool (*fits)(std::string_view word, std::string_view fact);
};

template <Of scope = Of::device, class FactOf>
constexpr auto pattern(std::string_view name, std::vector<Glob> Match::*entries, FactOf fact,
                       std::string_view takes, std::optional<Noun> noun = std::nullopt) {
    return PatternKey<scope, FactOf>{{name, entries, fact}, takes, noun};
}

template <class FactOf>
constexpr auto number(std::string_view name, std::vector<Compare> Match::*entries, FactOf fact,
                      Quantity quantity) {
    return NumberKey<Of::device, FactOf>{{name, entries, fact}, quantity};
}

template <Of scope = Of::device, class E, class FactOf>
constexpr auto value(std::string_view name, std::vector<E> Match::*entries, FactOf fact,
                     Parsed<E> (*read)(std::string_view, const syntax::Value&)) {
    return ValueKey<E, scope, FactOf>{{name, entries, fact}, read};
}

template <class FactOf>
constexpr auto range(std::string_view name, std::vector<std::pair<PhysAddr, PhysAddr>> Match::*entries,
                     FactOf fact) {
    return RangeKey<Of::device, FactOf>{{name, entries, fact}};
}

template <class FactOf>
constexpr auto condition(std::string_view name, std::vector<std::string> Match::*entries, FactOf fact,
                         Parsed<std::string> (*read)(std::string_view, const syntax::Value&),
                         bool (*fits)(std::string_view, std::string_view)) {
    return ConditionKey<Of::machine, FactOf>{{name, entries, fact}, read, fits};
}

template <class Row>
constexpr auto said_if_absent(Row row, std::string_view words) {
    row.absent = words;
    return row;
}

[[nodiscard]] inline std::optional<std::string_view> known(const std::string& fact) {
    return fact.empty() ? std::nullopt : std::optional<std::string_view>{fact};
}

// In the order in which they are asked and shown.
inline constexpr std::tuple table{
    value(
        "kind", &Match::kind, [](const Facts& f) { return std::optional{f.device->kind}; }, dax_kind),
    value<Of::cards>("memdev_serial", &Match::memdev_serial, &Facts::serials, serial),
    pattern<Of::cards>("memdev_host", &Match::memdev_host, &Facts::hosts, R"(a pattern such as "0000:0d:*")",
                       Noun::host),
    pattern("region", &Match::region, &Facts::region, R"(a pattern such as "region*")", Noun::region),
    pattern("root_decoder", &Match::root_decoder, &Facts::root_decoder, R"(a pattern such as "decoder0.*")",
            Noun::root_decoder),
    pattern(
        "dax", &Match::dax, [](const Facts& f) { return std::optional<std::string_view>{f.device->id.name}; },
        R"(a pattern such as "dax0.*")", Noun::dax),
    value(
        "target_node", &Match::target_node,
        [](const Facts& f) { return std::optional{f.device->target_node}; }, node_id),
    number(
        "size", &Match::size, [](const Facts& f) { return std::optional{f.device->size.value()}; },
        Quantity::size),
    number("interleave_ways", &Match::interleave_ways, &Facts::interleave_ways, Quantity::ways),
    value("qos_class", &Match::qos_class, &Facts::qos_class, qos_class),
    number("read_latency", &Match::read_latency, &Facts::read_latency, Quantity::latency),
    number("write_latency", &Match::write_latency, &Facts::write_latency, Quantity::latency),
    number("read_bandwidth", &Match::read_bandwidth, &Facts::read_bandwidth, Quantity::bandwidth),
    number("write_bandwidth", &Match::write_bandwidth, &Facts::write_bandwidth, Quantity::bandwidth),
    range("phys_range", &Match::phys_range,
          [](const Facts& f) -> const std::vector<PhysRange>& { return f.device->ranges; }),
    pattern<Of::machine>(
        "host", &Match::host,
        [](const Facts& f) {
            return Either{f.machine->name, f.machine->machine_id};
        },
        R"(a pattern such as "db*", or a machine ID)"),
    condition(
        "virtualization", &Match::virtualization,
        [](const Facts& f) { return known(f.machine->virtualization); }, virtualization, fits_virtualization),
    condition(
        "kernel_version", &Match::kernel_version,
        [](const Facts& f) { return known(f.machine->kernel_version); }, kernel_version, fits_kernel_version),
    pattern<Of::machine>(
        "firmware_vendor", &Match::firmware_vendor,
        [](const Facts& f) { return known(f.machine->firmware_vendor); },
        R"(a pattern such as "American Megatrends*")"),
    pattern<Of::machine>(
        "product", &Match::product, [](const Facts& f) { return known(f.machine->product); },
        R"(a pattern such as "PowerEdge*")"),
    pattern<Of::cards>("firmware", &Match::firmware, &Facts::firmware, R"(a pattern such as "1.2.*")"),
    said_if_absent(value(
                       "nvdimm_uuid", &Match::nvdimm_uuid,
                       [](const Facts& f) {
                           return f.device->nvdimm_uuid.empty() ? std::nullopt
                                                                : std::optional{f.device->nvdimm_uuid};
                       },
                       nvdimm_uuid),
                   "not known: it is no namespace, or the kernel does not say which"),
    said_if_absent(value("backed_by", &Match::backed_by, &Facts::backed_by, backing),
                   "not known: the kernel does not say where a CXL window lies"),
};

inline constexpr std::size_t count = std::tuple_size_v<std::remove_const_t<decltype(table)>>;

// Calls `ask(row, key)` for each row until it answers true; whether one did.
template <class Ask>
constexpr bool any(Ask ask) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return (ask(std::get<i>(table), MatchKey{i}) || ...);
    }
    (std::make_index_sequence<count>{});
}

// Calls `visit(row, key)` for each row.
template <class Visit>
constexpr void each(Visit visit) {
    any([&](const auto& row, MatchKey key) {
        visit(row, key);
        return false;
    });
}

// Each row with what `parts`, a tuple as long as the table, has in the same place.
template <class Parts, class Visit>
constexpr bool all_with(Parts& parts, Visit visit) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
        return (visit(std::get<i>(table), std::get<i>(parts)) && ...);
    }
    (std::make_index_sequence<count>{});
}

// A tuple of `make(row)`.
template <class Make>
constexpr auto of_each(Make make) {
    return std::apply([&](const auto&... row) { return std::tuple{make(row)...}; }, table);
}

inline constexpr std::array names =
    std::apply([](const auto&... row) { return std::array{row.name...}; }, table);

}  // namespace cxlmemd::keys
