// SPDX-License-Identifier: LGPL-2.1-or-later
// The daemon as a whole, on the bus.
#pragma once

#include <cstddef>
#include <memory>

#include "dbus/facts.h"
#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.Manager-adaptor.h"

namespace cxlmemd::bus {

// What never changes while the daemon runs.
struct ManagerFixed {
    std::string version;
    std::string backend;
};

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class ManagerObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::Manager_adaptor> {
 public:
    ManagerObject(sdbus::IConnection& connection, ManagerFixed fixed, ManagerFacts facts, Requests& requests,
                  Authority& authority);
    ManagerObject(const ManagerObject&) = delete;
    ManagerObject& operator=(const ManagerObject&) = delete;
    ~ManagerObject() { unregisterAdaptor(); }

    [[nodiscard]] const ManagerFacts& facts() const { return facts_; }
    void update(ManagerFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    using ProblemStructs =
        std::vector<sdbus::Struct<std::string, uint32_t, uint32_t, std::string, std::string>>;
    using RuleStructs =
        std::vector<sdbus::Struct<std::string, uint32_t, std::string, std::string, std::string>>;
    using FileStructs = std::vector<sdbus::Struct<std::string, std::string>>;
    using PlanStructs = std::vector<sdbus::Struct<sdbus::ObjectPath, VariantMap>>;

    void Reload(sdbus::Result<uint64_t>&& result, VariantMap options) override;
    void CheckPolicy(sdbus::Result<ProblemStructs>&& result, std::string name, std::string text,
                     VariantMap options) override;
    void EffectivePolicy(sdbus::Result<RuleStructs, FileStructs, ProblemStructs>&& result,
                         VariantMap options) override;
    void Plan(sdbus::Result<PlanStructs>&& result, VariantMap options) override;
    void Apply(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, VariantMap options) override;
    void Explain(sdbus::Result<VariantMap>&& result, sdbus::ObjectPath object, VariantMap options) override;
    void Record(sdbus::Result<std::string>&& result, VariantMap options) override;

    std::string Version() override { return fixed_.version; }
    std::string Backend() override { return fixed_.backend; }
    std::string Mode() override { return facts_.mode; }
    std::string State() override { return facts_.state; }
    std::vector<std::string> PolicyFiles() override { return facts_.policy_files; }
    uint64_t PolicyGeneration() override { return facts_.policy_generation; }
    bool PolicyPending() override { return facts_.policy_pending; }
    ProblemStructs PolicyProblems() override;
    ProblemStructs PolicyProblemsInForce() override;
    std::string KernelAutoOnline() override { return facts_.kernel_auto_online; }
    std::vector<sdbus::Struct<std::string, std::string>> Conflicts() override;
    std::vector<std::string> Features() override { return facts_.features; }
    uint64_t BlockSize() override { return facts_.block_size; }
    uint64_t BytesTotal() override { return facts_.bytes_total; }
    uint64_t BytesOnline() override { return facts_.bytes_online; }
    double MovableRatio() override { return facts_.movable_ratio; }
    std::vector<sdbus::Struct<std::string, std::map<std::string, std::string>, uint64_t>> Statistics()
        override;

    const ManagerFixed fixed_;
    ManagerFacts facts_;
    Requests& requests_;
    std::shared_ptr<std::size_t> bytes_at_the_door_ = std::make_shared<std::size_t>(0);
    Gate gate_;
};

}  // namespace cxlmemd::bus
