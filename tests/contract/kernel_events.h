// SPDX-License-Identifier: LGPL-2.1-or-later
// Uevents as the kernel sends them, in its order: udev handles devices in parallel and may turn it around.
#pragma once

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "backends/linux/sysfs.h"
#include "tests/contract/trace_machine.h"

namespace cxlmemd::contract {

class KernelEvents final {
 public:
    KernelEvents() : fd_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT)) {
        constexpr int buffer = 16 << 20;
        sockaddr_nl address{};
        address.nl_family = AF_NETLINK;
        address.nl_groups = 1;  // the kernel's own, before udev
        if (fd_.get() < 0 ||
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0 ||
            ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
            throw std::system_error(errno, std::generic_category(), "the kernel's uevents");
        }
    }

    // All that the kernel has sent until now.
    std::vector<KernelEvent> take() {
        // An event that comes behind all of them.
        if (!sysfs::write(barrier, "change"))
            throw std::runtime_error(std::string{barrier} + " cannot be written");
        constexpr int patience_ms = 10000;
        while (receive(patience_ms)) {
            if (passed_) {
                passed_ = false;
                return std::exchange(events_, {});
            }
        }
        throw std::runtime_error("an event of the kernel's did not come");
    }

    // Waits until this holds for what has come since take(); false after some seconds.
    bool until(const std::function<bool(const std::vector<KernelEvent>&)>& condition) {
        constexpr int patience_ms = 10000;
        while (!condition(events_)) {
            if (!receive(patience_ms)) return false;
        }
        return true;
    }

 private:
    static constexpr const char* barrier = "/sys/devices/system/memory/memory0/uevent";

    bool receive(int patience_ms) {
        pollfd one{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&one, 1, patience_ms) <= 0) return false;
        const ssize_t size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
        if (size <= 0) throw std::system_error(errno, std::generic_category(), "uevents were lost");
        note({buffer_.data(), static_cast<std::size_t>(size)});
        return true;
    }

    // "add@/devices/system/memory/memory2098\0ACTION=add\0SUBSYSTEM=memory\0..."
    void note(std::string_view message) {
        const std::string_view head = message.substr(0, message.find('\0'));
        const std::string_view action = head.substr(0, head.find('@'));
        const std::string_view name = head.substr(head.rfind('/') + 1);
        if (action == "change" && name == "memory0") {
            passed_ = true;
            return;
        }
        for (const char* subsystem : {"cxl", "dax", "memory", "memory_tiering", "node"}) {
            const std::string wanted = std::string("SUBSYSTEM=") + subsystem;
            for (std::size_t at = message.find('\0'); at != std::string_view::npos;
                 at = message.find('\0', at + 1)) {
                if (message.substr(at + 1, message.find('\0', at + 1) - at - 1) == wanted) {
                    events_.push_back({std::string{action}, std::string{name}});
                    return;
                }
            }
        }
    }

    sysfs::Fd fd_;
    std::array<char, 16384> buffer_{};
    std::vector<KernelEvent> events_;
    bool passed_ = false;
};

}  // namespace cxlmemd::contract
