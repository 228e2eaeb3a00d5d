// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/udev_events.h"

#include <libudev.h>
#include <sys/epoll.h>

#include <cerrno>
#include <system_error>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

namespace {

constexpr std::size_t most_at_once = 256;
// Without CAP_NET_ADMIN the kernel cuts this to net.core.rmem_max; an overflow is one event of scope
// everything.
constexpr int receive_buffer = 16 << 20;

std::string_view text_or_empty(const char* text) {
    return text != nullptr ? std::string_view{text} : "";
}

void check(int status, const char* what) {
    if (status < 0) throw std::system_error(-status, std::generic_category(), what);
}

}  // namespace

std::optional<Event> translate_event(std::string_view subsystem, std::string_view name,
                                     std::string_view action) {
    Event out;
    out.subject = name;
    out.removed = action == "remove";
    if (subsystem == "cxl" || subsystem == "dax" || subsystem == "memory_tiering" || subsystem == "node")
        return out;
    return std::nullopt;
}

void UdevEvents::Unref::operator()(udev* old) const {
    udev_unref(old);
}
void UdevEvents::Unref::operator()(udev_monitor* old) const {
    udev_monitor_unref(old);
}

UdevEvents::UdevEvents() : udev_(udev_new()) {
    if (!udev_) throw std::system_error(ENOMEM, std::generic_category(), "udev");
    monitor_.reset(udev_monitor_new_from_netlink(udev_.get(), "udev"));
    if (!monitor_) throw std::system_error(errno, std::generic_category(), "udev monitor");
    for (const char* subsystem : {"cxl", "dax", "memory_tiering", "node"}) {
        check(udev_monitor_filter_add_match_subsystem_devtype(monitor_.get(), subsystem, nullptr),
              "udev filter");
    }
    (void)udev_monitor_set_receive_buffer_size(monitor_.get(), receive_buffer);
    check(udev_monitor_enable_receiving(monitor_.get()), "udev monitor");
    both_ = sysfs::Fd(::epoll_create1(EPOLL_CLOEXEC));
    for (const int fd : {udev_monitor_get_fd(monitor_.get()), kernel_.fd()}) {
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        if (::epoll_ctl(both_.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) check(-errno, "events");
    }
}

int UdevEvents::fd() const {
    return both_.get();
}

void UdevEvents::take_from_kernel(std::vector<Event>& out) {
    using What = KernelEvents::Next::What;
    while (out.size() < most_at_once) {
        KernelEvents::Next next = kernel_.next();
        if (next.what == What::nothing) return;
        if (next.what == What::lost) out.push_back(Event{});
        if (next.what == What::event) out.push_back(std::move(next.event));
    }
}

std::vector<Event> UdevEvents::take() {
    std::vector<Event> out;
    take_from_kernel(out);
    while (out.size() < most_at_once) {
        errno = 0;
        const std::unique_ptr<udev_device, udev_device* (*)(udev_device*)> device(
            udev_monitor_receive_device(monitor_.get()), udev_device_unref);
        if (device) {
            const auto event = translate_event(text_or_empty(udev_device_get_subsystem(device.get())),
                                               text_or_empty(udev_device_get_sysname(device.get())),
                                               text_or_empty(udev_device_get_action(device.get())));
            if (event) out.push_back(*event);
        } else if (errno == ENOBUFS) {
            // What was lost is not known, and what is queued says less than a look.
            out = {Event{}};
        } else {
            break;  // EAGAIN: nothing more
        }
    }
    return out;
}

}  // namespace cxlmemd
