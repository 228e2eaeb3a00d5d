// SPDX-License-Identifier: LGPL-2.1-or-later
// What is to happen later: when something else happens, or when its time comes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/emulator/operation.h"
#include "backends/emulator/uevent.h"
#include "policy/error.h"

namespace cxlmemd::emulator {

struct InjectTarget;

// Makes an event happen whose details have been read. Errors as EmulatorControl::inject() has them.
using Act = std::function<Result<>(InjectTarget&)>;

// The operation or the uevent that an order waits for, and how often it follows.
struct Occasion {
    std::optional<CallFilter> call;
    bool before = false;  // the kernel has done what the call asks for; else when the call has ended
    std::optional<UeventKind> uevent;
    std::optional<BlockIndex> block;  // of the uevent; the call's is in its filter
    std::string name;                 // of the uevent: "dax0.0"
    std::uint64_t nth = 1;            // counted from 1
    std::uint64_t times = 1;          // how often it follows from there; 0: each time
    std::uint64_t lag_usec = 0;       // it follows so much later

    [[nodiscard]] bool includes(std::uint64_t seen) const {
        return seen >= nth && (times == 0 || seen - nth < times);
    }
};

struct Order {
    std::string event;
    std::string place;  // where it was given: "pulled.toml:12"; "Inject"
    Act act;
    std::optional<std::uint64_t> at_usec;  // from when its time counts; with neither, it is for now
    std::optional<Occasion> on;

    [[nodiscard]] bool is_for_now() const { return !at_usec && !on; }
};

// Not thread-safe. Times are the machine's, in microseconds. What is done for one order, in the same turn as
// others, is done in the order in which they became due; at the same time, in which they were given.
class Agenda final {
 public:
    static constexpr std::size_t most = 4096;            // orders that wait
    static constexpr std::size_t most_due = 1ULL << 20;  // times that an order is to be followed

    // What an order did may be the occasion of another, and so on, so often: two that answer each other come
    // to an end.
    static constexpr unsigned longest_chain = 4;
    static constexpr std::size_t most_chained = 4096;  // that are due by it; others are left out

    struct Due {
        std::shared_ptr<const Order> order;
        std::optional<BlockIndex> block;  // of what it was that happened
        unsigned chain = 0;               // how many that waited for an occasion led to it, itself included
    };

    // False if there are too many already. `at_usec` counts from `from`; without it, from start().
    [[nodiscard]] bool add(Order order, std::optional<std::uint64_t> from);
    // The time of what has been given without a beginning starts now.
    void start(std::uint64_t now);

    // Whether occurred() and has_uevent() need not be told.
    [[nodiscard]] bool awaits_nothing() const { return waiting_.empty(); }
    void occurred(const Call& call, bool before, std::uint64_t now);
    // `chain`: of the order that brought it about, 0 if it was none.
    void occurred(const Uevent& uevent, unsigned chain, std::uint64_t now);

    // The first thing that is due; empty if there is none.
    [[nodiscard]] std::optional<Due> take_due(std::uint64_t now);
    [[nodiscard]] std::optional<std::uint64_t> next_due() const;

 private:
    struct Waiting {
        std::shared_ptr<const Order> order;
        std::uint64_t seen = 0;
    };
    template <class Matches>
    void follow(Matches matches, std::optional<BlockIndex> block, unsigned chain, std::uint64_t now);

    std::vector<Waiting> waiting_;                                // for an occasion
    std::vector<std::shared_ptr<const Order>> unbegun_;           // for start()
    std::map<std::pair<std::uint64_t, std::uint64_t>, Due> due_;  // by time and number
    std::uint64_t numbered_ = 0;
    std::size_t chained_ = 0;  // of due_
};

}  // namespace cxlmemd::emulator
