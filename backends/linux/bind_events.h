// The kernel's own word that a dax device is complete: its "bind" event.
//
// udev passes it on only after its rules have run for every memory block that came before: 0.15 s late with
// 64 blocks, worse with more (seen on 6.12). Nothing that we read is udev's work, so this one event is taken
// from the kernel. A filter in the socket drops everything else: an idle daemon sleeps through the hotplug of
// others.
//
// Loop thread.
#pragma once

#include <string>
#include <string_view>

#include "backends/linux/sysfs.h"

namespace cxlmemd {

// The device that a kernel event says is bound to a dax driver ("dax0.0"); empty for any other event. Pure.
[[nodiscard]] std::string bound_dax(std::string_view message);

class BindEvents final {
 public:
    // Throws std::system_error if the socket cannot be set up: start-up only.
    BindEvents();

    [[nodiscard]] int fd() const { return socket_.get(); }

    struct Next {
        enum class What { nothing, other, bound, lost };
        What what = What::nothing;
        std::string dax;  // of bound
    };
    // Never blocks. lost: the kernel had no room for some.
    [[nodiscard]] Next next();

 private:
    sysfs::Fd socket_;
};

}  // namespace cxlmemd
