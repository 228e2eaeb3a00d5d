// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/client.h"

#include <chrono>
#include <utility>

namespace cxlmemctl {
namespace {

constexpr const char* properties_interface = "org.freedesktop.DBus.Properties";

// While polkit waits for somebody to type a password, the call waits too.
constexpr std::chrono::minutes patience{10};

std::unique_ptr<sdbus::IConnection> open(const Destination& destination) {
    if (!destination.host.empty()) return sdbus::createRemoteSystemBusConnection(destination.host);
    if (destination.bus == "system") return sdbus::createSystemBusConnection();
    if (destination.bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(destination.bus);
}

std::string place(const Destination& destination) {
    if (!destination.host.empty()) return destination.host;
    const bool by_name = destination.bus == "system" || destination.bus == "session";
    return by_name ? "the " + destination.bus + " bus" : "the bus at " + destination.bus;
}

std::unique_ptr<sdbus::IProxy> proxy_of(sdbus::IConnection& connection, const std::string& service,
                                        const std::string& path) {
    return sdbus::createProxy(connection, compat::ServiceName{service}, compat::ProxyPath{path});
}

}  // namespace

Client::Client(std::unique_ptr<sdbus::IConnection> connection, bool ask_password)
    : connection_(std::move(connection)),
      manager_(std::make_unique<ManagerProxy>(*connection_)),
      ask_password_(ask_password) {}

Result<Client> Client::connect(const Destination& destination) {
    auto client = connect_to_bus(destination);
    if (client && !client->daemon_is_there()) {
        return tl::unexpected(failure_of_dbus("org.freedesktop.DBus.Error.NameHasNoOwner", ""));
    }
    return client;
}

Result<Client> Client::connect_to_bus(const Destination& destination) {
    try {
        return Client(open(destination), destination.ask_password);
    } catch (const sdbus::Error& error) {
        return fail(Exit::unreachable, "cannot connect to " + place(destination) + ": " + error.getMessage());
    }
}

bool Client::daemon_is_there() {
    const auto bus = proxy_of(*connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus");
    bool has_owner = false;
    bus->callMethod("NameHasOwner")
        .onInterface("org.freedesktop.DBus")
        .withArguments(bus_name)
        .storeResultsTo(has_owner);
    return has_owner;
}

void Client::prepare_to_change() {
    if (!ask_password_) return;
    connection_->setMethodCallTimeout(patience);
    const auto any = proxy_of(*connection_, bus_name, std::string(root_path));
    compat::set_interactive(*any, true);
}

Objects Client::objects() {
    Objects objects;
    for (const auto& [path, interfaces] : manager_->GetManagedObjects()) {
        const auto kind = kind_of_path(path);
        if (!kind) continue;
        for (const auto& [interface, properties] : interfaces) {
            if (interface != interface_name(*kind)) continue;
            objects.push_back(make_object(path, *kind, dictionary_to_json(properties)));
        }
    }
    sort_objects(objects);
    return objects;
}

std::optional<Object> Client::find(Kind kind, const std::string& name) {
    const std::string path = path_of(kind, name);
    try {
        return make_object(path, kind, properties(path, interface_name(kind)));
    } catch (const sdbus::Error& error) {
        if (!is_unknown_object(error.getName())) throw;
        return std::nullopt;
    }
}

nlohmann::json Client::properties(const std::string& path, std::string_view interface) {
    const auto proxy = proxy_of(*connection_, bus_name, path);
    std::map<std::string, sdbus::Variant> values;
    proxy->callMethod("GetAll")
        .onInterface(properties_interface)
        .withArguments(std::string(interface))
        .storeResultsTo(values);
    return dictionary_to_json(values);
}

void Client::on_properties_changed(
    std::string_view below,
    const std::function<void(const std::string& path, const nlohmann::json& changed)>& handler) {
    const std::string rule = "type='signal',sender='" + bus_name + "',path_namespace='" + std::string(below) +
                             "',interface='" + properties_interface + "',member='PropertiesChanged'";
    compat::add_match(*connection_, rule, [handler](auto&& message) {
        std::string interface;
        std::map<std::string, sdbus::Variant> changed;
        message >> interface >> changed;
        handler(message.getPath(), dictionary_to_json(changed));
    });
}

void Client::on_job_removed(const std::function<void(const std::string& job, const std::string& object,
                                                     const std::string& result)>& handler) {
    const std::string rule = "type='signal',sender='" + bus_name + "',path='" + std::string(root_path) +
                             "',interface='org.cxlmemd1.Manager',member='JobRemoved'";
    compat::add_match(*connection_, rule, [handler](auto&& message) {
        std::uint32_t id = 0;
        sdbus::ObjectPath job;
        sdbus::ObjectPath object;
        std::string result;
        message >> id >> job >> object >> result;
        handler(job, object, result);
    });
}

void Client::on_objects_changed(
    const std::function<void(const std::string& path, Kind kind, const nlohmann::json& properties)>& added,
    const std::function<void(const std::string& path)>& removed) {
    const std::string rule = "type='signal',sender='" + bus_name + "',path='" + std::string(root_path) +
                             "',interface='org.freedesktop.DBus.ObjectManager',member='";
    compat::add_match(*connection_, rule + "InterfacesAdded'", [added](auto&& message) {
        sdbus::ObjectPath path;
        std::map<std::string, std::map<std::string, sdbus::Variant>> interfaces;
        message >> path >> interfaces;
        const auto kind = kind_of_path(path);
        if (!kind) return;
        const auto found = interfaces.find(std::string(interface_name(*kind)));
        if (found != interfaces.end()) added(path, *kind, dictionary_to_json(found->second));
    });
    compat::add_match(*connection_, rule + "InterfacesRemoved'", [removed](auto&& message) {
        sdbus::ObjectPath path;
        message >> path;
        removed(path);
    });
}

void Client::on_owner_changed(const std::function<void(bool present)>& handler) {
    const std::string rule =
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
        "member='NameOwnerChanged',arg0='" +
        bus_name + "'";
    compat::add_match(*connection_, rule, [handler](auto&& message) {
        std::string name;
        std::string before;
        std::string after;
        message >> name >> before >> after;
        handler(!after.empty());
    });
}

}  // namespace cxlmemctl
