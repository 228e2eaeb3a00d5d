// SPDX-License-Identifier: LGPL-2.1-or-later
// A checked policy as one immutable value: what compile() makes of policy files and what decide()
// reads. Every rule knows the place it was written at, so that a decision can name it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/topology.h"
#include "policy/units.h"

namespace cxlmemd {

// A place in a policy file. Lines and columns count from 1; 0 is "the file as a whole".
struct Place {
    std::string file;
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    bool operator==(const Place&) const = default;
};

enum class Severity : std::uint8_t { warning, error };

// Something wrong in a policy file. `message` is one sentence, says what to write instead where
// that is known, and does not repeat the place.
struct Problem {
    Place place;
    Severity severity = Severity::error;
    std::string message;

    bool operator==(const Problem&) const = default;
};

// "file:line:column: error: message"
[[nodiscard]] std::string to_string(const Problem& problem);
[[nodiscard]] bool has_errors(const std::vector<Problem>& problems);

// A pattern with *, ? and [...] as fnmatch(3) without flags reads it.
struct Glob {
    std::string pattern;

    bool operator==(const Glob&) const = default;
};

enum class Comparison : std::uint8_t { equal, less, less_equal, greater, greater_equal };

// ">= 16GiB": the fact on the left, the number on the right. The number's unit is the fact's
// (bytes, nanoseconds, MB/s, ways).
struct Compare {
    Comparison op = Comparison::equal;
    std::uint64_t number = 0;

    bool operator==(const Compare&) const = default;
};

// What the memory of a device lies in: cxl, if a CXL window covers all of it.
enum class Backing : std::uint8_t { none, cxl };

// [rule.match]. An empty list means that the key was not written; else any entry of it must fit.
// All keys that were written must hold.
struct Match {
    std::vector<DaxKind> kind;
    std::vector<std::uint64_t> memdev_serial;  // every memdev behind the device must be listed
    std::vector<Glob> memdev_host;
    std::vector<Glob> region;
    std::vector<Glob> root_decoder;
    std::vector<Glob> dax;
    std::vector<NodeId> target_node;
    std::vector<Compare> size;
    std::vector<Compare> interleave_ways;
    std::vector<int> qos_class;
    std::vector<Compare> read_latency;     // ns
    std::vector<Compare> write_latency;    // ns
    std::vector<Compare> read_bandwidth;   // MB/s
    std::vector<Compare> write_bandwidth;  // MB/s
    // Inclusive first and last byte; each range of the device must lie inside one of them.
    std::vector<std::pair<PhysAddr, PhysAddr>> phys_range;
    // Which machine it is; see HostFacts. One that is not known fits nothing.
    std::vector<Glob> host{};  // the host name or the machine ID
    std::vector<std::string>
        virtualization{};  // "kvm", "vm", "container", "yes", "no", "!vm"; see host_match.h
    std::vector<std::string> kernel_version{};  // ">= 6.12 < 7.1", "6.12.*"; see host_match.h
    std::vector<Glob> firmware_vendor{};
    std::vector<Glob> product{};
    std::vector<Backing> backed_by{};
    std::vector<Glob> firmware{};  // of the cards
    std::vector<std::string> nvdimm_uuid{};

    bool operator==(const Match&) const = default;
};

// What a rule or an administrator may ask of a device.
enum class ModeWish : std::uint8_t { system_ram, devdax, famfs, ignore };
enum class ZoneWish : std::uint8_t { movable, kernel, automatic };
enum class OnConflict : std::uint8_t { rezone, keep };
enum class Drift : std::uint8_t { report, enforce };
// How a whole device comes online in one zone and goes offline: block by block, or by daxX.Y/state of 7.3.
enum class OnlineBy : std::uint8_t { blocks, state };

struct AmountAll {
    bool operator==(const AmountAll&) const = default;
};
struct AmountNone {
    bool operator==(const AmountNone&) const = default;
};
struct AmountPercent {
    std::uint32_t percent = 0;  // 0..100, of the device's whole blocks, rounded towards less
    bool operator==(const AmountPercent&) const = default;
};
struct AmountBytes {
    Bytes bytes;  // rounded towards less to whole blocks
    bool operator==(const AmountBytes&) const = default;
};
using Amount = std::variant<AmountAll, AmountNone, AmountPercent, AmountBytes>;

// How memory is taken offline.
struct DrainSettings {
    std::uint64_t timeout_usec = 60'000'000;  // for the whole drain; 0 is "no limit"
    std::uint32_t retries = 5;                // further rounds for blocks the kernel said busy to
    bool rollback = true;                     // a failed drain puts back what it took

