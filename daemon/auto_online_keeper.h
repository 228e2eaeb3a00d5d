// SPDX-License-Identifier: LGPL-2.1-or-later
// auto_online = "manage": the kernel's auto_online_blocks reads `offline` while we run, and what it
// read before is put back at stop. The old value outlives a crash in RUNTIME/auto_online_blocks.
#pragma once

#include <filesystem>
#include <optional>

#include "policy/error.h"
#include "policy/topology.h"

namespace cxlmemd {

class AutoOnlineKeeper final {
 public:
    explicit AutoOnlineKeeper(std::filesystem::path folder)
        : file_(std::move(folder) / "auto_online_blocks") {}

    // Call with what the kernel reads now, before writing `offline`. A value that an earlier run left
    // behind (it crashed) is older and therefore right: it stays.
    [[nodiscard]] Result<> remember(AutoOnline current) const;

    // The value to put back; nullopt if there is none.
    [[nodiscard]] Result<std::optional<AutoOnline>> remembered() const;

    // After it was put back.
    void forget() const;

 private:
    std::filesystem::path file_;
};

}  // namespace cxlmemd
