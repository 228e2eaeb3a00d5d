// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tests/contract/trace_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace cxlmemd::contract {

namespace {

// Eight memory blocks of 128 MiB.
constexpr Bytes region_size{1ULL << 30};

std::string outcome(const Result<>& result) {
    if (result) return "ok";
    std::string out = error_name(result.error().code);
    if (result.error().errnum != 0) out += ", " + errno_name(result.error().errnum);
    return out;
}

// What the kernel answered to a write of somebody else's: its errno is all there is.
std::string answer(const Result<>& result) {
    return result ? "ok" : errno_name(result.error().errnum);
}

bool is_ours(Verb verb) {
    return verb <= Verb::drain;
}

BlockTarget target_of(const std::string& word) {
    if (word == "online_kernel") return BlockTarget::online_kernel;
    return word == "online_movable" ? BlockTarget::online_movable : BlockTarget::offline;
}

DaxMode mode_of(const std::string& word) {
    return dax_mode_from(word).value_or(DaxMode::unbound);
}

std::vector<std::size_t> places(const std::vector<BlockRange>& ranges, std::size_t count) {
    std::vector<std::size_t> out;
    if (count == 0) return out;
    const int last = static_cast<int>(count) - 1;
    for (const BlockRange& range : ranges) {
        const int from = range.from < 0 ? last : range.from;
        const int to = range.to < 0 ? last : range.to;
        const int step = from <= to ? 1 : -1;
        for (int i = from;; i += step) {
            out.push_back(static_cast<std::size_t>(i));
            if (i == to) break;
        }
    }
    return out;
}

}  // namespace

Topology TraceRun::look() {
    Result<Topology> topology = machine_.backend().scan();
    if (topology) return *topology;
    say("scan: " + topology.error().text());
    return {};
}

void TraceRun::run(const ScenarioText& scenario) {
    for (const ScenarioStep& step : scenario.steps) {
        if (step.device != 0) static_cast<void>(names_.device(step.device));
    }
    names_.learn(look());  // what an earlier scenario has left
    static_cast<void>(machine_.events());
    for (const ScenarioStep& step : scenario.steps) run(step);
}

void TraceRun::run(const ScenarioStep& step) {
    line_("> " + step.text);
    static TraceDevice none;
    TraceDevice& device = step.device == 0 ? none : names_.device(step.device);
    if (step.verb >= Verb::show_blocks) {
        show(step, device);
    } else {
        act(step, device);
    }
    const std::vector<KernelEvent> events = machine_.events();
    const bool devices_change = step.verb == Verb::create || step.verb == Verb::destroy ||
                                step.verb == Verb::make || step.verb == Verb::remove;
    if (devices_change) names_.learn(look());
    if (step.verb == Verb::drain) return;  // which of them it could be is chance
    for (const std::string& line : names_.lines(without_chance(events))) say("+ " + line);
}

void TraceRun::act(const ScenarioStep& step, TraceDevice& device) {
    Backend& backend = machine_.backend();
    const std::string region = device.region ? device.region->name : "";
    const std::string dax = device.dax ? device.dax->id.name : "";
    const bool makes = step.verb == Verb::create || step.verb == Verb::make;
    const bool is_known = step.predecessor ? device.old && device.old_id : device.dax && device.id;
    if (step.device != 0 && !makes && !is_known) {
        return say(fmt::format("there was no {}{}", step.predecessor ? "old-" : "", device.letter));
    }
    switch (step.verb) {
        case Verb::set_block:
        case Verb::write_block: return on_blocks(step, device);
        case Verb::set_mode: {
            const auto& whose = step.predecessor ? device.old : std::optional{device.dax->id};
            return say(outcome(backend.set_mode(*whose, mode_of(step.word))));
        }
        case Verb::set_auto_online:
            return say(outcome(backend.set_auto_online(*auto_online_from(step.word))));
        case Verb::create: return say(outcome(create(device)));
        case Verb::destroy:
            return say(outcome(backend.destroy_region(step.predecessor ? *device.old_id : *device.id)));
        case Verb::set_weight:
            return say(outcome(backend.set_interleave_weight(
                device.node, static_cast<std::uint32_t>(std::stoul(step.word)))));
        case Verb::set_interleave_auto: return say(outcome(backend.set_interleave_auto(step.word == "on")));
        case Verb::set_demotion: return say(outcome(backend.set_demotion(step.word == "on")));
        case Verb::drain: return drain(device);
        case Verb::write_auto_online: return say(answer(machine_.write_auto_online(step.word)));
        case Verb::write_state: return say(answer(machine_.write_dax_state(dax, step.word)));
        case Verb::bind: return say(answer(machine_.bind(dax)));
        case Verb::unbind: return say(answer(machine_.unbind(dax)));
        case Verb::make: return say(answer(machine_.make_region(device.serial, region_size)));
        case Verb::remove: return say(answer(machine_.remove_region(region)));
        default: break;
    }
}

