// SPDX-License-Identifier: LGPL-2.1-or-later
// What Service shows: on the bus, and to the service manager.
#include <utility>

#include "daemon/facts_builder.h"
#include "daemon/service.h"

namespace cxlmemd {

void Service::attach(bus::Tree& tree, std::function<void()> on_broken) {
    tree_ = &tree;
    on_broken_ = std::move(on_broken);
    if (!started_) return;
    new_jobs_.clear();  // all are shown below
    publish();
    jobs_.for_each([&](const Job& job) { tell([&](bus::Tree& to) { to.show_job(build_job(job)); }); });
}

void Service::detach() {
    tree_ = nullptr;
    broken_.reset();
}

void Service::tell(const std::function<void(bus::Tree&)>& say) {
    if (tree_ == nullptr) return;
    try {
        say(*tree_);
    } catch (const sdbus::Error& error) {
        if (error.getName() == "org.freedesktop.DBus.Error.InvalidArgs") {  // the message, not the bus
            log_.write(message::not_on_bus, LogLevel::error, error.getMessage());
            return;
        }
        tree_ = nullptr;
        log_.write(message::bus_lost, LogLevel::error,
                   std::string{"cannot send on the bus: "} + error.what());
        broken_ = loop_.add_deferred(on_broken_);
    }
}

void Service::publish() {
    if (stopping_) return;
    totals_ = totals_of(model_);
    const bool working = is_working();
    tell([&](bus::Tree& tree) { tree.publish(build_snapshot(model_, totals_, working)); });
    show_new_jobs();
    tell_status(working);
}

void Service::show_new_jobs() {
    for (const std::uint32_t id : std::exchange(new_jobs_, {})) {
        const Job* job = jobs_.find(id);
        if (job != nullptr) tell([&](bus::Tree& tree) { tree.add_job(build_job(*job)); });
    }
}

void Service::publish(const BlockChange& change) {
    if (stopping_) return;
    const bool working = is_working();
    for (const std::size_t i : change.devices) {
        const std::string& name = model_.topology.dax_devices[i].id.name;
        if (is_failing(model_, name)) {
            totals_.failing.insert(name);
        } else {
            totals_.failing.erase(name);
        }
    }
    if (tree_ == nullptr) {
        show_new_jobs();
        return tell_status(working);
    }
    bus::Changes changes;
    changes.manager = build_manager(model_, totals_, working);
    for (const NodeId id : change.nodes) {
        changes.nodes.push_back(build_node_memory(*find_node(model_.topology, id)));
    }
    for (const std::size_t i : change.devices) {
        changes.dax_devices.push_back(
            build_dax(model_, model_.topology.dax_devices[i], &model_.decisions[i]));
    }
    tell([&](bus::Tree& tree) { tree.publish(std::move(changes)); });
    show_new_jobs();
    tell_status(working);
}

bool Service::is_working() const {
    return jobs_.any_unfinished() || provisioner_.busy();
}

void Service::tell_status(bool working) {
    std::string status = model_.topology.dax_devices.empty()
                             ? std::string{"No dax devices on this machine"}
                             : std::to_string(model_.topology.dax_devices.size()) + " dax devices, " +
                                   format_size(totals_.devices.bytes_online) + " of " +
                                   format_size(totals_.devices.bytes_total) + " online";
    if (model_.observing()) status += ", only watching";
    if (has_errors(model_.policy_problems)) status += ", the configuration has errors";
    if (model_.policy_pending) status += ", an edited configuration waits for a reload";
    if (working) status += ", working";
    if (status != last_status_) status_(status);
    last_status_ = std::move(status);
}

// Not from inside whatever was giving work to the worker.
void Service::publish_soon() {
    publish_soon_ = loop_.add_deferred([this] {
        if (started_) publish();
    });
}

}  // namespace cxlmemd
