// SPDX-License-Identifier: LGPL-2.1-or-later
// Which devices were left as another process changed them, and under which rule: kept in STATE/drift, so that
// a restart of the daemon does not silently put right what was to be reported. A reboot brings other memory
// (R12): what was reported in an earlier boot is forgotten. Loop thread.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>

#include "policy/decide.h"
#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

class DriftBook final {
 public:
    // `boot`: /proc/sys/kernel/random/boot_id; empty if it is not known, and then nothing is forgotten by it.
    DriftBook(const std::filesystem::path& folder, std::string boot)
        : file_(folder / "drift"), boot_(std::move(boot)) {}

    // A file that does not exist is an empty book. On an error the book is empty.
    [[nodiscard]] Result<> load();

    // Of a device under the rule and the goal that the decision has; another goal is no drift.
    [[nodiscard]] bool contains(const Topology& topology, const DaxDevice& device,
                                const Decision& decision) const;
    // On an error the book is kept in memory only.
    [[nodiscard]] Result<> add(const Topology& topology, const DaxDevice& device, const Decision& decision);
    // Whatever is known of the device.
    [[nodiscard]] Result<> remove(const Topology& topology, const DaxDevice& device);

 private:
    [[nodiscard]] Result<> save() const;

    const std::filesystem::path file_;
    const std::string boot_;
    std::set<std::string> entries_;  // "KEY\tRULE\tGOAL"
};

}  // namespace cxlmemd
