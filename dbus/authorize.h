// Who may call what: the one table, default deny, and the authority that goes by it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dbus/polkit.h"
#include "dbus/questions.h"
#include "dbus/sdbus_compat.h"
#include "policy/error.h"

namespace cxlmemd::bus {

enum class Right {
    read,  // everyone
    // Changes: root, the user that the daemon itself runs as (on a private bus), and whoever polkit
    // allows the action org.cxlmemd1.<name> (units/org.cxlmemd1.policy).
    online,
    offline,
    set_mode,
    provision,
    manage_policy,
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

// For what is root's alone, and the daemon's own user's: nobody is asked.
[[nodiscard]] Result<> require_root(const sdbus::Message& message, const std::string& operation);

// One call that needs leave.
struct Call {
    std::string_view interface;
    std::string_view method;
    std::string object;  // "dax0.0", "job 3", "policy": for messages, and polkit's detail "device"
};

// Decides whether callers may. Rests on the effective uid that the broker supplies and, for everybody but
// root and the daemon's own user, on polkit; never on what /proc says of a pid. Loop thread.
class Authority final {
 public:
    Authority(sdbus::IConnection& connection, StartTimer start_timer);
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    // The uid, or why not. Runs at once if there is nothing to ask; not at all if the sender vanishes
    // while polkit is asked.
    using Then = std::function<void(Result<std::uint32_t>)>;
    void authorize(const sdbus::Message& message, const Call& call, Then then);

    // The daemon stops: open questions end as canceled, and so does every call from now on.
    void close();

 private:
    void watch_senders(const std::string& sender);
    void vanish(const std::string& sender);
    void stop_watching_when_done();

    sdbus::IConnection& connection_;
    StartTimer start_timer_;
    Polkit polkit_;
    Questions questions_;
    std::unique_ptr<sdbus::IProxy> broker_;
    sdbus::Slot vanished_;  // while questions are open
    Timer unwatch_;
    bool closed_ = false;
};

}  // namespace cxlmemd::bus
