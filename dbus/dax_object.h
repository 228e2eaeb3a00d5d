// SPDX-License-Identifier: LGPL-2.1-or-later
// A dax device on the bus.
#pragma once

#include "dbus/announce.h"
#include "dbus/facts.h"
#include "dbus/gate.h"
#include "dbus/options.h"
#include "dbus/requests.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.DaxDevice-adaptor.h"
#include "policy/text.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class DaxDeviceObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::DaxDevice_adaptor> {
 public:
    DaxDeviceObject(sdbus::IConnection& connection, DaxFacts facts, Requests& requests, Authority& authority);
    DaxDeviceObject(const DaxDeviceObject&) = delete;
    DaxDeviceObject& operator=(const DaxDeviceObject&) = delete;
    ~DaxDeviceObject() { unregisterAdaptor(); }

    [[nodiscard]] const DaxFacts& facts() const { return facts_; }
    void update(DaxFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    void Online(sdbus::Result<sdbus::ObjectPath>&& result, std::string zone, VariantMap options) override;
    void Offline(sdbus::Result<sdbus::ObjectPath>&& result, VariantMap options) override;
    void SetMode(sdbus::Result<sdbus::ObjectPath>&& result, std::string mode, VariantMap options) override;
    void Addresses(sdbus::Result<uint64_t, std::vector<sdbus::Struct<uint64_t, uint64_t>>>&& result,
                   VariantMap options) override;
    void Hold(sdbus::Result<>&& result, VariantMap options) override;
    void Release(sdbus::Result<>&& result, VariantMap options) override;

    std::string Name() override { return visible(facts_.name); }
    std::string Kind() override { return facts_.kind; }
    sdbus::ObjectPath Region() override { return sdbus::ObjectPath{facts_.region}; }
    std::string RootDecoder() override { return facts_.root_decoder; }
    std::vector<sdbus::ObjectPath> Memdevs() override { return to_paths(facts_.memdevs); }
    sdbus::ObjectPath Node() override { return sdbus::ObjectPath{facts_.node}; }
    int32_t TargetNode() override { return facts_.target_node; }
    uint64_t Size() override { return facts_.size; }
    uint64_t Resource() override { return facts_.resource; }
    uint64_t Align() override { return facts_.align; }
    std::vector<sdbus::Struct<uint64_t, uint64_t>> Ranges() override;
    std::string Mode() override { return facts_.mode; }
    std::string HotplugState() override { return facts_.hotplug_state; }
    std::string HotplugNote() override { return facts_.hotplug_note; }
    std::string State() override { return facts_.state; }
    std::string Zone() override { return facts_.zone; }
    uint32_t BlocksTotal() override { return facts_.blocks_total; }
    uint32_t BlocksOnline() override { return facts_.blocks_online; }
    uint32_t BlocksMovable() override { return facts_.blocks_movable; }
    uint64_t BytesOnline() override { return facts_.bytes_online; }
    uint64_t BytesStranded() override { return facts_.bytes_stranded; }
    std::string Rule() override { return facts_.rule; }
    std::string Reason() override { return facts_.reason; }
    bool InPolicy() override { return facts_.in_policy; }
    bool Held() override { return facts_.held; }
    bool RebootRequired() override { return facts_.reboot_required; }
    sdbus::Struct<std::string, std::string> LastError() override {
        return {facts_.last_error.first, facts_.last_error.second};
    }

    DaxFacts facts_;
    Requests& requests_;
    Gate gate_;
};

}  // namespace cxlmemd::bus
