// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a process may do under a unit's settings, tried out. Runs in the guest, in the place of the daemon.
 *
 * sandbox_probe all: one "NAME OUTCOME" a line, "allowed" or the errno that refused it. No attempt changes
 * anything where it is allowed: what is written is what was read, or a name that no device has. sandbox_probe
 * eat BYTES | files | tasks: how much of that there is. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char* name, int error) {
    printf("%s %s\n", name, error == 0 ? "allowed" : strerrorname_np(error));
}

/* The first path of a pattern at which a file is; the pattern itself if there is none. */
static const char* first(const char* pattern) {
    static char path[512];
    glob_t found;
    const int failed = glob(pattern, 0, NULL, &found);
    snprintf(path, sizeof path, "%s", failed ? pattern : found.gl_pathv[0]);
    if (!failed) globfree(&found);
    return path;
}

static int try_open(const char* pattern, int flags) {
    const int fd = open(first(pattern), flags | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

static int try_write(const char* pattern, const char* text) {
    const int fd = open(first(pattern), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    const int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return error;
}

/* ENODEV: the driver was asked. */
static int try_unbind(const char* pattern) {
    const int error = try_write(pattern, "no-such-device");
    return error == ENODEV ? 0 : error;
}

static int map_pci_bar(void) {
    glob_t found;
    int error = ENOENT;
    if (glob("/sys/bus/pci/devices/*/resource0", 0, NULL, &found) != 0) return error;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat about;
        if (stat(found.gl_pathv[i], &about) != 0 || about.st_size < 4096) continue;
        const int fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);
        if (fd < 0) return errno;
        void* bar = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        error = bar == MAP_FAILED ? errno : 0;
        close(fd);
        break;
    }
    return error;
}

static int write_pci_config(void) {
    const int fd = open(first("/sys/bus/pci/devices/*/config"), O_RDWR | O_CLOEXEC);
    char line; /* 0x3c, the interrupt line, is for software */
    if (fd < 0) return errno;
    const int error = pread(fd, &line, 1, 0x3c) == 1 && pwrite(fd, &line, 1, 0x3c) == 1 ? 0 : errno;
    close(fd);
    return error;
}

static int try_connect(const char* path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    const int error = connect(fd, (struct sockaddr*)&address, sizeof address) < 0 ? errno : 0;
    close(fd);
    return error;
}

static int try_socket(int family, int type, int protocol) {
    const int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) return errno;
    close(fd);
    return 0;
}

/* The errno of execve; ENOEXEC for a program that did not come to a good end. */
static int try_run(const char* path, const char* argument) {
    int ends[2], error = 0, status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return errno;
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) return errno;
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execl(path, path, argument, NULL);
        error = errno;
        _exit(write(ends[1], &error, sizeof error) == sizeof error ? 1 : 2);
    }
    close(ends[1]);
    if (read(ends[0], &error, sizeof error) != sizeof error) error = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return error ? error : status ? ENOEXEC : 0;
}

static int try_run_own(const char* folder) {
    char path[256], buffer[4096];
    ssize_t size;
    snprintf(path, sizeof path, "%s/sandbox-probe", folder);
    const int in = open("/bin/true", O_RDONLY | O_CLOEXEC);
    if (in < 0) return errno;
    const int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    if (out < 0) return errno;
    while ((size = read(in, buffer, sizeof buffer)) > 0)
        if (write(out, buffer, (size_t)size) != size) return errno;
    close(in);
    close(out);
    const int error = try_run(path, NULL);
    unlink(path);
    return error;
}

static int write_and_execute(void) {
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? errno
               : 0;
}

/* A system call with these arguments, which the kernel itself refuses (EFAULT, EINVAL) if nothing else does.
 */
static int try_call(long number, long a, long b, long c, long d) {
    return syscall(number, a, b, c, d, 0L, 0L) < 0 ? errno : 0;
}

