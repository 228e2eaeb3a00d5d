// SPDX-License-Identifier: LGPL-2.1-or-later
// Which properties differ between two facts, and telling the bus exactly those.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

template <class Facts>
struct Property {
    const char* name;
    bool (*same)(const Facts&, const Facts&);
    // Appends the value as a variant; null: the object's getter does, through sd-bus.
    void (*write)(sdbus::Signal&, const Facts&) = nullptr;
};

template <class Facts, auto Member>
bool same_member(const Facts& a, const Facts& b) {
    return a.*Member == b.*Member;
}

// How the bus writes a type that it takes as it is.
template <class T>
consteval const char* type_code() {
    if (std::same_as<T, bool>) return "b";
    if (std::same_as<T, std::int32_t>) return "i";
    if (std::same_as<T, std::uint32_t>) return "u";
    if (std::same_as<T, std::uint64_t>) return "t";
    if (std::same_as<T, double>) return "d";
    if (std::same_as<T, std::string>) return "s";
    throw "no such type";  // at compile time
}

template <auto Member>
struct member_of;
template <class Facts, class T, T Facts::*Member>
struct member_of<Member> {
    using type = T;
};

// A property that is a member and nothing else, of the type that the introspection XML has for it.
template <class Facts, auto Member>
constexpr Property<Facts> plain(const char* name) {
    return {name, same_member<Facts, Member>, [](sdbus::Signal& signal, const Facts& facts) {
                signal.openVariant(type_code<typename member_of<Member>::type>());
                signal << facts.*Member;
                signal.closeVariant();
            }};
}

// Emits PropertiesChanged for these, of an object that has the facts already.
template <class Facts>
void announce(sdbus::IObject& object, const char* interface,
              const std::vector<const Property<Facts>*>& changed, const Facts& facts) {
    if (changed.empty()) return;
    const bool all_write =
        std::ranges::all_of(changed, [](const Property<Facts>* p) { return p->write != nullptr; });
    if (!all_write) {
        std::vector<PropertyName> names;
        for (const Property<Facts>* property : changed) names.emplace_back(property->name);
        return object.emitPropertiesChangedSignal(interface, names);
    }
    // sd-bus would look up the object, the interface and each getter first: for a block that comes online, in
    // three signals, a fifth of all that the block costs.
    sdbus::Signal signal = object.createSignal(InterfaceName{"org.freedesktop.DBus.Properties"},
                                               SignalName{"PropertiesChanged"});
    signal << interface;
    signal.openContainer("{sv}");
    for (const Property<Facts>* property : changed) {
        signal.openDictEntry("sv");
        signal << property->name;
        property->write(signal, facts);
        signal.closeDictEntry();
    }
    signal.closeContainer();
    signal.openContainer("s");
    signal.closeContainer();
    object.emitSignal(signal);
}

// Replaces `held` by `fresh` and emits PropertiesChanged for what differs, if anything does.
template <class Facts>
void replace_and_announce(sdbus::IObject& object, const char* interface,
                          std::span<const Property<Facts>> properties, Facts& held, Facts fresh) {
    std::vector<const Property<Facts>*> changed;
    for (const Property<Facts>& property : properties) {
        if (!property.same(held, fresh)) changed.push_back(&property);
    }
    held = std::move(fresh);
    announce<Facts>(object, interface, changed, held);
}

// Paths as the generated glue wants them.
[[nodiscard]] inline std::vector<sdbus::ObjectPath> to_paths(const std::vector<std::string>& paths) {
    std::vector<sdbus::ObjectPath> out;
    out.reserve(paths.size());
    for (const std::string& path : paths) out.emplace_back(path);
    return out;
}

}  // namespace cxlmemd::bus