// Neighbours with the same result share a line.
void TraceRun::on_blocks(const ScenarioStep& step, const TraceDevice& device) {
    std::string before;
    std::string first;
    std::string last;
    const auto flush = [&] {
        if (!before.empty())
            say(first == last ? first + " " + before : fmt::format("{}..{} {}", first, last, before));
    };
    for (const std::size_t place : places(step.blocks, device.blocks.size())) {
        if (place >= device.blocks.size()) {
            say(fmt::format("there is no block {}", place));
            continue;
        }
        const BlockIndex block = device.blocks[place];
        const std::string now =
            is_ours(step.verb)
                ? outcome(machine_.backend().set_block(step.predecessor ? *device.old : device.dax->id, block,
                                                       target_of(step.word)))
                : answer(machine_.write_block(block, step.word));
        const std::string name = fmt::format("{}[{}]", device.name(), place);
        if (now != before) {
            flush();
            first = name;
            before = now;
        }
        last = name;
    }
    flush();
}

// All blocks that can be taken offline are. Which block of a kernel zone the kernel has put something into is
// chance, so a trace says only whether there is one.
void TraceRun::drain(const TraceDevice& device) {
    std::size_t staying = 0;
    for (auto it = device.blocks.rbegin(); it != device.blocks.rend(); ++it) {
        const auto before = machine_.backend().read_blocks({&*it, 1});
        if (!before || before->empty() || before->front().state == BlockState::offline) continue;
        const auto done = machine_.backend().set_block(device.dax->id, *it, BlockTarget::offline);
        if (done) continue;
        ++staying;
        if (before->front().zone == Zone::kernel && done.error().errnum == EBUSY) continue;
        say(fmt::format("{} {}", names_.block(*it), outcome(done)));
    }
    say(staying == 0 ? "all are offline" : "some of the kernel zone stay");
}

Result<> TraceRun::create(const TraceDevice& device) {
    const Topology topology = look();
    const auto memdev = std::ranges::find(topology.memdevs, device.serial, &Memdev::serial);
    if (memdev == topology.memdevs.end())
        return fail({.code = ErrorCode::not_found, .object = device.name()});
    const auto decoder = std::ranges::find_if(topology.root_decoders, &RootDecoder::volatile_capable);
    if (decoder == topology.root_decoders.end())
        return fail({.code = ErrorCode::not_found, .object = "decoder"});
    auto draft = machine_.backend().draft_region({.root_decoder = decoder->name,
                                                  .members = {{memdev->name, memdev->generation}},
                                                  .size = region_size});
    if (!draft) return tl::unexpected(draft.error());
    auto done = machine_.backend().create_region(*draft);
    if (done) machine_.await_region(device.serial);
    return done;
}

Result<> TraceRun::clean() {
    const Topology topology = look();
    std::optional<Error> first;
    const auto note = [&](const Result<>& result) {
        if (!result && !first) first = result.error();
    };
    note(machine_.write_auto_online("offline"));
    for (const DaxDevice& dax : topology.dax_devices) {
        for (const Block& block : present_blocks(topology, dax)) {
            if (block.state != BlockState::offline) note(machine_.write_block(block.index, "offline"));
        }
    }
    if (first) return fail(*first);  // its memory would be lost
    for (auto it = topology.regions.rbegin(); it != topology.regions.rend(); ++it) {
        note(machine_.remove_region(it->name));
    }
    return first ? fail(*first) : Result<>{};
}

}  // namespace cxlmemd::contract
