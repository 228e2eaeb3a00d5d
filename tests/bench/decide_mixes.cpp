// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/bench/decide_mixes.h"

#include <fmt/format.h>

#include <algorithm>

namespace cxlmemd::test {

namespace {

constexpr std::uint64_t mib = 1024 * 1024;
constexpr std::uint64_t gib = 1024 * mib;
constexpr Bytes block_size{128 * mib};
constexpr std::uint64_t blocks_a_device = 8;

Match by_serial(std::size_t rule) {
    Match match;
    match.memdev_serial = {rule * 17, rule * 17 + 1};
    return match;
}

Match by_dax_prefix(std::size_t rule) {
    Match match;
    match.dax = {Glob{fmt::format("dax{}.*", rule * 17)}};
    return match;
}

// Every name fits the pattern; what decides is another key.
Match by_dax_star(std::size_t rule) {
    Match match;
    match.dax = {Glob{"dax*"}};
    match.size = {Compare{Comparison::greater, (100 + rule) * gib}};
    return match;
}

Match by_middle(std::size_t rule) {
    Match match;
    match.dax = {Glob{fmt::format("*{}.*", 9'000'000 + rule)}};
    return match;
}

// Short pieces that stand in many names.
Match by_short_middle(std::size_t rule) {
    Match match;
    match.dax = {Glob{fmt::format("*{}*{}*.7", rule / 32, rule % 32)}};
    return match;
}

Match by_question_marks(std::size_t rule) {
    Match match;
    match.dax = {Glob{fmt::format("d?x?{}?.*", rule)}};
    return match;
}

Match by_brackets(std::size_t rule) {
    Match match;
    match.dax = {Glob{fmt::format("*[x-z]{}.[1-9]", rule)}};
    return match;
}

Match by_host(std::size_t rule) {
    Match match;
    match.memdev_host = {Glob{fmt::format("*:{:02x}:{:02x}.1*", rule % 256, rule / 256)}};
    return match;
}

Match by_region_and_decoder(std::size_t rule) {
    Match match;
    match.region = {Glob{fmt::format("*n{}?", rule)}};
    match.root_decoder = {Glob{fmt::format("*r{}.*", rule)}};
    return match;
}

Match by_size(std::size_t rule) {
    Match match;
    match.size = {Compare{Comparison::greater_equal, (2 + rule) * gib}};
    return match;
}

Match by_performance(std::size_t rule) {
    const auto n = static_cast<std::uint64_t>(rule);
    Match match;
    match.read_latency = {Compare{Comparison::less, 100 + n / 10}};
    match.write_latency = {Compare{Comparison::greater, 1'000 + n}};
    match.read_bandwidth = {Compare{Comparison::greater, 100'000 + n}};
    return match;
}

Match by_place(std::size_t rule) {
    const std::uint64_t start = (rule + 1) * 64 * gib + 1;  // no device begins and ends inside
    Match match;
    match.phys_range = {{PhysAddr{start}, PhysAddr{start + gib - 2}}};
    return match;
}

Match by_all_of_it(std::size_t rule) {
    const auto& mixes = rule_mixes();
    return mixes[rule % (mixes.size() - 1)].match(rule);
}

}  // namespace

Topology fleet_machine(std::size_t devices) {
    Topology out;
    out.block_size = block_size;
    for (int id = 0; id < 8; ++id) {
        Node node;
        node.id = NodeId{id};
        node.bytes_kernel = Bytes{64 * gib};
        out.nodes.push_back(node);
    }
    for (std::size_t i = 0; i < devices; ++i) {
        Memdev memdev;
        memdev.name = fmt::format("mem{}", i);
        memdev.serial = i;
        memdev.host = fmt::format("{:04x}:{:02x}:{:02x}.0", i / 8192, i % 256, i / 256 % 32);
        out.memdevs.push_back(memdev);

        Region region;
        region.name = fmt::format("region{}", i);
        region.root_decoder = fmt::format("decoder0.{}", i % 16);
        region.memdevs = {memdev.name};
        region.access.read_latency = Nanoseconds{static_cast<std::uint32_t>(200 + i % 20)};
        region.access.write_latency = Nanoseconds{static_cast<std::uint32_t>(220 + i % 20)};
        region.access.read_bandwidth = MegabytesPerSecond{static_cast<std::uint32_t>(20'000 + i % 20)};
        out.regions.push_back(region);

        const std::uint64_t first_block = (i + 1) * 2 * blocks_a_device;
        DaxDevice device;
        device.id.name = fmt::format("dax{}.0", i);
        device.id.region = region.name;
        device.id.start = PhysAddr{first_block * block_size.value()};
        device.id.serials = {i};
        device.target_node = NodeId{static_cast<int>(1 + i % 7)};
        device.size = Bytes{blocks_a_device * block_size.value()};
        device.resource = device.id.start;
        device.ranges = {{device.id.start, device.size}};
        device.mode = DaxMode::system_ram;
        for (std::uint64_t b = 0; b < blocks_a_device; ++b) {
            Block block;
            block.index = BlockIndex{first_block + b};
            block.node = device.target_node;
            out.blocks.push_back(block);
        }
        out.dax_devices.push_back(std::move(device));
    }
    std::ranges::sort(out.memdevs, {}, &Memdev::name);
    std::ranges::sort(out.regions, {}, &Region::name);
    std::ranges::sort(out.dax_devices, {}, [](const DaxDevice& d) { return d.id.name; });
    return out;
}

const std::vector<RuleMix>& rule_mixes() {
    static const std::vector<RuleMix> mixes{
        {"serials", by_serial},
        {"dax_prefixes", by_dax_prefix},
        {"dax_star", by_dax_star},
        {"middles", by_middle},
        {"short_middles", by_short_middle},
        {"question_marks", by_question_marks},
        {"brackets", by_brackets},
        {"hosts", by_host},
        {"regions_and_decoders", by_region_and_decoder},
        {"sizes", by_size},
        {"performance", by_performance},
        {"places", by_place},
        {"all_of_it", by_all_of_it},  // stays last
    };
    return mixes;
}

Policy fleet_policy(const RuleMix& mix, std::size_t rules) {
    Policy policy;
    for (std::size_t i = 0; i < rules; ++i) {
        Rule rule;
        rule.name = fmt::format("{}{}", mix.name, i);
        rule.place = {"fleet.toml", static_cast<std::uint32_t>(i + 1), 1};
        rule.match = mix.match(i);
        policy.rules.push_back(std::move(rule));
    }
    Rule rest;
    rest.name = "rest";
    rest.place = {"fleet.toml", static_cast<std::uint32_t>(rules + 1), 1};
    policy.rules.push_back(std::move(rest));
    return policy;
}

}  // namespace cxlmemd::test
