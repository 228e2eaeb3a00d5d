# SPDX-License-Identifier: LGPL-2.1-or-later
"""The largest machine that the project promises to be quick on: 16 TiB in 131,072 blocks, 64 cards, 1,000 dax devices.

What is asserted is processor time and memory of the daemon, several times what a quiet machine shows: the figures are
printed and kept in the report. tests/bench counts instructions, which is more exact."""

import pathlib
import platform
import statistics
import time

import fleet_machine
import pytest
from harness import BLOCK, ONLY_WATCH
from places import SANITIZED, SLOW
from wire import OBJECT_MANAGER, ROOT

ONE_BLOCK_US = 150  # the promise is 100, of a machine that does nothing else
LOST_INJECT_US = 140  # an Inject whose event is lost, on such a machine

pytestmark = pytest.mark.skipif(SANITIZED, reason="it measures time and memory, and a sanitizer's say nothing")


def cpu_seconds(daemon):
    """Of all threads, by the scheduler's account."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir()) / 1e9


def resident_mib(daemon):
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.fixture
def fleet(make_daemon, machine_file):
    return make_daemon(machine=machine_file(fleet_machine.text()), policy=ONLY_WATCH)


@pytest.fixture
def figure(record_property):
    def keep(name, value):
        print(f"{name}: {value}")
        record_property(name.replace(" ", "_"), value)
    return keep


def settle(daemon):
    """All that is under way has been shown."""
    before = None
    while before != (before := cpu_seconds(daemon)):
        daemon.client.pump(0.1)


def test_a_fleet_is_ready_soon(fleet, figure):
    figure("fleet cpu seconds to READY", round(cpu_seconds(fleet), 3))
    assert cpu_seconds(fleet) < 1.0 * SLOW
    assert len(fleet.managed_objects()) == 64 + 64 + 1 + 65 + 1000 + 1


def test_a_fleet_takes_little_memory(fleet, figure):
    fleet.managed_objects()
    for number in range(64):
        fleet.inject("online-block", dax=f"dax{number}.0", nth=0, count=100, zone="movable")
    settle(fleet)
    figure("fleet resident mib", round(resident_mib(fleet), 1))
    assert resident_mib(fleet) < 64


def test_all_objects_are_read_quickly(fleet, figure):
    before = cpu_seconds(fleet)
    fleet.client.call(ROOT, OBJECT_MANAGER, "GetManagedObjects")
    took = cpu_seconds(fleet) - before
    figure("fleet GetManagedObjects cpu ms", round(1000 * took, 1))
    assert took < 0.05 * SLOW


def test_one_block_does_not_cost_a_look_at_everything(fleet, figure):
    """From the event to the last signal. What the same Inject takes if its event is lost on the way (its arguments, the
    machine, the reply) is the emulator's own, and subtracted."""
    fleet.inject("online-block", dax="dax3.2", nth=120, zone="movable")  # the first of its node is more work
    fleet.wait_dax("dax3.2", BlocksOnline=1)

    def inject_each(rounds):
        settle(fleet)
        before = cpu_seconds(fleet)
        for number in range(rounds):
            fleet.inject("online-block", dax="dax3.2", nth=number, zone="movable")
            while fleet.client.pump(0.015):  # each by itself: what comes within 10 ms is looked at together
                pass
        settle(fleet)
        return 1e6 * (cpu_seconds(fleet) - before) / rounds

    # Medians: a look of either kind that others delay, or that finds everything in the caches for once, counts for
    # little. Where the whole machine is slow, an Inject that is lost takes longer, too, and the bound grows with it.
    lost, taken = [], []

    def cost():
        return statistics.median(taken) - statistics.median(lost)

    def is_cheap():
        return cost() < ONE_BLOCK_US * SLOW * max(1, statistics.median(lost) / LOST_INJECT_US)

    while len(taken) < 8 or (not is_cheap() and len(taken) < 24):
        fleet.inject("lose-events", count=0)
        lost.append(inject_each(12))
        assert fleet.dax("dax3.2")["BlocksOnline"] == 1
        fleet.inject("clear-faults")
        fleet.inject("offline-block", dax="dax3.2", nth=0, count=12)
        taken.append(inject_each(12))
        assert fleet.dax("dax3.2")["BlocksOnline"] == 13
        fleet.inject("offline-block", dax="dax3.2", nth=0, count=12)
        fleet.wait_dax("dax3.2", BlocksOnline=1)
    print("event lost:", *map(round, lost), "taken:", *map(round, taken))
    figure("fleet one block cpu us", round(cost()))
    assert is_cheap()


def test_a_storm_of_block_events_passes(fleet, figure):
    before = cpu_seconds(fleet)
    for card in range(64):
        for number in range(15):
            fleet.inject("online-block", dax=f"dax{card}.{number}", nth=0, count=105, zone="movable")
    total = 64 * 15 * 105
    fleet.wait(lambda: fleet.manager["BytesOnline"] == total * BLOCK)
    settle(fleet)
    figure(f"fleet storm of {total} events cpu seconds", round(cpu_seconds(fleet) - before, 2))
    assert cpu_seconds(fleet) - before < 3 * SLOW
    assert resident_mib(fleet) < 64
    # What was counted block by block is what a look at everything finds.
    assert sum(device["BytesOnline"] for device in map(fleet.dax, names())) == total * BLOCK
    assert sum(fleet.node(card + 1)["BytesMovable"] for card in range(64)) == total * BLOCK


def names():
    return [f"dax{card}.{number}" for card in range(64) for number in range(fleet_machine.devices_of(card))]


def test_a_small_server_takes_little_memory(make_daemon, figure):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    settle(daemon)
    figure("two-card server resident mib", round(resident_mib(daemon), 1))
    # Most of it is libraries, and those of newer distributions are larger. The emulator is in it; tests/vm measures
    # the real thing.
    assert resident_mib(daemon) < (11 if platform.freedesktop_os_release().get("VERSION_ID") == "12" else 12)


def test_start_to_ready_on_the_clock(make_daemon, machine_file, figure):
    daemon = make_daemon(machine=machine_file(fleet_machine.text()), policy=ONLY_WATCH, start=False)
    begin = time.monotonic()
    daemon.start()
    figure("fleet seconds to the name on the bus and a whole read", round(time.monotonic() - begin, 2))
    assert time.monotonic() - begin < 5 * SLOW
