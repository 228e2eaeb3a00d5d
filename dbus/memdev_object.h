// SPDX-License-Identifier: LGPL-2.1-or-later
// A CXL memory device on the bus.
#pragma once

#include "dbus/announce.h"
#include "dbus/facts.h"
#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Memdev-adaptor.h"
#include "policy/text.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class MemdevObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Memdev_adaptor> {
 public:
    MemdevObject(sdbus::IConnection& connection, MemdevFacts facts, Requests& requests, Authority& authority);
    MemdevObject(const MemdevObject&) = delete;
    MemdevObject& operator=(const MemdevObject&) = delete;
    ~MemdevObject() { unregisterAdaptor(); }

    [[nodiscard]] const MemdevFacts& facts() const { return facts_; }
    void update(MemdevFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    void PrepareRemove(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) override;
    void Release(sdbus::Result<>&& result, VariantMap options) override;

    std::string Name() override { return visible(facts_.name); }
    uint64_t Serial() override { return facts_.serial; }
    std::string Host() override { return facts_.host; }
    int32_t NumaNode() override { return facts_.numa_node; }
    uint64_t RamSize() override { return facts_.ram_size; }
    uint64_t PmemSize() override { return facts_.pmem_size; }
    std::string Firmware() override { return facts_.firmware; }
    std::string Reason() override { return facts_.reason; }
    std::string Preparation() override { return facts_.preparation; }
    std::vector<sdbus::ObjectPath> Regions() override { return to_paths(facts_.regions); }

    MemdevFacts facts_;
    Requests& requests_;
    Gate gate_;
};

}  // namespace cxlmemd::bus
