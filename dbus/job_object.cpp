// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/job_object.h"

#include <array>

#include "dbus/announce.h"
#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = JobFacts;
constexpr std::array properties{
    plain<F, &F::state>("State"),
    plain<F, &F::progress>("Progress"),
    plain<F, &F::blocks_done>("BlocksDone"),
    plain<F, &F::blocks_total>("BlocksTotal"),
    plain<F, &F::result>("Result"),
    Property<F>{"Error", same_member<F, &F::error>},
};

}  // namespace

JobObject::JobObject(sdbus::IConnection& connection, JobFacts facts, Requests& requests, Authority& authority)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::job, std::to_string(facts.id))}),
      facts_(std::move(facts)),
      requests_(requests),
      gate_(authority, getObject(), INTERFACE_NAME) {
    registerAdaptor();
}

void JobObject::update(JobFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

void JobObject::Cancel(sdbus::Result<>&& result, VariantMap options) {
    const std::string subject = "job " + std::to_string(facts_.id);
    gate_.pass("Cancel", subject, std::move(result), [this, options](std::uint32_t) {
        unwrap(no_options(options));
        unwrap(requests_.cancel(facts_.id));
    });
}

}  // namespace cxlmemd::bus
