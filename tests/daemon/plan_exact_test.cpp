// SPDX-License-Identifier: LGPL-2.1-or-later
// What Plan says against what then happens: random machines and policy files, the whole daemon but its bus on
// the emulator, compared block by block: each write to each block, in order, and where it ends.
#include <gmock/gmock.h>

#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "backends/emulator/emulator_backend.h"
#include "daemon/service.h"
#include "temp_dir.h"

namespace cxlmemd {
namespace {

constexpr std::uint64_t block = 128ULL << 20;
constexpr std::uint32_t cases = 400;

using Writes = std::map<BlockIndex, std::vector<BlockTarget>>;  // by block, in order
using Binds = std::vector<std::pair<std::string, DaxMode>>;

// Passes everything on and writes down what was asked for.
class Recorder final : public Backend {
 public:
    Recorder(std::unique_ptr<Backend> behind, Writes& writes, Binds& binds)
        : behind_(std::move(behind)), writes_(writes), binds_(binds) {}

    std::string_view name() const override { return behind_->name(); }
    Result<Topology> scan() override { return behind_->scan(); }
    Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override {
        return behind_->read_blocks(indices);
    }
    Result<> set_block(const DaxIdentity& owner, BlockIndex index, BlockTarget target) override {
        writes_[index].push_back(target);
        return behind_->set_block(owner, index, target);
    }
    Result<> set_mode(const DaxIdentity& device, DaxMode mode) override {
        binds_.emplace_back(device.name, mode);
        return behind_->set_mode(device, mode);
    }
    Result<> set_hotplug_state(const DaxIdentity& device, HotplugState state,
                               const Progress& progress) override {
        return behind_->set_hotplug_state(device, state, progress);
    }
    Result<> destroy_region(const RegionIdentity& region) override { return behind_->destroy_region(region); }
    Result<> set_auto_online(AutoOnline value) override { return behind_->set_auto_online(value); }
    Result<> set_interleave_weight(NodeId node, std::uint32_t weight) override {
        return behind_->set_interleave_weight(node, weight);
    }
    Result<> set_interleave_auto(bool on) override { return behind_->set_interleave_auto(on); }
    Result<> set_demotion(bool on) override { return behind_->set_demotion(on); }
    Result<RegionDraft> draft_region(const RegionOrder& order) override {
        return behind_->draft_region(order);
    }
    Result<> create_region(const RegionDraft& draft) override { return behind_->create_region(draft); }
    Result<> clear_region(const RegionTrace& trace) override { return behind_->clear_region(trace); }

