#include "daemon/scanner.h"

#include <sys/epoll.h>

#include <algorithm>

namespace cxlmemd {

namespace {

// Long enough for the rest of a burst to arrive, short against anything the kernel does with memory.
constexpr std::uint64_t gather_usec = 10'000;
constexpr std::size_t most_dirty_blocks = 4096;
constexpr std::uint64_t first_failure_pause_usec = 1'000'000;
constexpr std::uint64_t longest_failure_pause_usec = 60'000'000;

}  // namespace

Scanner::Scanner(EventLoop& loop, Worker& worker, std::unique_ptr<EventSource> events, Hooks hooks)
    : loop_(loop), worker_(worker), events_(std::move(events)), hooks_(std::move(hooks)) {
    event_source_ = loop_.add_io(events_->fd(), EPOLLIN, [this] { take_events(); });
}

void Scanner::look_again() {
    dirty_ = true;
    soon();
}

void Scanner::rescan(std::function<void()> then) {
    dirty_ = true;
    waiting_.push_back(std::move(then));
    if (!looking_) start();
}

void Scanner::take_events() {
    for (const Event& event : events_->take()) {
        if (event.scope == Event::Scope::everything || dirty_blocks_.size() >= most_dirty_blocks) {
            dirty_ = true;
        } else {
            dirty_blocks_.insert(event.block);
        }
        if (event.removed && !event.subject.empty()) hooks_.removed(event.subject);
    }
    if (dirty_ || !dirty_blocks_.empty()) soon();
}

void Scanner::soon() {
    if (looking_ || delay_) return;
    delay_ = loop_.add_timer(gather_usec, [this] { start(); });
}

void Scanner::start() {
    delay_.reset();
    if (looking_) return;
    if (dirty_) {
        scan_all();
    } else if (!dirty_blocks_.empty()) {
        read_dirty_blocks();
    }
}

void Scanner::scan_all() {
    looking_ = true;
    dirty_ = false;
    dirty_blocks_.clear();
    auto waiting = std::make_shared<std::vector<std::function<void()>>>(std::move(waiting_));
    waiting_.clear();
    worker_.submit([this, waiting](Backend& backend) -> Worker::Completion {
        auto topology = std::make_shared<Result<Topology>>(backend.scan());
        return [this, waiting, topology] {
            looking_ = false;
            if (*topology) {
                failure_pause_usec_ = 0;
                hooks_.scanned(std::move(**topology));
            } else {
                hooks_.failed(topology->error());
                dirty_ = true;
                failure_pause_usec_ =
                    std::clamp(failure_pause_usec_ * 2, first_failure_pause_usec, longest_failure_pause_usec);
                delay_ = loop_.add_timer(failure_pause_usec_, [this] { start(); });
            }
            // Those who wait decide from the topology in force, be it the old one.
            for (const auto& then : *waiting) then();
            if (!waiting_.empty()) {
                if (!looking_) start();
            } else if (dirty_ || !dirty_blocks_.empty()) {
                soon();
            }
        };
    });
}

void Scanner::read_dirty_blocks() {
    looking_ = true;
    std::vector<BlockIndex> blocks(dirty_blocks_.begin(), dirty_blocks_.end());
    dirty_blocks_.clear();
    worker_.submit([this, blocks](Backend& backend) -> Worker::Completion {
        auto found = backend.read_blocks(blocks);
        return [this, blocks, found = std::move(found)] {
            looking_ = false;
            if (found) {
                hooks_.blocks_read(blocks, *found);
            } else {
                dirty_ = true;
            }
            if (!waiting_.empty()) {
                if (!looking_) start();
            } else if (dirty_ || !dirty_blocks_.empty()) {
                soon();
            }
        };
    });
}

}  // namespace cxlmemd
