// SPDX-License-Identifier: LGPL-2.1-or-later
// Work that takes time, on the bus.
#pragma once

#include "dbus/facts.h"
#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Job-adaptor.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class JobObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Job_adaptor> {
 public:
    JobObject(sdbus::IConnection& connection, JobFacts facts, Requests& requests, Authority& authority);
    JobObject(const JobObject&) = delete;
    JobObject& operator=(const JobObject&) = delete;
    ~JobObject() { unregisterAdaptor(); }

    [[nodiscard]] const JobFacts& facts() const { return facts_; }
    void update(JobFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    void Cancel(sdbus::Result<>&& result, VariantMap options) override;

    uint32_t Id() override { return facts_.id; }
    std::string Operation() override { return facts_.operation; }
    sdbus::ObjectPath Object() override { return sdbus::ObjectPath{facts_.object}; }
    std::string State() override { return facts_.state; }
    double Progress() override { return facts_.progress; }
    uint32_t BlocksDone() override { return facts_.blocks_done; }
    uint32_t BlocksTotal() override { return facts_.blocks_total; }
    uint32_t StartedBy() override { return facts_.started_by; }
    std::string Result() override { return facts_.result; }
    sdbus::Struct<std::string, std::string> Error() override {
        return {facts_.error.first, facts_.error.second};
    }

    JobFacts facts_;
    Requests& requests_;
    Gate gate_;
};

}  // namespace cxlmemd::bus
