# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memdev.PrepareRemove across the ends of the daemon. What it says is compared with /sys each time."""

import contextlib

import pytest

from guest import Card
from service import MANAGE, path_of, poll, rule

LOST = "cannot be hotremoved until the next reboot"
BOOK = "/var/lib/cxlmemd/holds"
BLOCKS = 64

# Holds a page of the node of a mount where nothing can move it from.
PIN = ('import os; f = os.open("/run/pin/file", os.O_RDWR | os.O_CREAT); os.write(f, bytes(1 << 20)); '
       'e = os.pipe(); assert os.splice(f, e[1], 65536, offset_src=0) > 0; open("/run/pin/ready", "w").close(); '
       'open("/run/pin/go").read()')


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "8G")], spare_ports=1)
    guest.load_modules()
    return guest


@pytest.fixture
def guest(machine):
    machine.service.clean()
    yield machine
    machine.service.clean()
    assert LOST not in machine.dmesg()


@pytest.fixture
def service(guest):
    return guest.service


def start(service, policy):
    service.start(policy, MANAGE)
    poll("auto_online_blocks to be offline", lambda: service.guest.auto_online() == "offline", 30)


def prepare(service, memdev):
    return service.call(path_of("memdev", memdev), "Memdev", "PrepareRemove")[0]


def preparation(service, memdev):
    return service.objects("memdev")[memdev]["Preparation"]


def book(guest):
    """The holds on disk, without a trace of marks where there are none."""
    return guest.run(f"cat {BOOK} 2>/dev/null; true").stdout


def is_empty(guest, dax):
    """By /sys alone: no block of the device exists, and no driver has it."""
    return guest.blocks_of_dax(dax) == {} and guest.dax_devices()[dax]["driver"] is None


@contextlib.contextmanager
def pinned(guest, node):
    guest.run(f"mkdir -p /run/pin && mount -t tmpfs -o size=4M,mpol=bind:{node} pin /run/pin && mkfifo /run/pin/go")
    holder = guest.spawn(f"exec python3 -c '{PIN}'")
    guest.run("until [ -e /run/pin/ready ]; do sleep 0.05; done", 60)
    try:
        yield
    finally:
        guest.run("echo > /run/pin/go")
        holder.wait(30)
        guest.run("umount /run/pin")


def as_if_never_asked_for(guest, service, memdev, dax):
    """Neither is anything held, nor is the card said to be ready while memory of it is online."""
    service.settled(dax, Movable=BLOCKS)
    service.idle()
    assert preparation(service, memdev) == ""
    assert not service.dax(dax)["Held"]
    assert not any(word in book(guest) for word in ("emptying", "ready"))


def online_card(guest, service, drain):
    start(service, rule(drain=drain))
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    service.settled(dax, Movable=BLOCKS)
    service.idle()
    return guest.memdev_by_serial(1), dax


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_cut_short_in_the_middle_the_preparation_has_ended(guest, service, end):
    memdev, dax = online_card(guest, service, 'timeout = "10min"\nretries = 1000')
    with pinned(guest, guest.dax_devices()[dax]["target_node"]):
        prepare(service, memdev)
        poll("blocks to go offline", lambda: "offline" in {state for state, _, _ in guest.blocks_of_dax(dax).values()})
        assert preparation(service, memdev) == "emptying"
        assert "emptying 0x1 " in book(guest)
        if end == "restart":
            service.restart()
        else:
            guest.run(f"kill -KILL {service.pid()}")
            poll("a restart by systemd", lambda: service.show("NRestarts", "ActiveState") == ("1", "active"))
        as_if_never_asked_for(guest, service, memdev, dax)
    # Nothing of it is in the way of the next try.
    assert service.finished(prepare(service, memdev))["Result"] == "done"
    assert is_empty(guest, dax) and preparation(service, memdev) == "ready"
    service.restart()
    service.idle()
    assert is_empty(guest, dax) and preparation(service, memdev) == "ready"
    service.call(path_of("memdev", memdev), "Memdev", "Release")
    as_if_never_asked_for(guest, service, memdev, dax)


def test_a_card_that_is_pulled_while_the_daemon_is_stopped_is_policys_when_it_is_back(guest, service):
    table = '[[region]]\nname = "pool"\nmemdev_serial = "0x33"\n'
    start(service, rule() + table)
    memdev = guest.add_card(serial=0x33, size="512M")
    region = poll("the region", lambda: next(iter(guest.regions()), None), 60)
    dax = guest.dax_of_region(region)
    service.settled(dax, Movable=4)
    service.idle()
    assert service.finished(prepare(service, memdev))["Result"] == "done"
    assert is_empty(guest, dax) and preparation(service, memdev) == "ready"

    service.stop()
    guest.del_card(serial=0x33)
    assert LOST not in guest.dmesg()
    service.start()
    poll("the mark to end", lambda: "ready" not in book(guest), 60)
    assert "has gone" in guest.journal("cxlmemd")
    # Whether the kernel leaves the empty region or not, nothing of it is in the way.
    for left in guest.regions():
        assert service.finished(service.call(path_of("region", left), "Region", "Remove")[0])["Result"] == "done"

    memdev = guest.add_card(serial=0x33, size="512M")
    region = poll("the region to be made again", lambda: next(iter(guest.regions()), None), 60)
    service.settled(guest.dax_of_region(region), Movable=4)
    service.idle()
    assert preparation(service, memdev) == ""
    # And it leaves without a loss again.
    assert service.finished(prepare(service, memdev))["Result"] == "done"
    guest.del_card(serial=0x33)
    poll("the memdev to leave the bus", lambda: memdev not in service.objects("memdev"), 30)
