// SPDX-License-Identifier: LGPL-2.1-or-later
// A NUMA node on the bus.
#pragma once

#include "dbus/announce.h"
#include "dbus/facts.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Node-adaptor.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class NodeObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Node_adaptor> {
 public:
    NodeObject(sdbus::IConnection& connection, NodeFacts facts);
    NodeObject(const NodeObject&) = delete;
    NodeObject& operator=(const NodeObject&) = delete;
    ~NodeObject() { unregisterAdaptor(); }

    [[nodiscard]] const NodeFacts& facts() const { return facts_; }
    void update(NodeFacts fresh);
    void update(const NodeMemory& fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    int32_t Id() override { return facts_.id; }
    bool HasCpu() override { return facts_.has_cpu; }
    uint64_t BytesOnline() override { return facts_.bytes_online; }
    uint64_t BytesMovable() override { return facts_.bytes_movable; }
    int32_t Tier() override { return facts_.tier; }
    uint32_t ReadLatency() override { return facts_.performance.read_latency; }
    uint32_t WriteLatency() override { return facts_.performance.write_latency; }
    uint32_t ReadBandwidth() override { return facts_.performance.read_bandwidth; }
    uint32_t WriteBandwidth() override { return facts_.performance.write_bandwidth; }
    uint32_t InterleaveWeight() override { return facts_.interleave_weight; }
    std::vector<sdbus::ObjectPath> DaxDevices() override { return to_paths(facts_.dax_devices); }

    NodeFacts facts_;
};

}  // namespace cxlmemd::bus
