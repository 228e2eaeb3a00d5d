// SPDX-License-Identifier: LGPL-2.1-or-later
// What each D-Bus object shows, as plain comparable values. The daemon makes them, the objects hold
// one each and announce what differs. Paths are D-Bus object paths ("/" for none); 0 and -1 mean
// "unknown" where the introspection XML says so. Loop thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy.h"

namespace cxlmemd::bus {

struct ManagerFacts {
    std::string mode;
    std::string state;
    std::vector<std::string> policy_files;
    std::uint64_t policy_generation = 0;
    bool policy_pending = false;
    std::vector<Problem> policy_problems;  // of the files as last read
    std::vector<Problem> policy_problems_in_force;
    std::string kernel_auto_online;
    std::vector<std::pair<std::string, std::string>> conflicts;
    std::vector<std::string> features;
    std::uint64_t block_size = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_online = 0;
    double movable_ratio = 0;

    bool operator==(const ManagerFacts&) const = default;
};

struct PerformanceFacts {
    std::uint32_t read_latency = 0;
    std::uint32_t write_latency = 0;
    std::uint32_t read_bandwidth = 0;
    std::uint32_t write_bandwidth = 0;

    bool operator==(const PerformanceFacts&) const = default;
};

struct MemdevFacts {
    std::string name;
    std::uint64_t generation = 0;  // a change of it is another device
    std::uint64_t serial = 0;
    std::string host;
    std::int32_t numa_node = -1;
    std::uint64_t ram_size = 0;
    std::uint64_t pmem_size = 0;
    std::string firmware;
    std::string preparation;
    std::vector<std::string> regions;
    std::string reason;

    bool operator==(const MemdevFacts&) const = default;
};

struct RegionFacts {
    std::string name;
    std::uint64_t generation = 0;
    std::string type;
    std::uint64_t size = 0;
    std::uint64_t resource = 0;
    std::uint32_t interleave_ways = 0;
    std::uint32_t interleave_granularity = 0;
    std::string root_decoder;
    std::vector<std::string> memdevs;
    std::vector<std::string> dax_devices;
    std::int32_t target_node = -1;
    std::int32_t qos_class = -1;
    bool locked = false;
    bool enabled = true;
    PerformanceFacts performance;

    bool operator==(const RegionFacts&) const = default;
};

struct RootDecoderFacts {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t free = 0;
    std::vector<std::string> targets;
    std::uint32_t interleave_ways = 0;
    std::uint32_t interleave_granularity = 0;
    bool takes_ram = false;
    bool takes_pmem = false;
    std::int32_t qos_class = -1;
    std::vector<std::string> memdevs;

    bool operator==(const RootDecoderFacts&) const = default;
};

// Where a device lies in physical memory: what the properties show only where the kernel shows it to
// everyone.
struct DaxAddress {
    std::uint64_t start = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;

    bool operator==(const DaxAddress&) const = default;
};

struct DaxFacts {
    std::string name;
    DaxIdentity identity;  // a change of it is another device
    std::string kind;
    std::string region = "/";
    std::string root_decoder;
    std::vector<std::string> memdevs;
    std::string node = "/";
    std::int32_t target_node = -1;
    std::uint64_t size = 0;
    DaxAddress address;          // for those who may know
    std::uint64_t resource = 0;  // for everyone
    std::uint64_t align = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    std::string mode;
    std::string hotplug_state;
    std::string hotplug_note;
    std::string state;
    std::string zone;
    std::uint32_t blocks_total = 0;
    std::uint32_t blocks_online = 0;
    std::uint32_t blocks_movable = 0;
    std::uint64_t bytes_online = 0;
    std::uint64_t bytes_stranded = 0;
    std::string rule;
    std::string reason;
    bool in_policy = false;
    bool held = false;
    bool reboot_required = false;
    std::pair<std::string, std::string> last_error;

    bool operator==(const DaxFacts&) const = default;
};

struct NodeFacts {
    std::string name;  // "node1"
    std::int32_t id = -1;
    bool has_cpu = false;
    std::uint64_t bytes_online = 0;
    std::uint64_t bytes_movable = 0;
    std::int32_t tier = -1;
    PerformanceFacts performance;
    std::uint32_t interleave_weight = 0;
    std::vector<std::string> dax_devices;

    bool operator==(const NodeFacts&) const = default;
};

struct JobFacts {
    std::uint32_t id = 0;
    std::string operation;
    std::string object;
    std::string state;
    double progress = 0;
    std::uint32_t blocks_done = 0;
    std::uint32_t blocks_total = 0;
    std::uint32_t started_by = 0;
    std::string result;
    std::pair<std::string, std::string> error;

    bool operator==(const JobFacts&) const = default;
};

// What changes in a node when a block does.
struct NodeMemory {
    std::string name;
    std::uint64_t bytes_online = 0;
    std::uint64_t bytes_movable = 0;
};

// What is different in a few objects that stay.
struct Changes {
    ManagerFacts manager;
    std::vector<NodeMemory> nodes;
    std::vector<DaxFacts> dax_devices;
};

// Everything below the root but jobs, in the order in which objects are announced.
struct Snapshot {
    ManagerFacts manager;
    std::vector<MemdevFacts> memdevs;
    std::vector<RegionFacts> regions;
    std::vector<RootDecoderFacts> root_decoders;
    std::vector<NodeFacts> nodes;
    std::vector<DaxFacts> dax_devices;
};

}  // namespace cxlmemd::bus
