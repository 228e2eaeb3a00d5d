#include "backends/emulator/faults.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace cxlmemd::emulator {

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::scan: return "scan";
        case Operation::read_blocks: return "read_blocks";
        case Operation::set_block: return "set_block";
        case Operation::set_mode: return "set_mode";
        case Operation::destroy_region: return "destroy_region";
        case Operation::set_auto_online: return "set_auto_online";
        case Operation::set_interleave_weight: return "set_interleave_weight";
        case Operation::set_interleave_auto: return "set_interleave_auto";
        case Operation::set_demotion: return "set_demotion";
        case Operation::create_region: return "create_region";
    }
    return "scan";
}

std::optional<Operation> operation_from(std::string_view text) {
    using enum Operation;
    for (const Operation operation :
         std::array{scan, read_blocks, set_block, set_mode, destroy_region, set_auto_online,
                    set_interleave_weight, set_interleave_auto, set_demotion, create_region}) {
        if (to_string(operation) == text) return operation;
    }
    return std::nullopt;
}

bool FaultList::add(Fault fault) {
    if (pending_.size() >= most) return false;
    pending_.push_back({std::move(fault), 0});
    return true;
}

std::vector<Fault> FaultList::strike(Operation operation, std::optional<BlockIndex> block,
                                     std::string_view dax) {
    std::vector<Fault> out;
    for (Pending& pending : pending_) {
        const Fault& fault = pending.fault;
        if (fault.operation != operation) continue;
        if (fault.block && fault.block != block) continue;
        if (!fault.dax.empty() && fault.dax != dax) continue;
        ++pending.seen;
        if (pending.seen >= fault.nth) out.push_back(fault);
    }
    std::erase_if(pending_, [](const Pending& pending) {
        return pending.fault.count != 0 && pending.seen >= pending.fault.nth &&
               pending.seen - pending.fault.nth + 1 >= pending.fault.count;
    });
    return out;
}

Hang::Hang() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Hang::~Hang() {
    ::close(fd_);
}

int Hang::wait_until_let_go(bool deaf) {
    {
        const std::lock_guard lock(mutex_);
        waiting_ = true;
    }
    pollfd poll{.fd = fd_, .events = POLLIN, .revents = 0};
    int result = 0;
    do {
        result = ::ppoll(&poll, 1, nullptr, nullptr) < 0 ? errno : 0;
    } while (deaf && result == EINTR);
    const std::lock_guard lock(mutex_);
    waiting_ = false;
    eventfd_t ignored = 0;
    static_cast<void>(::eventfd_read(fd_, &ignored));
    return result;
}

int Hang::wait_usec(std::uint64_t usec) {
    const timespec time{.tv_sec = static_cast<std::time_t>(usec / 1'000'000),
                        .tv_nsec = static_cast<long>(usec % 1'000'000 * 1'000)};
    return ::ppoll(nullptr, 0, &time, nullptr) < 0 ? errno : 0;
}

void Hang::let_go() {
    const std::lock_guard lock(mutex_);
    if (waiting_) static_cast<void>(::eventfd_write(fd_, 1));
}

}  // namespace cxlmemd::emulator
