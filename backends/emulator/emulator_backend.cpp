#include "backends/emulator/emulator_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "backends/emulator/destroy_rules.h"
#include "backends/emulator/event_queue.h"
#include "backends/emulator/faults.h"
#include "backends/emulator/inject.h"
#include "backends/emulator/machine.h"

namespace cxlmemd {

namespace emulator {

namespace {

Event event_of(const Uevent& uevent) {
    Event event;
    event.removed = uevent.action == Uevent::Action::remove;
    if (uevent.subsystem == Uevent::Subsystem::memory) {
        event.scope = Event::Scope::block;
        event.block = uevent.block;
    } else {
        event.subject = uevent.name;
    }
    return event;
}

Error refusal(ErrorCode code, std::string object, std::string operation, std::string reason,
              std::string advice = {}) {
    return {.code = code,
            .object = std::move(object),
            .operation = std::move(operation),
            .errnum = 0,
            .reason = std::move(reason),
            .advice = std::move(advice)};
}

// "blocks 178, 179 and 30 more are online"
std::string online_blocks_text(const Machine& machine, const DaxDevice& device) {
    constexpr std::size_t shown = 4;
    std::uint64_t total = 0;
    std::vector<std::uint64_t> some;
    for (const MemoryBlocks::Span span : machine.whole_spans(device)) {
        total += machine.blocks().count_online(span);
        for (const BlockIndex block : machine.blocks().online(span, shown - some.size()))
            some.push_back(block.value());
    }
    if (total == 0) return {};
    std::string text = fmt::format("memory block{} {}", total == 1 ? "" : "s", fmt::join(some, ", "));
    if (total > some.size()) text += fmt::format(" and {} more", total - some.size());
    return text + (total == 1 ? " is online" : " are online");
}

}  // namespace

// The mutex protects the machine and the faults, since inject() may come from another thread. It is
// never held while an operation hangs or takes its time, and the event source does not know it.
class EmulatorBackend final : public Backend, public EmulatorControl {
 public:
    EmulatorBackend(MachineDescription description, std::shared_ptr<EventQueue> queue)
        : queue_(std::move(queue)),
          machine_(std::move(description), [this](const Uevent& uevent) { queue_->push(event_of(uevent)); }) {
    }

    [[nodiscard]] std::string_view name() const override { return "emulator"; }

    [[nodiscard]] Result<Topology> scan() override {
        if (auto struck = suffer(Operation::scan, {}, {}, "topology"); !struck) return fail(struck.error());
        const std::lock_guard lock(mutex_);
        return machine_.topology();
    }

    [[nodiscard]] Result<std::vector<Block>> read_blocks(std::span<const BlockIndex> indices) override {
        if (auto struck = suffer(Operation::read_blocks, {}, {}, "memory blocks"); !struck) {
            return fail(struck.error());
        }
        const std::lock_guard lock(mutex_);
        std::vector<Block> found;
        found.reserve(indices.size());
        for (const BlockIndex index : indices) {
            if (const auto block = machine_.blocks().look(index)) found.push_back(*block);
        }
        return found;
    }

    [[nodiscard]] Result<> set_block(const DaxIdentity& owner, BlockIndex block,
                                     BlockTarget target) override {
        if (auto allowed = locked([&] { return may_set_block(owner, block, target); }); !allowed)
            return allowed;
        const std::string object = fmt::format("memory block {}", block.value());
        if (auto struck = suffer(Operation::set_block, block, owner.name, object); !struck) return struck;
        // A file that was opened before the device went away writes to nobody: look again.
        return locked([&] {
            auto allowed = may_set_block(owner, block, target);
            return allowed ? machine_.write_block_state(block, block_write(target)) : allowed;
        });
    }

