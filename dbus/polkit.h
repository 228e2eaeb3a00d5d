// SPDX-License-Identifier: LGPL-2.1-or-later
// Puts questions to polkit, on the bus that the daemon is connected to.
//
// org.freedesktop.PolicyKit1.Authority.CheckAuthorization, with the caller's unique name as subject: the
// bus tells polkit who that is, so that no process id can be reused in between. polkit is started if it
// does not run and can be.
#pragma once

#include <map>
#include <memory>

#include "dbus/question.h"
#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

// No deadline of its own: that is Questions' business. Loop thread.
class Polkit final : public Asker {
 public:
    explicit Polkit(sdbus::IConnection& connection);

    void ask(std::uint64_t id, const Question& question, Done done) override;
    void cancel(std::uint64_t id) override;

 private:
    std::unique_ptr<sdbus::IProxy> authority_;
    std::map<std::uint64_t, sdbus::PendingAsyncCall> pending_;
};

}  // namespace cxlmemd::bus
