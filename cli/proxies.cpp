// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/proxies.h"

#include "cli/objects.h"

namespace cxlmemctl {
namespace {

template <class Function, class... Arguments>
void tell(const Function& function, const Arguments&... arguments) {
    if (function) function(arguments...);
}

}  // namespace

ManagerProxy::ManagerProxy(sdbus::IConnection& connection)
    : ProxyInterfaces(connection, compat::ServiceName{bus_name}, compat::ProxyPath{std::string(root_path)}) {}

void ManagerProxy::listen(ManagerEvents events) {
    events_ = std::move(events);
    registerProxy();
}

void ManagerProxy::onJobNew(const std::uint32_t& /*id*/, const sdbus::ObjectPath& job,
                            const sdbus::ObjectPath& object) {
    tell(events_.job_new, job, object);
}

void ManagerProxy::onJobRemoved(const std::uint32_t& /*id*/, const sdbus::ObjectPath& job,
                                const sdbus::ObjectPath& object, const std::string& result) {
    tell(events_.job_removed, job, object, result);
}

void ManagerProxy::onDecision(const sdbus::ObjectPath& object,
                              const std::map<std::string, sdbus::Variant>& details) {
    if (events_.decision) events_.decision(object, dictionary_to_json(details));
}

void ManagerProxy::onInterfacesAdded(const sdbus::ObjectPath& path,
                                     const InterfaceProperties& /*interfaces*/) {
    tell(events_.added, path);
}

void ManagerProxy::onInterfacesRemoved(const sdbus::ObjectPath& path, const InterfaceNames& /*interfaces*/) {
    tell(events_.removed, path);
}

}  // namespace cxlmemctl
