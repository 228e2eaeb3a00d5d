// The connection that --bus names.
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <memory>
#include <string>

namespace cxlmemd {

// "system", "session", or a D-Bus address. Throws sdbus::Error.
[[nodiscard]] std::unique_ptr<sdbus::IConnection> connect_bus(const std::string& bus);

}  // namespace cxlmemd
