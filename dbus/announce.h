// Which properties differ between two facts, and telling the bus exactly those.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dbus/sdbus_compat.h"

namespace cxlmemd::bus {

template <class Facts>
struct Property {
    const char* name;
    bool (*same)(const Facts&, const Facts&);
};

template <class Facts, auto Member>
bool same_member(const Facts& a, const Facts& b) {
    return a.*Member == b.*Member;
}

// Replaces `held` by `fresh` and emits PropertiesChanged for what differs, if anything does.
template <class Facts>
void replace_and_announce(sdbus::IObject& object, const char* interface,
                          std::span<const Property<Facts>> properties, Facts& held, Facts fresh) {
    std::vector<PropertyName> changed;
    for (const Property<Facts>& property : properties) {
        if (!property.same(held, fresh)) changed.emplace_back(property.name);
    }
    held = std::move(fresh);
    if (!changed.empty()) object.emitPropertiesChangedSignal(interface, changed);
}

// Paths as the generated glue wants them.
[[nodiscard]] inline std::vector<sdbus::ObjectPath> to_paths(const std::vector<std::string>& paths) {
    std::vector<sdbus::ObjectPath> out;
    out.reserve(paths.size());
    for (const std::string& path : paths) out.emplace_back(path);
    return out;
}

}  // namespace cxlmemd::bus
