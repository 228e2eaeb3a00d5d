# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test machine tests itself: what the other tests stand on. No cxlmemd is involved. KERNEL chooses the kernel."""

import errno
import os
import signal
import time

import pytest

import paths
from channel import BootFailed, CommandFailed, GuestError, GuestTimeout
from cpio import Cpio
from guest import Card, Guest

GIB = 1 << 30
KERNEL = os.environ.get("KERNEL", "6.12")


@pytest.fixture(scope="module")
def machine():
    try:
        paths.part(f"kernel-{KERNEL}")
        paths.part("root")
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    overlay = [(b"laid over\n", "/lib/overlay-test/file", 0o640)]
    with Guest(kernel=KERNEL, cards=[Card(1, "1G"), Card(2, "1G")], overlay=overlay, name="self-test") as guest:
        guest.load_modules()
        guest.first_auto_online = guest.auto_online()
        yield guest


@pytest.fixture
def guest(machine):
    """The machine without regions; new memory comes online where it can be given back. (In the Normal zone the page
    table of a second region may settle on a first one, which then cannot be offlined.)"""
    machine.set_auto_online("online_movable")
    yield machine
    for region in machine.regions():
        machine.remove_region(region)


# ---- the command channel

def test_commands_keep_output_errors_and_status_apart(machine):
    done = machine.run("echo out; echo err >&2; exit 3", check=False)
    assert (done.stdout, done.stderr, done.rc) == ("out\n", "err\n", 3)


def test_a_failed_command_raises_with_what_it_said(machine):
    with pytest.raises(CommandFailed, match="went wrong"):
        machine.run("echo went wrong >&2; false")


def test_bytes_of_every_value_come_and_go_intact(machine):
    data = bytes(range(256)) * 4096
    machine.put(data, "/run/test/bytes", 0o600)
    assert machine.get("/run/test/bytes") == data
    assert machine.run("stat -c %a /run/test/bytes").stdout == "600\n"
    out = machine.run("cat", stdin=data).stdout
    assert out.encode(errors="surrogateescape") == data


def test_a_command_that_hangs_is_killed_in_time(machine):
    start = time.monotonic()
    with pytest.raises(GuestTimeout, match="before"):
        machine.run("echo before; sleep 1000", timeout=1)
    assert time.monotonic() - start < 10
    assert machine.run("pgrep -x sleep", check=False).rc == 1


def test_a_job_runs_while_the_test_goes_on(machine):
    job = machine.spawn("echo started; read -r line < <(tail -F /run/test/go 2>/dev/null); echo $line")
    assert machine.run("echo meanwhile").stdout == "meanwhile\n"
    assert job.running()
    machine.put(b"gone on\n", "/run/test/go")
    assert job.wait(20).stdout == "started\ngone on\n"


def test_what_a_command_leaves_in_the_background_does_not_hold_it(machine):
    start = time.monotonic()
    machine.run("sleep 100 & echo $! > /run/sleeper")
    assert time.monotonic() - start < 10
    machine.run("kill $(cat /run/sleeper)")


def test_a_refused_write_has_the_kernels_errno(machine):
    with pytest.raises(GuestError) as refused:
        machine.write("/sys/devices/system/memory/auto_online_blocks", "nonsense")
    assert refused.value.errno == errno.EINVAL


def test_overlay_files_land_behind_the_base_links(machine):
    assert machine.read("/usr/lib/overlay-test/file") == "laid over"
    assert machine.run("readlink /lib").stdout == "usr/lib\n"


def test_overlay_refuses_folders_that_are_mounted_over():
    try:
        cpio = Cpio(paths.part("root") / "root.index")
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    with pytest.raises(ValueError, match="mounted over"):
        cpio.add("/var/run/cxlmemd/file", 0o100644)


# ---- CXL

def test_both_cards_are_there(machine):
    assert set(machine.memdevs()) == {1, 2}
    assert machine.system_state == "running"
    assert machine.first_auto_online == "online"


def test_new_memory_stays_offline_when_told_so(guest):
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region(serials=[2]))
    assert set(guest.blocks_of_dax(dax).values()) == {("offline", None, 1)}
    guest.set_blocks(dax, "online_movable")
    assert set(guest.blocks_of_dax(dax).values()) == {("online", "Movable", 1)}


def test_each_card_can_have_a_region(guest):
    regions = [guest.create_region(serials=[serial]) for serial in (1, 2)]
    first, second = (guest.blocks_of_dax(guest.dax_of_region(region)) for region in regions)
    assert len(first) == len(second) == 8 and not set(first) & set(second)


def test_a_card_can_hold_two_regions(guest):
    regions = [guest.create_region(serials=[1], size="512M") for _ in range(2)]
    assert [len(guest.blocks_of_dax(guest.dax_of_region(region))) for region in regions] == [4, 4]
    for region in regions:
        guest.remove_region(region)
    assert len(guest.blocks_of_dax(guest.dax_of_region(guest.create_region(serials=[1])))) == 8


def test_a_region_can_lie_across_both_cards(guest):
    dax = guest.dax_of_region(guest.create_region(serials=[2, 1]))
    assert guest.dax_devices()[dax]["size"] == 2 * GIB
    assert len(guest.blocks_of_dax(dax)) == 16


def test_rebinding_starts_afresh_and_devdax_is_no_memory(guest):
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    guest.set_dax_driver(dax, "device_dax")
    assert guest.blocks_of_dax(dax) == {}
    guest.set_dax_driver(dax, "kmem")
    guest.set_blocks(dax, "online_movable")
    guest.set_blocks(dax, "offline")
    guest.rebind_kmem(dax)
    assert set(guest.blocks_of_dax(dax).values()) == {("offline", None, 1)}


def test_a_card_can_be_plugged_in_used_and_pulled(guest):
    assert guest.add_card(serial=0x33, size="512M") == guest.memdev_by_serial(0x33)
    region = guest.create_region(serials=[0x33])
    assert len(guest.blocks_of_dax(guest.dax_of_region(region))) == 4
    guest.remove_region(region)
    guest.del_card(serial=0x33)
    assert set(guest.memdevs()) == {1, 2}


def test_new_memory_comes_online_in_the_normal_zone_as_the_kernel_sets_it(machine):
    """Last of the CXL tests: what is in the Normal zone may never go offline again."""
    machine.set_auto_online("online")
    dax = machine.dax_of_region(machine.create_region(serials=[1]))
    assert machine.dax_devices()[dax]["driver"] == "kmem"
    blocks = machine.blocks_of_dax(dax)
    assert len(blocks) == GIB // machine.block_size()
    assert set(blocks.values()) == {("online", "Normal", 1)}


# ---- life and death

def test_a_machine_that_cannot_boot_says_so_with_its_last_words(machine, tmp_path):
    with pytest.raises(BootFailed, match="(?s)ended during 'boot'.*Kernel panic"):
        with Guest(kernel=KERNEL, cards=[], append="rdinit=/none init=/none", name="broken", log_root=tmp_path):
            pass


def test_a_crash_of_qemu_itself_is_told_from_one_of_the_guest(machine, tmp_path):
    """Last of all: scripts/run_tests.py runs the modules again that are written down there."""
    machine.log_root = tmp_path
    os.kill(machine.process.pid, signal.SIGSEGV)
    with pytest.raises(GuestError, match="QEMU ended by signal 11"):
        machine.run("true")
    assert (tmp_path / "qemu-crashed").read_text() == "test_guest\n"
