// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/emulator_backend.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "backends/emulator/core.h"
#include "backends/emulator/destroy_rules.h"
#include "backends/emulator/rules.h"

namespace cxlmemd {

namespace emulator {

namespace {

Result<> always(const Machine&) {
    return {};
}

class EmulatorBackend final : public Backend {
 public:
    explicit EmulatorBackend(std::shared_ptr<Core> core) : core_(std::move(core)) {}

    [[nodiscard]] std::string_view name() const override { return "emulator"; }

    [[nodiscard]] Result<Topology> scan() override {
        return core_->run(Operation::scan, "topology", always,
                          [](const Machine& machine) -> Result<Topology> { return machine.topology(); });
    }

    [[nodiscard]] Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override {
        const auto read = [&](const Machine& machine) -> Result<std::vector<Block>> {
            std::vector<Block> found;
            found.reserve(indices.size());
            for (const BlockIndex index : indices) {
                if (const int errnum = machine.unreadable(index); errnum != 0) {
                    return fail(kernel_error(fmt::format("memory block {}", index.value()), "read", errnum,
                                             "the kernel did not say how it is"));
                }
                if (const auto block = machine.blocks().look(index)) found.push_back(*block);
            }
            return found;
        };
        return core_->run(Operation::read_blocks, "memory blocks", always, read);
    }

    [[nodiscard]] Result<> set_block(const DaxIdentity& owner, BlockIndex block,
                                     BlockTarget target) override {
        auto done = write_state(owner, block, target);
        if (!done) done.error().operation = to_string(target);  // as it was written, like the linux backend
        return done;
    }

    [[nodiscard]] Result<> set_mode(const DaxIdentity& device, DaxMode mode) override {
        const Call call{Operation::set_mode, Operation::set_mode, std::nullopt, device.name};
        const Core::Check may = [&](const Machine& machine) { return may_set_mode(machine, device, mode); };
        if (auto begun = core_->begin(call, device.name, may); !begun) return begun;
        auto done = change_driver(device, mode, may);
        core_->end(call);
        return done;
    }

    [[nodiscard]] Result<> set_hotplug_state(const DaxIdentity& device, HotplugState state,
                                             const Progress& progress) override {
        const Call call{Operation::set_hotplug_state, Operation::set_hotplug_state, std::nullopt,
                        device.name};
        const Core::Check may = [&](const Machine& machine) {
            return may_set_hotplug_state(machine, device, state);
        };
        auto done = core_->begin(call, device.name, may);
        if (done) {
            wait_as_kmem();
            const std::string value{to_string(state)};
            const Result<bool> due = core_->act(
                may, [&](const Machine& machine) { return machine.may_write_dax_state(device.name, value); });
            if (!due) {
                done = fail(due.error());
            } else if (*due) {
                done = state == HotplugState::unplugged ? unplug(device, may, progress)
                                                        : plug(device, value, may, progress);
            }
            core_->end(call);
        }
        if (!done) done.error().operation = "set state " + std::string{to_string(state)};
        return done;
    }

    [[nodiscard]] Result<> destroy_region(const RegionIdentity& region) override {
        return core_->run(
            Operation::destroy_region, region.name,
            [&](const Machine& machine) { return may_destroy(machine, region); },
            [&](Machine& machine) { return machine.remove_region(region.name); });
    }

    [[nodiscard]] Result<> set_auto_online(AutoOnline value) override {
        return core_->run(Operation::set_auto_online, "auto_online_blocks", always,
                          [&](Machine& machine) -> Result<> {
                              machine.write_auto_online(value);
                              return {};
                          });
    }

    [[nodiscard]] Result<> set_interleave_weight(NodeId node, std::uint32_t weight) override {
        return core_->run(Operation::set_interleave_weight,
                          fmt::format("interleave weight of node {}", node.value()), always,
                          [&](Machine& machine) { return machine.write_interleave_weight(node, weight); });
    }

    [[nodiscard]] Result<> set_interleave_auto(bool on) override {
        return core_->run(Operation::set_interleave_auto, "automatic interleave weights", always,
                          [&](Machine& machine) { return machine.write_interleave_auto(on); });
    }

    [[nodiscard]] Result<> set_demotion(bool on) override {
        return core_->run(Operation::set_demotion, "demotion_enabled", always,
                          [&](Machine& machine) { return machine.write_demotion(on); });
    }

