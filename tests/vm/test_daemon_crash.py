# SPDX-License-Identifier: LGPL-2.1-or-later
"""A card of 32 GiB (256 blocks), so that there is a half-way: the daemon is killed there, and goes on."""

import collections

import pytest

from guest import Card
from service import LEAVE, MANAGE, UNIT, poll, rule

BLOCKS = 256


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "32G")], append="cgroup_disable=memory")  # see test_daemon_policy.py
    guest.load_modules()
    return guest


@pytest.fixture
def guest(machine):
    machine.service.clean()
    yield machine
    machine.service.clean()


@pytest.fixture
def service(guest):
    return guest.service


def killed_half_way(service, uevents):
    """Waits for the restart by systemd after the kill; how many blocks had come online by then."""
    poll("a restart by systemd", lambda: service.show("NRestarts", "ActiveState") == ("1", "active"))
    return uevents


def test_killed_half_way_it_goes_on_and_touches_no_block_twice(guest, service, figures):
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    uevents = guest.record_uevents(kill_pid=service.pid(), kill_after=BLOCKS // 3)

    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    killed_half_way(service, uevents)
    blocks = service.settled(dax, Movable=BLOCKS)
    service.idle()
    uevents.stop()

    assert uevents.killed_at is not None
    before = sum(1 for action, _, _ in uevents.events[:uevents.killed_at] if action == "online")
    assert before == BLOCKS // 3  # there was work left
    assert collections.Counter(uevents.blocks("online")) == dict.fromkeys(blocks, 1)
    assert uevents.blocks("offline") == []
    service.stop()
    assert guest.auto_online() == "online"  # what it was before the daemon that was killed
    assert set(guest.blocks_of_dax(dax).values()) == {("online", "Movable", next(iter(blocks.values()))[2])}


def test_killed_half_way_through_a_rezone_it_goes_on(guest, service):
    """The kernel has onlined it all into Normal; killed while the blocks come back as movable."""
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    assert {zone for _, zone, _ in guest.blocks_of_dax(dax).values()} == {"Normal"}
    service.policy(rule())
    service.settings(LEAVE)
    job = guest.spawn(f"systemctl start {UNIT}")
    pid = poll("the daemon", service.pid)
    uevents = guest.record_uevents(kill_pid=pid, kill_after=BLOCKS // 3)
    job.wait(120)
    killed_half_way(service, uevents)

    blocks = service.settled(dax, Movable=BLOCKS)
    uevents.stop()
    assert uevents.killed_at is not None
    assert collections.Counter(uevents.blocks("offline")) == dict.fromkeys(blocks, 1)
    assert collections.Counter(uevents.blocks("online")) == dict.fromkeys(blocks, 1)


def test_a_stop_half_way_leaves_the_rest_and_a_start_goes_on(guest, service):
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    uevents = guest.record_uevents()
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    service.stop()
    assert guest.auto_online() == "online"
    left = guest.blocks_of_dax(dax)
    assert {zone for state, zone, _ in left.values() if state == "online"} <= {"Movable"}
    service.start()
    blocks = service.settled(dax, Movable=BLOCKS)
    uevents.stop()
    assert collections.Counter(uevents.blocks("online")) == dict.fromkeys(blocks, 1)
    assert uevents.blocks("offline") == []


def test_how_long_32_gib_take(guest, service, figures):
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    uevents = guest.record_uevents()
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    blocks = service.settled(dax, Movable=BLOCKS)
    uevents.stop()
    figures["32 GiB: first block added to last block movable; the onlining alone"] = \
        f"{uevents.seconds('add', 'online'):.2f} s; {uevents.seconds('online', 'online'):.2f} s"
    figures["resident memory with 256 blocks"] = f"{service.memory() >> 10} KiB"
    assert uevents.blocks("online") == sorted(blocks, reverse=True)  # the order that is cheap for the kernel


def test_a_region_destroyed_while_its_job_runs_ends_the_job_not_the_daemon(machine):
    """Last on this machine: what is destroyed with blocks online is lost until the next reboot."""
    guest, service = machine, machine.service
    service.clean()
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    pid = service.pid()
    region = guest.create_region(serials=[1])
    dax = guest.dax_of_region(region)
    poll("a block to come online", lambda: "online" in {state for state, _, _ in guest.blocks_of_dax(dax).values()}, 60)
    # By hand, in the wrong order, as a careless script does.
    guest.run(f"echo {region} > /sys/bus/cxl/drivers/cxl_region/unbind; "
              f"echo {region} > /sys/bus/cxl/devices/root0/decoder0.0/delete_region", 120)

    poll("the region to leave the bus", lambda: not service.objects("region") and not service.objects("dax"), 60)
    service.idle(60)
    assert [job for path, job in service.objects().items() if "/job/" in path and job["State"] != "finished"] == []
    assert service.pid() == pid
    assert service.show("ActiveState", "NRestarts") == ("active", "0")
