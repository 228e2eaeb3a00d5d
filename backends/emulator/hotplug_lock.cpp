// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/hotplug_lock.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cxlmemd::emulator {

HotplugLock::HotplugLock() : fd_(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

HotplugLock::~HotplugLock() {
    ::close(fd_);
}

void HotplugLock::set_held(bool held) {
    if (held == held_) return;
    held_ = held;
    eventfd_t taken = 0;
    if (held) {
        static_cast<void>(::eventfd_read(fd_, &taken));
    } else {
        static_cast<void>(::eventfd_write(fd_, 1));
    }
}

int HotplugLock::wait(bool deaf) const {
    pollfd poll{.fd = fd_, .events = POLLIN, .revents = 0};
    int result = 0;
    do {
        result = ::ppoll(&poll, 1, nullptr, nullptr) < 0 ? errno : 0;
    } while (deaf && result == EINTR);
    return result;
}

}  // namespace cxlmemd::emulator
