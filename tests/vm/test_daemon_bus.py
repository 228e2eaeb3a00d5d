# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus goes, the daemon fails: memory that arrives meanwhile is policy's all the same."""

import re

import pytest

from guest import Card
from service import MANAGE, UNIT, poll, rule

DROP_IN = f"/run/systemd/system/{UNIT}.d/restart.conf"


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")], append="cgroup_disable=memory")  # see test_daemon_policy.py
    guest.load_modules()
    return guest


@pytest.fixture
def guest(machine):
    machine.service.clean()
    machine.service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: machine.auto_online() == "offline", 30)
    yield machine
    machine.run(f"systemctl start dbus.socket; rm -f {DROP_IN}; systemctl daemon-reload")
    machine.service.clean()


@pytest.fixture
def service(guest):
    return guest.service


def restarts_after(guest, pause):
    guest.put(f"[Service]\nRestartSec={pause}\n".encode(), DROP_IN)
    guest.run("systemctl daemon-reload")


def region_of(guest, serial):
    return guest.dax_of_region(guest.create_region(serials=[serial]))


def pid(guest):
    """Without the bus."""
    return guest.run("pidof cxlmemd", check=False).stdout.strip()


def test_policy_goes_on_while_the_bus_is_down(guest, service):
    before = pid(guest)
    guest.run("systemctl stop dbus.socket; systemctl kill -s KILL dbus.service; ! pidof dbus-daemon", 60)
    dax = region_of(guest, 1)
    blocks = guest.wait_blocks(dax, Movable=8)
    assert len(blocks) == 8
    assert guest.auto_online() == "offline"
    assert pid(guest) == before

    guest.run("systemctl start dbus.socket")
    poll("the daemon to be on the bus again",
         lambda: service.busctl("call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus NameHasOwner s "
                                "org.cxlmemd1", check=False).stdout.find("true") > 0, 60)
    service.agrees(dax)
    assert pid(guest) == before
    assert service.show("NRestarts", "Result") == ("0", "success")
    service.reload()
    told = service.journal()
    assert re.search("the bus is gone; policy and jobs go on.*on the bus again", told, re.DOTALL), told


def test_a_bus_that_is_killed_is_met_again(guest, service):
    dax = region_of(guest, 1)
    service.settled(dax, Movable=8)
    before = pid(guest)
    guest.run("systemctl kill -s KILL dbus.service")
    poll("the daemon to be on the bus again", lambda: "on the bus again" in service.journal())
    service.agrees(dax)
    assert pid(guest) == before and service.show("NRestarts") == "0"


def test_memory_that_arrives_after_a_crash_waits_for_the_restart(guest, service):
    restarts_after(guest, "20s")
    guest.run("kill -9 $(pidof cxlmemd)")
    assert guest.auto_online() == "offline"
    dax = region_of(guest, 1)
    assert len(guest.wait_blocks(dax, offline=8)) == 8
    assert pid(guest) == ""
    service.settled(dax, Movable=8)
    assert service.show("NRestarts") == "1"


def test_failing_again_and_again_it_is_tried_without_end(guest, service):
    """Five failures in ten seconds are what systemd gives up after, as installed."""
    restarts_after(guest, "100ms")
    for _ in range(8):
        old = poll("the daemon to be there", lambda: pid(guest), 60)
        guest.run(f"kill -9 {old}")
        poll("it to be gone", lambda old=old: pid(guest) != old, 60)
        assert guest.auto_online() == "offline"
    dax = region_of(guest, 2)
    poll("it to be up again", lambda: service.show("ActiveState") == "active", 60)
    service.settled(dax, Movable=8)
    assert int(service.show("NRestarts")) >= 8
    service.stop()
    assert guest.auto_online() == "online"