    [[nodiscard]] Result<> set_mode(const DaxIdentity& device, DaxMode mode) override {
        if (auto allowed = locked([&] { return may_set_mode(device, mode); }); !allowed) return allowed;
        if (auto struck = suffer(Operation::set_mode, {}, device.name, device.name); !struck) return struck;
        return locked([&]() -> Result<> {
            if (auto allowed = may_set_mode(device, mode); !allowed) return allowed;
            const DaxMode now = machine_.dax(device.name)->mode;
            if (now == mode) return {};
            if (now != DaxMode::unbound) {
                if (auto left = machine_.unbind(device.name); !left) return left;
            }
            return mode == DaxMode::unbound ? Result<>{} : machine_.bind(device.name, mode);
        });
    }

    [[nodiscard]] Result<> destroy_region(const RegionIdentity& region) override {
        if (auto allowed = locked([&] { return may_destroy(machine_, region); }); !allowed) return allowed;
        if (auto struck = suffer(Operation::destroy_region, {}, {}, region.name); !struck) return struck;
        return locked([&] {
            auto allowed = may_destroy(machine_, region);
            return allowed ? machine_.remove_region(region.name) : allowed;
        });
    }

    [[nodiscard]] Result<> set_auto_online(AutoOnline value) override {
        if (auto struck = suffer(Operation::set_auto_online, {}, {}, "auto_online_blocks"); !struck)
            return struck;
        const std::lock_guard lock(mutex_);
        machine_.write_auto_online(value);
        return {};
    }

    [[nodiscard]] Result<> set_interleave_weight(NodeId node, std::uint32_t weight) override {
        const std::string object = fmt::format("interleave weight of node {}", node.value());
        if (auto struck = suffer(Operation::set_interleave_weight, {}, {}, object); !struck) return struck;
        return locked([&] { return machine_.write_interleave_weight(node, weight); });
    }

    [[nodiscard]] Result<> set_interleave_auto(bool on) override {
        if (auto struck = suffer(Operation::set_interleave_auto, {}, {}, "automatic interleave weights");
            !struck)
            return struck;
        return locked([&] { return machine_.write_interleave_auto(on); });
    }

    [[nodiscard]] Result<> set_demotion(bool on) override {
        if (auto struck = suffer(Operation::set_demotion, {}, {}, "demotion_enabled"); !struck) return struck;
        return locked([&] { return machine_.write_demotion(on); });
    }

    [[nodiscard]] Result<RegionDraft> draft_region(const RegionOrder& order) override {
        const std::lock_guard lock(mutex_);
        return machine_.draft_region(order);
    }

    [[nodiscard]] Result<> create_region(const RegionDraft& draft) override {
        if (auto struck = suffer(Operation::create_region, {}, {}, draft.trace.region); !struck)
            return struck;
        return locked([&] { return machine_.create_region(draft); });
    }

    // Nothing of this machine outlives the process, and a creation is one step here.
    [[nodiscard]] Result<> clear_region(const RegionTrace&) override { return {}; }

    [[nodiscard]] Result<> inject(const std::string& event, const InjectDetails& details) override {
        return locked([&] { return emulator::inject({machine_, faults_, *queue_, hang_}, event, details); });
    }

 private:
    template <class Act>
    Result<> locked(Act act) {
        const std::lock_guard lock(mutex_);
        return act();
    }

    // What has been ordered to happen to this call. Without the lock where it waits.
    Result<> suffer(Operation operation, std::optional<BlockIndex> block, std::string_view dax,
                    const std::string& object) {
        std::vector<Fault> faults;
        {
            const std::lock_guard lock(mutex_);
            faults = faults_.strike(operation, block, dax);
        }
        for (const Fault& fault : faults) {
            int errnum = fault.errnum;
            if (fault.kind == Fault::Kind::hang) errnum = hang_.wait_until_let_go(fault.deaf);
            if (fault.kind == Fault::Kind::delay) errnum = Hang::wait_usec(fault.usec);
            if (errnum == 0) continue;
            return fail(kernel_error(object, std::string{to_string(operation)}, errnum,
                                     errnum == EINTR ? "it was interrupted" : "it was made to fail"));
        }
        return {};
    }

