#include "daemon/bus_connection.h"

namespace cxlmemd {

std::unique_ptr<sdbus::IConnection> connect_bus(const std::string& bus) {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
}

}  // namespace cxlmemd
