// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <array>

#include "cli/doctor.h"

namespace cxlmemctl {
namespace {

using enum Severity;

// Sections in the order of the page. Ids are for scripts.
constexpr Row table_rows[] = {
    {"daemon-unreachable", Area::daemon, error, "`cxlmemctl` says that the daemon is not running",
     "Without the daemon no rule is applied: memory stays as the kernel, udev or daxctl left it.",
     "`systemctl enable --now cxlmemd`; if it does not stay up, `journalctl -b -u cxlmemd` says why"},
    {"daemon-observes", Area::daemon, error, "The policy is right, and nothing happens",
     "The daemon only watches: it was started with `--observe`, or its files had an error when it started.",
     "run `cxlmemctl check`, mend what it names, then `systemctl restart cxlmemd`; without an error there, "
     "`systemctl cat cxlmemd` shows whether `--observe` is given"},
    {"policy-problems", Area::daemon, error, "An edited rule has no effect, or a reload is refused",
     "With an error in them no file is taken: the policy that was in force stays. A warning is about a rule "
     "that will not do what it seems to say.",
     "`cxlmemctl check` prints every problem with file, line and column; mend them, then `cxlmemctl reload`"},
    {"policy-pending", Area::daemon, warning, "An edited rule has no effect yet",
     "Edited files are checked at once, and wait for a reload unless `auto_reload` is set.",
     "`cxlmemctl reload`"},
    {"settings-quiet", Area::daemon, warning, "The journal does not say why memory moved",
     "`[log] level` in daemon.toml is so high that decisions and finished jobs are not logged.",
     "set `level = \"info\"` in section `[log]` of {}, then `systemctl reload cxlmemd`"},
    {"not-enabled", Area::daemon, warning, "After a reboot the memory is not as policy says",
     "No target of systemd wants cxlmemd.service: nothing starts the daemon at boot.",
     "`systemctl enable cxlmemd`"},
    {"early-not-enabled", Area::daemon, warning, "After a reboot memory is online in the wrong zone",
     "`auto_online = \"manage\"` is set, but cxlmemd-early.service, which tells the kernel so before the "
     "drivers of CXL are loaded, is not enabled: memory can come online before the daemon runs.",
     "`systemctl enable cxlmemd-early`"},
    {"no-rule", Area::daemon, warning, "A dax device stays as the kernel left it",
     "No rule matches it, so that it is only watched.",
     "`cxlmemctl explain {}` says which rules were tried; add one to /etc/cxlmemd/policy.d, then `cxlmemctl "
     "reload`. A rule with `mode = \"ignore\"` says that it is left alone on purpose"},
    {"held", Area::daemon, warning, "Policy does nothing about a device",
     "It is held: an administrator changed it by hand, or a card below it is prepared for its removal. A "
     "hold survives restarts.",
     "`cxlmemctl release {}` gives it back to policy"},
    {"not-in-policy", Area::daemon, error, "A device is not as its rule says",
     "The daemon could not bring it there, has given up, or waits for another try.",
     "`cxlmemctl explain {}` says what is in the way"},

    {"auto-online", Area::online, warning, "Memory is online in the wrong zone right after boot or hot-plug",
     "The kernel brings new memory online by itself, in a zone of its own choice, before a rule can choose. "
     "What is in a kernel zone can often not be taken offline again.",
     "set `auto_online = \"manage\"` in /etc/cxlmemd/daemon.toml, then `systemctl enable cxlmemd-early` and "
     "`systemctl reload cxlmemd`"},
    {"udev-online", Area::online, warning, "A udev rule brings memory online before policy does",
     "Whoever is first chooses the zone, and the rule is as fast as the daemon.",
     "`cxlmemctl import {}` prints the policy that does the same; then mask the rule: `ln -s /dev/null "
     "/etc/udev/rules.d/{base}`, and `udevadm control --reload`"},
    {"tmpfiles-online", Area::online, warning, "`auto_online_blocks` is changed at each boot",
     "A line of tmpfiles.d writes it, after cxlmemd-early or before it.",
     "`cxlmemctl import {}` prints the policy that does the same; then mask the file: `ln -s /dev/null "
     "/etc/tmpfiles.d/{base}`"},
    {"daxctl-config", Area::online, warning, "daxctl reconfigures devices behind the daemon's back",
     "A `[reconfigure-device]` section makes udev run daxctl for each new device, which onlines its memory "
     "in a zone of its own choice.",
     "`cxlmemctl import {}` prints the policy that does the same; then remove the section, or move the file "
     "away"},
    {"tuned", Area::online, warning, "A setting of memory changes when tuned starts",
     "The active profile of tuned writes a setting that the daemon manages, too: the last writer wins.",
     "copy the profile's folder to /etc/tuned under a new name, take the lines of {} out there, then "
     "`tuned-adm profile` with that name"},
    {"kdump-rules", Area::online, warning, "Bringing memory online takes minutes, and udev is busy meanwhile",
     "A udev rule runs a program for each memory block, mostly to reload the crash kernel. From kernel 6.6 "
     "on the crash kernel is told of memory without that.",
     "mask the rule, unless the kernel is older: `ln -s /dev/null /etc/udev/rules.d/{base}`, and `udevadm "
     "control --reload`"},
    {"kdamonds", Area::online, warning, "Pages move between nodes and nobody knows who moves them",
     "Threads of DAMON run that are not this daemon's: their schemes may migrate or reclaim pages of CXL "
     "nodes, against tiers and weights.",
     "as root, `grep . /sys/kernel/mm/damon/admin/kdamonds/*/contexts/*/schemes/*/action` shows what they "
     "do; stop the service that set them up"},

    {"kernel-old", Area::kernel, error, "No region can be made of a card's volatile memory",
     "Kernels before 6.3 list cards and cannot make regions of volatile memory.",
     "boot a kernel of 6.3 or newer; 6.12 is what most of this is tested on"},
    {"kernel-options", Area::kernel, error, "There are no dax devices, or they cannot come online",
     "The kernel was built without an option that CXL memory needs.",
     "boot the distribution's own kernel, or build one with the options named"},
    {"module-missing", Area::kernel, error, "`modprobe` does not find a module of CXL or dax",
     "A driver that CXL memory needs is neither built into the kernel nor among its modules.",
     "install the package with the kernel's further modules (Fedora and its kin: kernel-modules-extra), or "
     "build the kernel with it"},
    {"module-blocked", Area::kernel, error, "A driver of CXL is not loaded at boot",
     "modprobe.d or a boot parameter forbids it.",
     "take the line or parameter out, run `update-initramfs -u` or `dracut -f`, and reboot"},
    {"module-unloaded", Area::kernel, error, "A card is there and its memory is not",
     "A driver that CXL memory needs is not loaded.",
     "`modprobe {}`; cxlmemd's modules-load.d file loads them all at boot"},
    {"module-built-in", Area::kernel, warning, "Memory is online before any service runs",
     "The driver is built into the kernel, and brings memory online while the kernel boots, before "
     "cxlmemd-early can keep it from that.",
     "boot with `memhp_default_state=offline`"},
    {"card-no-memdev", Area::kernel, error, "A card is on the PCI bus and `cxlmemctl list memdevs` lacks it",
     "Its driver did not take it: the mailbox failed, media is not ready, or no driver is loaded.",
     "`dmesg | grep -e cxl_pci -e {}` says why; update the card's firmware, or reseat it"},

    {"boot-default-state", Area::boot, warning, "`auto_online_blocks` reads online after each boot",
     "`memhp_default_state` tells the kernel to bring new memory online by itself, until cxlmemd-early runs.",
     "boot with `memhp_default_state=offline` instead, so that rules decide from the first block on"},
    {"boot-movable-node", Area::boot, warning, "Much memory is movable from the start, and no rule says so",
     "With `movable_node` all memory that the firmware calls hot-pluggable is in ZONE_MOVABLE from boot on, "
     "DRAM too: the kernel itself cannot use it, and no rule can change that.",
     "take `movable_node` out of the boot parameters, unless whole DRAM nodes are to be hot-removed"},
    {"boot-online-policy", Area::boot, warning, "The same command gives another zone on another day",
     "With `memory_hotplug.online_policy=auto-movable` the kernel chooses zones by the ratio of the moment "
     "for whoever writes \"online\".",
     "take it out of the boot parameters; `max_movable_ratio` in daemon.toml and `zone = \"auto\"` do it by "
     "rule"},
    {"boot-memmap", Area::boot, warning, "DRAM runs short when a large device comes online",
     "The kernel keeps 1/64 of a device's size as struct pages, in DRAM unless they may lie on the device.",
     "boot with `memory_hotplug.memmap_on_memory=on`; `cxlmemctl list nodes` shows what DRAM there is"},
    {"boot-hmem", Area::boot, error, "CXL memory is plain System RAM, or its hmem devices are missing",
     "A boot parameter changes what becomes of memory that the firmware set aside (specific-purpose memory).",
     "take the parameter out of the boot loader's configuration, and reboot"},
    {"boot-numa", Area::boot, error, "All memory is on node 0, or no node has latencies",
     "A boot parameter makes the kernel ignore the firmware's tables of nodes or of their performance.",
     "take the parameter out of the boot loader's configuration, and reboot"},

    {"card-without-region", Area::hardware, warning, "A card has capacity and there is no dax device",
     "Nobody made a region of it. Regions of volatile memory do not survive a reboot.",
     "add a `[[region]]` table to the policy; `cxlmemctl explain {}` says which key names the card"},
    {"card-plain-ram", Area::hardware, warning, "A card's memory is there, but not as a dax device",
     "The firmware gave it to the kernel as plain System RAM: it cannot be rezoned, drained or pulled.",
     "set the firmware to hand it over as specific-purpose memory (SPM, \"soft reserved\"), and reboot"},
    {"card-not-managed", Area::hardware, warning, "Part of a card's memory is in no list of devices",
     "A region of it has no dax device, or memory is on it that no dax device has.",
     "`cxlmemctl explain {}` says which, and what to do"},
    {"slot-without-window", Area::hardware, error, "A card works in one slot and not in another",
     "No CXL window of the firmware (CEDT, CFMWS) leads to the slot.",
     "put the card into another slot, or switch CXL on for this one in the firmware's settings"},
    {"window-no-room", Area::hardware, warning, "A region cannot be made as large as its card",
     "What is left of the card fits into no window that leads to it.",
     "give the window more room in the firmware's settings (CFMWS size, MMIO high size); `cxlmemctl list "
     "decoders` shows the windows"},
    {"node-none", Area::hardware, error, "kmem refuses a device: invalid node -1",
     "The firmware gives its memory no node (SRAT), so that it cannot be system memory.",
     "update the firmware; until then `cxlmemctl mode {} devdax` makes it usable by programs that map it"},
    {"dram-node", Area::hardware, warning, "CXL memory is on a node with processors",
     "Neither weights, tiers nor the binding of programs can tell it from the DRAM there: the firmware gives "
     "the window no node of its own (SRAT).",
     "update the firmware or change its settings for nodes (NPS, SRAT); boot parameters cannot mend it"},
    {"coordinates-missing", Area::hardware, warning, "A node has no latency or bandwidth",
     "The kernel then guesses its tier, and automatic interleave weights give it 1: the firmware's HMAT, or "
     "the card's CDAT, does not say.",
     "update the firmware of machine and card; until then set `interleave_weight` in a `[[node]]` table"},
    {"serial-shared", Area::hardware, warning, "A rule or a region takes the wrong card, or none",
     "Cards have no serial number, or the same: `memdev_serial` does not tell them apart.",
     "name them by `memdev_host` instead (`cxlmemctl show {}` has it); the maker's tool can set a serial"},

    {"stranded", Area::memory, warning, "A device comes online with less memory than it has",
     "Memory goes online in whole blocks; what lies beside block boundaries cannot be used.",
     "make start and size of the region or window multiples of the block size, which `cxlmemctl status` "
     "shows; of windows and hmem devices that is a setting of the firmware"},
    {"tier", Area::memory, warning, "Pages are demoted to the wrong node, or not at all",
     "The kernel put a node into another memory tier than its coordinates give; there is no interface to "
     "change it.",
     "`cxlmemctl show {}` has the coordinates; report it to the firmware's vendor with `cxlmemctl record`"},
    {"movable-ratio", Area::memory, warning, "The kernel runs out of memory with terabytes free",
     "The kernel cannot use movable memory for itself; up to about 3 times its own is held to be safe.",
     "set `max_movable_ratio = 3` in daemon.toml and `zone = \"auto\"` in the rules, then `cxlmemctl "
     "reload`"},
    {"leaked", Area::memory, error, "\"cannot be hotremoved until the next reboot\" is in the kernel's log",
     "A device was unbound or taken away while memory of it was online; nobody can give it back.",
     "reboot when it suits; take memory away with `cxlmemctl offline` or remove, which never do that"},
    {"region-trouble", Area::memory, error, "A region cannot be made, or has no driver",
     "What its `[[region]]` table says cannot be done as it stands, or a removal was cut short.",
     "do what the message says; `cxlmemctl plan` shows what the daemon would do next"},
    {"tuning", Area::memory, warning, "A weight or the demotion setting does not stay",
     "It cannot be set on this kernel, or another process keeps changing it.",
     "do what the message says; a setting that is not meant goes out of the `[[node]]` table or daemon.toml"},
    {"removal", Area::memory, error, "A card that was emptied has memory again",
     "Pulling it now would lose memory that is in use.",
     "`cxlmemctl remove {}` empties it again; `cxlmemctl release {}` ends the preparation"},
    {"unreadable", Area::memory, error, "The daemon says \"unreadable\", and does nothing to a device",
     "The kernel did not say something about it, and what is not known is left as it is.",
     "do what the message says; `dmesg` often has the cause. If it stays, reboot"},
    {"worker", Area::memory, error, "A job does not end, and cannot be canceled",
     "A call into the kernel does not come back; until then nothing can be done to memory.",
     "`dmesg` shows what it waits for (hung task); if it stays, only a reboot ends it"},
    {"other-conflict", Area::memory, warning, "status shows a conflict that doctor does not know",
     "The daemon is newer than this cxlmemctl.",
     "do what the message says, and install the cxlmemctl of the daemon's version"},

    {"polkit-actions", Area::system, warning, "Only root may change anything, though polkit is there",
     "polkit does not know the daemon's actions, and refuses them.",
     "install the package cxlmemd anew, which has /usr/share/polkit-1/actions/org.cxlmemd1.policy"},
    {"bus-policy", Area::system, error, "The daemon runs and is not on the bus",
     "Without its file the bus lets nobody own the name org.cxlmemd1, and nobody call it.",
     "install the package cxlmemd anew, then `systemctl reload dbus`"},
    {"bus-limits", Area::system, warning, "`cxlmemctl` is disconnected on a large machine",
     "The bus has a limit below what a list of all objects, or the daemon's unread answers, can take (8 "
     "MiB).",
     "take the `<limit>` out of the file, or raise it, then `systemctl reload dbus`"},
    {"journal-limits", Area::system, warning, "The journal has gaps, or nothing, when memory moved",
     "journald drops or forgets messages: the record of what was decided is lost.",
     "take the line out, or raise the limit, then `systemctl restart systemd-journald`"},
};

}  // namespace

std::span<const Row> doctor_rows() {
    return table_rows;
}

const Row* doctor_row(std::string_view id) {
    const auto* found = std::find_if(std::begin(table_rows), std::end(table_rows),
                                     [&](const Row& row) { return row.id == id; });
    return found == std::end(table_rows) ? nullptr : found;
}

}  // namespace cxlmemctl
