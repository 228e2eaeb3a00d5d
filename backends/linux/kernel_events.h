// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's own events, for what cannot wait for udev: that a dax device is bound, and all about memory
// blocks.
//
// udev passes an event on only after its rules have run for whatever came before: 0.15 s late with 64 blocks,
// worse with more (seen on 6.12); and a block's event costs ten times as much to take from there, for it is
// told with all its properties. Nothing that we read is udev's work. A filter in the socket drops everything
// else: an idle daemon sleeps through the hotplug of others.
//
// Loop thread.
#pragma once

#include <optional>
#include <string_view>

#include "backends/backend.h"
#include "backends/linux/sysfs.h"

namespace cxlmemd {

// What a message of the kernel means; nullopt: nothing that is taken from here. Pure.
[[nodiscard]] std::optional<Event> read_kernel_event(std::string_view message);

// Has a socket drop, in the kernel, all messages but those that begin with "bind@" and those of memory
// blocks: "online@/devices/system/memory/…" and likewise offline, add and remove. A few others of the same
// lengths may get through. Throws std::system_error.
void keep_what_is_read(int socket);

class KernelEvents final {
 public:
    // Throws std::system_error if the socket cannot be set up: start-up only.
    KernelEvents();

    [[nodiscard]] int fd() const { return socket_.get(); }

    struct Next {
        enum class What { nothing, other, event, lost };
        What what = What::nothing;
        Event event;
    };
    // Never blocks. lost: the kernel had no room for some.
    [[nodiscard]] Next next();

 private:
    sysfs::Fd socket_;
};

}  // namespace cxlmemd
