// SPDX-License-Identifier: LGPL-2.1-or-later
// Kernel events: those of cxl, dax, nodes and tiers as udev passes them on, those of memory blocks, and that
// a dax device is bound, from the kernel itself (kernel_events.h). Loop thread.
//
// udev's monitor, not the kernel's own: its filter lets the socket drop in the kernel what is none of
// our business, so that an idle daemon sleeps through the hotplug of others.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "backends/backend.h"
#include "backends/linux/kernel_events.h"

struct udev;
struct udev_monitor;

namespace cxlmemd {

// What an event of udev means. Pure. nullopt: nothing that a topology shows.
[[nodiscard]] std::optional<Event> translate_event(std::string_view subsystem, std::string_view name,
                                                   std::string_view action);

class UdevEvents final : public EventSource {
 public:
    // Throws std::system_error if the monitor cannot be set up: start-up only.
    UdevEvents();

    [[nodiscard]] int fd() const override;
    [[nodiscard]] std::vector<Event> take() override;

 private:
    void take_from_kernel(std::vector<Event>& out);

    struct Unref {
        void operator()(udev* old) const;
        void operator()(udev_monitor* old) const;
    };
    std::unique_ptr<udev, Unref> udev_;
    std::unique_ptr<udev_monitor, Unref> monitor_;
    KernelEvents kernel_;
    sysfs::Fd both_;  // epoll of the two sockets
};

}  // namespace cxlmemd
