// SPDX-License-Identifier: LGPL-2.1-or-later
// Nodes, their tiers, performance and weights: mm/memory-tiers.c, drivers/cxl/core/cdat.c.
#include <algorithm>
#include <cerrno>
#include <limits>
#include <numeric>

#include "backends/emulator/machine.h"

namespace cxlmemd::emulator {

namespace {

constexpr int dram_tier = 4;
constexpr int kmem_tier = 22;  // what kmem gives memory that nothing is known of
constexpr std::uint64_t dram_distance = 576;

struct Performance {
    std::uint64_t latency = 0;    // read and write, added up
    std::uint64_t bandwidth = 0;  // the same
};

std::optional<Performance> performance(const AccessCoordinates& access) {
    if (!access.read_latency || !access.write_latency || !access.read_bandwidth || !access.write_bandwidth) {
        return std::nullopt;
    }
    const Performance out{std::uint64_t{access.read_latency->value()} + access.write_latency->value(),
                          std::uint64_t{access.read_bandwidth->value()} + access.write_bandwidth->value()};
    if (out.latency == 0 || out.bandwidth == 0) return std::nullopt;
    return out;
}

// The kernel's automatic weights, in the order of `nodes`: an unknown bandwidth counts as 0 (mm/mempolicy.c,
// reduce_interleave_weights).
std::vector<std::uint32_t> weights_by_bandwidth(const std::vector<AccessCoordinates>& nodes) {
    std::vector<std::uint64_t> bandwidth;
    for (const AccessCoordinates& access : nodes) {
        const bool known = access.read_bandwidth && access.write_bandwidth;
        bandwidth.push_back(known ? std::min(access.read_bandwidth->value(), access.write_bandwidth->value())
                                  : 0);
    }
    const std::uint64_t sum =
        std::max<std::uint64_t>(std::accumulate(bandwidth.begin(), bandwidth.end(), std::uint64_t{0}), 1);
    std::uint64_t divisor = 0;
    for (std::uint64_t& value : bandwidth) {
        value = std::max<std::uint64_t>(32 * value / sum, 1);
        divisor = std::gcd(divisor, value);
    }
    std::vector<std::uint32_t> weights;
    for (const std::uint64_t value : bandwidth)
        weights.push_back(static_cast<std::uint32_t>(value / divisor));
    return weights;
}

}  // namespace

const NodeDescription* Machine::described(NodeId node) const {
    const auto it = std::ranges::find(nodes_, node, &NodeDescription::id);
    return it == nodes_.end() ? nullptr : &*it;
}

// What is there without any dax device.
const NodeDescription* Machine::own_memory(NodeId node) const {
    const NodeDescription* it = described(node);
    if (it == nullptr) return nullptr;
    const bool own = it->has_cpu || it->present || it->kernel_bytes.value() != 0 ||
                     it->movable_bytes.value() != 0 || firmware_nodes_.contains(node);
    return own ? it : nullptr;  // else it is there for its coordinates only
}

// drivers/cxl/core/cdat.c, cxl_region_perf_data_calculate(): the worst latency and the bandwidths added up,
// of those memdevs that say anything.
AccessCoordinates Machine::access_by(const std::vector<std::string>& memdevs) const {
    AccessCoordinates out;
    const auto worst = [](auto& all, const auto& one) {
        if (one) all = std::max(*one, all.value_or(*one));
    };
    const auto sum = [](std::optional<MegabytesPerSecond>& all,
                        const std::optional<MegabytesPerSecond>& one) {
        if (!one) return;
        const std::uint64_t both = std::uint64_t{one->value()} + (all ? all->value() : 0U);
        all = MegabytesPerSecond{static_cast<std::uint32_t>(
            std::min<std::uint64_t>(both, std::numeric_limits<std::uint32_t>::max()))};
    };
    for (const std::string& name : memdevs) {
        const auto it = memdev_access_.find(name);
        if (it == memdev_access_.end()) continue;
        worst(out.read_latency, it->second.read_latency);
        worst(out.write_latency, it->second.write_latency);
        sum(out.read_bandwidth, it->second.read_bandwidth);
        sum(out.write_bandwidth, it->second.write_bandwidth);
    }
    return out;
}

AccessCoordinates Machine::access_of(NodeId node) const {
    const NodeDescription* own = described(node);
    if (own != nullptr && (own->access_shown || own->access != AccessCoordinates{})) return own->access;
    for (const Dax& dax : dax_devices_) {
        if (dax.device.target_node != node) continue;
        const auto region = std::ranges::find(regions_, dax.device.id.region, &Region::name);
        if (region != regions_.end() && region->access != AccessCoordinates{}) return region->access;
    }
    return {};
}

// drivers/cxl/core/region.c, cxl_region_perf_attrs_callback(): the node has got its first memory.
void Machine::tell_performance(NodeId node) {
    const auto region = std::ranges::find_if(regions_, [&](const Region& each) {
        return std::ranges::any_of(dax_devices_, [&](const Dax& dax) {
            return dax.device.id.region == each.name && dax.device.target_node == node;
        });
    });
    if (is_as_7_3() && region != regions_.end()) {
        told_by_.try_emplace(node, region->generation);
    } else {
        performance_known_.insert(node);
    }
}

bool Machine::shows_from_the_start(NodeId node) const {
    const NodeDescription* own = described(node);
    return own != nullptr && own->access_shown;
}

bool Machine::is_performance_known(NodeId node) const {
    if (performance_known_.contains(node)) return true;
    const auto told = told_by_.find(node);
    return told != told_by_.end() &&
           std::ranges::find(regions_, told->second, &Region::generation) != regions_.end();
}

bool Machine::has_memory_online(NodeId node) const {
    const NodeDescription* own = own_memory(node);
    if (own != nullptr && (own->kernel_bytes.value() != 0 || own->movable_bytes.value() != 0)) return true;
    const MemoryBlocks::NodeCount count = blocks_.on_node(node);
    return count.kernel + count.movable != 0;
}

int Machine::tier_of(NodeId node) const {
    const NodeDescription* own = own_memory(node);
    if (const NodeDescription* said = described(node); said != nullptr && said->tier) return *said->tier;
    if (own != nullptr && own->has_cpu) return dram_tier;
    // Memory of the firmware's map counts as DRAM, memory that a driver added does not.
    const bool in_firmware_map =
        own != nullptr &&
        (own->kernel_bytes.value() != 0 || own->movable_bytes.value() != 0 || firmware_nodes_.contains(node));
    const int tier_without_coordinates = in_firmware_map ? dram_tier : kmem_tier;
    if (!features_.access_coordinates) return tier_without_coordinates;
    const auto mine = performance(access_of(node));
    const auto dram_node = std::ranges::find_if(nodes_, [](const NodeDescription& n) { return n.has_cpu; });
    const auto dram = dram_node == nodes_.end() ? std::nullopt : performance(dram_node->access);
    if (!mine || !dram) return tier_without_coordinates;
    const std::uint64_t distance =
        dram_distance * mine->latency / dram->latency * dram->bandwidth / mine->bandwidth;
    return static_cast<int>(std::min<std::uint64_t>(distance, std::numeric_limits<int>::max()) >> 7);
}

bool Machine::tier_has_member(int tier) const {
    const auto in_tier = [&](NodeId node) { return has_memory_online(node) && tier_of(node) == tier; };
    return std::ranges::any_of(nodes_, in_tier, &NodeDescription::id) ||
           std::ranges::any_of(blocks_.nodes(), in_tier, [](const auto& entry) { return entry.first; });
}

std::vector<Node> Machine::nodes() const {
    std::set<NodeId> ids;
    for (const NodeDescription& node : nodes_) {
        if (own_memory(node.id) != nullptr) ids.insert(node.id);
    }
    for (const auto& [id, count] : blocks_.nodes()) ids.insert(id);

    std::vector<Node> out;
    for (const NodeId id : ids) {
        Node node;
        node.id = id;
        if (const NodeDescription* own = own_memory(id); own != nullptr) {
            node.has_cpu = own->has_cpu;
            node.bytes_kernel = own->kernel_bytes;
            node.bytes_movable = own->movable_bytes;
        }
        const MemoryBlocks::NodeCount count = blocks_.on_node(id);
        node.bytes_kernel += Bytes{count.kernel * block_size_.value()};
        node.bytes_movable += Bytes{count.movable * block_size_.value()};
        const bool known = own_memory(id) != nullptr || is_performance_known(id);
        if (features_.access_coordinates && known) node.access = access_of(id);
        if (const int tier = tier_of(id); has_memory_online(id) && tier >= 0) node.tier = tier;
        out.push_back(node);
    }
    give_weights(out);
    return out;
}

Bytes Machine::struct_pages(const DaxDevice& device) const {
    std::uint64_t blocks = 0;
    if (!device.memmap_on_memory) {
        for (const MemoryBlocks::Span span : whole_spans(device)) blocks += span.count;
    }
    return Bytes{blocks * block_size_.value() / 64};
}

std::optional<Bytes> Machine::kernel_available() const {
    std::uint64_t own = 0;
    std::uint64_t used = 0;
    for (const NodeDescription& node : nodes_) {
        own += node.kernel_bytes.value();
        used += node.used_bytes.value();
    }
    std::uint64_t has = own;
    for (const auto& [node, count] : blocks_.nodes()) has += count.kernel * block_size_.value();
    if (own == used && firmware_nodes_.empty()) return std::nullopt;
    std::uint64_t taken = used;
    for (const Dax& dax : dax_devices_) {
        if (dax.device.mode != DaxMode::system_ram || dax.device.memmap_on_memory) continue;
        for (const PhysRange& range : dax.held) taken += range.size.value() / 64;
    }
    return Bytes{has - std::min(has, taken)};
}

void Machine::give_weights(std::vector<Node>& nodes) const {
    if (!features_.weighted_interleave) return;
    std::vector<Node*> with_memory;
    std::vector<AccessCoordinates> bandwidths;
    for (Node& node : nodes) {
        // Before the automatic mode there was a file for each node that could ever be.
        if (features_.weighted_interleave_auto && !has_memory_online(node.id)) continue;
        with_memory.push_back(&node);
        bandwidths.push_back(access_of(node.id));
    }
    const std::vector<std::uint32_t> weights = weights_by_bandwidth(bandwidths);
    for (std::size_t i = 0; i < with_memory.size(); ++i) {
        const auto written = interleave_weights_.find(with_memory[i]->id);
        const std::uint32_t by_hand = written == interleave_weights_.end() ? 1 : written->second;
        with_memory[i]->interleave_weight = interleave_auto_ ? weights[i] : by_hand;
    }
    for (Node& node : nodes) {
        const auto said = described_weights_.find(node.id);
        if (said == described_weights_.end()) continue;
        node.interleave_weight = said->second == 0 ? std::nullopt : std::optional{said->second};
    }
}

// mm/mempolicy.c, node_store(): what the automatic mode gave the others stays.
Result<> Machine::write_interleave_weight(NodeId node, std::uint32_t weight) {
    const std::string object = "interleave weight of node " + std::to_string(node.value());
    const std::string operation = "set " + std::to_string(weight);
    Error error = kernel_error(object, operation, ENOENT, "this kernel has no weighted interleave");
    if (!features_.weighted_interleave) {
        error.code = ErrorCode::not_supported;
        return fail(std::move(error));
    }
    const std::vector<Node> now = nodes();
    const auto found = std::ranges::find(now, node, &Node::id);
    if (found == now.end() || !found->interleave_weight) {
        error.code = ErrorCode::not_found;
        error.reason = "there is no such node";
        return fail(std::move(error));
    }
    // Before the automatic mode 0 was "as if nobody had said anything".
    const bool is_reset = weight == 0 && !features_.weighted_interleave_auto;
    if ((weight == 0 && !is_reset) || weight > 255)
        return fail(kernel_error(object, operation, EINVAL, "weights are 1 to 255"));
    if (interleave_auto_) {
        for (const Node& one : now) interleave_weights_[one.id] = one.interleave_weight.value_or(1);
    }
    interleave_auto_ = false;
    interleave_weights_[node] = is_reset ? 1 : weight;
    described_weights_.erase(node);
    return {};
}

Result<> Machine::write_interleave_auto(bool on) {
    if (!features_.weighted_interleave_auto) {
        Error error = kernel_error("automatic interleave weights", on ? "set 1" : "set 0", ENOENT,
                                   "this kernel has no automatic interleave weights");
        error.code = ErrorCode::not_supported;
        return fail(std::move(error));
    }
    const auto told_bandwidth = [](const Node& one) {
        return one.access.read_bandwidth && one.access.write_bandwidth;
    };
    if (on && !interleave_auto_ && std::ranges::none_of(nodes(), told_bandwidth)) {
        Error error = kernel_error("automatic interleave weights", "set 1", ENODEV,
                                   "the kernel knows the bandwidth of no node");
        error.code = ErrorCode::not_supported;
        return fail(std::move(error));
    }
    if (interleave_auto_ && !on) {
        for (const Node& one : nodes()) interleave_weights_[one.id] = one.interleave_weight.value_or(1);
    }
    if (on) described_weights_.clear();
    interleave_auto_ = on;
    return {};
}

Result<> Machine::write_demotion(bool on) {
    if (!features_.demotion) {
        Error error = kernel_error("demotion_enabled", on ? "set 1" : "set 0", ENOENT,
                                   "this kernel cannot demote memory to a lower tier");
        error.code = ErrorCode::not_supported;
        return fail(std::move(error));
    }
    demotion_ = on;
    return {};
}

Region Machine::shown(const Region& region) const {
    Region out = region;
    const auto device = std::ranges::find_if(dax_devices_, [&](const Dax& dax) {
        return dax.device.id.region == region.name && is_performance_known(dax.device.target_node);
    });
    const bool known = device != dax_devices_.end();
    if ((!known && !access_shown_.contains(region.generation)) || !features_.access_coordinates)
        out.access = {};
    // What only the node shows is the region's, too, unless a record says that it is not.
    else if (known && out.access == AccessCoordinates{} && !shows_from_the_start(device->device.target_node))
        out.access = access_of(device->device.target_node);
    out.destroyed_first = above(region);
    out.disabled = disabled_.contains(region.generation);
    return out;
}

}  // namespace cxlmemd::emulator
