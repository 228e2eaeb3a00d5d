# SPDX-License-Identifier: LGPL-2.1-or-later
"""The watchdog is fed by a turn of the loop that proved the worker alive; what hangs in the kernel is shown, and no
reason to be killed; nor is the bus."""

import os
import signal

import pytest
from harness import ONLY_WATCH
from places import SLOW
from service_manager import ServiceManager

ROUND = 0.2 * SLOW  # seconds


@pytest.fixture
def manager(folder, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    manager = ServiceManager(folder / "notify")
    yield manager
    manager.close()


@pytest.fixture
def fed(manager, monkeypatch, own_bus, make_daemon):
    monkeypatch.setenv("WATCHDOG_USEC", str(int(ROUND * 2e6)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    return make_daemon(bus=own_bus, policy=ONLY_WATCH)


def test_it_is_fed_again_and_again(fed, manager):
    for _ in range(4):
        manager.food()


def test_it_is_not_fed_where_nobody_asks(manager, monkeypatch, make_daemon):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    daemon = make_daemon(policy=ONLY_WATCH)
    manager.gets_no_food(1)
    assert daemon.is_alive()


def test_somebody_else_s_watchdog_is_not_fed(manager, monkeypatch, make_daemon):
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    make_daemon(policy=ONLY_WATCH)
    manager.gets_no_food(1)


def test_it_is_fed_while_a_write_takes_long(fed, manager):
    fed.inject("hang", operation="set_block", nth=2, deaf=True)
    job = fed.online("dax0.0", "movable")
    fed.wait(lambda: fed.job(job)["BlocksDone"] == 1)  # "running" it is before the first write
    manager.drain()
    for _ in range(4):
        manager.food()
    assert fed.properties("/org/cxlmemd1", "Manager")["State"] == "working"
    fed.insist(lambda: fed.inject("resume"), lambda: fed.removed(job))
    assert fed.result(job) == "done"


def test_it_is_fed_while_many_blocks_are_worked_on(fed, manager):
    fed.inject("delay", operation="set_block", usec=int(ROUND * 1e6 / 8))
    job = fed.online("dax0.0", "movable")
    for _ in range(4):
        manager.food()
    assert fed.result(job) == "done"


def test_a_bus_that_does_not_answer_is_no_reason_to_be_killed(fed, manager):
    manager.food()
    os.kill(fed.bus.process.pid, signal.SIGSTOP)
    try:
        manager.drain()
        for _ in range(6):
            manager.food()
    finally:
        os.kill(fed.bus.process.pid, signal.SIGCONT)
    assert "does not answer" not in fed.log()


def test_it_is_fed_without_a_bus(fed, manager):
    manager.food()
    fed.bus.stop()
    manager.drain()
    for _ in range(6):
        manager.food()
    fed.bus.start()
    fed.meet_again()


def test_a_call_that_hangs_in_the_kernel_is_shown_and_answers_go_on(fed, manager):
    fed.inject("hang", operation="set_block", nth=2, deaf=True)
    job = fed.online("dax0.0", "movable")
    fed.wait(lambda: fed.job(job)["BlocksDone"] == 1)  # "running" it is before the first write
    fed.cancel(job)
    fed.wait(lambda: fed.manager["State"] == "degraded", "it is shown")
    ((kind, message),) = fed.manager["Conflicts"]
    assert kind == "worker" and "of dax0.0" in message and "online_movable" in message
    assert fed.job(job)["State"] == "running"
    manager.drain()
    for _ in range(3):
        manager.food()
    fed.round_trip()
    fed.insist(lambda: fed.inject("resume"), lambda: fed.removed(job))
    assert fed.result(job) == "canceled"
    fed.wait(lambda: not fed.manager["Conflicts"] and fed.manager["State"] != "working", "it is over")
    assert fed.log().count("has not returned") == 1
    assert fed.log().count("came back") == 1


def test_a_stop_leaves_behind_what_hangs(fed, manager):
    fed.inject("hang", operation="set_block", nth=2, deaf=True)
    job = fed.online("dax0.0", "movable")
    fed.wait(lambda: fed.job(job)["BlocksDone"] == 1)  # "running" it is before the first write
    fed.process.terminate()
    assert fed.ends_by_itself() == 1
    assert "leaving it behind" in fed.log()