    [[nodiscard]] Result<RegionDraft> draft_region(const RegionOrder& order) override {
        return core_->run(Operation::draft_region, order.root_decoder, always,
                          [&](const Machine& machine) { return machine.draft_region(order); });
    }

    [[nodiscard]] Result<> create_region(const RegionDraft& draft) override {
        return core_->run(Operation::create_region, draft.trace.region, always,
                          [&](Machine& machine) { return machine.create_region(draft); });
    }

    // Nothing of this machine outlives the process, and a creation is one step here.
    [[nodiscard]] Result<> clear_region(const RegionTrace& trace) override {
        return core_->run(Operation::clear_region, trace.region, always,
                          [](const Machine&) { return Result<>{}; });
    }

 private:
    Result<> write_state(const DaxIdentity& owner, BlockIndex block, BlockTarget target) {
        const Call call{Operation::set_block,
                        target == BlockTarget::offline ? Operation::offline : Operation::online, block,
                        owner.name};
        const BlockWrite value = block_write(target);
        const Core::Check may = [&](const Machine& machine) {
            return may_set_block(machine, owner, block, target);
        };
        const std::string object = fmt::format("memory block {}", block.value());
        // While offlining takes its time, or hangs, the block shows it.
        bool shown = false;
        const auto show = [&](bool leaving) {
            if (target != BlockTarget::offline || leaving == shown) return;
            shown = leaving;
            core_->change([&](Machine& m) { m.set_leaving(block, leaving); });
        };
        const auto enter = [&] {
            const int interrupted = core_->wait_for_hotplug(false);
            if (interrupted == 0) show(true);
            return interrupted;
        };
        if (auto begun = core_->begin(call, object, may, enter); !begun) {
            show(false);
            return begun;
        }
        const std::uint64_t usec =
            core_->look([&](const Machine& machine) { return machine.time_of_write(block, value); });
        const int interrupted = core_->pass(usec, target != BlockTarget::offline);
        Result<> done;
        if (interrupted != 0) {
            done = fail(kernel_error(object, "offline", interrupted, "it was interrupted"));
            show(false);
        } else {
            done = core_->act(always, [&](Machine& machine) -> Result<> {
                if (shown) machine.set_leaving(block, false);  // whatever comes of it
                if (auto allowed = may(machine); !allowed) return allowed;
                return machine.write_block_state(block, value);
            });
        }
        core_->end(call);
        return done;
    }

    // A block at a time, as the kernel does; a signal ends it (offline_pages()), and all are put back.
    Result<> unplug(const DaxIdentity& device, const Core::Check& may, const Progress& progress) {
        std::vector<std::pair<BlockIndex, Zone>> taken;
        const auto blocks = core_->look([&](const Machine& m) { return m.memory_of(device.name); });
        Result<> done;
        for (const BlockIndex block : blocks) {
            const auto [zone, usec] = core_->look([&](const Machine& m) {
                return std::pair{m.blocks().zone(block), m.time_of_write(block, BlockWrite::offline)};
            });
            if (zone == Zone::none) continue;
            if (const int interrupted = core_->pass(usec, false); interrupted != 0) {
                done = fail(kernel_error(device.name, {}, interrupted, "it was interrupted"));
            } else {
                done = core_->act(
                    may, [&](Machine& m) { return m.write_block_state(block, BlockWrite::offline); });
            }
            if (!done) break;
            taken.emplace_back(block, zone);
            progress(taken.size());
        }
        if (done) done = core_->act(may, [&](Machine& m) { return m.end_unplug(device.name); });
        if (done) return done;
        core_->change([&](Machine& m) { m.put_back(taken); });
        Error error = done.error();
        if (error.object != device.name) {
            error.reason = error.object + ": " + error.reason;
            error.object = device.name;
        }
        return fail(std::move(error));
    }

    // Deaf: no signal ends it. A block that refuses ends the walk, and is no error of the write.
    Result<> plug(const DaxIdentity& device, const std::string& value, const Core::Check& may,
                  const Progress& progress) {
        const auto begin = [&](Machine& m) { return m.begin_plug(device.name); };
        if (auto begun = core_->act(may, begin); !begun) return begun;
        const AutoOnline wanted = *auto_online_from(value);
        std::uint64_t online_now = 0;
        for (const BlockIndex block :
             core_->look([&](const Machine& m) { return m.memory_of(device.name); })) {
            const std::uint64_t usec = core_->look(
                [&](const Machine& m) { return m.time_of_write(block, *block_write_from(value)); });
            static_cast<void>(core_->pass(usec, true));
            const auto online = [&](Machine& m) {
                return m.write_block_state(block, std::string_view{value});
            };
            if (auto done = core_->act(may, online); !done) {
                if (done.error().code == ErrorCode::gone) return done;
                break;
            }
            progress(++online_now);
        }
        return core_->act(may, [&](Machine& m) -> Result<> {
            m.end_plug(device.name, wanted);
            return {};
        });
    }

