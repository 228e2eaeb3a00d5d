// SPDX-License-Identifier: LGPL-2.1-or-later
/* The bare loop: writes a state to memory blocks in a given order and says what each write took. Runs as root in the
 * guest; what no program that brings memory online block by block can be faster than.
 *
 *     block_loop STATE RUN…      a RUN is a block, or FIRST-LAST; downwards if FIRST is above LAST
 *
 * One open, one write and one close a block. Prints one JSON object: seconds (from the first open to the last close),
 * write_seconds (inside write(2) alone), usec (per block, open to close, in the order gone), and failed ([block,
 * errno] each). Exit status 1 if a write failed, 2 if the arguments make no sense. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_BLOCKS = 1 << 17 };

static long blocks[MAX_BLOCKS], usec[MAX_BLOCKS];
static int errors[MAX_BLOCKS];
static long count;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int add_run(const char *text) {
    char *end;
    long first = strtol(text, &end, 10), last = first;
    if (end == text || first < 0) return 0;
    if (*end == '-') {
        const char *rest = end + 1;
        last = strtol(rest, &end, 10);
        if (end == rest || last < 0) return 0;
    }
    if (*end != '\0') return 0;
    for (long step = first <= last ? 1 : -1, block = first;; block += step) {
        if (count == MAX_BLOCKS) return 0;
        blocks[count++] = block;
        if (block == last) return 1;
    }
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    for (int i = 2; i < argc; ++i) {
        if (!add_run(argv[i])) {
            fprintf(stderr, "block_loop: no run of blocks: %s\n", argv[i]);
            return 2;
        }
    }
    const char *state = argv[1];
    const size_t length = strlen(state);
    double in_write = 0;
    const double start = now();
    for (long i = 0; i < count; ++i) {
        char path[80];
        snprintf(path, sizeof path, "/sys/devices/system/memory/memory%ld/state", blocks[i]);
        const double opened = now();
        const int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0) {
            errors[i] = errno;
            continue;
        }
        const double before = now();
        if (write(file, state, length) < 0) errors[i] = errno;
        in_write += now() - before;
        close(file);
        usec[i] = (long)((now() - opened) * 1e6);
    }
    const double seconds = now() - start;

    int failed = 0;
    printf("{\"seconds\": %.6f, \"write_seconds\": %.6f, \"usec\": [", seconds, in_write);
    for (long i = 0; i < count; ++i) printf("%s%ld", i ? ", " : "", usec[i]);
    printf("], \"failed\": [");
    for (long i = 0; i < count; ++i) {
        if (errors[i]) printf("%s[%ld, %d]", failed++ ? ", " : "", blocks[i], errors[i]);
    }
    printf("]}\n");
    return failed != 0;
}
