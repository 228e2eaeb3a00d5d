# SPDX-License-Identifier: LGPL-2.1-or-later
"""The scenarios of tests/contract/scenarios on real kernels: what comes of each step is what is kept in
tests/contract/traces, which the emulator is held to without a machine (docs/emulator.md). One boot a kernel; KERNEL does
not matter here. CXLMEMD_TRACES=write puts what the kernels do now into the tree instead."""

import difflib
import os
import sys
import time
from pathlib import Path

import pytest

import paths
from guest import Card, Guest

CONTRACT = Path(__file__).resolve().parents[1] / "contract"
sys.path.insert(0, str(CONTRACT))
import traces  # noqa: E402

BUILD = Path(os.environ.get("CXLMEMD_BUILD", CONTRACT.parents[1] / "build/dev"))
HOME = "/usr/lib/scenarios"


def boot(kernel):
    """As tests/contract/machines describe it."""
    program = BUILD / "tests/contract/trace_linux"
    if not program.exists():
        pytest.skip(f"{program} is not built (CXLMEMD_BUILD names the build folder)")
    try:
        for part in ("qemu", "root", f"kernel-{kernel}"):
            paths.part(part)
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    overlay = [(program, "/usr/bin/trace_linux", 0o755)]
    overlay += [(path, f"{HOME}/{path.name}", 0o644) for path in traces.scenario_files()]
    return Guest(kernel=kernel, cards=[Card(serial) for serial in (1, 2, 3, 4, 5)], hmat=True, overlay=overlay,
                 name=f"traces-{kernel}")


@pytest.mark.parametrize("kernel", traces.KERNELS)
def test_the_kernel_does_what_its_traces_say(kernel, figures):
    problems = []
    start = time.monotonic()
    with boot(kernel) as guest:
        guest.load_modules()
        began = time.monotonic()
        for name in traces.in_order():
            done = guest.run(f"CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes trace_linux {HOME}/{name}.scenario", 120, check=False)
            if done.rc:
                problems.append(f"{name}: exit status {done.rc}\n{done.stdout}{done.stderr}")
                continue
            kept = traces.trace_file(kernel, name)
            if os.environ.get("CXLMEMD_TRACES") == "write":
                kept.write_text(done.stdout)
                continue
            before = kept.read_text() if kept.exists() else ""
            if done.stdout != before:
                problems.append("".join(difflib.unified_diff(
                    before.splitlines(True), done.stdout.splitlines(True), f"{kept.name}, kept", f"kernel {kernel} now", n=6)))
        figures[f"traces, kernel {kernel}"] = (f"{len(traces.in_order())} scenarios in {time.monotonic() - began:.1f} s, "
                                               f"with the boot {time.monotonic() - start:.1f} s")
        guest.keep_logs = bool(problems)
        if problems:
            (guest.folder / "dmesg").write_text(guest.dmesg())
    assert not problems, "\n".join(problems)
