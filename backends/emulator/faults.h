// What has been ordered to go wrong: backend operations that fail, hang or take time.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/units.h"

namespace cxlmemd::emulator {

// The operations of Backend that a fault can name.
enum class Operation : std::uint8_t {
    scan,
    read_blocks,
    set_block,
    set_mode,
    destroy_region,
    set_auto_online,
    set_interleave_weight,
    set_interleave_auto,
    set_demotion,
    create_region,
};

[[nodiscard]] std::string_view to_string(Operation operation);  // "set_block"
[[nodiscard]] std::optional<Operation> operation_from(std::string_view text);

struct Fault {
    enum class Kind : std::uint8_t { fail, hang, delay };

    Kind kind = Kind::fail;
    Operation operation = Operation::scan;
    int errnum = 0;                   // fail
    std::uint64_t usec = 0;           // delay
    bool deaf = false;                // hang: signals do not end it, as some waits in the kernel
    std::uint64_t nth = 1;            // the first matching call it strikes, from now, counted from 1
    std::uint64_t count = 1;          // how many calls it strikes from there; 0: all
    std::optional<BlockIndex> block;  // set_block only: this block
    std::string dax;                  // set_block and set_mode only: this device
};

// Not thread-safe.
class FaultList final {
 public:
    static constexpr std::size_t most = 256;

    // False if there are too many already.
    [[nodiscard]] bool add(Fault fault);
    void clear() { pending_.clear(); }

    // Counts this call against every matching fault; those that strike it, in the order they were
    // added. Spent faults are forgotten.
    [[nodiscard]] std::vector<Fault> strike(Operation operation, std::optional<BlockIndex> block,
                                            std::string_view dax);

 private:
    struct Pending {
        Fault fault;
        std::uint64_t seen = 0;
    };
    std::vector<Pending> pending_;
};

// Where a hanging or slow operation waits: interrupted by any signal with a handler that was
// installed without SA_RESTART (or at all: ppoll is never restarted). The signal mask is left alone.
class Hang final {
 public:
    Hang();  // throws std::system_error if the kernel has no eventfd to give
    Hang(const Hang&) = delete;
    Hang& operator=(const Hang&) = delete;
    ~Hang();

    // 0 when let go, EINTR after a signal unless `deaf`. One thread at a time.
    [[nodiscard]] int wait_until_let_go(bool deaf);
    // 0 when the time is over, EINTR after a signal.
    [[nodiscard]] static int wait_usec(std::uint64_t usec);
    // Lets a waiting operation continue; nothing if none waits. Any thread.
    void let_go();

 private:
    int fd_;
    std::mutex mutex_;
    bool waiting_ = false;
};

}  // namespace cxlmemd::emulator
