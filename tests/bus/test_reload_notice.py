# SPDX-License-Identifier: LGPL-2.1-or-later
"""Type=notify-reload: systemd sends SIGHUP, and waits for RELOADING=1 from after that, and for READY=1."""

import os
import signal
import time

import pytest
from harness import KERNEL, MOVABLE
from service_manager import ServiceManager
from wire import PROPERTIES, ROOT

BAD = '[[rule]]\nname = "expanders"\n[rule.memory]\nzone = "moveable"\n'


@pytest.fixture
def manager(folder, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    with ServiceManager(folder / "notify") as manager:
        yield manager


@pytest.fixture
def daemon(manager, make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    manager.next("READY=1")
    daemon.wait_dax(Zone="movable", InPolicy=True)
    manager.drain()
    return daemon


def hang_up(daemon):
    """Sends the signal; the time before it, as systemd takes it."""
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    os.kill(daemon.process.pid, signal.SIGHUP)
    return before


def generation(daemon):
    """As who asks now is told."""
    return daemon.client.call(ROOT, PROPERTIES, "Get", "(ss)", "org.cxlmemd1.Manager", "PolicyGeneration")


def time_of(lines):
    (usec,) = [line.removeprefix("MONOTONIC_USEC=") for line in lines if line.startswith("MONOTONIC_USEC=")]
    return int(usec)


def test_a_signal_reloads_between_reloading_and_ready(daemon, manager):
    daemon.policy_file.write_text(KERNEL)
    before = hang_up(daemon)
    began = time_of(manager.next("RELOADING=1"))
    assert before <= began <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.next("READY=1")
    assert generation(daemon) == 2
    daemon.wait_dax(Zone="kernel", InPolicy=True)


def test_a_reload_that_fails_ends_too_and_the_old_policy_stays(daemon, manager):
    daemon.policy_file.write_text(BAD)
    hang_up(daemon)
    manager.next("RELOADING=1")
    manager.next("READY=1")
    daemon.wait(lambda: "reload: " in daemon.log(), "the failure is logged")
    assert generation(daemon) == 1
    assert daemon.dax()["Zone"] == "movable"


def test_each_signal_has_its_own_time(daemon, manager):
    times = []
    for number in (2, 3):
        before = hang_up(daemon)
        times.append(time_of(manager.next("RELOADING=1")))
        assert times[-1] >= before
        manager.next("READY=1")
        assert generation(daemon) == number
    assert times[0] < times[1]


def test_a_reload_from_the_bus_is_none_of_systemd_s(daemon, manager):
    daemon.policy_file.write_text(KERNEL)
    daemon.reload()
    daemon.wait_dax(Zone="kernel", InPolicy=True)
    hang_up(daemon)
    told = []
    while "READY=1" not in (lines := manager.told.get(timeout=60)):
        told += lines
    assert [line for line in told if line == "RELOADING=1"] == ["RELOADING=1"], told
