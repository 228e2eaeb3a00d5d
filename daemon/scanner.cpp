// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/scanner.h"

#include <sys/epoll.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace cxlmemd {

namespace {

// Long enough for the rest of a burst to arrive, short against anything the kernel does with memory. What
// comes by itself is not made to wait: a block is looked at at once if none was for so long.
constexpr std::uint64_t gather_usec = 10'000;
// In a storm of events: after each look a pause of so many times what it took, or a large machine would do
// little else than look. A small one takes too little to notice; looks of more than 62 ms, and urgent ones,
// take more than their fifth.
constexpr std::uint64_t rest_for_work = 4;
constexpr std::uint64_t longest_rest_usec = 250'000;
// While the worker is at something nothing can be looked at.
constexpr std::uint64_t deaf_while_busy_usec = 50'000;
// New blocks come within milliseconds of each other; the kernel links them to their node after the last.
constexpr std::uint64_t settle_usec = 1'000'000;
constexpr std::size_t most_dirty_blocks = 4096;
constexpr int most_lots = 64;  // then it is somebody else's turn in the loop
constexpr std::uint64_t first_failure_pause_usec = 1'000'000;
constexpr std::uint64_t longest_failure_pause_usec = 60'000'000;

}  // namespace

Scanner::Scanner(EventLoop& loop, Clock& clock, Worker& worker, std::unique_ptr<EventSource> events,
                 Hooks hooks)
    : loop_(loop), clock_(clock), worker_(worker), events_(std::move(events)), hooks_(std::move(hooks)) {
    event_source_ = loop_.add_io(events_->fd(), EPOLLIN, [this] { take_events(); });
}

void Scanner::look_again() {
    dirty_ = true;
    soon();
}

void Scanner::rescan(Then then) {
    dirty_ = true;
    waiting_.for_end.push_back(std::move(then));
    if (!looking_) start();
}

void Scanner::when_scanned(std::function<void()> then) {
    dirty_ = true;
    waiting_.for_topology.push_back(std::move(then));
    // While scans fail, the next one comes when its pause is over.
    if (!looking_ && failure_pause_usec_ == 0) start();
}

void Scanner::interrupt() {
    if (scan_ == 0) return;
    interrupted_ = true;
    worker_.interrupt(scan_);
}

// A job's own blocks make an event each, a millisecond apart: they are taken in lots, so that the loop does
// not take the processor from the work that they tell of.
void Scanner::take_events() {
    absorb();
    if (looking_ || failure_pause_usec_ != 0 || (delay_ && worker_.busy())) {
        event_source_.set_enabled(false);  // until then, or start(), which takes what has come
        deaf_ = clock_.after(deaf_while_busy_usec, [this] { listen(); });
    }
    plan_look();
}

void Scanner::plan_look() {
    if (dirty_ || !dirty_blocks_.empty()) soon();
    if (growing_ && !settling_) settle();
}

void Scanner::settle() {
    growing_ = false;
    settling_ = clock_.after(settle_usec, [this] {
        settling_.reset();
        if (growing_) return settle();
        look_again();
    });
}

void Scanner::listen() {
    deaf_.reset();
    event_source_.set_enabled(true);
}

void Scanner::absorb() {
    for (int lot = 0; lot < most_lots; ++lot) {
        const std::vector<Event> events = events_->take();
        if (events.empty()) return;
        for (const Event& event : events) {
            if (event.growing) {
                growing_ = true;
            } else if (event.scope == Event::Scope::everything || dirty_blocks_.size() >= most_dirty_blocks) {
                dirty_ = true;
            } else {
                dirty_blocks_.insert(event.block);
            }
            urgent_ |= event.complete;
            if (event.removed && !event.subject.empty()) hooks_.removed(event.subject);
        }
    }
}

void Scanner::soon() {
    if (looking_) return;
    if (urgent_) return start();
    if (delay_) return;
    const std::uint64_t now = clock_.now_usec();
    const bool comes_alone = !dirty_ && now >= std::max(last_look_usec_ + gather_usec, rest_until_usec_);
    if (comes_alone) return start();
    const std::uint64_t rest = rest_until_usec_ > now ? rest_until_usec_ - now : 0;
    delay_ = clock_.after(std::max(gather_usec, rest), [this] { start(); });
}