    // As two writes to sysfs: between them others see it unbound.
    Result<> change_driver(const DaxIdentity& device, DaxMode mode, const Core::Check& may) {
        const Result<DaxMode> now = core_->look([&](const Machine& machine) -> Result<DaxMode> {
            if (auto allowed = may(machine); !allowed) return fail(allowed.error());
            return machine.dax(device.name)->mode;
        });
        if (!now) return fail(now.error());
        if (*now == mode) return {};
        if (*now != DaxMode::unbound) {
            const Call call{Operation::unbind, Operation::unbind, std::nullopt, device.name};
            if (*now == DaxMode::system_ram) wait_as_kmem();
            auto left = core_->run(call, device.name, may,
                                   [&](Machine& machine) { return leave(machine, device.name); });
            if (!left) return left;
        }
        if (mode == DaxMode::unbound) return {};
        const Call call{Operation::bind, Operation::bind, std::nullopt, device.name};
        if (auto begun = core_->begin(call, device.name, may); !begun) return begun;
        if (mode == DaxMode::system_ram) wait_as_kmem();
        const std::uint64_t usec =
            core_->look([&](const Machine& machine) { return machine.time_of_bind(device.name, mode); });
        static_cast<void>(core_->pass(usec, true));  // deaf: no signal ends it
        auto done = core_->act(may, [&](Machine& machine) { return machine.bind(device.name, mode); });
        core_->end(call);
        return done;
    }
    // kmem adds and removes memory under the hotplug lock, and waits for that as one who hears no signal.
    void wait_as_kmem() { static_cast<void>(core_->wait_for_hotplug(true)); }
    // Since 7.3 through "unplugged": a block that somebody brings online just then makes it fail.
    static Result<> leave(Machine& machine, const std::string& name) {
        if (machine.dax_state(name)) {
            if (auto unplugged = machine.write_dax_state(name, "unplugged"); !unplugged) return unplugged;
        }
        return machine.unbind(name);
    }

    std::shared_ptr<Core> core_;
};

// Readable when there are events, when something is due, and when something is to be reported.
class EmulatorEvents final : public EventSource {
 public:
    explicit EmulatorEvents(std::shared_ptr<Core> core)
        : core_(std::move(core)), fd_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
        for (const int each : {core_->queue().fd(), core_->clock_fd()}) {
            epoll_event event{};
            event.events = EPOLLIN;
            if (::epoll_ctl(fd_, EPOLL_CTL_ADD, each, &event) < 0) {
                const int error = errno;
                ::close(fd_);
                throw std::system_error(error, std::generic_category(), "epoll");
            }
        }
    }
    ~EmulatorEvents() override { ::close(fd_); }

    [[nodiscard]] int fd() const override { return fd_; }
    [[nodiscard]] std::vector<Event> take() override {
        core_->attend();
        auto events = core_->queue().take();
        // Taking the last event makes the queue unreadable, also for a report that has come since.
        if (core_->has_reports()) core_->queue().nudge();
        return events;
    }

 private:
    std::shared_ptr<Core> core_;
    int fd_;
};

}  // namespace

}  // namespace emulator

Emulator make_emulator(emulator::MachineDescription description) {
    return make_emulator(std::move(description), emulator::monotonic_clock());
}

Emulator make_emulator(emulator::MachineDescription description, std::unique_ptr<emulator::Clock> clock) {
    return make_emulator(std::make_shared<emulator::Core>(std::move(description), std::move(clock)));
}

Emulator make_emulator(std::shared_ptr<emulator::Core> core) {
    Emulator out;
    out.control = core.get();
    out.pair.loop_side = std::make_unique<emulator::EmulatorEvents>(core);
    out.pair.worker_side = std::make_unique<emulator::EmulatorBackend>(std::move(core));
    return out;
}

}  // namespace cxlmemd
