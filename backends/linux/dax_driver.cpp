// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/dax_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "backends/linux/dax_scan.h"
#include "backends/linux/iomem.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

std::string driver_of(DaxMode mode) {
    switch (mode) {
        case DaxMode::unbound: return {};
        case DaxMode::system_ram: return "kmem";
        case DaxMode::devdax: return "device_dax";
        case DaxMode::famfs: return "fsdev_dax";
    }
    return {};
}

// "2098-2105, 2110"
std::string list_of(const std::vector<Block>& blocks) {
    std::string out;
    for (std::size_t i = 0; i < blocks.size();) {
        std::size_t j = i;
        while (j + 1 < blocks.size() && blocks[j + 1].index.value() == blocks[j].index.value() + 1) ++j;
        out += fmt::format("{}{}", out.empty() ? "" : ", ", blocks[i].index.value());
        if (j > i) out += fmt::format("-{}", blocks[j].index.value());
        i = j + 1;
    }
    return out;
}

Error leaked(const DaxDevice& device, const char* operation) {
    return {.code = ErrorCode::reboot_required,
            .object = device.id.name,
            .operation = operation,
            .reason =
                "its memory is leaked: it was online when kmem was unbound, the kernel goes on using it, and "
                "nobody "
                "can take it offline or give it back before a reboot",
            .advice = "reboot to have it back"};
}

Error not_written(const DaxDevice& device, const char* operation, const std::string& what, int errnum) {
    Error error{.code = code_of_errno(errnum),
                .object = device.id.name,
                .operation = operation,
                .errnum = errnum,
                .reason = what};
    if (errnum == EACCES || errnum == EPERM || errnum == EROFS) {
        error.advice = "it takes root and write access to /sys/bus/dax and /sys/devices";
    }
    return error;
}

}  // namespace

Result<> DaxDriver::set_mode(const DaxDevice& device, DaxMode mode) const {
    const auto known_size = blocks_.block_size();
    if (!known_size) return fail(known_size.error());
    const Bytes block_size = *known_size;
    if (device.mode != DaxMode::system_ram) {
        const auto is_gone_for_good = is_leaked(device, block_size);
        if (!is_gone_for_good) return fail(is_gone_for_good.error());
        if (*is_gone_for_good) return fail(leaked(device, "set mode"));
    }
    if (device.mode == mode) return {};
    if (mode == DaxMode::system_ram) {
        if (auto may = may_become_ram(device, block_size); !may) return may;
    }
    if (device.mode == DaxMode::system_ram) {
        if (auto may = may_leave_ram(device, block_size); !may) return may;
    }
    // Looked at before the old driver is left: a device should not end with none for want of a module.
    if (mode != DaxMode::unbound && !sysfs::exists(driver_file(driver_of(mode), "bind"))) {
        return fail({.code = ErrorCode::not_supported,
                     .object = device.id.name,
                     .operation = "bind",
                     .reason = fmt::format("the kernel has no driver {} on the dax bus", driver_of(mode)),
                     .advice = fmt::format("load the module {}", driver_of(mode))});
    }
    if (device.mode != DaxMode::unbound) {
        if (auto left = leave(device, block_size); !left) return left;
    }
    return mode == DaxMode::unbound ? Result<>{} : bind(device, mode);
}

// drivers/dax/kmem.c, dev_dax_kmem_probe(): what it would refuse or throw away (R8, R9).
Result<> DaxDriver::may_become_ram(const DaxDevice& device, Bytes block_size) const {
    Error error{
        .code = ErrorCode::invalid_argument, .object = device.id.name, .operation = "set mode system-ram"};
    if (block_size.value() == 0) {
        error.code = ErrorCode::not_supported;
        error.reason = "this kernel has no memory blocks: it cannot hot-add memory";
        return fail(error);
    }
    if (device.target_node < NodeId{0}) {
        error.reason = fmt::format("its target node is {}: the firmware gives its memory no NUMA node",
                                   device.target_node.value());
        error.advice = "check the firmware's SRAT and CFMWS tables";
        return fail(error);
    }
    if (whole_blocks(device, block_size).empty()) {
        error.reason =
            fmt::format("no whole memory block of {} bytes lies in its ranges", block_size.value());
        error.advice = "it can be used as devdax";
        return fail(error);
    }
    return {};
}

Result<> DaxDriver::may_leave_ram(const DaxDevice& device, Bytes block_size) const {
    Error error{.code = ErrorCode::busy, .object = device.id.name, .operation = "unbind"};
    // Without hot-remove kmem's remove() leaks the range even if all is offline (R13).
    const auto hotremove = blocks_.hotremove();
    if (!hotremove) return fail(hotremove.error());
    if (!*hotremove) {
        error.code = ErrorCode::not_supported;
        error.reason = "this kernel cannot hot-remove memory (CONFIG_MEMORY_HOTREMOVE)";
        return fail(error);
    }
    auto found = blocks_of(device, block_size);
    if (!found) return fail(found.error());
    std::vector<Block> in_use = std::move(*found);
    std::erase_if(in_use, [](const Block& block) { return block.state == BlockState::offline; });
    if (in_use.empty()) return {};
    error.errnum = EBUSY;
    error.reason = fmt::format("memory block{} {} {} not offline", in_use.size() == 1 ? "" : "s",
                               list_of(in_use), in_use.size() == 1 ? "is" : "are");
    error.advice = "take the device offline first";
    return fail(error);
}

