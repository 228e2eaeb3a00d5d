// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/emulator/hang.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace cxlmemd::emulator {

Hang::Hang() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Hang::~Hang() {
    ::close(fd_);
}

int Hang::wait_until_let_go(bool deaf) {
    {
        const std::lock_guard lock(mutex_);
        waiting_ = true;
    }
    pollfd poll{.fd = fd_, .events = POLLIN, .revents = 0};
    int result = 0;
    do {
        result = ::ppoll(&poll, 1, nullptr, nullptr) < 0 ? errno : 0;
    } while (deaf && result == EINTR);
    const std::lock_guard lock(mutex_);
    waiting_ = false;
    eventfd_t ignored = 0;
    static_cast<void>(::eventfd_read(fd_, &ignored));
    return result;
}

void Hang::let_go() {
    const std::lock_guard lock(mutex_);
    if (waiting_) static_cast<void>(::eventfd_write(fd_, 1));
}

}  // namespace cxlmemd::emulator