void Scanner::start() {
    delay_.reset();
    if (looking_) return;
    listen();
    absorb();
    if (dirty_) {
        scan_all();
    } else if (!dirty_blocks_.empty()) {
        read_dirty_blocks();
    }
}

void Scanner::scan_all() {
    looking_ = true;
    last_look_usec_ = clock_.now_usec();
    dirty_ = false;
    const bool complete = std::exchange(urgent_, false);
    if (complete) {
        growing_ = false;
        settling_.reset();
    }
    dirty_blocks_.clear();
    // Memory that is complete waits to be used; the rest is looked at once the worker has begun with it.
    const bool memory_first = complete && waiting_.empty();
    auto waiting = std::make_shared<Waiting>(std::exchange(waiting_, {}));
    interrupted_ = false;
    // The worker may be at it when this is gone: only the completion, which is then not run, uses `this`.
    scan_ = worker_.submit(
        [this, &clock = clock_, waiting, memory_first](Backend& backend) -> Worker::Completion {
            const std::uint64_t began = clock.now_usec();
            auto topology =
                std::make_shared<Result<Topology>>(memory_first ? backend.scan_memory() : backend.scan());
            return [this, waiting, topology, memory_first, took = clock.now_usec() - began] {
                scan_is_over(std::move(*topology), std::move(*waiting), memory_first, took);
            };
        });
}

void Scanner::scan_is_over(Result<Topology> topology, Waiting waiting, bool memory_first,
                           std::uint64_t took_usec) {
    scan_ = 0;
    std::optional<Error> failed;
    if (std::exchange(interrupted_, false)) {
        // Whatever it has seen: reading it was disturbed.
        dirty_ = true;
        failed = Error{.code = ErrorCode::canceled,
                       .object = {},
                       .operation = "scan",
                       .errnum = 0,
                       .reason = "the scan was interrupted",
                       .advice = {}};
    } else if (topology) {
        failure_pause_usec_ = 0;
        dirty_ |= memory_first;
        const std::uint64_t looked = clock_.now_usec();
        hooks_.scanned(std::move(*topology));
        rest(took_usec + clock_.now_usec() - looked);
    } else {
        failed = topology.error();
        hooks_.failed(*failed);
        dirty_ = true;
        failure_pause_usec_ = std::max(failure_pause_usec_, first_failure_pause_usec);
        delay_ = clock_.after(failure_pause_usec_, [this] {
            // Grows by its own tries, not by those of callers in between.
            failure_pause_usec_ = std::min(failure_pause_usec_ * 2, longest_failure_pause_usec);
            start();
        });
    }
    looking_ = false;
    // Those who wait for the end decide from the topology in force, be it the old one.
    for (const Then& then : waiting.for_end) then(failed);
    if (failed) {
        std::ranges::move(waiting.for_topology, std::back_inserter(waiting_.for_topology));
    } else {
        for (const auto& then : waiting.for_topology) then();
    }
    go_on();
}

void Scanner::read_dirty_blocks() {
    looking_ = true;
    last_look_usec_ = clock_.now_usec();
    std::vector<BlockIndex> blocks(dirty_blocks_.begin(), dirty_blocks_.end());
    dirty_blocks_.clear();
    worker_.submit([this, &clock = clock_,
                    blocks = std::move(blocks)](Backend& backend) mutable -> Worker::Completion {
        const std::uint64_t began = clock.now_usec();
        auto found = backend.read_blocks(blocks);
        return [this, blocks = std::move(blocks), found = std::move(found), took = clock.now_usec() - began] {
            if (found) {
                const std::uint64_t looked = clock_.now_usec();
                hooks_.blocks_read(blocks, *found);
                rest(took + clock_.now_usec() - looked);
            } else {
                dirty_ = true;
            }
            looking_ = false;
            go_on();
        };
    });
}

void Scanner::rest(std::uint64_t work_usec) {
    rest_until_usec_ = std::max(rest_until_usec_,
                                clock_.now_usec() + std::min(rest_for_work * work_usec, longest_rest_usec));
}

// After a look: with what has come meanwhile, which may be urgent.
void Scanner::go_on() {
    listen();
    absorb();
    if (looking_) return;
    if (!waiting_.for_end.empty() || (!waiting_.for_topology.empty() && failure_pause_usec_ == 0)) {
        start();
    } else {
        plan_look();
    }
}

}  // namespace cxlmemd
