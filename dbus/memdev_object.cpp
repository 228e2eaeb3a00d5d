// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/memdev_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/authorize.h"
#include "dbus/guard.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = MemdevFacts;
constexpr std::array properties{
    plain<F, &F::numa_node>("NumaNode"),      plain<F, &F::ram_size>("RamSize"),
    plain<F, &F::pmem_size>("PmemSize"),      plain<F, &F::firmware>("Firmware"),
    plain<F, &F::preparation>("Preparation"), Property<F>{"Regions", same_member<F, &F::regions>},
    plain<F, &F::reason>("Reason"),
};

}  // namespace

MemdevObject::MemdevObject(sdbus::IConnection& connection, MemdevFacts facts, Requests& requests,
                           Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::memdev, facts.name)}),
      facts_(std::move(facts)),
      requests_(requests),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void MemdevObject::update(MemdevFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

void MemdevObject::PrepareRemove(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) {
    gate_.pass_later("PrepareRemove", facts_.name, std::move(result),
                     [this, options](std::uint32_t uid, const JobReply& reply) {
                         const auto parsed = unwrap(operation_options(options, {"timeout", "rollback"}));
                         requests_.prepare_remove(facts_.name, parsed, uid, reply->later(job_path));
                     });
}

void MemdevObject::Release(sdbus::Result<>&& result, VariantMap options) {
    gate_.pass("Release", facts_.name, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        unwrap(requests_.release_memdev(facts_.name));
    });
}

}  // namespace cxlmemd::bus
