// SPDX-License-Identifier: LGPL-2.1-or-later
// Binds a dax device to a driver, and lets kmem have it back only when that loses nothing.
//
// Through sysfs, not through daxctl_dev_enable_*: those insert modules, which the service may not (it has
// no capability), and lose the errno of the bind; daxctl_dev_disable unbinds with blocks online. Worker
// thread; a call ends when the kernel's probe or remove has.
#pragma once

#include <string>

#include "backends/linux/memory_blocks.h"
#include "backends/linux/paths.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

class DaxDriver final {
 public:
    // Both must outlive it.
    DaxDriver(const LinuxPaths& paths, const MemoryBlocks& blocks) : paths_(paths), blocks_(blocks) {}

    // `device` as it was read just now. Errors as Backend::set_mode says, but for the identity.
    [[nodiscard]] Result<> set_mode(const DaxDevice& device, DaxMode mode) const;

 private:
    [[nodiscard]] Result<> may_become_ram(const DaxDevice& device, Bytes block_size) const;
    [[nodiscard]] Result<> may_leave_ram(const DaxDevice& device, Bytes block_size) const;
    [[nodiscard]] Result<> leave(const DaxDevice& device, Bytes block_size) const;
    [[nodiscard]] Result<> bind(const DaxDevice& device, DaxMode mode) const;
    [[nodiscard]] Error bind_error(const DaxDevice& device, const std::string& driver, int errnum) const;
    // Both fail if a single block of it cannot be read.
    [[nodiscard]] Result<bool> is_leaked(const DaxDevice& device, Bytes block_size) const;
    [[nodiscard]] Result<std::vector<Block>> blocks_of(const DaxDevice& device, Bytes block_size) const;
    [[nodiscard]] std::string driver_file(const std::string& driver, const char* file) const;

    const LinuxPaths& paths_;
    const MemoryBlocks& blocks_;
};

}  // namespace cxlmemd
