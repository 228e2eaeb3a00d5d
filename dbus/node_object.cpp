#include "dbus/node_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = NodeFacts;
constexpr std::array properties{
    Property<F>{"HasCpu", same_member<F, &F::has_cpu>},
    Property<F>{"BytesOnline", same_member<F, &F::bytes_online>},
    Property<F>{"BytesMovable", same_member<F, &F::bytes_movable>},
    Property<F>{"Tier", same_member<F, &F::tier>},
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
    Property<F>{"InterleaveWeight", same_member<F, &F::interleave_weight>},
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

}  // namespace cxlmemd::bus
