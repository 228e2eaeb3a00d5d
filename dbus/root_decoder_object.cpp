// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/root_decoder_object.h"

#include <array>

#include "dbus/names.h"

namespace cxlmemd::bus {

namespace {

using F = RootDecoderFacts;
constexpr std::array properties{
    plain<F, &F::size>("Size"),
    plain<F, &F::free>("Free"),
    Property<F>{"Targets", same_member<F, &F::targets>},
    plain<F, &F::interleave_ways>("InterleaveWays"),
    plain<F, &F::interleave_granularity>("InterleaveGranularity"),
    plain<F, &F::takes_ram>("Volatile"),
    plain<F, &F::takes_pmem>("Pmem"),
    plain<F, &F::qos_class>("QosClass"),
    Property<F>{"Memdevs", same_member<F, &F::memdevs>},
};

}  // namespace

RootDecoderObject::RootDecoderObject(sdbus::IConnection& connection, RootDecoderFacts facts)
    : AdaptorInterfaces(connection, sdbus::ObjectPath{object_path(Noun::decoder, facts.name)}),
      facts_(std::move(facts)) {
    registerAdaptor();
}

void RootDecoderObject::update(RootDecoderFacts fresh) {
    replace_and_announce<F>(getObject(), INTERFACE_NAME, properties, facts_, std::move(fresh));
}

}  // namespace cxlmemd::bus