static void try_all(void) {
    /* the machine */
    say("map_pci_bar", map_pci_bar());
    say("write_pci_config", write_pci_config());
    say("remove_pci_device", try_open("/sys/bus/pci/devices/*/remove", O_WRONLY));
    say("rescan_pci", try_open("/sys/bus/pci/rescan", O_WRONLY));
    say("offline_processor", try_write("/sys/devices/system/cpu/cpu1/online", "1"));
    say("unbind_pci_driver", try_unbind("/sys/bus/pci/drivers/*/unbind"));
    say("unbind_platform_driver", try_unbind("/sys/bus/platform/drivers/*/unbind"));
    say("probe_pci_driver", try_open("/sys/bus/pci/drivers_probe", O_WRONLY));
    say("write_kernel_setting", try_open("/proc/sys/kernel/core_pattern", O_WRONLY));
    say("write_huge_pages", try_open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY));
    say("write_cgroup", try_open("/sys/fs/cgroup/cgroup.procs", O_WRONLY));
    say("sysrq", try_open("/proc/sysrq-trigger", O_WRONLY));
    say("open_kmsg", try_open("/dev/kmsg", O_RDONLY));
    /* files */
    say("read_shadow", try_open("/etc/shadow", O_RDONLY));
    say("list_logs", try_open("/var/log", O_RDONLY | O_DIRECTORY));
    say("list_modules", try_open("/usr/lib/modules", O_RDONLY | O_DIRECTORY));
    say("write_etc", try_open("/etc/passwd", O_WRONLY));
    say("write_usr", try_open("/usr/lib/os-release", O_WRONLY));
    say("write_policy", try_open("/etc/cxlmemd/policy.d/sandbox-probe", O_WRONLY | O_CREAT));
    say("change_owner", chown("/run/cxlmemd", 1, 1) < 0 ? errno : 0);
    /* programs and other processes */
    say("systemd_private_socket", try_connect("/run/systemd/private"));
    say("run_a_program", try_run("/bin/true", NULL));
    say("run_a_shell", try_run("/bin/sh", NULL));
    say("run_systemd", try_run("/usr/lib/systemd/systemd", "--version"));
    say("run_by_the_loader", try_run("/lib64/ld-linux-x86-64.so.2", "/bin/true"));
    say("run_what_it_wrote_to_run", try_run_own("/run/cxlmemd"));
    say("run_what_it_wrote_to_var", try_run_own("/var/lib/cxlmemd"));
    say("run_what_it_wrote_to_tmp", try_run_own("/tmp"));
    say("become_another_user", setresuid(0, 1, 0) < 0 ? errno : setresuid(0, 0, 0));
    say("write_and_execute", write_and_execute());
    say("internet", try_socket(AF_INET, SOCK_DGRAM, 0));
    say("packets", try_socket(AF_PACKET, SOCK_RAW, 0));
    say("bpf", try_call(SYS_bpf, 0, 0, 0, 0));
    say("init_module", try_call(SYS_init_module, 0, 0, 0, 0));
    say("io_uring_setup", try_call(SYS_io_uring_setup, 1, 0, 0, 0));
    say("keyctl", try_call(SYS_keyctl, 0, -1, 1, 0));
    say("memfd_create", try_call(SYS_memfd_create, (long)"probe", 0, 0, 0));
    say("mount", try_call(SYS_mount, (long)"none", (long)"/tmp", (long)"tmpfs", 0));
    say("process_vm_readv", try_call(SYS_process_vm_readv, 1, 0, 0, 0));
    say("ptrace", try_call(SYS_ptrace, 16, 1, 0, 0));
    say("reboot", try_call(SYS_reboot, 0, 0, 0, 0));
    say("unshare", try_call(SYS_unshare, 0x20000000, 0, 0, 0));
    say("userfaultfd", try_call(SYS_userfaultfd, 1, 0, 0, 0));
    /* what must go on working */
    say("write_auto_online", try_open("/sys/devices/system/memory/auto_online_blocks", O_WRONLY));
    say("write_block", try_open("/sys/devices/system/memory/memory*/state", O_WRONLY));
    say("bind_kmem", try_open("/sys/bus/dax/drivers/kmem/bind", O_WRONLY));
    say("bind_region", try_open("/sys/bus/cxl/drivers/cxl_region/bind", O_WRONLY));
    say("make_region", try_open("/sys/bus/cxl/devices/decoder0.0/create_ram_region", O_WRONLY));
    say("set_endpoint_decoder", try_open("/sys/bus/cxl/devices/endpoint*/decoder*/dpa_size", O_WRONLY));
    say("demotion", try_open("/sys/kernel/mm/numa/demotion_enabled", O_WRONLY));
    say("interleave_weight", try_open("/sys/kernel/mm/mempolicy/weighted_interleave/node*", O_WRONLY));
    say("uevents", try_socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
    say("system_bus", try_connect("/run/dbus/system_bus_socket"));
    say("write_state", try_open("/var/lib/cxlmemd/sandbox-probe", O_WRONLY | O_CREAT));
}

static int eat(size_t size) {
    char* held = malloc(size);
    if (held == NULL) return 1;
    for (size_t page = 0; page < size; page += 4096) held[page] = 1;
    printf("eaten %zu\n", size);
    free(held);
    return 0;
}

static int count_files(void) {
    long count = 3;
    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) count++;
    printf("files %ld\nrefused %s\n", count, strerrorname_np(errno));
    return 0;
}

/* The children end with their parent's end of a socket. */
static int count_tasks(void) {
    int ends[2], error = 0;
    char byte;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return 1;
    long count = 1;
    for (;; count++) {
        const pid_t child = fork();
        if (child < 0) {
            error = errno;
            break;
        }
        if (child == 0) {
            close(ends[1]);
            _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
        }
    }
    printf("tasks %ld\nrefused %s\n", count, strerrorname_np(error));
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[1], "eat") == 0) return eat(strtoul(argv[2], NULL, 10));
    if (argc == 2 && strcmp(argv[1], "files") == 0) return count_files();
    if (argc == 2 && strcmp(argv[1], "tasks") == 0) return count_tasks();
    if (argc != 2 || strcmp(argv[1], "all") != 0) return 2;
    try_all();
    return 0;
}
