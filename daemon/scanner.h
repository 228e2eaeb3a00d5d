// SPDX-License-Identifier: LGPL-2.1-or-later
// Turns events into fresh topologies. Level-triggered: an event marks something dirty, and dirty things
// are looked at again, as many at a time as have gathered. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "backends/backend.h"
#include "daemon/clock.h"
#include "daemon/event_loop.h"
#include "daemon/worker.h"
#include "policy/topology.h"

namespace cxlmemd {

class Scanner final {
 public:
    struct Hooks {
        std::function<void(Topology)> scanned;
        // A few blocks were read again: those looked at, and those of them that exist.
        std::function<void(const std::vector<BlockIndex>& looked_at, const std::vector<Block>& found)>
            blocks_read;
        std::function<void(const std::string& subject)> removed;
        std::function<void(const Error&)> failed;
    };

    Scanner(EventLoop& loop, Clock& clock, Worker& worker, std::unique_ptr<EventSource> events, Hooks hooks);
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;

    // Scans everything, soon.
    void look_again();
    // Runs on the loop thread when a scan is over; `failed` says why the topology in force is still the old
    // one: ErrorCode::canceled if the scan was interrupted.
    using Then = std::function<void(const std::optional<Error>& failed)>;
    // Scans everything, at once; `then` runs after a scan that began later than this call.
    void rescan(Then then);
    // Scans everything, at once, and again after pauses if that fails; `then` runs when a topology from after
    // this call is in force.
    void when_scanned(std::function<void()> then);
    // If a scan runs, it ends now, in vain; another one follows. May come too early or too late by a hair.
    void interrupt();

 private:
    void take_events();
    void absorb();
    void listen();
    void go_on();
    void plan_look();
    void settle();
    void soon();
    void start();
    void scan_all();
    void read_dirty_blocks();
    void rest(std::uint64_t work_usec);

    EventLoop& loop_;
    Clock& clock_;
    Worker& worker_;
    std::unique_ptr<EventSource> events_;
    Hooks hooks_;
    EventLoop::Source event_source_;
    Clock::Timer deaf_;  // while it is set, events gather in the kernel
    Clock::Timer delay_;
    Clock::Timer settling_;  // until nothing grows any more
    bool looking_ = false;   // a scan or a read is on the worker
    bool dirty_ = false;
    bool urgent_ = false;   // dirty, and nothing more is on its way: no need to gather
    bool growing_ = false;  // something grew since settling_ was set
    std::set<BlockIndex> dirty_blocks_;
    struct Waiting {
        std::vector<Then> for_end;
        std::vector<std::function<void()>> for_topology;
        [[nodiscard]] bool empty() const { return for_end.empty() && for_topology.empty(); }
    };
    void scan_is_over(Result<Topology> topology, Waiting waiting, bool memory_first, std::uint64_t took_usec);

    Waiting waiting_;
    std::uint64_t scan_ = 0;             // the worker's task, while one runs
    bool interrupted_ = false;           // that scan
    std::uint64_t last_look_usec_ = 0;   // when it began
    std::uint64_t rest_until_usec_ = 0;  // for looks that nobody waits for
    std::uint64_t failure_pause_usec_ = 0;
};

}  // namespace cxlmemd
