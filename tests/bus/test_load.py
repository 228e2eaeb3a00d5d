# SPDX-License-Identifier: LGPL-2.1-or-later
"""A hostile crowd, in numbers: 200 connections, 10,000 calls, most of whose callers never read what they get. The
daemon answers somebody else meanwhile, and does not grow. Prints the figures."""

import os

import pytest
from harness import ONLY_WATCH, ROOT, dax_path
from places import SANITIZED, SLOW
from wire import NAME, PROPERTIES, Client

CONNECTIONS, CALLS_EACH = 200, 50
MOST_GROWTH = 64 << 20  # bytes
DAX = dax_path("dax0.0")

CALLS = [
    (ROOT, PROPERTIES, "GetAll", "(s)", f"{NAME}.Manager"),
    (DAX, PROPERTIES, "GetAll", "(s)", f"{NAME}.DaxDevice"),
    (ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {}),
    (ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", DAX, {}),
    (DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "nowhere", {}),
    (ROOT, f"{NAME}.Manager", "CheckPolicy", "(ssa{sv})", "x.toml", "[[rule]\n", {}),
    (ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
]


def memory(daemon):
    """(now, highest so far), in bytes."""
    with open(f"/proc/{daemon.process.pid}/status") as status:
        values = dict(line.split(":", 1) for line in status)
    return tuple(int(values[key].split()[0]) << 10 for key in ("VmRSS", "VmHWM"))


@pytest.fixture
def crowd(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    clients = [Client(own_bus.address) for _ in range(CONNECTIONS)]
    yield daemon, clients
    for client in clients:
        client.close()


def cpu(process):
    """Seconds of processor time so far."""
    with open(f"/proc/{process.pid}/stat") as stat:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def grew_little(daemon, before):
    now, most = memory(daemon)
    print(f"memory: {before >> 20} MiB before, {most >> 20} MiB at most, {now >> 20} MiB after")
    if not SANITIZED:
        assert most - before < MOST_GROWTH


def test_others_are_answered_while_a_crowd_calls(crowd, record_property):
    """Wave after wave from everybody, and one question of somebody else behind each."""
    daemon, clients = crowd
    daemon.round_trip()
    before, _ = memory(daemon)
    trips = []
    for number in range(CALLS_EACH):
        for index, client in enumerate(clients):
            client.send(*CALLS[(number + index) % len(CALLS)])
        trips.append(daemon.round_trip())
    trips.sort()
    figures = {"median": trips[CALLS_EACH // 2], "90%": trips[CALLS_EACH * 9 // 10], "worst": trips[-1]}
    print(f"{CONNECTIONS} connections, {CONNECTIONS * CALLS_EACH} calls: " +
          ", ".join(f"{name} {value * 1000:.1f} ms" for name, value in figures.items()))
    for name, value in figures.items():
        record_property(name, round(value, 4))
    assert figures["median"] < 0.05 * SLOW
    grew_little(daemon, before)


def test_ten_thousand_calls_at_once(crowd, record_property):
    """All of them are on their way before the first is answered. Most of the wait is the bus's own: dbus-daemon looks
    through the replies that are due for each one that comes. What the daemon itself needs is little."""
    daemon, clients = crowd
    before, _ = memory(daemon)
    flood = [b"".join(client.blob(*CALLS[(number + index) % len(CALLS)]) for number in range(CALLS_EACH))
             for index, client in enumerate(clients)]
    daemon_cpu, bus_cpu = cpu(daemon.process), cpu(daemon.bus.process)
    for client, calls in zip(clients, flood):
        client.socket.sendall(calls)
    behind = daemon.round_trip()
    for client in clients[::10]:  # the others never read
        client.wait(lambda client=client: len(client.replies) >= CALLS_EACH, "every reply")
    daemon_cpu, bus_cpu = cpu(daemon.process) - daemon_cpu, cpu(daemon.bus.process) - bus_cpu
    after = sorted(daemon.round_trip() for _ in range(50))[25]
    print(f"{CONNECTIONS * CALLS_EACH} calls at once: {behind:.2f} s for the first behind them, {after * 1000:.1f} ms "
          f"after them; processor time {daemon_cpu:.2f} s of the daemon, {bus_cpu:.2f} s of the bus")
    record_property("seconds behind them", round(behind, 2))
    assert behind < 20 * SLOW
    assert daemon_cpu < 3 * SLOW
    assert after < 0.05 * SLOW
    grew_little(daemon, before)
