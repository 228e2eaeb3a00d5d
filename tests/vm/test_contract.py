# SPDX-License-Identifier: LGPL-2.1-or-later
"""The backends' contract on the real kernel: contract_linux, built on the host, runs in the guest. So does what only a
real kernel can show of the linux backend. KERNEL chooses the kernel, but for the suite itself, which runs on both;
CXLMEMD_BUILD the build folder (build/dev)."""

import os
import re
from pathlib import Path

import pytest

import paths
from guest import Card, Guest

KERNEL = os.environ.get("KERNEL", "6.12")
KERNELS = ("6.12", "7.3")
BUILD = Path(os.environ.get("CXLMEMD_BUILD", Path(__file__).resolve().parents[2] / "build/dev"))
PROGRAMS = {"contract_linux": "tests/contract", "dump_topology": "tests/sysfs", "interrupted_offline": "tests/sysfs"}

# On 7.3 the slab allocator settles in kernel-zone memory as soon as it is there: it cannot be offlined again.
EXCLUDED = {"7.3": "ContractBlocks.GoOnlineInTheZoneAskedForAndOfflineAgain:ContractBlocks.ChangeZoneThroughOffline"}

# Root without any capability, and the folders that it may write: what the service's unit allows. /sys/bus/cxl/flush
# is not among them, so that libcxl does not wait for udev.
SANDBOX = ("systemd-run --quiet --pipe --wait -p CapabilityBoundingSet= -p NoNewPrivileges=yes -p ProtectSystem=strict "
           "-p ProtectKernelTunables=yes -p ProtectKernelModules=yes -p ProtectHome=yes -p PrivateTmp=yes "
           "-p ReadWritePaths='/sys/devices /sys/bus/dax /sys/bus/cxl/drivers' "
           "-p ReadWritePaths='-/sys/kernel/mm/mempolicy -/sys/kernel/mm/numa' ")


def program(name) -> Path:
    found = next((path for path in (BUILD / PROGRAMS[name] / name, *BUILD.rglob(name)) if path.is_file()), None)
    if not found:
        pytest.skip(f"{name} is not built in {BUILD} (CXLMEMD_BUILD names the build folder)")
    return found


@pytest.fixture
def boot():
    """A machine with so many cards and our programs; ends with the test."""
    guests = []

    def start(cards, kernel=KERNEL, **options):
        try:
            paths.part(f"kernel-{kernel}")
            paths.part("root")
        except paths.NotPrepared as error:
            pytest.skip(str(error))
        overlay = [(program(name), f"/usr/bin/{name}", 0o755) for name in PROGRAMS]
        guest = Guest(kernel=kernel, cards=[Card(serial) for serial in range(1, cards + 1)], overlay=overlay,
                      name="contract", **options)
        guests.append(guest)
        guest.__enter__()
        guest.load_modules()
        return guest

    yield start
    for guest in guests:
        guest.stop()


def run_suite(guest, how):
    excluded = EXCLUDED.get(guest.kernel, "")
    done = guest.run(f"{how} contract_linux --gtest_filter='*-{excluded}'", timeout=600, check=False)
    summary = "\n".join(line for line in done.stdout.splitlines() if re.match(r"\[  (PASSED|SKIPPED|FAILED)|.*:\d+:", line))
    print(done.stdout)
    assert done.rc == 0, f"{summary}\n{done.stderr}\n{guest.dmesg()[-3000:]}"
    assert "[  PASSED  ]" in done.stdout


@pytest.mark.parametrize("kernel", KERNELS)
def test_contract_as_root(boot, kernel):
    run_suite(boot(3, kernel), "CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes")


def test_contract_without_capabilities_in_a_sandbox(boot):
    run_suite(boot(3), SANDBOX + "-E CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes")


def test_contract_refuses_a_machine_that_nobody_gave_it(boot):
    guest = boot(1)
    before = guest.call("regions")
    done = guest.run("contract_linux --gtest_filter=ContractFacts.*", check=False)
    assert done.rc != 0 and "CXLMEMD_CONTRACT_ON_THIS_MACHINE=yes" in done.stdout
    assert guest.call("regions") == before


def test_a_write_that_hangs_ends_with_a_signal(boot):
    """Also one that waits for another actor's: the kernel restarts that one by itself."""
    guest = boot(1)
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region([1]))
    for how in ("", "contended"):
        done = guest.run(f"interrupted_offline {dax} {how}", timeout=90, check=False)
        print(done.stdout)
        assert done.rc == 0, done.stdout + done.stderr
        assert "interrupted (EINTR)" in done.stdout
        guest.set_blocks(dax, "offline")


def test_coordinates_come_with_the_first_block_of_a_node(boot):
    """R3, as far as the backend sees it."""
    guest = boot(1, hmat=True)
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region([1]))
    guest.set_blocks(dax, "online_movable")
    found = guest.run("dump_topology").stdout
    print(found)
    region = next(line for line in found.splitlines() if line.startswith("region "))
    node = next(line for line in found.splitlines() if line.startswith("node ") and "cpu=false" in line
                and "movable=0 " not in line)
    for line in (region, node):
        assert re.search(r"read_latency=[1-9]\d* write_latency=[1-9]\d* read_bandwidth=[1-9]", line), line
