// What other processes do behind our back.
#include <fmt/format.h>

#include "backends/emulator/inject_handlers.h"

namespace cxlmemd::emulator::handlers {

namespace {

constexpr std::uint64_t most_blocks = 1ULL << 20;

// `block` (a number), or `dax` with `nth` (0 is its first whole block); `count` blocks from there.
std::vector<BlockIndex> blocks(Details& details, const Machine& machine) {
    const auto block = details.number("block");
    const auto name = details.text("dax");
    const auto nth = details.number("nth");
    const std::uint64_t count = details.number("count").value_or(1);
    if (count == 0 || count > most_blocks)
        details.wrong("count", fmt::format("must be 1 to {}", most_blocks));
    if (block && (name || nth)) details.wrong("block", "does not go with \"dax\" and \"nth\"");
    if (!block && !name) details.wrong("block", "is missing (or \"dax\")");
    if (!details.finish()) return {};

    std::vector<BlockIndex> all;
    if (block) {
        for (std::uint64_t i = 0; i < count; ++i) all.emplace_back(*block + i);
        return all;
    }
    const DaxDevice* device = machine.dax(*name);
    if (device == nullptr) {
        details.wrong("dax", fmt::format("names \"{}\", and there is no such device", *name));
        return {};
    }
    all = whole_blocks(*device, machine.block_size());
    const std::uint64_t first = nth.value_or(0);
    if (first >= all.size() || count > all.size() - first) {
        details.wrong("nth", fmt::format("is past its end, {} has {} blocks", *name, all.size()));
        return {};
    }
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(first);
    return {from, from + static_cast<std::ptrdiff_t>(count)};
}

Result<> write_blocks(InjectTarget target, Details& details, BlockWrite value) {
    const std::vector<BlockIndex> all = blocks(details, target.machine);
    if (auto read = details.finish(); !read) return read;
    for (const BlockIndex block : all) {
        if (auto written = target.machine.write_block_state(block, value); !written) return written;
    }
    return {};
}

Result<> pin(InjectTarget target, Details& details, bool pinned) {
    const std::vector<BlockIndex> all = blocks(details, target.machine);
    if (auto read = details.finish(); !read) return read;
    for (const BlockIndex block : all) {
        if (auto done = target.machine.pin(block, pinned); !done) return done;
    }
    return {};
}

}  // namespace

Result<> online_block(InjectTarget target, Details& details) {
    const std::string zone = details.text("zone").value_or("auto");
    if (zone == "movable") return write_blocks(target, details, BlockWrite::online_movable);
    if (zone == "kernel") return write_blocks(target, details, BlockWrite::online_kernel);
    if (zone != "auto") details.wrong("zone", "must be movable, kernel or auto");
    return write_blocks(target, details, BlockWrite::online);
}

Result<> offline_block(InjectTarget target, Details& details) {
    return write_blocks(target, details, BlockWrite::offline);
}

Result<> pin_block(InjectTarget target, Details& details) {
    return pin(target, details, true);
}
Result<> unpin_block(InjectTarget target, Details& details) {
    return pin(target, details, false);
}

Result<> unbind_dax(InjectTarget target, Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    if (auto read = details.finish(); !read) return read;
    return target.machine.unbind(name);
}

Result<> bind_dax(InjectTarget target, Details& details) {
    const std::string name = details.needed(details.text("dax"), "dax");
    const DaxMode wanted = details.mode();
    if (auto read = details.finish(); !read) return read;
    return target.machine.bind(name, wanted);
}

Result<> set_auto_online(InjectTarget target, Details& details) {
    const auto value = auto_online_from(details.needed(details.text("value"), "value"));
    if (!value) details.wrong("value", "must be offline, online, online_kernel or online_movable");
    if (auto read = details.finish(); !read) return read;
    target.machine.write_auto_online(*value);
    return {};
}

// No event tells of it, as in the kernel: the next look at the machine finds it.
Result<> set_interleave_weight(InjectTarget target, Details& details) {
    const NodeId node{details.needed(details.node("node"), "node")};
    const std::uint64_t weight = details.needed(details.number("weight"), "weight");
    if (weight == 0 || weight > 255) details.wrong("weight", "must be 1 to 255");
    if (auto read = details.finish(); !read) return read;
    return target.machine.write_interleave_weight(node, static_cast<std::uint32_t>(weight));
}

Result<> set_demotion(InjectTarget target, Details& details) {
    const bool on = details.needed(details.truth("enabled"), "enabled");
    if (auto read = details.finish(); !read) return read;
    return target.machine.write_demotion(on);
}

}  // namespace cxlmemd::emulator::handlers
