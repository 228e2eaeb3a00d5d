// SPDX-License-Identifier: LGPL-2.1-or-later
// The kernel's device_hotplug_lock as seen from outside: whoever writes to a memory block's state, or binds
// kmem or takes it off a device, waits while somebody else has it.
#pragma once

namespace cxlmemd::emulator {

// Whether it is held is for one thread at a time to say; any thread may wait.
class HotplugLock final {
 public:
    HotplugLock();  // throws std::system_error if the kernel has no eventfd to give
    HotplugLock(const HotplugLock&) = delete;
    HotplugLock& operator=(const HotplugLock&) = delete;
    ~HotplugLock();

    void set_held(bool held);
    // Until nobody holds it: 0; EINTR after a signal with a handler, which a deaf wait does not hear. By then
    // it may be held again.
    [[nodiscard]] int wait(bool deaf) const;

 private:
    int fd_;  // readable while it is free
    bool held_ = false;
};

}  // namespace cxlmemd::emulator
