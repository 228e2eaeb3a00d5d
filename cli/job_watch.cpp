// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/job_watch.h"

#include <fmt/format.h>

#include <algorithm>

namespace cxlmemctl {
namespace {

std::string advice(const std::vector<std::string>& paths) {
    std::string ids;
    for (const std::string& path : paths) ids += " " + decode_label(path.substr(path.rfind('/') + 1));
    return fmt::format("no longer waiting; {}{} on, cancel with: cxlmemctl cancel{}",
                       paths.size() == 1 ? "job" : "jobs", ids + (paths.size() == 1 ? " goes" : " go"), ids);
}

}  // namespace

JobWatch::JobWatch(Client& client) : client_(client) {
    // Not ManagerProxy::listen(): of all that the manager tells, only this is of interest here.
    client_.on_job_removed(
        [this](const std::string& job, const std::string& object, const std::string& result) {
            heard_[job].update({{"Object", object}, {"State", "finished"}, {"Result", result}});
        });
    client_.on_properties_changed(jobs_path, [this](const std::string& path, const nlohmann::json& changed) {
        if (kind_of_path(path) == Kind::job) heard_[path].update(changed);
    });
    client_.on_owner_changed([this](bool present) { daemon_gone_ = daemon_gone_ || !present; });
}

nlohmann::json JobWatch::read(const std::string& path) {
    try {
        return client_.properties(path, interface_name(Kind::job));
    } catch (const sdbus::Error& error) {
        if (!is_unknown_object(error.getName())) throw;
        nlohmann::json lost = heard_[path];
        if (text_of(lost, "State") != "finished") {
            lost.update({{"State", "finished"},
                         {"Result", "gone"},
                         {"Error", {{"name", ""}, {"message", "the daemon no longer knows how it ended"}}}});
        }
        return lost;
    }
}

bool JobWatch::finished(const std::string& path) const {
    const auto found = heard_.find(path);
    return found != heard_.end() && text_of(found->second, "State") == "finished";
}

std::vector<nlohmann::json> JobWatch::heard(const std::vector<std::string>& paths) const {
    std::vector<nlohmann::json> out;
    for (const std::string& path : paths) {
        const auto found = heard_.find(path);
        out.push_back(found == heard_.end() ? nlohmann::json::object() : found->second);
        out.back()["Path"] = path;
    }
    return out;
}

void JobWatch::cancel(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        if (finished(path)) continue;
        try {
            client_.job(path).Cancel({});
        } catch (const sdbus::Error& error) {
            if (!is_unknown_object(error.getName())) throw;
        }
    }
}

Result<std::vector<nlohmann::json>> JobWatch::wait(const std::vector<std::string>& paths, const Draw& draw,
                                                   const Interrupted& interrupted) {
    EventPump pump(client_.connection());
    // Signals that came during the calls are older than what the calls say: first those, then the state.
    pump.drain();
    for (const std::string& path : paths) {
        if (daemon_gone_) break;
        heard_[path] = read(path);
    }
    const auto all_finished = [&] {
        return std::all_of(paths.begin(), paths.end(), [&](const auto& path) { return finished(path); });
    };
    while (!daemon_gone_ && !all_finished()) {
        draw(heard(paths));
        const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds{1};
        if (pump.turn(soon) != EventPump::Woken::interrupted) continue;
        const OnInterrupt wish = interrupted(pump);
        if (wish == OnInterrupt::leave) return fail(Exit::interrupted, advice(paths));
        if (wish == OnInterrupt::cancel) cancel(paths);
    }
    if (!all_finished()) {
        return fail(Exit::unreachable,
                    "the daemon has left the bus before the work was done; see: systemctl status cxlmemd");
    }
    for (const std::string& path : paths) {
        if (!daemon_gone_) heard_[path] = read(path);
    }
    return heard(paths);
}

}  // namespace cxlmemctl
