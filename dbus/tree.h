// SPDX-License-Identifier: LGPL-2.1-or-later
// The object tree: owns every object but the emulator's, and keeps it as the daemon's facts say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "dbus/authorize.h"
#include "dbus/dax_object.h"
#include "dbus/door.h"
#include "dbus/facts.h"
#include "dbus/job_object.h"
#include "dbus/manager_object.h"
#include "dbus/memdev_object.h"
#include "dbus/node_object.h"
#include "dbus/region_object.h"
#include "dbus/requests.h"
#include "dbus/root_decoder_object.h"

namespace cxlmemd::bus {

// An object is complete before it is registered, and registered before it is announced (R6). Gone
// devices leave in reverse order of their coming, jobs first (R1). Loop thread.
class Tree final {
 public:
    // `failed` hears of an object that could not be registered, once a name (R2).
    using OnFailure = std::function<void(const std::string& name, const std::string& message)>;

    Tree(sdbus::IConnection& connection, ManagerFixed fixed, Requests& requests, Authority& authority,
         OnFailure failed);
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree();

    // Adds, changes and removes objects until the tree is as `snapshot` says. A device whose identity
    // changed is removed and made anew.
    void publish(const Snapshot& snapshot);

    // Only what a changed block shows in; objects that are not there stay away.
    void publish(Changes changes);

    void add_job(const JobFacts& facts);   // and emits JobNew
    void show_job(const JobFacts& facts);  // does not: the job was there before this tree
    void update_job(const JobFacts& facts);
    void end_job(const JobFacts& facts);  // last update, then JobRemoved; the object stays
    void remove_job(std::uint32_t id);    // after its ten seconds

    [[nodiscard]] Door::Sizes sizes() const;

    void decision(const PlanEntry& decision, const std::string& verdict);

 private:
    template <class Object>
    using Objects = std::map<std::string, std::unique_ptr<Object>>;
    enum class Removal {
        replaced,  // the name is another device now
        gone,
    };

    template <class Object, class Facts>
    void remove(Objects<Object>& objects, const std::vector<Facts>& wanted, Removal which);
    template <class Object, class Facts, class... Extra>
    void add(Objects<Object>& objects, const std::vector<Facts>& wanted, Extra&... extra);
    template <class Object, class Facts>
    void update(Objects<Object>& objects, const std::vector<Facts>& wanted);
    void update_manager(const ManagerFacts& facts);

    sdbus::IConnection& connection_;
    Requests& requests_;
    Authority& authority_;
    OnFailure failed_;
    std::set<std::string> failed_names_;
    ManagerObject manager_;
    Objects<MemdevObject> memdevs_;
    Objects<RegionObject> regions_;
    Objects<RootDecoderObject> root_decoders_;
    Objects<NodeObject> nodes_;
    Objects<DaxDeviceObject> dax_;
    std::map<std::uint32_t, std::unique_ptr<JobObject>> jobs_;
};

}  // namespace cxlmemd::bus
