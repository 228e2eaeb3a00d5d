// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/linux/kernel_events.h"

#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace cxlmemd {

namespace {

constexpr unsigned kernel_group = 1;  // 2 is udev's
constexpr std::string_view block_folder = "/devices/system/memory/";
// Without CAP_NET_ADMIN the kernel cuts this to net.core.rmem_max: some 400 messages.
constexpr int receive_buffer = 16 << 20;

[[noreturn]] void refuse(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// The device that a "bind@…" message names; empty if it is none of the dax bus.
std::string_view bound_dax(std::string_view path, std::string_view words) {
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find('\0'));
        words.remove_prefix(std::min(words.size(), word.size() + 1));
        if (word == "SUBSYSTEM=dax") return path.substr(path.rfind('/') + 1);
    }
    return {};
}

std::optional<Event> block_event(std::string_view action, std::string_view name) {
    const bool added = action == "add";
    const bool removed = action == "remove";
    if (!added && !removed && action != "online" && action != "offline") return std::nullopt;
    const auto index = sysfs::number_after(name, "memory");
    if (!index) return std::nullopt;
    Event out;
    out.subject = name;
    out.scope = Event::Scope::block;
    out.block = BlockIndex{*index};
    out.removed = removed;
    out.growing = added;
    return out;
}

}  // namespace

// "bind@/devices/…/dax0.0", then KEY=VALUE words, each with its 0 (lib/kobject_uevent.c).
std::optional<Event> read_kernel_event(std::string_view message) {
    const std::string_view head = message.substr(0, message.find('\0'));
    const std::size_t at = head.find("@/");
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view action = head.substr(0, at);
    const std::string_view path = head.substr(at + 1);
    if (action != "bind") {
        if (!path.starts_with(block_folder)) return std::nullopt;
        return block_event(action, path.substr(block_folder.size()));
    }
    const std::string_view dax = bound_dax(path, message.substr(head.size()));
    if (dax.empty()) return std::nullopt;
    Event out;
    out.subject = dax;
    out.complete = true;
    return out;
}

void keep_what_is_read(int socket) {
    constexpr std::uint32_t bind = 'b' << 24 | 'i' << 16 | 'n' << 8 | 'd';
    constexpr std::uint32_t memo = 'm' << 24 | 'e' << 16 | 'm' << 8 | 'o';
    // Where the folder's own name begins, after an action of so many letters.
    constexpr auto name_after = [](std::uint32_t letters) {
        return static_cast<std::uint32_t>(letters + 1 + std::string_view{"/devices/system/"}.size());
    };
    constexpr std::uint16_t byte = BPF_LD | BPF_B | BPF_ABS;  // one beyond the message's end drops it
    constexpr std::uint16_t word = BPF_LD | BPF_W | BPF_ABS;
    constexpr std::uint16_t equal = BPF_JMP | BPF_JEQ | BPF_K;  // else, then: how many lines to skip
    constexpr std::uint16_t go = BPF_JMP | BPF_JA;
    std::array<sock_filter, 18> program{{
        {byte, 0, 0, 3},
        {equal, 8, 0, '@'},  // add: to 10
        {byte, 0, 0, 4},
        {equal, 8, 0, '@'},  // bind: to 12
        {byte, 0, 0, 6},
        {equal, 8, 0, '@'},  // online, remove: to 14
        {byte, 0, 0, 7},
        {equal, 0, 9, '@'},  // offline
        {word, 0, 0, name_after(7)},
        {go, 0, 0, 5},  // to 15
        {word, 0, 0, name_after(3)},
        {go, 0, 0, 3},  // to 15
        {word, 0, 0, 0},
        {equal, 2, 3, bind},  // to 16, 17
        {word, 0, 0, name_after(6)},
        {equal, 0, 1, memo},  // to 16, 17
        {BPF_RET | BPF_K, 0, 0, 0xffffffff},
        {BPF_RET | BPF_K, 0, 0, 0},
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
        refuse("event filter");
}

KernelEvents::KernelEvents()
    : socket_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
    if (!socket_.valid()) refuse("the kernel's events");
    keep_what_is_read(socket_.get());
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) != 0) {
        refuse("the kernel's events");
    }
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kernel_group;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets' interface is so
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        refuse("the kernel's events");
    }
}

KernelEvents::Next KernelEvents::next() {
    std::array<char, 8192> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): the kernel fills it
    sockaddr_nl sender{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t size = ::recvmsg(socket_.get(), &message, 0);
    if (size < 0) return {errno == ENOBUFS ? Next::What::lost : Next::What::nothing, {}};
    if (sender.nl_pid != 0) return {Next::What::other, {}};  // not from the kernel
    auto event = read_kernel_event({text.data(), static_cast<std::size_t>(size)});
    if (!event) return {Next::What::other, {}};
    return {Next::What::event, std::move(*event)};
}

}  // namespace cxlmemd
