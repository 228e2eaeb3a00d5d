// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace cxlmemd::emulator {

namespace {

Error refusal(ErrorCode code, std::string object, std::string operation, std::string reason,
              std::string advice = {}) {
    return {.code = code,
            .object = std::move(object),
            .operation = std::move(operation),
            .errnum = code == ErrorCode::busy ? EBUSY : 0,
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

// R7
Result<const DaxDevice*> the(const Machine& machine, const DaxIdentity& identity,
                             const std::string& operation) {
    const DaxDevice* device = machine.dax(identity.name);
    if (device != nullptr && device->id == identity) return device;
    return fail(refusal(
        ErrorCode::gone, identity.name, operation,
        device == nullptr ? "the device has gone" : "the device has gone, another one has its name now"));
}

}  // namespace

Result<> may_set_block(const Machine& machine, const DaxIdentity& owner, BlockIndex block,
                       BlockTarget target) {
    const std::string operation{to_string(target)};
    const std::string object = fmt::format("memory block {}", block.value());
    if (target == BlockTarget::offline && !machine.features().memory_hotremove) {
        return fail(
            refusal(ErrorCode::not_supported, object, operation, "this kernel cannot take memory offline"));
    }
    const Result<const DaxDevice*> device = the(machine, owner, operation);
    if (!device) return fail(device.error());
    if ((*device)->mode != DaxMode::system_ram) {
        return fail(refusal(ErrorCode::gone, owner.name, operation, "it is not bound to kmem any more"));
    }
    const auto inside = [&](MemoryBlocks::Span span) {
        return span.first <= block && block.value() < span.end();
    };
    // A block that does not exist is the kernel's to say no to.
    if (machine.blocks().exists(block) && std::ranges::none_of(machine.whole_spans(**device), inside)) {
        return fail(refusal(ErrorCode::invalid_argument, object, operation,
                            fmt::format("it does not lie wholly in {}", owner.name)));
    }
    return {};
}

Result<> may_set_hotplug_state(const Machine& machine, const DaxIdentity& identity, HotplugState state) {
    const std::string operation = "set state " + std::string{to_string(state)};
    const Result<const DaxDevice*> device = the(machine, identity, operation);
    if (!device) return fail(device.error());
    if ((*device)->mode != DaxMode::system_ram)
        return fail(refusal(ErrorCode::gone, identity.name, operation, "it is not bound to kmem any more"));
    if (!machine.dax_state(identity.name)) {
        Error none = refusal(ErrorCode::not_supported, identity.name, operation,
                             "the kernel has no daxX.Y/state for it: 7.3 and newer have it");
        none.errnum = ENOENT;
        return fail(std::move(none));
    }
    if (state == HotplugState::unplugged && !machine.features().memory_hotremove)
        return fail(
            refusal(ErrorCode::not_supported, identity.name, operation, "this kernel cannot remove memory"));
    return {};
}

// In the order of the linux backend, and with its words for what was tried.
Result<> may_set_mode(const Machine& machine, const DaxIdentity& identity, DaxMode mode) {
    const Result<const DaxDevice*> found = the(machine, identity, "set mode");
    if (!found) return fail(found.error());
    const DaxDevice& device = **found;
    const auto no = [&](ErrorCode code, const char* operation, std::string reason, std::string advice = {}) {
        return fail(refusal(code, identity.name, operation, std::move(reason), std::move(advice)));
    };
    if (machine.memory_leaked(device)) {
        return no(
            ErrorCode::reboot_required, "set mode",
            "its memory is leaked: it was online when kmem was unbound, and nobody can take it offline or "
            "give it back before a reboot",
            "reboot to have it back");
    }
    if (mode == device.mode) return {};
    for (const PhysRange& range : device.ranges) {
        if (const int errnum = machine.unreadable_in(range); errnum != 0) {
            Error unknown =
                refusal(ErrorCode::failed, identity.name, "set mode",
                        fmt::format("cannot tell whether memory of {} is in use: a memory block of it "
                                    "cannot be read",
                                    identity.name),
                        "nothing is done on a guess; try again");
            unknown.errnum = errnum;
            return fail(std::move(unknown));
        }
    }
    if (mode == DaxMode::system_ram && device.target_node.value() < 0) {
        return no(ErrorCode::invalid_argument, "set mode system-ram",
                  fmt::format("its target node is {}, kmem has no use for it", device.target_node.value()));
    }
    if (mode == DaxMode::system_ram && machine.whole_spans(device).empty()) {
        return no(
            ErrorCode::invalid_argument, "set mode system-ram",
            fmt::format("not one whole memory block of {} bytes fits into it", machine.block_size().value()));
    }
    if (device.mode == DaxMode::system_ram) {
        if (!machine.features().memory_hotremove) {
            return no(ErrorCode::not_supported, "unbind", "this kernel cannot remove memory");
        }
        if (const std::string online = online_blocks_text(machine, device); !online.empty()) {
            Error busy =
                refusal(ErrorCode::busy, identity.name, "unbind", online, "take the memory offline first");
            busy.errnum = EBUSY;
            return fail(std::move(busy));
        }
    }
    if (mode == DaxMode::famfs && !machine.has_famfs())
        return no(ErrorCode::not_supported, "bind", "there is no fsdev_dax driver here");
    return {};
}

}  // namespace cxlmemd::emulator