Result<> DaxDriver::leave(const DaxDevice& device, Bytes block_size) const {
    const std::string driver = driver_of(device.mode);
    // Since 7.3: offlines and removes all or nothing, so that a block that somebody onlines just now
    // makes this fail instead of being lost. Before, the look in may_leave_ram() has to do.
    const std::string state = paths_.dax_devices() + "/" + device.id.name + "/state";
    if (device.mode == DaxMode::system_ram && sysfs::exists(state)) {
        if (const auto done = sysfs::write(state, "unplugged"); !done) {
            return fail(not_written(device, "unplug", "the kernel did not give the memory up", done.error()));
        }
    }
    // An id that somebody wrote to new_id would claim the device, or the next one of its name, again.
    (void)sysfs::write(driver_file(driver, "remove_id"), device.id.name);
    const auto done = sysfs::write(driver_file(driver, "unbind"), device.id.name);
    const auto now = read_dax_mode(paths_, device.id.name);
    if (!now) {
        return fail(not_written(device, "unbind", "the device has gone", ENODEV));
    }
    if (*now == device.mode) {
        return fail(not_written(device, "unbind", fmt::format("{} did not let it go", driver),
                                done ? EIO : done.error()));
    }
    if (device.mode == DaxMode::system_ram) {
        DaxDevice unbound = device;
        unbound.mode = *now;
        const auto is_gone_for_good = is_leaked(unbound, block_size);
        if (!is_gone_for_good) return fail(is_gone_for_good.error());
        if (*is_gone_for_good) return fail(leaked(device, "unbind"));
    }
    return {};
}

// A driver takes a device of its own type (kmem: volatile memory) or one whose name was written to its
// new_id (drivers/dax/bus.c, dax_bus_match). new_id comes second: it offers *every* unbound device to the
// driver, so that one which was left unbound on purpose would be taken along. And the id goes at once: it
// is a name, and would claim whatever device has it next.
Result<> DaxDriver::bind(const DaxDevice& device, DaxMode mode) const {
    const std::string driver = driver_of(mode);
    const auto is_bound = [&] { return read_dax_mode(paths_, device.id.name) == mode; };
    auto done = sysfs::write(driver_file(driver, "bind"), device.id.name);
    if (!done && done.error() == ENODEV && !is_bound()) {
        done = sysfs::write(driver_file(driver, "new_id"), device.id.name);
        if (done && !is_bound()) done = sysfs::write(driver_file(driver, "bind"), device.id.name);
        (void)sysfs::write(driver_file(driver, "remove_id"), device.id.name);
    }
    if (is_bound()) return {};
    return fail(bind_error(device, driver, done ? EIO : done.error()));
}

Error DaxDriver::bind_error(const DaxDevice& device, const std::string& driver, int errnum) const {
    Error error = not_written(device, "bind", fmt::format("{} did not take it", driver), errnum);
    if (errnum != EBUSY) return error;
    const std::string iomem = sysfs::read(paths_.proc + "/iomem").value_or("");
    for (const PhysRange& range : device.ranges) {
        const std::string holder = iomem_holder(iomem, range);
        if (holder.empty()) continue;
        error.reason = fmt::format("{} could not reserve {:#x}-{:#x}: held by {}", driver,
                                   range.start.value(), range.end().value() - 1, holder);
        return error;
    }
    error.reason = fmt::format("{} could not reserve its range", driver);
    error.advice = "/proc/iomem, read as root, tells what holds it";
    return error;
}

Result<std::vector<Block>> DaxDriver::blocks_of(const DaxDevice& device, Bytes block_size) const {
    std::vector<Block> out;
    for (const PhysRange& range : device.ranges) {
        auto found = blocks_.read_overlapping(range, block_size, device.target_node);
        if (!found) {
            Error cannot_tell = found.error();
            cannot_tell.reason = fmt::format("cannot tell whether memory of {} is in use: {}", device.id.name,
                                             cannot_tell.reason);
            return fail(std::move(cannot_tell));
        }
        std::ranges::move(*found, std::back_inserter(out));
    }
    // reboot_required() and whole_blocks() speak of whole blocks: one that only touches the device may be
    // somebody else's.
    const auto whole = whole_blocks(device, block_size);
    std::erase_if(out, [&](const Block& block) { return !std::ranges::binary_search(whole, block.index); });
    std::ranges::sort(out, {}, &Block::index);
    return out;
}

Result<bool> DaxDriver::is_leaked(const DaxDevice& device, Bytes block_size) const {
    auto found = blocks_of(device, block_size);
    if (!found) return fail(found.error());
    Topology now;
    now.block_size = block_size;
    now.blocks = std::move(*found);
    return reboot_required(now, device);
}

std::string DaxDriver::driver_file(const std::string& driver, const char* file) const {
    return paths_.dax_drivers() + "/" + driver + "/" + file;
}

}  // namespace cxlmemd
