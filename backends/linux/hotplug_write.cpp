// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/hotplug_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace cxlmemd {

namespace {

// Lock-free, so that the handler may use them.
std::atomic<int> under_way = -1;
std::atomic<int> decoy = -1;
std::atomic<bool> broken = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

}  // namespace

sysfs::OrErrno<> hotplug_write(const sysfs::Fd& fd, std::string_view value) {
    if (decoy.load() < 0) decoy.store(::open("/", O_PATH | O_CLOEXEC));  // a write to it is EBADF
    broken.store(false);
    under_way.store(fd.get());
    const auto done = sysfs::write_fd(fd.get(), value);
    under_way.store(-1);
    if (!done && done.error() == EBADF && broken.load()) return tl::unexpected(EINTR);
    return done;
}

void break_hotplug_write() noexcept {
    const int fd = under_way.load();
    const int instead = decoy.load();
    if (fd < 0 || instead < 0) return;
    const int interrupted_errno = errno;
    broken.store(true);
    (void)::dup3(instead, fd, O_CLOEXEC);
    errno = interrupted_errno;
}

}  // namespace cxlmemd
