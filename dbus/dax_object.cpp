// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/dax_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

std::vector<sdbus::Struct<uint64_t, uint64_t>> to_structs(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges) {
    std::vector<sdbus::Struct<uint64_t, uint64_t>> out;
    for (const auto& [start, length] : ranges) out.emplace_back(start, length);
    return out;
}

cxlmemd::Result<OperationOptions> online_options(const VariantMap& options) {
    return operation_options(options, {"amount", "timeout", "rollback", "hold"});
}

std::vector<Right> rights_of(const Deeds& deeds) {
    std::vector<Right> out;
    if (deeds.sets_mode) out.push_back(Right::set_mode);
    if (deeds.takes_offline) out.push_back(Right::offline);
    if (deeds.brings_online) out.push_back(Right::online);
    return out;
}

using F = DaxFacts;
constexpr std::array properties{
    Property<F>{"Region", same_member<F, &F::region>},
    plain<F, &F::root_decoder>("RootDecoder"),
    Property<F>{"Memdevs", same_member<F, &F::memdevs>},
    Property<F>{"Node", same_member<F, &F::node>},
    plain<F, &F::target_node>("TargetNode"),
    plain<F, &F::size>("Size"),
    plain<F, &F::resource>("Resource"),
    plain<F, &F::align>("Align"),
    Property<F>{"Ranges", same_member<F, &F::ranges>},
    plain<F, &F::mode>("Mode"),
    plain<F, &F::hotplug_state>("HotplugState"),
    plain<F, &F::hotplug_note>("HotplugNote"),
    plain<F, &F::state>("State"),
    plain<F, &F::zone>("Zone"),
    plain<F, &F::blocks_total>("BlocksTotal"),
    plain<F, &F::blocks_online>("BlocksOnline"),
    plain<F, &F::blocks_movable>("BlocksMovable"),
    plain<F, &F::bytes_online>("BytesOnline"),
    plain<F, &F::bytes_stranded>("BytesStranded"),
    plain<F, &F::rule>("Rule"),
    plain<F, &F::reason>("Reason"),
    plain<F, &F::in_policy>("InPolicy"),
    plain<F, &F::held>("Held"),
    plain<F, &F::reboot_required>("RebootRequired"),
    Property<F>{"LastError", same_member<F, &F::last_error>},
};

}  // namespace

DaxDeviceObject::DaxDeviceObject(sdbus::IConnection& connection, DaxFacts facts, Requests& requests,
                                 Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::dax, facts.name)}),
      facts_(std::move(facts)),
      requests_(requests),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void DaxDeviceObject::update(DaxFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

std::vector<sdbus::Struct<uint64_t, uint64_t>> DaxDeviceObject::Ranges() {
    return to_structs(facts_.ranges);
}

void DaxDeviceObject::Online(sdbus::Result<sdbus::ObjectPath>&& result, std::string zone,
                             VariantMap options) {
    // Less memory than is online, or another zone, takes blocks offline; a device that kmem has not is bound
    // first.
    const auto more = [this, zone, options]() -> std::vector<Right> {
        const auto parsed = online_options(options);
        if (!parsed) return {};
        return rights_of(requests_.deeds_of_online(facts_.name, zone, *parsed));
    };
    gate_.pass_later(
        "Online", facts_.name, std::move(result),
        [this, zone, options](std::uint32_t uid, const JobReply& reply) {
            const auto parsed = unwrap(online_options(options));
            requests_.online(facts_.name, zone, parsed, uid, reply->later(job_path));
        },
        more);
}

void DaxDeviceObject::Offline(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) {
    gate_.pass_later(
        "Offline", facts_.name, std::move(result), [this, options](std::uint32_t uid, const JobReply& reply) {
            const auto parsed = unwrap(operation_options(options, {"timeout", "rollback", "hold"}));
            requests_.offline(facts_.name, parsed, uid, reply->later(job_path));
        });
}

void DaxDeviceObject::SetMode(sdbus::Result<sdbus::ObjectPath>&& result, std::string mode,
                              VariantMap options) {
    // It is drained first, and what a rule says of its memory is done after.
    const auto more = [this, mode] { return rights_of(requests_.deeds_of_set_mode(facts_.name, mode)); };
    gate_.pass_later(
        "SetMode", facts_.name, std::move(result),
        [this, mode, options](std::uint32_t uid, const JobReply& reply) {
            const auto parsed = unwrap(operation_options(options, {"timeout", "rollback", "hold"}));
            requests_.set_mode(facts_.name, mode, parsed, uid, reply->later(job_path));
        },
        more);
}

void DaxDeviceObject::Addresses(
    sdbus::Result<uint64_t, std::vector<sdbus::Struct<uint64_t, uint64_t>>>&& result, VariantMap options) {
    gate_.pass("Addresses", facts_.name, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        return std::tuple{facts_.address.start, to_structs(facts_.address.ranges)};
    });
}

void DaxDeviceObject::Hold(sdbus::Result<>&& result, VariantMap options) {
    gate_.pass("Hold", facts_.name, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        unwrap(requests_.hold(facts_.name));
    });
}

void DaxDeviceObject::Release(sdbus::Result<>&& result, VariantMap options) {
    gate_.pass("Release", facts_.name, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        unwrap(requests_.release(facts_.name));
    });
}

}  // namespace cxlmemd::bus
