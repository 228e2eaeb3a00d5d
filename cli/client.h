// SPDX-License-Identifier: LGPL-2.1-or-later
// One connection to one daemon.
//
// Everything here may throw sdbus::Error; main() turns that into an exit code in one place.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/failure.h"
#include "cli/objects.h"
#include "cli/proxies.h"

namespace cxlmemctl {

struct Destination {
    std::string bus = "system";  // system, session, or a D-Bus address
    std::string host;            // USER@HOST; not empty: the system bus there, through ssh
    bool ask_password = true;    // polkit may ask on this terminal
};

// The daemon is never started by looking at it: without an owner of its name, connect() fails. (A policy
// daemon that starts changes memory; that is for systemctl to order.)
class Client final {
 public:
    [[nodiscard]] static Result<Client> connect(const Destination& destination);
    // The same for a command that can wait for the daemon: only the bus must be there.
    [[nodiscard]] static Result<Client> connect_to_bus(const Destination& destination);
    [[nodiscard]] bool daemon_is_there();

    // All objects, in one round trip.
    [[nodiscard]] Objects objects();
    // The one object of a kind whose own name this is; nullopt if there is none. Costs the same however many
    // there are.
    [[nodiscard]] std::optional<Object> find(Kind kind, const std::string& name);
    // All properties of one object; throws UnknownObject if it is not there any more.
    [[nodiscard]] nlohmann::json properties(const std::string& path, std::string_view interface);
    [[nodiscard]] nlohmann::json manager_properties() {
        return properties(std::string(root_path), "org.cxlmemd1.Manager");
    }

    // Before a call that changes something: polkit may ask the user, and the call waits for the answer.
    void prepare_to_change();

    [[nodiscard]] ManagerProxy& manager() { return *manager_; }
    [[nodiscard]] DaxProxy dax(const std::string& path) { return {*connection_, path}; }
    [[nodiscard]] RegionProxy region(const std::string& path) { return {*connection_, path}; }
    [[nodiscard]] MemdevProxy memdev(const std::string& path) { return {*connection_, path}; }
    [[nodiscard]] JobProxy job(const std::string& path) { return {*connection_, path}; }
    [[nodiscard]] sdbus::IConnection& connection() { return *connection_; }

    // All are called from EventPump::turn and must not throw; they stay for the connection's life. Each is
    // one question to the bus.

    // Of the object at `below` and of those below it in the tree.
    void on_properties_changed(
        std::string_view below,
        const std::function<void(const std::string& path, const nlohmann::json& changed)>& handler);
    void on_job_removed(const std::function<void(const std::string& job, const std::string& object,
                                                 const std::string& result)>& handler);
    // Objects of the daemon that appear, with their properties, and that disappear.
    void on_objects_changed(const std::function<void(const std::string& path, Kind kind,
                                                     const nlohmann::json& properties)>& added,
                            const std::function<void(const std::string& path)>& removed);
    // The daemon's name changed hands; false: it has left the bus.
    void on_owner_changed(const std::function<void(bool present)>& handler);

 private:
    Client(std::unique_ptr<sdbus::IConnection> connection, bool ask_password);

    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<ManagerProxy> manager_;  // uses connection_
    bool ask_password_;
};

}  // namespace cxlmemctl
