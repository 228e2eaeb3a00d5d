// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/region_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/authorize.h"
#include "dbus/guard.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = RegionFacts;
constexpr std::array properties{
    plain<F, &F::type>("Type"),
    plain<F, &F::size>("Size"),
    plain<F, &F::resource>("Resource"),
    plain<F, &F::interleave_ways>("InterleaveWays"),
    plain<F, &F::interleave_granularity>("InterleaveGranularity"),
    plain<F, &F::root_decoder>("RootDecoder"),
    Property<F>{"Memdevs", same_member<F, &F::memdevs>},
    Property<F>{"DaxDevices", same_member<F, &F::dax_devices>},
    plain<F, &F::target_node>("TargetNode"),
    plain<F, &F::qos_class>("QosClass"),
    plain<F, &F::locked>("Locked"),
    plain<F, &F::enabled>("Enabled"),
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
};

}  // namespace

RegionObject::RegionObject(sdbus::IConnection& connection, RegionFacts facts, Requests& requests,
                           Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::region, facts.name)}),
      facts_(std::move(facts)),
      requests_(requests),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void RegionObject::update(RegionFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

void RegionObject::Remove(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) {
    gate_.pass_later("Remove", facts_.name, std::move(result),
                     [this, options](std::uint32_t uid, const JobReply& reply) {
                         const auto parsed = unwrap(operation_options(options, {"timeout", "rollback"}));
                         requests_.remove_region(facts_.name, parsed, uid, reply->later(job_path));
                     });
}

void RegionObject::Release(sdbus::Result<>&& result, VariantMap options) {
    gate_.pass("Release", facts_.name, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        unwrap(requests_.release_region(facts_.name));
    });
}

}  // namespace cxlmemd::bus
