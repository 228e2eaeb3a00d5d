// SPDX-License-Identifier: LGPL-2.1-or-later
// What a region that is being made takes, kept in RUNTIME/region-draft while it is made: a daemon that is
// killed half-way leaves a half-made region, and the next one must know that it is its own to take back.
#pragma once

#include <filesystem>
#include <optional>

#include "backends/region_draft.h"
#include "policy/error.h"

namespace cxlmemd {

class RegionJournal final {
 public:
    explicit RegionJournal(std::filesystem::path folder) : file_(std::move(folder) / "region-draft") {}

    // Before the first write of a creation.
    [[nodiscard]] Result<> begin(const RegionTrace& trace) const;
    // nullopt: nothing is half made. What cannot be understood is an error.
    [[nodiscard]] Result<std::optional<RegionTrace>> unfinished() const;
    // The region is complete, or nothing of it is left.
    void end() const;

 private:
    std::filesystem::path file_;
};

}  // namespace cxlmemd
