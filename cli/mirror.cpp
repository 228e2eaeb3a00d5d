// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/mirror.h"

namespace cxlmemctl {

Mirror::Mirror(Client& client) : client_(client) {
    subscribe();
    present_ = client_.daemon_is_there();
}

void Mirror::subscribe() {
    client_.on_owner_changed([this](bool present) {
        present_ = present;
        stale_ = true;
    });
    client_.on_properties_changed(root_path, [this](const std::string& path, const nlohmann::json& changed) {
        if (path == root_path) {
            manager_.update(changed);
        } else if (const auto found = objects_.find(path); found != objects_.end()) {
            found->second.properties.update(changed);
        }
    });
    client_.on_objects_changed(
        [this](const std::string& path, Kind kind, const nlohmann::json& properties) {
            objects_.insert_or_assign(path, make_object(path, kind, properties));
            ++arrivals_;
        },
        [this](const std::string& path) {
            objects_.erase(path);
            ++arrivals_;
        });
}

bool Mirror::refresh() {
    if (!present_ || !stale_) return true;
    try {
        // Signals that are older than these answers follow, and end at what the answers say.
        manager_ = client_.manager_properties();
        objects_.clear();
        for (Object& object : client_.objects()) {
            std::string path = object.path;
            objects_.insert_or_assign(std::move(path), std::move(object));
        }
    } catch (const sdbus::Error& error) {
        if (failure_of_dbus(error.getName(), error.getMessage()).code != Exit::unreachable) throw;
        return false;
    }
    ++arrivals_;
    stale_ = false;
    return true;
}

Objects Mirror::objects() const {
    Objects out;
    out.reserve(objects_.size());
    for (const auto& [path, object] : objects_) out.push_back(object);
    sort_objects(out);
    return out;
}

}  // namespace cxlmemctl
