// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/node_object.h"

#include <array>
#include <utility>

#include "dbus/announce.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = NodeFacts;
constexpr auto bytes_online = plain<F, &F::bytes_online>("BytesOnline");
constexpr auto bytes_movable = plain<F, &F::bytes_movable>("BytesMovable");
constexpr std::array properties{
    plain<F, &F::has_cpu>("HasCpu"),
    bytes_online,
    bytes_movable,
    plain<F, &F::tier>("Tier"),
    Property<F>{
        "ReadLatency",
        [](const F& a, const F& b) { return a.performance.read_latency == b.performance.read_latency; }},
    Property<F>{
        "WriteLatency",
        [](const F& a, const F& b) { return a.performance.write_latency == b.performance.write_latency; }},
    Property<F>{
        "ReadBandwidth",
        [](const F& a, const F& b) { return a.performance.read_bandwidth == b.performance.read_bandwidth; }},
    Property<F>{"WriteBandwidth",
                [](const F& a, const F& b) {
                    return a.performance.write_bandwidth == b.performance.write_bandwidth;
                }},
    plain<F, &F::interleave_weight>("InterleaveWeight"),
    Property<F>{"DaxDevices", same_member<F, &F::dax_devices>},
};

}  // namespace

NodeObject::NodeObject(sdbus::IConnection& connection, NodeFacts facts)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::node, facts.name)}),
      facts_(std::move(facts)) {
    registerAdaptor();
}

void NodeObject::update(NodeFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

void NodeObject::update(const NodeMemory& fresh) {
    std::vector<const Property<F>*> changed;
    if (std::exchange(facts_.bytes_online, fresh.bytes_online) != fresh.bytes_online) {
        changed.push_back(&bytes_online);
    }
    if (std::exchange(facts_.bytes_movable, fresh.bytes_movable) != fresh.bytes_movable) {
        changed.push_back(&bytes_movable);
    }
    announce<F>(getObject(), INTERFACE_NAME, changed, facts_);
}

}  // namespace cxlmemd::bus
