#include "backends/linux/bind_events.h"

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

[[noreturn]] void refuse(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// Lets messages pass that begin with "bind@".
void keep_binds(int fd) {
    constexpr std::uint32_t bind = 'b' << 24 | 'i' << 16 | 'n' << 8 | 'd';
    std::array<sock_filter, 6> program{{
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 3, bind},
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, 4},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, '@'},
        {BPF_RET | BPF_K, 0, 0, 0xffffffff},
        {BPF_RET | BPF_K, 0, 0, 0},
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) refuse("event filter");
}

}  // namespace

// "bind@/devices/…/dax0.0", then KEY=VALUE words, each with its 0 (lib/kobject_uevent.c).
std::string bound_dax(std::string_view message) {
    std::string_view path;
    bool of_dax = false;
    bool is_bind = false;
    while (!message.empty()) {
        const std::string_view word = message.substr(0, message.find('\0'));
        message.remove_prefix(std::min(message.size(), word.size() + 1));
        if (word == "ACTION=bind") is_bind = true;
        if (word == "SUBSYSTEM=dax") of_dax = true;
        if (word.starts_with("DEVPATH=")) path = word;
    }
    if (!is_bind || !of_dax) return {};
    const std::size_t slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string{} : std::string(path.substr(slash + 1));
}

BindEvents::BindEvents()
    : socket_(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)) {
    if (!socket_.valid()) refuse("the kernel's events");
    keep_binds(socket_.get());
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = kernel_group;
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets' interface is so
    if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        refuse("the kernel's events");
    }
}

BindEvents::Next BindEvents::next() {
    std::array<char, 8192> text{};
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
    std::string dax = bound_dax({text.data(), static_cast<std::size_t>(size)});
    if (dax.empty()) return {Next::What::other, {}};
    return {Next::What::bound, std::move(dax)};
}

}  // namespace cxlmemd
