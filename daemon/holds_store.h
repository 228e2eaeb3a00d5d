// Holds kept over restarts: those set by hand, one key a line in STATE/holds (see hold_key()), and which of
// them end when a card has gone, one "SERIAL KEY" a line in STATE/prepared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>

#include "policy/decide.h"
#include "policy/error.h"

namespace cxlmemd {

// By the serial of the memdev that was prepared for its removal.
using PreparedHolds = std::map<std::uint64_t, Holds>;

class HoldsStore final {
 public:
    explicit HoldsStore(const std::filesystem::path& folder)
        : holds_file_(folder / "holds"), prepared_file_(folder / "prepared") {}

    // A file that does not exist is no hold.
    [[nodiscard]] Result<Holds> load() const;
    [[nodiscard]] Result<PreparedHolds> load_prepared() const;
    // Written to a new file, synced, renamed: a crash leaves the old or the new one.
    [[nodiscard]] Result<> save(const Holds& holds) const;
    [[nodiscard]] Result<> save(const PreparedHolds& prepared) const;

 private:
    std::filesystem::path holds_file_;
    std::filesystem::path prepared_file_;
};

}  // namespace cxlmemd
