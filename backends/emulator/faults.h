// SPDX-License-Identifier: LGPL-2.1-or-later
// What has been ordered to go wrong: backend operations that fail, hang or take time.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/emulator/dice.h"
#include "backends/emulator/operation.h"

namespace cxlmemd::emulator {

// The nth time that it could strike, and so many times from there.
struct Strikes {
    std::uint64_t nth = 1;     // counted from 1
    std::uint64_t count = 1;   // 0: for ever
    double probability = 1.0;  // of each of those times

    // The `seen`th time, counted from 1.
    [[nodiscard]] bool includes(std::uint64_t seen) const {
        return seen >= nth && (count == 0 || seen - nth < count);
    }
    [[nodiscard]] bool spent(std::uint64_t seen) const {
        return count != 0 && seen >= nth && seen - nth + 1 >= count;
    }
};

struct Fault {
    enum class Kind : std::uint8_t { fail, hang, delay };

    Kind kind = Kind::fail;
    CallFilter which;
    int errnum = 0;          // fail
    std::uint64_t usec = 0;  // delay
    bool deaf = false;       // hang: signals do not end it, as some waits in the kernel
    Strikes when;
};

// Not thread-safe.
class FaultList final {
 public:
    static constexpr std::size_t most = 256;

    explicit FaultList(std::uint64_t seed = 1) : seed_(seed) {}

    // From here on the faults that are added throw dice of this seed: each its own, so that what one of
    // them does depends on the calls that match it alone.
    void seed(std::uint64_t seed) {
        seed_ = seed;
        added_ = 0;
    }
    // False if there are too many already.
    [[nodiscard]] bool add(Fault fault);
    void clear() { pending_.clear(); }

    // Counts this call against every matching fault; those that strike it, in the order they were
    // added. Spent faults are forgotten.
    [[nodiscard]] std::vector<Fault> strike(const Call& call);

 private:
    struct Pending {
        Fault fault;
        Dice dice;
        std::uint64_t seen = 0;
    };
    std::vector<Pending> pending_;
    std::uint64_t seed_;
    std::uint64_t added_ = 0;
};

}  // namespace cxlmemd::emulator
