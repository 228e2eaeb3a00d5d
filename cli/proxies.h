// SPDX-License-Identifier: LGPL-2.1-or-later
// The generated proxies, put on objects. Signals go to plain functions; without listen() none arrive.
#pragma once

#include <cxlmemctl_proxies/DaxDevice.h>
#include <cxlmemctl_proxies/Job.h>
#include <cxlmemctl_proxies/Manager.h>
#include <cxlmemctl_proxies/Memdev.h>
#include <cxlmemctl_proxies/Region.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/sdbus_compat.h"
#include "cli/variant_json.h"

namespace cxlmemctl {

inline const std::string bus_name = "org.cxlmemd1";

// What the manager tells. The functions are called from EventPump::turn and must not throw.
struct ManagerEvents {
    std::function<void(const std::string& job, const std::string& object)> job_new;
    std::function<void(const std::string& job, const std::string& object, const std::string& result)>
        job_removed;
    std::function<void(const std::string& object, const nlohmann::json& details)> decision;
    std::function<void(const std::string& path)> added;
    std::function<void(const std::string& path)> removed;
};

class ManagerProxy final
    : public sdbus::ProxyInterfaces<sdbus::ObjectManager_proxy, org::cxlmemd1::Manager_proxy> {
 public:
    explicit ManagerProxy(sdbus::IConnection& connection);

    // Subscribes; at most once.
    void listen(ManagerEvents events);

 private:
    void onJobNew(const std::uint32_t& id, const sdbus::ObjectPath& job,
                  const sdbus::ObjectPath& object) override;
    void onJobRemoved(const std::uint32_t& id, const sdbus::ObjectPath& job, const sdbus::ObjectPath& object,
                      const std::string& result) override;
    void onDecision(const sdbus::ObjectPath& object,
                    const std::map<std::string, sdbus::Variant>& details) override;
#if CXLMEMCTL_SDBUS_MAJOR >= 2
    using InterfaceNames = std::vector<sdbus::InterfaceName>;
    using InterfaceProperties = std::map<sdbus::InterfaceName, std::map<sdbus::PropertyName, sdbus::Variant>>;
#else
    using InterfaceNames = std::vector<std::string>;
    using InterfaceProperties = std::map<std::string, std::map<std::string, sdbus::Variant>>;
#endif
    void onInterfacesAdded(const sdbus::ObjectPath& path, const InterfaceProperties& interfaces) override;
    void onInterfacesRemoved(const sdbus::ObjectPath& path, const InterfaceNames& interfaces) override;

    ManagerEvents events_;
};

class DaxProxy final : public sdbus::ProxyInterfaces<org::cxlmemd1::DaxDevice_proxy> {
 public:
    DaxProxy(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces(connection, compat::ServiceName{bus_name}, compat::ProxyPath{path}) {}
};

class RegionProxy final : public sdbus::ProxyInterfaces<org::cxlmemd1::Region_proxy> {
 public:
    RegionProxy(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces(connection, compat::ServiceName{bus_name}, compat::ProxyPath{path}) {}
};

class MemdevProxy final : public sdbus::ProxyInterfaces<org::cxlmemd1::Memdev_proxy> {
 public:
    MemdevProxy(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces(connection, compat::ServiceName{bus_name}, compat::ProxyPath{path}) {}
};

class JobProxy final : public sdbus::ProxyInterfaces<org::cxlmemd1::Job_proxy> {
 public:
    JobProxy(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces(connection, compat::ServiceName{bus_name}, compat::ProxyPath{path}) {}
};

}  // namespace cxlmemctl
