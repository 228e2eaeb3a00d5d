#include "dbus/dax_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = DaxFacts;
constexpr std::array properties{
    Property<F>{"Region", same_member<F, &F::region>},
    Property<F>{"Node", same_member<F, &F::node>},
    plain<F, &F::target_node>("TargetNode"),
    plain<F, &F::size>("Size"),
    plain<F, &F::resource>("Resource"),
    plain<F, &F::align>("Align"),
    Property<F>{"Ranges", same_member<F, &F::ranges>},
    plain<F, &F::mode>("Mode"),
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
    std::vector<sdbus::Struct<uint64_t, uint64_t>> out;
    for (const auto& [start, length] : facts_.ranges) out.emplace_back(start, length);
    return out;
}

void DaxDeviceObject::Online(sdbus::Result<sdbus::ObjectPath>&& result, std::string zone,
                             VariantMap options) {
    gate_.pass("Online", facts_.name, std::move(result), [this, zone, options](std::uint32_t uid) {
        const auto parsed = unwrap(operation_options(options, {"amount", "timeout", "rollback", "hold"}));
        return job_path(unwrap(requests_.online(facts_.name, zone, parsed, uid)));
    });
}

void DaxDeviceObject::Offline(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) {
    gate_.pass("Offline", facts_.name, std::move(result), [this, options](std::uint32_t uid) {
        const auto parsed = unwrap(operation_options(options, {"timeout", "rollback", "hold"}));
        return job_path(unwrap(requests_.offline(facts_.name, parsed, uid)));
    });
}

void DaxDeviceObject::SetMode(sdbus::Result<sdbus::ObjectPath>&& result, std::string mode,
                              VariantMap options) {
    gate_.pass("SetMode", facts_.name, std::move(result), [this, mode, options](std::uint32_t uid) {
        const auto parsed = unwrap(operation_options(options, {"timeout", "rollback", "hold"}));
        return job_path(unwrap(requests_.set_mode(facts_.name, mode, parsed, uid)));
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