 private:
    std::unique_ptr<Backend> behind_;
    Writes& writes_;
    Binds& binds_;
};

struct Case {
    emulator::MachineDescription machine;
    std::string policy;
    std::string settings;
};

Case random_case(std::uint32_t seed) {
    std::mt19937 engine{seed};
    const auto below = [&](std::size_t end) {
        return std::uniform_int_distribution<std::size_t>{0, end - 1}(engine);
    };
    const auto one_of = [&](std::initializer_list<const char*> words) {
        return words.begin()[below(words.size())];
    };
    Case out;
    emulator::NodeDescription dram;
    dram.id = NodeId{0};
    dram.has_cpu = true;
    dram.kernel_bytes = Bytes{(1 + below(24)) * block};
    dram.movable_bytes = Bytes{below(4) * block};
    dram.used_bytes = Bytes{dram.kernel_bytes.value() / 4};
    out.machine.nodes.push_back(dram);
    out.machine.features.memory_hotremove = below(6) != 0;
    if (below(3) == 0) {
        out.machine.auto_online =
            std::vector{AutoOnline::online, AutoOnline::online_kernel, AutoOnline::online_movable}[below(3)];
    }
    std::uint64_t next = 64 * block;
    std::ostringstream policy;
    const std::size_t devices = below(5);
    for (std::size_t d = 0; d < devices; ++d) {
        emulator::DaxDescription dax;
        dax.device.id.name = "dax" + std::to_string(d) + ".0";
        dax.device.kind = DaxKind::hmem;
        dax.device.target_node = NodeId{below(8) == 0 ? -1 : static_cast<int>(1 + below(2))};
        const std::size_t ranges = 1 + below(3);
        for (std::size_t r = 0; r < ranges; ++r) {
            const std::uint64_t shift = below(4) == 0 ? 2ULL << 20 : 0;  // not aligned to a block
            const PhysRange range{PhysAddr{next + shift}, Bytes{(1 + below(8)) * block - 2 * shift}};
            next = (range.end().value() + 2 * block) / block * block;
            dax.device.size += range.size;
            dax.device.ranges.push_back(range);
        }
        dax.device.id.start = dax.device.resource = dax.device.ranges.front().start;
        dax.device.mode = std::vector{DaxMode::system_ram, DaxMode::system_ram, DaxMode::devdax,
                                      DaxMode::unbound}[below(4)];
        if (below(2) == 0) dax.blocks = std::vector{Zone::none, Zone::kernel, Zone::movable}[below(3)];
        out.machine.dax_devices.push_back(dax);

        if (below(6) == 0) continue;  // no rule: only watched
        policy << "[[rule]]\nname = 'r" << d << "'\nmatch.dax = '" << dax.device.id.name << "'\n";
        const std::string mode = one_of({"system-ram", "system-ram", "system-ram", "devdax", "ignore"});
        policy << "[rule.memory]\nmode = '" << mode << "'\n";
        if (mode == "system-ram") {
            policy << "zone = '" << one_of({"movable", "kernel", "auto", "auto"}) << "'\namount = '"
                   << one_of({"all", "none", "50%", "33%", "300MiB", "1GiB"}) << "'\non_conflict = '"
                   << one_of({"rezone", "rezone", "keep"}) << "'\n";
        }
        if (below(6) == 0) policy << "require_node = [1]\n";
    }
    out.policy = policy.str();
    out.settings = "retry.attempts = 1\nlog.level = 'error'\n";
    if (below(3) != 0)
        out.settings += "max_movable_ratio = " + std::to_string(static_cast<double>(1 + below(40)) / 10);
    return out;
}

struct Outcome {
    Topology before;
    std::vector<Decision> plan;
    Topology after;
    Writes writes;
    Binds binds;
};

// Runs the daemon's service until nothing is under way.
void run(const Case& given, Outcome& out) {
    const test::TempDir dir;
    dir.write("policy.d/a.toml", given.policy);
    dir.write("daemon.toml", given.settings);
    Emulator emulator = make_emulator(given.machine);
    EventLoop loop;
    LoopClock clock{loop};
    Log quiet{false};
    Worker worker{loop,
                  std::make_unique<Recorder>(std::move(emulator.pair.worker_side), out.writes, out.binds)};
    Service service{loop,
                    clock,
                    worker,
                    std::move(emulator.pair.loop_side),
                    quiet,
                    {.config = ConfigPaths::only(dir.path()),
                     .state_dir = dir.path() / "state",
                     .runtime_dir = dir.path() / "run",
                     .observe = false,
                     .recorded_by = {}},
                    [](const std::string&) {}};
    EventLoop::Source poll;
    std::function<void()> look = [&] {
        if (!service.working()) return loop.exit(0);
        poll = loop.add_timer(2'000, look);
    };
    service.start([&](const std::function<void()>& act) {
        // Nothing has been done yet: this is what Plan would say.
        out.before = service.model().topology;
        out.plan = decide(out.before, service.model().policy, service.model().holds);
        ASSERT_FALSE(has_errors(service.model().policy_problems))
            << to_string(service.model().policy_problems.front());
        poll = loop.add_timer(0, look);
        act();
    });
    const auto guard = loop.add_timer(60'000'000, [&] {
        ADD_FAILURE() << "it did not come to rest";
        loop.exit(1);
    });
    loop.run();
    out.after = service.model().topology;
}

bool is_automatic(const Decision& decision) {
    return decision.goal && decision.goal->zone == ZoneWish::automatic;
}

TEST(PlanIsExact, EveryWriteToEveryBlockIsAsPlanned) {
    std::size_t steps = 0;
    std::size_t splits = 0;
    for (std::uint32_t seed = 1; seed <= cases; ++seed) {
        const Case given = random_case(seed);
        SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + given.settings + "\n" + given.policy);
        Outcome seen;
        run(given, seen);

        Topology expected = seen.before;
        Writes writes;
        Binds binds;
        for (const bool automatic : {false, true}) {
            for (const std::size_t i : order_of_work(seen.before, seen.plan)) {
                const Decision& decision = seen.plan[i];
                if (is_automatic(decision) != automatic) continue;
                for (const Step& step : decision.plan.steps) {
                    ++steps;
                    if (step.kind == StepKind::set_mode) binds.emplace_back(decision.device.name, step.mode);
                    for (const BlockIndex index : step.blocks) {
                        writes[index].push_back(step.kind == StepKind::offline ? BlockTarget::offline
                                                : step.zone == Zone::movable   ? BlockTarget::online_movable
                                                                               : BlockTarget::online_kernel);
                    }
                }
                if (decision.goal && decision.goal->split && decision.goal->split->movable_blocks > 0)
                    ++splits;
                expected = predict(expected, *find_dax(expected, decision.device), decision.plan);
            }
        }
        ASSERT_EQ(seen.writes, writes);
        ASSERT_EQ(seen.binds, binds);
        ASSERT_EQ(seen.after.blocks, expected.blocks);
        for (std::size_t i = 0; i < expected.dax_devices.size(); ++i)
            ASSERT_EQ(seen.after.dax_devices[i].mode, expected.dax_devices[i].mode);
    }
    EXPECT_GT(steps, 500U) << "else this proves nothing";
    EXPECT_GT(splits, 50U);
}

}  // namespace
}  // namespace cxlmemd
