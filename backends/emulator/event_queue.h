// Events on their way from the worker thread, where they happen, to the loop thread.
//
// Bounded: past `capacity` waiting events they are all replaced by one of scope everything, as the
// kernel's netlink socket overruns. Thread-safe; the lock is held for the length of a copy only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "backends/backend.h"

namespace cxlmemd::emulator {

class EventQueue final {
 public:
    static constexpr std::size_t capacity = 4096;
    static constexpr std::size_t most_at_once = 256;

    EventQueue();  // throws std::system_error if the kernel has no eventfd to give
    EventQueue(const EventQueue&) = delete;
    EventQueue& operator=(const EventQueue&) = delete;
    ~EventQueue();

    void push(Event event);
    [[nodiscard]] std::vector<Event> take();
    [[nodiscard]] int fd() const { return fd_; }

    // The next so many events get lost, or are delivered twice (in this order).
    void misbehave(std::uint64_t lose, std::uint64_t twice);

 private:
    void append(Event event);

    int fd_;
    std::mutex mutex_;
    std::deque<Event> waiting_;
    std::uint64_t lose_ = 0;
    std::uint64_t double_ = 0;
};

class EmulatorEvents final : public EventSource {
 public:
    explicit EmulatorEvents(std::shared_ptr<EventQueue> queue) : queue_(std::move(queue)) {}

    [[nodiscard]] int fd() const override { return queue_->fd(); }
    [[nodiscard]] std::vector<Event> take() override { return queue_->take(); }

 private:
    std::shared_ptr<EventQueue> queue_;
};

}  // namespace cxlmemd::emulator
