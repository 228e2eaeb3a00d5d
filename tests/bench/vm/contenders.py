# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who brings a device's memory online and takes it offline, each measured once in a machine.

Each finds the device on kmem with all blocks offline and leaves it so; what it answers is {"online": seconds,
"offline": seconds}, and perhaps more. Zone: movable. Nothing of cxlmemd runs but for itself.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

import block_orders
import figures
from bench_guest import AGENT_HOME, BLOCK, BenchGuest, Device, GuestError

KMEM = "/sys/bus/dax/drivers/kmem"
TRACE = "/sys/kernel/tracing"
PATIENCE = 300.0  # seconds for one pass over a device, on a busy host
POLICY = b"""[[rule]]
name = "expanders"
[rule.match]
kind = "cxl-ram"
[rule.memory]
mode = "system-ram"
zone = "movable"
"""
SETTINGS = b'auto_online = "leave"\n'
TRACED = "cxlmemd, traced"
STATE, NEWER = "state", "daxctl-new"  # on the command line; not every machine can do these


@dataclass
class Bench:
    guest: BenchGuest
    device: Device

    def follow(self, action, command, bound="-", part=None) -> dict:
        """Runs a command and answers when the blocks followed (event_clock.c), after a look at them in /sys. `part`:
        those that shall, if not all; when they have, all above them are online and all below offline."""
        blocks = part or self.device.blocks
        done = self.guest.run(f"event_clock {action} {blocks[0]} {blocks[-1]} {PATIENCE} "
                              f"{bound} {command}", PATIENCE + 60, check=False)
        if done.rc:
            raise GuestError(f"not all blocks went {action}: {done.stdout} {done.stderr}")
        if bound != "-":
            self.device = self.guest.describe(self.guest.regions()[0], len(blocks))
        self.expect(blocks[0] if action == "online" else blocks[-1] + 1)
        clock = json.loads(done.stdout)
        if clock["status"]:
            raise GuestError(f"{command} ended with {clock['status']}: {done.stderr}")
        return clock

    def expect(self, lowest):
        """Blocks from that one on are online and movable, those below it offline."""
        wanted = {block: "Movable" if block >= lowest else "offline" for block in self.device.blocks}
        seen = {block: zone if state == "online" else state
                for block, (state, zone, _) in self.guest.blocks_of_dax(self.device.dax).items()}
        if wrong := [block for block in sorted(wanted | seen) if seen.get(block) != wanted.get(block)]:
            raise GuestError(f"from block {lowest} on all should be online and movable, others offline; {len(wrong)} "
                             f"are not: {', '.join(f'{block} {seen.get(block)}' for block in wrong[:8])}")

    def bind(self):
        self.guest.write(f"{KMEM}/bind", self.device.dax, PATIENCE)

    def unbind(self):
        self.guest.write(f"{KMEM}/unbind", self.device.dax, PATIENCE)

    def timed_bind(self):
        return self.guest.write(f"{KMEM}/bind", self.device.dax, PATIENCE)

    def offline_quickly(self):
        self.guest.loop(self.device, "offline", block_orders.second_first_then_down(len(self.device.blocks)))

    def clean_up(self):
        """After a contender that failed."""
        self.guest.run("systemctl stop cxlmemd; rm -rf /etc/cxlmemd/policy.d/10-bench.toml /var/lib/cxlmemd/*", 120,
                       check=False)
        self.guest.set_auto_online("offline")
        if not self.guest.regions():
            self.device = self.guest.device(len(self.device.blocks))
        if self.guest.dax_devices()[self.device.dax]["driver"] is None:
            self.bind()
        for block, (state, _, _) in self.guest.blocks_of_dax(self.device.dax).items():
            if state == "online":
                self.guest.run(f"block_loop offline {block}", 60)

    # ---- the contenders

    def bare_loop(self):
        """One process, one open, write and close a block, in the best order: the limit. Timed by its events as the
        others are; `online_alone` is what the same costs with nobody listening."""
        blocks = len(self.device.blocks)
        down, hole = block_orders.down(blocks), block_orders.second_first_then_down(blocks)
        alone = self.guest.loop(self.device, "online_movable", down)
        offline = self.follow("offline", f"block_loop offline {block_orders.words(hole, self.device.blocks)}")
        online = self.follow("online", f"block_loop online_movable {block_orders.words(down, self.device.blocks)}")
        offline_alone = self.guest.loop(self.device, "offline", hole)
        return {"online": online["last"], "offline": offline["last"], "online_alone": alone.seconds,
                "offline_alone": offline_alone.seconds, "online_own": 1 - alone.write_seconds / alone.seconds}

    def bare_loop_from_the_bind(self):
        """The bare loop, started by who makes the region as soon as that is made; from the bind event on."""
        self.guest.remove_region(self.device.region, timeout=PATIENCE)
        down = block_orders.words(block_orders.down(len(self.device.blocks)), self.device.blocks)
        words = ["block_loop", "online_movable", *down.split()]
        # On 7.3 the memory comes a moment after the region.
        there = f"/sys/devices/system/memory/memory{self.device.blocks[-1]}/state"
        online = self.make_region(f"import os, time; [time.sleep(0.001) for _ in range(10000) "
                                  f"if not os.path.exists('{there}')]; os.execv('/usr/bin/block_loop', {words})")
        self.offline_quickly()
        return {"online": online["last"], "first": online["first"]}

    def make_region(self, then="") -> dict:
        """A region of as many blocks as the device had, then a line of Python; timed from its dax device's bind on."""
        make = (f"import sys; sys.path.insert(0, '{AGENT_HOME}'); import cxl_sysfs; "
                f"cxl_sysfs.create_region([1], {len(self.device.blocks) * BLOCK}, 256, None, None, {PATIENCE}); {then}")
        return self.follow("online", f"python3 -c {shlex.quote(make)}", bound="dax")

    def cxlmemd(self):
        """A region is made, and the kernel binds its dax device: from that event to the last block online. From
        `cxlmemctl offline` to the last block offline."""
        return self.with_daemon(traced=False)

    def cxlmemd_traced(self):
        """Whether the daemon's clock tells the truth: beside it the kernel's trace of writes, which costs time itself. No
        contender."""
        return self.with_daemon(traced=True)

    def cxlmemd_amounts(self):
        """An amount that grows by quarters from nothing to all and shrinks again, by hand; the sum of the four, and
        each. From `cxlmemctl online --amount` to the last block of the quarter."""
        size = len(self.device.blocks) // 4
        quarters = [self.device.blocks[i * size:(i + 1) * size] for i in (3, 2, 1, 0)]
        self.guest.put(SETTINGS, "/etc/cxlmemd/daemon.toml")
        self.guest.run("systemctl start cxlmemd", 120)
        grow = [self.follow("online", f"cxlmemctl online {self.device.dax} --zone movable --amount {25 * (i + 1)}%",
                            part=quarter)["last"] for i, quarter in enumerate(quarters)]
        shrink = [self.follow("offline", f"cxlmemctl online {self.device.dax} --zone movable --amount {25 * i}%" if i
                              else f"cxlmemctl offline {self.device.dax}", part=quarters[i])["last"]
                  for i in (3, 2, 1, 0)]
        self.stop_daemon()
        return {"online": sum(grow), "offline": sum(shrink), "grow": [round(each, 3) for each in grow],
                "shrink": [round(each, 3) for each in shrink]}

    def stop_daemon(self):
        self.guest.run("systemctl stop cxlmemd && rm -rf /etc/cxlmemd/policy.d/10-bench.toml /var/lib/cxlmemd/*", 120)

    def with_daemon(self, traced):
        self.guest.remove_region(self.device.region, timeout=PATIENCE)
        self.guest.put(POLICY, "/etc/cxlmemd/policy.d/10-bench.toml")
        self.guest.put(SETTINGS, "/etc/cxlmemd/daemon.toml")
        self.guest.run("systemctl start cxlmemd", 120)
        if traced:
            pid = int(self.guest.run("systemctl show -P MainPID cxlmemd").stdout)
            self.trace(f"/proc/{pid}/task")
        online = self.make_region()
        in_write, writes = self.traced() if traced else (0.0, 0)
        self.guest.run("for try in $(seq 300); do busctl get-property org.cxlmemd1 /org/cxlmemd1 "
                       "org.cxlmemd1.Manager State | grep -q working || exit 0; sleep 0.1; done; exit 1", 120)
        in_kernel = self.kernel_seconds()
        offline = self.follow("offline", f"cxlmemctl offline {self.device.dax}")
        self.stop_daemon()
        if traced:
            return {"in_write_by_trace": in_write, "in_write_by_daemon": in_kernel, "writes": writes,
                    "traced_online": online["last"]}
        return {"online": online["last"], "offline": offline["last"], "first": online["first"],
                "offline_exit": offline["exited"], "share": (online["last"] - in_kernel) / in_kernel}

    def kernel_seconds(self) -> float:
        """How long the last job of policy was inside the kernel's writes, as the daemon's own clock and journal say."""
        lines = self.guest.run("journalctl --sync; journalctl -u cxlmemd -o json CXLMEMD_OPERATION=policy").stdout
        return int(json.loads(lines.splitlines()[-1])["CXLMEMD_KERNEL_USEC"]) / 1e6

    def trace(self, tasks):
        """Has the kernel note each write of the tasks: where their time goes, at little cost."""
        self.guest.run(f"cd {TRACE} && echo mono > trace_clock && echo 16384 > buffer_size_kb && echo > trace && "
                       f"ls {tasks} > set_event_pid && echo 1 > events/syscalls/sys_enter_write/enable && "
                       "echo 1 > events/syscalls/sys_exit_write/enable && echo 1 > tracing_on")

    def traced(self):
        text = self.guest.run(f"cd {TRACE} && echo 0 > events/enable && echo > set_event_pid && cat trace && "
                              "echo > trace").stdout
        return figures.writes_of_trace(text)

    def daxctl(self, program="daxctl"):
        """daxctl online-memory and offline-memory, as Debian 12 has it unless another is named."""
        online = self.follow("online", f"{program} online-memory {self.device.dax}")
        offline = self.follow("offline", f"{program} offline-memory {self.device.dax}")
        return {"online": online["last"], "offline": offline["last"], "online_exit": online["exited"],
                "offline_exit": offline["exited"]}

    def shell_loop(self):
        """A write a block, upwards, as a udev rule would do it (without starting a process for each)."""
        seconds = {}
        for action, state in (("online", "online_movable"), ("offline", "offline")):
            first, last = self.device.blocks[0], self.device.blocks[-1]
            loop = (f"n={first}; while [ $n -le {last} ]; do "
                    f"echo {state} > /sys/devices/system/memory/memory$n/state; n=$((n + 1)); done")
            seconds[action] = self.follow(action, f"sh -c {shlex.quote(loop)}")["last"]
        return seconds

    def kernel_auto_online(self):
        """What binding takes longer when the kernel onlines by itself. It has no counterpart for offline."""
        self.unbind()
        without = self.timed_bind()
        self.unbind()
        self.guest.set_auto_online("online_movable")
        try:
            with_online = self.timed_bind()
        finally:
            self.guest.set_auto_online("offline")
        self.expect(self.device.blocks[0])
        self.offline_quickly()
        return {"online": with_online - without, "bind": without}

    def state_write(self):
        """One write to the dax device's `state` (7.3), less what adding and removing the memory takes."""
        state = f"/sys/bus/dax/devices/{self.device.dax}/state"
        remove = self.guest.write(state, "unplugged", PATIENCE)
        self.bind_again()
        self.unbind()
        add = self.timed_bind()
        self.guest.write(state, "unplugged", PATIENCE)
        plugged = self.guest.write(state, "online_movable", PATIENCE)
        self.expect(self.device.blocks[0])
        unplugged = self.guest.write(state, "unplugged", PATIENCE)
        self.bind_again()
        return {"online": plugged - add, "offline": unplugged - remove}

    def bind_again(self):
        """From unplugged to what the others want to find; `offline` cannot be written."""
        self.unbind()
        self.bind()


# By what the command line calls each: what the tables call it, and what it does.
CONTENDERS = {"limit": (figures.LIMIT, Bench.bare_loop),
              "bind-limit": (figures.LIMIT_AT_BIND, Bench.bare_loop_from_the_bind),
              "cxlmemd": (figures.OURS, Bench.cxlmemd), "traced": (TRACED, Bench.cxlmemd_traced),
              "amounts": (figures.BY_QUARTERS, Bench.cxlmemd_amounts),
              "daxctl": (figures.DAXCTL, Bench.daxctl), "shell": ("shell loop, upwards", Bench.shell_loop),
              "auto": (figures.AUTO, Bench.kernel_auto_online), STATE: ("dax state", Bench.state_write)}


def with_newer(daxctl):
    """CONTENDERS, and a NewerDaxctl (newer_daxctl.py) last."""
    return CONTENDERS | {NEWER: (figures.NEWER_DAXCTL + daxctl.version, lambda bench: bench.daxctl(daxctl.command))}
