# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine to measure in: tests/vm's guest with the two C programs of this folder, and a clock that can be told to
count instructions instead of time."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
sys.path.insert(0, str(HERE.parents[1] / "vm"))
from guest import AGENT_HOME, Card, Guest, GuestError  # noqa: E402, F401

import block_orders  # noqa: E402

BLOCK = 128 << 20
PROGRAMS = ["block_loop", "event_clock"]


def install(folder):
    """The daemon as `cmake --install` lays it out, from CXLMEMD_VM_BUILD or built first; answers the folder."""
    given = os.environ.get("CXLMEMD_VM_BUILD")
    build = Path(given) if given else SOURCE / "build/vm"
    if not given:
        subprocess.run(["cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                        "-DBUILD_TESTING=OFF", "-DCMAKE_INSTALL_PREFIX=/usr"], check=True)
        subprocess.run(["cmake", "--build", build], check=True)
    subprocess.run(["cmake", "--install", build, "--strip"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": folder})
    return folder


def build_programs(folder: Path):
    """Statically, so that they start fast and need nothing in the guest. Answers them for Guest's overlay."""
    for name in PROGRAMS:
        subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", folder / name,
                        HERE / f"{name}.c"], check=True)
    return [(folder / name, f"/usr/bin/{name}", 0o755) for name in PROGRAMS]


@dataclass
class Device:
    region: str
    dax: str
    blocks: list[int]  # ascending, without a gap
    node: int


@dataclass
class Loop:
    """What block_loop said."""
    seconds: float
    write_seconds: float
    usec: list[int]
    failed: list

    def eighths(self):
        """The median of each eighth of the blocks, in the order gone: does a block cost more as the work goes on?"""
        size = len(self.usec)
        return [round(statistics.median(self.usec[size * i // 8:size * (i + 1) // 8])) for i in range(min(8, size))]


class ClockedGuest(Guest):
    """counted: one instruction is one nanosecond of the guest's clock, whatever else the host does. Processors take
    turns then, so that work of two at a time takes the time of both."""

    def __init__(self, counted=False, **options):
        self.counted = counted
        super().__init__(boot_timeout=300.0, **options)

    def command_line(self, agent_fd, control_fd):
        argv = super().command_line(agent_fd, control_fd)
        if self.counted:
            argv[argv.index("-accel") + 1] = "tcg,thread=single"
            argv += ["-icount", "shift=0,sleep=off"]
        return argv


class BenchGuest(ClockedGuest):
    """A card of that many GiB, cxl drivers loaded, and memory that waits for somebody to bring it online."""

    def __init__(self, gigabytes, overlay=(), **options):
        self.scratch = Path(tempfile.mkdtemp(prefix="cxlmemd-bench-"))
        size = f"{gigabytes}G"
        # A 64th of the card goes into struct pages.
        super().__init__(cards=[Card(1, size)], memory=f"{4 + gigabytes * 3 // 128}G", window="256G", spare_ports=0,
                         overlay=[*overlay, *build_programs(self.scratch)], **options)

    def __enter__(self):
        super().__enter__()
        try:
            self.load_modules()
            self.set_auto_online("offline")
        except BaseException:
            self.stop(keep_logs=True)
            raise
        return self

    def stop(self, keep_logs=False):
        super().stop(keep_logs)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def device(self, blocks: int) -> Device:
        """A region of that many blocks on kmem, all of them offline."""
        return self.describe(self.create_region([1], size=blocks * BLOCK, timeout=600), blocks)

    def describe(self, region, blocks) -> Device:
        dax = self.dax_of_region(region)
        found = self.blocks_of_dax(dax)
        indexes = sorted(found)
        if len(indexes) != blocks or indexes[-1] - indexes[0] != blocks - 1:
            raise GuestError(f"{dax} has {len(indexes)} blocks, {blocks} in a row were asked for")
        return Device(region, dax, indexes, next(iter(found.values()))[2])

    def loop(self, device: Device, state, runs, timeout=1200.0, may_fail=False) -> Loop:
        """Writes a state to a device's blocks in an order (block_orders.py)."""
        done = self.run(f"block_loop {state} {block_orders.words(runs, device.blocks)}", timeout, check=False)
        if done.rc not in (0, 1):
            raise GuestError(f"block_loop: {done.stderr}")
        loop = Loop(**json.loads(done.stdout))
        if loop.failed and not may_fail:
            raise GuestError(f"{state} failed for {len(loop.failed)} blocks of {device.dax}: {loop.failed[:3]}")
        return loop
