# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that never read what they asked for. On a bus with Debian's limits, as several users."""

import os
import select
import shutil
import signal
import socket
import time

import fleet_machine
import pytest
from conftest import new_folder
from gi.repository import Gio, GLib
from harness import ONLY_WATCH
from limited_bus import NOBODY, LimitedBus, why_not
from places import LIMIT, SLOW
from test_bus_lost import until
from wire import NAME, OBJECT_MANAGER, PROPERTIES, ROOT, BusError, Client, options

pytestmark = [pytest.mark.loop_alone, pytest.mark.skipif(bool(why_not(os)), reason=why_not(os))]

STATS = "org.freedesktop.DBus.Debug.Stats"
MIB = 1 << 20
BROKER_LIMIT = 127 * MIB  # max_incoming_bytes: what of one sender may wait in the broker


@pytest.fixture
def daemon(make_daemon):
    folder = new_folder()
    bus = LimitedBus(folder)
    daemon = make_daemon(bus=bus, policy=ONLY_WATCH)
    yield daemon
    assert daemon.is_alive()
    daemon.round_trip()
    daemon.stop()
    bus.stop()
    shutil.rmtree(folder)


def mute(daemon, uid):
    """A client whose socket takes next to nothing, for nobody reads it."""
    client = Client(daemon.bus.address, uid=uid)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    return client


def against_us(daemon):
    """Bytes that the broker holds of what the daemon sent."""
    owner = daemon.client.bus_call("GetNameOwner", "(s)", NAME)
    return daemon.client.call("/org/freedesktop/DBus", STATS, "GetConnectionStats", "(s)", owner,
                              to="org.freedesktop.DBus")["IncomingBytes"]


