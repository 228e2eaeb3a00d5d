// SPDX-License-Identifier: LGPL-2.1-or-later
// A CXL region on the bus.
#pragma once

#include "dbus/announce.h"
#include "dbus/facts.h"
#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Region-adaptor.h"
#include "policy/text.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class RegionObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Region_adaptor> {
 public:
    RegionObject(sdbus::IConnection& connection, RegionFacts facts, Requests& requests, Authority& authority);
    RegionObject(const RegionObject&) = delete;
    RegionObject& operator=(const RegionObject&) = delete;
    ~RegionObject() { unregisterAdaptor(); }

    [[nodiscard]] const RegionFacts& facts() const { return facts_; }
    void update(RegionFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    void Remove(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) override;
    void Release(sdbus::Result<>&& result, VariantMap options) override;

    std::string Name() override { return visible(facts_.name); }
    std::string Type() override { return facts_.type; }
    uint64_t Size() override { return facts_.size; }
    uint64_t Resource() override { return facts_.resource; }
    uint32_t InterleaveWays() override { return facts_.interleave_ways; }
    uint32_t InterleaveGranularity() override { return facts_.interleave_granularity; }
    std::string RootDecoder() override { return facts_.root_decoder; }
    std::vector<sdbus::ObjectPath> Memdevs() override { return to_paths(facts_.memdevs); }
    std::vector<sdbus::ObjectPath> DaxDevices() override { return to_paths(facts_.dax_devices); }
    int32_t TargetNode() override { return facts_.target_node; }
    bool Locked() override { return facts_.locked; }
    bool Enabled() override { return facts_.enabled; }
    int32_t QosClass() override { return facts_.qos_class; }
    uint32_t ReadLatency() override { return facts_.performance.read_latency; }
    uint32_t WriteLatency() override { return facts_.performance.write_latency; }
    uint32_t ReadBandwidth() override { return facts_.performance.read_bandwidth; }
    uint32_t WriteBandwidth() override { return facts_.performance.write_bandwidth; }

    RegionFacts facts_;
    Requests& requests_;
    Gate gate_;
};

}  // namespace cxlmemd::bus
