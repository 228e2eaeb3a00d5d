// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dbus/tree.h"

#include <algorithm>

#include "dbus/names.h"
#include "dbus/plan_map.h"

namespace cxlmemd::bus {

namespace {

// Whether two facts of one name speak of one device.
bool same_device(const MemdevFacts& a, const MemdevFacts& b) {
    return a.generation == b.generation && a.serial == b.serial && a.host == b.host;
}
bool same_device(const RegionFacts& a, const RegionFacts& b) {
    return a.generation == b.generation;
}
bool same_device(const RootDecoderFacts&, const RootDecoderFacts&) {
    return true;
}
bool same_device(const NodeFacts&, const NodeFacts&) {
    return true;
}
bool same_device(const DaxFacts& a, const DaxFacts& b) {
    return a.identity == b.identity && a.kind == b.kind;
}

}  // namespace

Tree::Tree(sdbus::IConnection& connection, ManagerFixed fixed, Requests& requests, Authority& authority,
           OnFailure failed)
    : connection_(connection),
      requests_(requests),
      authority_(authority),
      failed_(std::move(failed)),
      manager_(connection, std::move(fixed), {}, requests, authority) {}

Tree::~Tree() = default;

template <class Object, class Facts>
void Tree::remove(Objects<Object>& objects, const std::vector<Facts>& wanted, Removal which) {
    // Objects are in the order of their names; so is what is wanted, mostly.
    std::vector<const Facts*> named;
    named.reserve(wanted.size());
    for (const Facts& facts : wanted) named.push_back(&facts);
    const auto name = [](const Facts* facts) -> const std::string& { return facts->name; };
    if (!std::ranges::is_sorted(named, {}, name)) std::ranges::sort(named, {}, name);
    auto next = named.begin();
    for (auto it = objects.begin(); it != objects.end();) {
        while (next != named.end() && (*next)->name < it->first) ++next;
        const bool is_gone = next == named.end() || (*next)->name != it->first;
        const bool is_replaced = !is_gone && !same_device(it->second->facts(), **next);
        if (which == Removal::gone ? !is_gone : !is_replaced) {
            ++it;
            continue;
        }
        it->second->getObject().emitInterfacesRemovedSignal();
        it = objects.erase(it);
    }
}

template <class Object, class Facts, class... Extra>
void Tree::add(Objects<Object>& objects, const std::vector<Facts>& wanted, Extra&... extra) {
    for (const Facts& facts : wanted) {
        if (objects.contains(facts.name)) continue;
        // Registered, announced, kept; a step that fails undoes those before it (R2).
        try {
            auto object = std::make_unique<Object>(connection_, facts, extra...);
            object->getObject().emitInterfacesAddedSignal();
            objects.emplace(facts.name, std::move(object));
            failed_names_.erase(facts.name);
        } catch (const sdbus::Error& e) {
            if (failed_names_.insert(facts.name).second) failed_(facts.name, e.what());
        }
    }
}

template <class Object, class Facts>
void Tree::update(Objects<Object>& objects, const std::vector<Facts>& wanted) {
    for (const Facts& facts : wanted) {
        const auto found = objects.find(facts.name);
        if (found != objects.end() && found->second->facts() != facts) found->second->update(facts);
    }
}

// New objects come before the properties that name them, and go after the properties that did: no
// client ever holds a path to nothing.
void Tree::publish(const Snapshot& snapshot) {
    remove(dax_, snapshot.dax_devices, Removal::replaced);
    remove(nodes_, snapshot.nodes, Removal::replaced);
    remove(regions_, snapshot.regions, Removal::replaced);
    remove(memdevs_, snapshot.memdevs, Removal::replaced);

    add(memdevs_, snapshot.memdevs, requests_, authority_);
    add(regions_, snapshot.regions, requests_, authority_);
    add(root_decoders_, snapshot.root_decoders);
    add(nodes_, snapshot.nodes);
    add(dax_, snapshot.dax_devices, requests_, authority_);

    update(memdevs_, snapshot.memdevs);
    update(regions_, snapshot.regions);
    update(root_decoders_, snapshot.root_decoders);
    update(nodes_, snapshot.nodes);
    update(dax_, snapshot.dax_devices);

    remove(dax_, snapshot.dax_devices, Removal::gone);
    remove(nodes_, snapshot.nodes, Removal::gone);
    remove(root_decoders_, snapshot.root_decoders, Removal::gone);
    remove(regions_, snapshot.regions, Removal::gone);
    remove(memdevs_, snapshot.memdevs, Removal::gone);
    update_manager(snapshot.manager);
}

void Tree::publish(Changes changes) {
    for (const NodeMemory& fresh : changes.nodes) {
        if (const auto found = nodes_.find(fresh.name); found != nodes_.end()) found->second->update(fresh);
    }
    for (DaxFacts& fresh : changes.dax_devices) {
        if (const auto found = dax_.find(fresh.name); found != dax_.end()) {
            found->second->update(std::move(fresh));
        }
    }
    manager_.update(std::move(changes.manager));
}

void Tree::update_manager(const ManagerFacts& facts) {
    if (manager_.facts() != facts) manager_.update(facts);
}

void Tree::show_job(const JobFacts& facts) {
    auto object = std::make_unique<JobObject>(connection_, facts, requests_, authority_);
    object->getObject().emitInterfacesAddedSignal();
    jobs_.emplace(facts.id, std::move(object));
}

void Tree::add_job(const JobFacts& facts) {
    show_job(facts);
    manager_.emitJobNew(facts.id, sdbus::ObjectPath{object_path(Noun::job, std::to_string(facts.id))},
                        sdbus::ObjectPath{facts.object});
}

void Tree::update_job(const JobFacts& facts) {
    const auto found = jobs_.find(facts.id);
    if (found != jobs_.end() && found->second->facts() != facts) found->second->update(facts);
}

void Tree::end_job(const JobFacts& facts) {
    update_job(facts);
    manager_.emitJobRemoved(facts.id, sdbus::ObjectPath{object_path(Noun::job, std::to_string(facts.id))},
                            sdbus::ObjectPath{facts.object}, facts.result);
}

void Tree::remove_job(std::uint32_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    found->second->getObject().emitInterfacesRemovedSignal();
    jobs_.erase(found);
}

// Most objects take half of it; devices with long reasons a little more.
Door::Sizes Tree::sizes() const {
    constexpr std::size_t of_an_object = 1536;
    std::size_t manager = of_an_object;
    const ManagerFacts& facts = manager_.facts();
    for (const auto* problems : {&facts.policy_problems, &facts.policy_problems_in_force}) {
        for (const Problem& problem : *problems)
            manager += 48 + problem.place.file.size() + problem.message.size();
    }
    for (const auto& [kind, text] : facts.conflicts) manager += 16 + kind.size() + text.size();
    for (const std::string& file : facts.policy_files) manager += 16 + file.size();
    const std::size_t objects = memdevs_.size() + regions_.size() + root_decoders_.size() + nodes_.size() +
                                dax_.size() + jobs_.size();
    return {.everything = manager + objects * of_an_object, .manager = manager};
}

void Tree::decision(const PlanEntry& decision, const std::string& verdict) {
    VariantMap details = to_map(decision);
    details.emplace("verdict", sdbus::Variant{verdict});
    manager_.emitDecision(sdbus::ObjectPath{object_path(Noun::dax, decision.dax)}, details);
}

}  // namespace cxlmemd::bus
