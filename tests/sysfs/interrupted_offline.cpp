// SPDX-License-Identifier: LGPL-2.1-or-later
// For the VM: what a write that hangs in the kernel does when the worker gets a signal (backends/backend.h).
//
//     interrupted_offline DAX              offlines a block with a page that cannot move, until a signal
//     comes interrupted_offline DAX contended    the same while another process hangs in that write
//
// The page is held by vmsplice(2): migration fails, and the kernel tries for ever. Prints one line: the
// error, and after how many seconds it came. Ends with 0 if it was ErrorCode::canceled.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "backends/linux/hotplug_write.h"
#include "backends/linux/linux_backend.h"

namespace {

using namespace cxlmemd;  // NOLINT(google-build-using-namespace): a program of one file

volatile std::sig_atomic_t signals = 0;
volatile pid_t other = 0;

// Without SA_RESTART, as the worker's. The fifth one frees who still waits for the other process.
void count_signal(int) {
    signals = signals + 1;
    break_hotplug_write();
    if (signals == 5 && other > 0) ::kill(other, SIGKILL);
}

[[noreturn]] void give_up(const char* what) {
    fmt::print(stderr, "interrupted_offline: {}: {}\n", what, std::strerror(errno));
    std::exit(2);
}

// Holds some pages of a node; never given back while the process lives.
void hold_pages(NodeId node) {
    constexpr std::size_t size = 8U << 20;
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) give_up("mmap");
    const unsigned long mask = 1UL << static_cast<unsigned>(node.value());
    if (::syscall(SYS_mbind, memory, size, MPOL_BIND, &mask, sizeof(mask) * 8, 0) != 0) give_up("mbind");
    std::memset(memory, 1, size);
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) give_up("pipe");
    const iovec pages{.iov_base = memory, .iov_len = 4096};
    if (::vmsplice(pipe[1], &pages, 1, 0) < 0) give_up("vmsplice");
}

void every_two_seconds() {
    struct sigaction action {};
    action.sa_handler = count_signal;
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval timer{.it_interval = {.tv_sec = 2, .tv_usec = 0},
                          .it_value = {.tv_sec = 2, .tv_usec = 0}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 2;
    const bool contended = argc > 2 && std::string_view(argv[2]) == "contended";
    LinuxBackend backend{LinuxPaths{}};
    const auto topology = backend.scan();
    const DaxDevice* dax = topology ? find_dax(*topology, argv[1]) : nullptr;
    if (dax == nullptr) give_up("no such device");
    const auto blocks = whole_blocks(*dax, topology->block_size);
    if (!backend.set_block(dax->id, blocks[0], BlockTarget::online_movable)) give_up("online");
    std::array<int, 2> ready{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0) give_up("pipe");

    BlockIndex block = blocks[0];
    BlockTarget target = BlockTarget::offline;
    if (contended) {
        other = ::fork();
        if (other == 0) {
            hold_pages(dax->target_node);
            (void)!::write(ready[1], "x", 1);
            (void)backend.set_block(dax->id, block, target);
            std::_Exit(0);
        }
        char byte = 0;
        (void)!::read(ready[0], &byte, 1);
        ::usleep(500'000);  // the other process is in its write by then
        block = blocks[1];
        target = BlockTarget::online_movable;
    } else {
        hold_pages(dax->target_node);
    }
    every_two_seconds();
    const auto start = std::chrono::steady_clock::now();
    const auto result = backend.set_block(dax->id, block, target);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print("{} after {:.1f} s and {} signals\n", result ? "done" : result.error().text(), took.count(),
               static_cast<int>(signals));
    if (other > 0) {
        ::kill(other, SIGKILL);
        ::waitpid(other, nullptr, 0);
    }
    return !result && result.error().code == ErrorCode::canceled ? 0 : 1;
}
