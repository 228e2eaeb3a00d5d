// SPDX-License-Identifier: LGPL-2.1-or-later
// A root decoder on the bus.
#pragma once

#include "dbus/announce.h"
#include "dbus/facts.h"
#include "dbus/sdbus_compat.h"
#include "org.cxlmemd1.RootDecoder-adaptor.h"

namespace cxlmemd::bus {

// Complete before it is registered, registered before it is announced; the destructor only
// unregisters. Loop thread.
class RootDecoderObject final : public sdbus::AdaptorInterfaces<org::cxlmemd1::RootDecoder_adaptor> {
 public:
    RootDecoderObject(sdbus::IConnection& connection, RootDecoderFacts facts);
    RootDecoderObject(const RootDecoderObject&) = delete;
    RootDecoderObject& operator=(const RootDecoderObject&) = delete;
    ~RootDecoderObject() { unregisterAdaptor(); }

    [[nodiscard]] const RootDecoderFacts& facts() const { return facts_; }
    void update(RootDecoderFacts fresh);
    using sdbus::ObjectHolder::getObject;

 private:
    std::string Name() override { return facts_.name; }
    uint64_t Start() override { return 0; }
    uint64_t Size() override { return facts_.size; }
    uint64_t Free() override { return facts_.free; }
    std::vector<std::string> Targets() override { return facts_.targets; }
    uint32_t InterleaveWays() override { return facts_.interleave_ways; }
    uint32_t InterleaveGranularity() override { return facts_.interleave_granularity; }
    bool Volatile() override { return facts_.takes_ram; }
    bool Pmem() override { return facts_.takes_pmem; }
    int32_t QosClass() override { return facts_.qos_class; }
    std::vector<sdbus::ObjectPath> Memdevs() override { return to_paths(facts_.memdevs); }

    RootDecoderFacts facts_;
};

}  // namespace cxlmemd::bus
