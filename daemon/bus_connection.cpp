// SPDX-License-Identifier: LGPL-2.1-or-later
#include "daemon/bus_connection.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace cxlmemd {

namespace {

std::unique_ptr<sdbus::IConnection> connect_bus(const std::string& bus) {
    if (bus == "system") return sdbus::createSystemBusConnection();
    if (bus == "session") return sdbus::createSessionBusConnection();
    return sdbus::createSessionBusConnectionWithAddress(bus);
}

}  // namespace

// What thread and loop have in common.
struct Connecting::Attempt {
    Attempt() : over_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (over_fd < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
    }
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;
    ~Attempt() { ::close(over_fd); }

    void run(const std::string& bus) {
        std::unique_ptr<sdbus::IConnection> found;
        std::string why;
        try {
            found = connect_bus(bus);
        } catch (const std::exception& e) {
            why = e.what();
        }
        const std::lock_guard lock{mutex};
        if (abandoned) return;
        connection = std::move(found);
        error = std::move(why);
        over = true;
        moved.notify_all();
        ::eventfd_write(over_fd, 1);
    }

    const int over_fd;
    std::mutex mutex;  // guards everything below
    std::condition_variable moved;
    bool over = false;
    bool abandoned = false;
    std::unique_ptr<sdbus::IConnection> connection;
    std::string error;
};

Connecting::Connecting(EventLoop& loop, const std::string& bus, Done done)
    : attempt_(std::make_shared<Attempt>()) {
    over_ = loop.add_io(attempt_->over_fd, EPOLLIN,
                        [attempt = std::weak_ptr<Attempt>{attempt_}, done = std::move(done)] {
                            const auto same = attempt.lock();
                            if (!same) return;
                            eventfd_t count = 0;
                            ::eventfd_read(same->over_fd, &count);
                            std::unique_lock lock{same->mutex};
                            std::shared_ptr<sdbus::IConnection> connection{std::move(same->connection)};
                            const std::string error = same->error;
                            lock.unlock();
                            done(std::move(connection), error);
                        });
    std::thread{[attempt = attempt_, bus] { attempt->run(bus); }}.detach();
}

Connecting::~Connecting() {
    const std::lock_guard lock{attempt_->mutex};
    attempt_->abandoned = true;
}

void Connecting::wait(std::uint64_t usec) {
    std::unique_lock lock{attempt_->mutex};
    attempt_->moved.wait_for(lock, std::chrono::microseconds{usec}, [this] { return attempt_->over; });
}

}  // namespace cxlmemd