def others_are_served(daemon, calls=40):
    """Get of another user, and Reload of root."""
    other = Client(daemon.bus.address, uid=1)
    trips = []
    for _ in range(calls):
        begin = time.monotonic()
        other.call(ROOT, PROPERTIES, "Get", "(ss)", f"{NAME}.Manager", "State")
        trips.append(time.monotonic() - begin)
    begin = time.monotonic()
    daemon.reload()
    reload = time.monotonic() - begin
    other.close()
    median = sorted(trips)[calls // 2]
    print(f"Get {median * 1000:.1f} ms at the median, {max(trips) * 1000:.0f} ms at most; Reload {reload:.3f} s")
    assert median < 0.05 * SLOW
    assert reload < 1 * SLOW


def send_many(daemon, client, blob_of, count):
    """The bus lets a connection wait for 128 replies at once: whoever wants more of them waits in between."""
    for first in range(0, count, 50):
        for _ in range(min(50, count - first)):
            client.socket.sendall(blob_of(client))
        daemon.round_trip()


def managed_objects(client):
    return client.blob(ROOT, OBJECT_MANAGER, "GetManagedObjects")


def test_a_mute_client_asks_24000_times_for_everything(daemon):
    """150 MB of answers: more than the broker lets one sender have."""
    client = mute(daemon, NOBODY)
    for _ in range(12):
        send_many(daemon, client, managed_objects, 2000)
        others_are_served(daemon, 10)
    assert against_us(daemon) < 32 * MIB
    client.close()
    others_are_served(daemon)


def mistakes(client):
    text = "".join(f"{'k' * 100}{i} = 1\n" for i in range(900))
    files = GLib.Variant("a(ss)", [(f"{i}" + "n" * 240 + ".toml", text) for i in range(8)])
    return client.blob(ROOT, f"{NAME}.Manager", "CheckPolicy", "(ssa{sv})", "n" * 250 + ".toml", text,
                       options(files=files))


def test_forty_texts_whose_problems_nobody_reads(daemon):
    """A megabyte of answer each, eight callers of four users."""
    clients = [mute(daemon, uid) for uid in (NOBODY, 2, 3, 4) for _ in range(2)]
    blobs = {client: mistakes(client) for client in clients}
    for _ in range(5):
        for client, blob in blobs.items():
            client.socket.sendall(blob)
        others_are_served(daemon, 10)
    assert against_us(daemon) < 96 * MIB
    for client in clients:
        client.close()
    others_are_served(daemon)


def test_two_hundred_mute_connections_of_several_users(daemon):
    users = [1, 2, 3, 4, NOBODY]
    clients = [mute(daemon, users[i % len(users)]) for i in range(200)]
    for _ in range(10):
        for client in clients:
            send_many(daemon, client, managed_objects, 20)
        others_are_served(daemon, 10)
    assert against_us(daemon) < 96 * MIB
    for client in clients:
        client.close()
    others_are_served(daemon)


def test_who_leaves_too_much_unread_is_told_and_may_go_on_when_it_has_read(daemon):
    client = Client(daemon.bus.address, uid=NOBODY)
    serials = []
    for _ in range(80):  # a connection may wait for 128 replies
        serials += [client.send(ROOT, OBJECT_MANAGER, "GetManagedObjects") for _ in range(50)]
        daemon.round_trip()
    assert any(answered(client) or daemon.round_trip() is None for _ in range(50)), "it has read, and is not answered"
    outcomes = {"answered": 0, "busy": 0, "ignored": 0}
    for serial in serials:
        reply = client.replies.get(serial)
        if reply is None:
            outcomes["ignored"] += 1
        elif reply.type != Gio.DBusMessageType.ERROR:
            outcomes["answered"] += 1
        else:
            assert reply.raw.get_error_name() == f"{NAME}.Error.Busy", reply.body
            assert "have not been read" in reply.body[0], reply.body
            outcomes["busy"] += 1
    print(outcomes)
    assert outcomes["answered"] > 500 and outcomes["busy"] > 100 and outcomes["ignored"] == 0
    client.close()


def answered(client):
    try:
        # Behind everything that it has not read so far.
        return client.call(ROOT, OBJECT_MANAGER, "GetManagedObjects", limit=4 * LIMIT)
    except BusError as error:
        assert error.name == "Busy"
        return None


def test_a_reader_is_never_refused(daemon):
    client = Client(daemon.bus.address, uid=NOBODY)
    for _ in range(2000):
        assert client.call(ROOT, OBJECT_MANAGER, "GetManagedObjects")
    client.close()


def owner(daemon):
    return daemon.client.bus_call("GetNameOwner", "(s)", NAME)


def stop_broker_with_answers_on_their_way(daemon):
    """More than its socket takes: a megabyte each, and the first of them has come when the broker stops."""
    clients = [Client(daemon.bus.address) for _ in range(8)]
    for _ in range(5):
        for client in clients:
            client.send(ROOT, OBJECT_MANAGER, "GetManagedObjects")
    select.select([clients[0].socket], [], [], LIMIT)
    daemon.bus.process.send_signal(signal.SIGSTOP)
    return clients


@pytest.fixture
def fleet(own_bus, make_daemon, machine_file):
    daemon = make_daemon(bus=own_bus, machine=machine_file(fleet_machine.text()), policy=ONLY_WATCH)
    yield daemon
    own_bus.process.send_signal(signal.SIGCONT)


def test_a_broker_that_takes_nothing_any_more_is_left_for_a_new_connection(fleet):
    before = owner(fleet)
    clients = stop_broker_with_answers_on_their_way(fleet)
    until(fleet, lambda: "the bus is gone" in fleet.log(), "it leaves")
    fleet.bus.process.send_signal(signal.SIGCONT)
    until(fleet, lambda: "on the bus again" in fleet.log(), "it is back")
    assert owner(fleet) != before
    fleet.round_trip()
    for client in clients:
        client.close()


def test_a_broker_that_pauses_is_waited_for(fleet):
    before = owner(fleet)
    clients = stop_broker_with_answers_on_their_way(fleet)
    time.sleep(3)  # what is tried is that this passes without anything being done
    fleet.bus.process.send_signal(signal.SIGCONT)
    fleet.round_trip()
    assert owner(fleet) == before
    for client in clients:
        client.close()
