// SPDX-License-Identifier: LGPL-2.1-or-later
#include "cli/event_pump.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <vector>

#include "cli/sdbus_compat.h"

namespace cxlmemctl {
namespace {

// Rounded up: who is woken at that time finds it past. At most a day; who waits longer is woken in between.
int milliseconds_until(std::chrono::steady_clock::time_point until) {
    constexpr std::chrono::milliseconds longest = std::chrono::hours{24};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp(left, std::chrono::milliseconds{0}, longest).count());
}

}  // namespace

EventPump::EventPump(sdbus::IConnection& connection) : connection_(connection) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, &before_);
    signal_fd_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signal_fd_ < 0) {
        const int error = errno;
        sigprocmask(SIG_SETMASK, &before_, nullptr);
        throw std::system_error(error, std::generic_category(), "signalfd");
    }
}

EventPump::~EventPump() {
    // Take what is pending, else it would end the process now.
    signalfd_siginfo info{};
    while (read(signal_fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    }
    close(signal_fd_);
    sigprocmask(SIG_SETMASK, &before_, nullptr);
}

void EventPump::drain() {
    while (compat::process_one(connection_)) {
    }
}

EventPump::Woken EventPump::turn(std::optional<std::chrono::steady_clock::time_point> until) {
    std::vector<pollfd> fds{{signal_fd_, POLLIN, 0}};
    int timeout = compat::poll_set(connection_, fds);
    if (until) {
        const int left = milliseconds_until(*until);
        timeout = timeout < 0 ? left : std::min(timeout, left);
    }
    const int ready = poll(fds.data(), fds.size(), timeout);
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (fds.front().revents != 0) {
        signalfd_siginfo info{};
        if (read(signal_fd_, &info, sizeof info) > 0) return Woken::interrupted;
    }
    drain();
    return ready == 0 && until && std::chrono::steady_clock::now() >= *until ? Woken::deadline : Woken::bus;
}

std::optional<std::string> EventPump::ask(std::string_view question) {
    std::fwrite(question.data(), 1, question.size(), stderr);
    std::fflush(stderr);
    std::string line;
    while (!line.ends_with('\n')) {
        std::array<pollfd, 2> fds{{{signal_fd_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
        if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "poll");
        signalfd_siginfo info{};
        if (fds[0].revents != 0 && read(signal_fd_, &info, sizeof info) > 0) return std::nullopt;
        char next = 0;
        if (fds[1].revents == 0) continue;
        if (read(STDIN_FILENO, &next, 1) != 1) return std::nullopt;
        line += next;
    }
    return line;
}

}  // namespace cxlmemctl
