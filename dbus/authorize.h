// SPDX-License-Identifier: LGPL-2.1-or-later
// Who may call what: the one table, default deny, and the authority that goes by it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dbus/callers.h"
#include "dbus/polkit.h"
#include "dbus/questions.h"
#include "dbus/sdbus_compat.h"
#include "policy/error.h"

namespace cxlmemd::bus {

enum class Right {
    read,  // everyone
    // Changes, and what the kernel shows to root alone: root, the user that the daemon itself runs as (on a
    // private bus), and whoever polkit allows the action org.cxlmemd1.<name> (units/org.cxlmemd1.policy).
    online,
    offline,
    set_mode,
    provision,
    manage_policy,
    read_addresses,
};

struct MethodRight {
    std::string_view interface;
    std::string_view method;
    Right right;
};

// Every method of the API; a method that is not listed is denied.
[[nodiscard]] const std::vector<MethodRight>& method_rights();

// "org.cxlmemd1.set-mode"; empty for read.
[[nodiscard]] std::string action_of(Right right);

// Root, and the user that the daemon itself runs as: nobody is asked about them.
[[nodiscard]] bool is_trusted(std::uint32_t uid);

// One call that needs leave.
struct Call {
    std::string_view interface;
    std::string_view method;
    std::string object;  // "dax0.0", "job 3", "policy": for messages, and polkit's detail "device"
    // The rights that it takes beyond the one of the table, by what it would do now. Asked once the caller
    // has those that are known to be needed, and again before the call goes through: what it would do may
    // have changed while polkit was asked. Null: none.
    std::function<std::vector<Right>()> more = {};
};

// Decides whether callers may. Rests on the uid that the broker supplies and, for everybody but root and the
// daemon's own user, on polkit; never on what /proc says of a pid. Loop thread; no call blocks.
class Authority final {
 public:
    Authority(sdbus::IConnection& connection, StartTimer start_timer);
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    // The uid, or why not. Runs at once if there is nothing to ask; not at all if the sender vanishes
    // while polkit is asked.
    using Then = std::function<void(Result<std::uint32_t>)>;
    void authorize(const sdbus::Message& message, Call call, Then then);

    // For what is root's alone: nobody is asked. Of a message as sd-bus has it.
    void require_root(sd_bus_message* message, const std::string& operation,
                      std::function<void(Result<>)> then);

    // The daemon stops: open questions end as canceled, and so does every call from now on.
    void close();

 private:
    struct Asking;
    void ask(const std::shared_ptr<Asking>& asking);

    Polkit polkit_;
    Questions questions_;
    Callers callers_;
    bool closed_ = false;
};

}  // namespace cxlmemd::bus
