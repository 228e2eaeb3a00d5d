// SPDX-License-Identifier: LGPL-2.1-or-later
/* Runs a command and says, by the kernel's own events, when memory blocks followed. Runs as root in the guest.
 *
 *     event_clock ACTION FIRST LAST SECONDS BOUND COMMAND [ARGUMENT…]
 *
 * ACTION is online or offline, FIRST-LAST the blocks, SECONDS how long to wait for all of them. BOUND is what the
 * name of the device begins with whose bind event starts the clock, or "-": the command's start does. Prints one JSON object, seconds from
 * then: first and last (the event of the first and the last block to follow), exited (the command's end; may be
 * negative with BOUND), started (the command's start, likewise), status (the command's) and blocks (how many
 * followed). Exit status 0 if all did, 1 if not, 2 if it could not be measured.
 *
 * It runs before all others (SCHED_FIFO), its command as anybody: the time of an event is when it is read.
 * Why events: asking 1024 files whether they have changed costs as much as what is to be measured. */
#define _GNU_SOURCE /* SCHED_RESET_ON_FORK */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BLOCKS = 1 << 17, QUEUE = 64 << 20 };

struct clock {
    const char *action, *bound;
    long first_block, last_block;
    unsigned char seen[MAX_BLOCKS];
    long count;
    double bind, first, last;
};

static struct clock c;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int listen_to_kernel(void) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    const int size = QUEUE;
    const int s = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        bind(s, (struct sockaddr *)&address, sizeof address) < 0)
        return -1;
    return s;
}

/* "online@/devices/system/memory/memory2098", then what else the kernel says of it. */
static void take(const char *event, double when) {
    const char *at = strchr(event, '@');
    if (at == NULL) return;
    const size_t length = (size_t)(at - event);
    const char *name = strrchr(at, '/');
    if (name == NULL) return;
    if (length == 4 && memcmp(event, "bind", 4) == 0 && strncmp(name + 1, c.bound, strlen(c.bound)) == 0)
        c.bind = when;
    if (length != strlen(c.action) || memcmp(event, c.action, length) != 0) return;
    long block;
    if (sscanf(name, "/memory%ld", &block) != 1 || block < c.first_block || block > c.last_block) return;
    unsigned char *seen = &c.seen[block - c.first_block];
    if (*seen) return;
    *seen = 1;
    if (c.count++ == 0) c.first = when;
    c.last = when;
}

/* Answers 0 when all blocks followed, -1 when the time is over or events were lost. */
static int watch(int s, double end) {
    const long wanted = c.last_block - c.first_block + 1;
    while (c.count < wanted) {
        const double left = end - now();
        struct pollfd p = {.fd = s, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) < 0) return -1;
        char event[8192];
        ssize_t size;
        while ((size = recv(s, event, sizeof event - 1, MSG_DONTWAIT)) > 0) {
            event[size] = '\0';
            take(event, now());
        }
        if (size < 0 && errno != EAGAIN) return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 7) return 2;
    c.action = argv[1];
    c.first_block = atol(argv[2]);
    c.last_block = atol(argv[3]);
    c.bound = argv[5];
    if (c.last_block < c.first_block || c.last_block - c.first_block >= MAX_BLOCKS) return 2;
    const int s = listen_to_kernel();
    if (s < 0) {
        perror("event_clock: the kernel's events");
        return 2;
    }
    const struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) < 0) {
        perror("event_clock: before all others");
        return 2;
    }
    const double started = now();
    const pid_t child = fork();
    if (child < 0) return 2;
    if (child == 0) {
        /* Its output is its own affair; ours is the JSON. */
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(argv[6], argv + 6);
        _exit(127);
    }
    const double end = started + atof(argv[4]);
    const int missed = watch(s, end);
    int status = 0;
    while (waitpid(child, &status, missed ? WNOHANG : 0) < 0 && errno == EINTR) {
    }
    const double exited = now();
    const int by_bind = strcmp(c.bound, "-") != 0;
    if (by_bind && c.bind == 0) {
        fprintf(stderr, "event_clock: %s was not bound\n", c.bound);
        return 2;
    }
    const double zero = by_bind ? c.bind : started;
    printf("{\"first\": %.6f, \"last\": %.6f, \"started\": %.6f, \"exited\": %.6f, \"status\": %d, \"blocks\": %ld}\n",
           c.first - zero, c.last - zero, started - zero, exited - zero, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
           c.count);
    return missed ? 1 : 0;
}