    // R7
    Result<const DaxDevice*> the(const DaxIdentity& identity, const char* operation) const {
        const DaxDevice* device = machine_.dax(identity.name);
        if (device != nullptr && device->id == identity) return device;
        return fail(refusal(
            ErrorCode::gone, identity.name, operation,
            device == nullptr ? "the device has gone" : "the device has gone, another one has its name now"));
    }

    Result<> may_set_block(const DaxIdentity& owner, BlockIndex block, BlockTarget target) const {
        const char* operation = target == BlockTarget::offline ? "offline" : "online";
        const Result<const DaxDevice*> device = the(owner, operation);
        if (!device) return fail(device.error());
        if ((*device)->mode != DaxMode::system_ram) {
            return fail(refusal(ErrorCode::gone, owner.name, operation, "it is not bound to kmem any more"));
        }
        const auto inside = [&](MemoryBlocks::Span span) {
            return span.first <= block && block.value() < span.end();
        };
        // A block that does not exist is the kernel's to say no to.
        if (machine_.blocks().exists(block) && std::ranges::none_of(machine_.whole_spans(**device), inside)) {
            return fail(refusal(ErrorCode::invalid_argument, owner.name, operation,
                                fmt::format("memory block {} is none of its blocks", block.value())));
        }
        if (target == BlockTarget::offline && !machine_.features().memory_hotremove) {
            return fail(refusal(ErrorCode::not_supported, owner.name, operation,
                                "this kernel cannot take memory offline"));
        }
        return {};
    }

    Result<> may_set_mode(const DaxIdentity& identity, DaxMode mode) const {
        const std::string operation = fmt::format("set mode {}", to_string(mode));
        const Result<const DaxDevice*> found = the(identity, operation.c_str());
        if (!found) return fail(found.error());
        const DaxDevice& device = **found;
        const auto no = [&](ErrorCode code, std::string reason, std::string advice = {}) {
            return fail(refusal(code, identity.name, operation, std::move(reason), std::move(advice)));
        };
        if (machine_.memory_lost(device)) {
            return no(ErrorCode::reboot_required,
                      "it was unbound while memory of it was online, and that memory is lost", "reboot");
        }
        if (mode == device.mode) return {};
        if (mode == DaxMode::famfs) return no(ErrorCode::not_supported, "there is no fsdev_dax driver here");
        if (mode == DaxMode::system_ram && device.target_node.value() < 0) {
            return no(
                ErrorCode::invalid_argument,
                fmt::format("its target node is {}, kmem has no use for it", device.target_node.value()));
        }
        if (mode == DaxMode::system_ram && machine_.whole_spans(device).empty()) {
            return no(ErrorCode::invalid_argument,
                      fmt::format("not one whole memory block of {} bytes fits into it",
                                  machine_.block_size().value()));
        }
        if (device.mode != DaxMode::system_ram) return {};
        if (!machine_.features().memory_hotremove) {
            return no(ErrorCode::not_supported, "this kernel cannot remove memory");
        }
        if (const std::string online = online_blocks_text(machine_, device); !online.empty()) {
            return no(ErrorCode::busy, online, "take the memory offline first");
        }
        return {};
    }

    std::shared_ptr<EventQueue> queue_;
    std::mutex mutex_;
    Machine machine_;
    FaultList faults_;
    Hang hang_;
};

}  // namespace emulator

Emulator make_emulator(emulator::MachineDescription description) {
    auto queue = std::make_shared<emulator::EventQueue>();
    auto backend = std::make_unique<emulator::EmulatorBackend>(std::move(description), queue);
    while (!queue->take().empty()) {
        // Nobody was listening while the machine was switched on.
    }
    Emulator out;
    out.control = backend.get();
    out.pair.loop_side = std::make_unique<emulator::EmulatorEvents>(std::move(queue));
    out.pair.worker_side = std::move(backend);
    return out;
}

}  // namespace cxlmemd