    bool operator==(const DrainSettings&) const = default;
};

// What zone = "auto" comes to on a given machine; see auto_zone.h.
struct Split {
    std::uint64_t movable_blocks = 0;  // the highest of the wanted ones; the others go to a kernel zone
    double max_ratio = 0;              // the max_movable_ratio that this follows from

    bool operator==(const Split&) const = default;
};

// What is wanted of one device: from a rule, or from an administrator's call.
struct Goal {
    ModeWish mode = ModeWish::system_ram;
    ZoneWish zone = ZoneWish::movable;
    // With zone automatic and a max_movable_ratio: set by decide(). Else automatic is movable.
    std::optional<Split> split;
    Amount amount = AmountAll{};
    std::vector<NodeId> require_node;  // empty: any
    OnConflict on_conflict = OnConflict::rezone;
    Drift drift = Drift::report;
    DrainSettings drain;
    OnlineBy online_by = OnlineBy::blocks;

    bool operator==(const Goal&) const = default;
};

struct Rule {
    std::string name;  // unique over all files
    std::string description;
    Place place;  // of the rule's [[rule]] header (or its name)
    Match match;
    Goal goal;

    bool operator==(const Rule&) const = default;
};

// [[node]]: see tuning.h.
struct NodeTuning {
    Place place;
    std::vector<NodeId> id;
    std::vector<DaxKind> kind;
    // nullopt: "leave"; 0: "auto"; else the weight 1..255
    std::optional<std::uint32_t> interleave_weight;

    bool operator==(const NodeTuning&) const = default;
};

// [[region]]: see region_wishes.h.
struct RegionWish {
    std::string name;
    Place place;
    RegionType type = RegionType::ram;
    std::vector<std::uint64_t> memdev_serial;  // in interleave order
    std::string root_decoder;                  // empty: "auto"
    std::optional<NodeId> node;
    // nullopt: what the root decoder interleaves its host bridges with; 256 if it has one.
    std::optional<std::uint32_t> interleave_granularity;
    std::optional<Bytes> size;  // nullopt: "max"
    // Beside memdev_serial, of the same length, or instead of it: Memdev::host of the cards.
    std::vector<std::string> memdev_host{};

    // How many cards it names.
    [[nodiscard]] std::size_t ways() const { return std::max(memdev_serial.size(), memdev_host.size()); }
    bool operator==(const RegionWish&) const = default;
};

struct Policy {
    std::vector<Rule> rules;  // in the order in which they are tried
    std::vector<NodeTuning> nodes;
    std::vector<RegionWish> regions;
    // Of daemon.toml: movable : kernel memory of the whole machine, > 0; what zone = "auto" keeps to.
    std::optional<double> max_movable_ratio;

    bool operator==(const Policy&) const = default;
};

[[nodiscard]] std::string_view to_string(ModeWish wish);    // "system-ram", "devdax", "famfs", "ignore"
[[nodiscard]] std::string_view to_string(ZoneWish wish);    // "movable", "kernel", "auto"
[[nodiscard]] std::string to_string(const Amount& amount);  // "all", "none", "50%", "16GiB"
// "512MiB", "16GiB", "1000B": the largest binary unit that divides evenly.
[[nodiscard]] std::string format_size(Bytes bytes);

}  // namespace cxlmemd
