# SPDX-License-Identifier: LGPL-2.1-or-later
"""Another actor hangs in an offline and holds the kernel's hotplug lock: ours wait, can be interrupted, and it is said."""

import time

import pytest

from harness import MOVABLE, ONLY_WATCH, dax_path, rule
from places import SLOW

QUICK = 1.0 * SLOW


@pytest.fixture
def daemon(make_daemon):
    """With one block of each device online, and somebody in the middle of offlining dax1.0's."""
    daemon = make_daemon(policy=ONLY_WATCH)
    for name in ("dax0.0", "dax1.0"):
        daemon.inject("online-block", dax=name, zone="movable")
    daemon.inject("begin-offline", dax="dax1.0")
    return daemon


def begun(daemon, job):
    daemon.wait(lambda: daemon.job(job)["State"] == "running" and daemon.manager["State"] == "working", "it works")
    return job


def test_a_job_waits_and_is_done_when_the_other_is(daemon):
    job = begun(daemon, daemon.online("dax0.0", "movable"))
    times = [daemon.round_trip() for _ in range(200)]
    assert max(times) < QUICK
    assert daemon.job(job)["BlocksDone"] == 0 and daemon.removed(job) is None
    daemon.inject("end-offline")
    assert daemon.result(job) == "done"
    daemon.wait_dax("dax1.0", BlocksOnline=0)
    assert daemon.dax()["BlocksOnline"] == 32


def test_a_job_that_waits_can_be_canceled(daemon):
    job = begun(daemon, daemon.online("dax0.0", "movable"))
    begin = time.monotonic()
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert time.monotonic() - begin < QUICK
    daemon.wait_dax("dax0.0", BlocksOnline=1)
    daemon.inject("end-offline", interrupted=True)
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert daemon.dax("dax1.0")["BlocksOnline"] == 1


def test_a_job_that_waits_ends_at_its_deadline(daemon):
    job = daemon.offline("dax0.0", timeout=200_000, rollback=False)
    assert daemon.result(job) == "timeout"
    # Who holds the lock is said, not our block that waits for it.
    message = daemon.job(job)["Error"][1]
    assert "another process is taking memory block" in message and "holds the kernel's hotplug lock" in message
    assert "the kernel was still at" not in message
    daemon.inject("end-offline")
    assert daemon.result(daemon.offline("dax0.0")) == "done"


def test_a_device_that_goes_meanwhile_ends_its_job(daemon):
    job = begun(daemon, daemon.online("dax0.0", "movable"))
    daemon.inject("remove-memdev", memdev="mem0")
    assert daemon.result(job) == "gone"
    daemon.wait_gone(dax_path("dax0.0"))


def test_the_time_of_another_s_offline_can_be_given(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("online-block", dax="dax1.0", zone="movable")
    begin = time.monotonic()
    daemon.inject("begin-offline", dax="dax1.0", usec="400ms")
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert time.monotonic() - begin > 0.39
    daemon.wait_dax("dax1.0", BlocksOnline=0)


def test_policy_goes_on_by_itself_when_it_is_over(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\namount = "none"'))
    daemon.inject("online-block", dax="dax1.0", zone="movable")
    daemon.inject("begin-offline", dax="dax1.0", usec="300ms")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)


def test_what_cannot_be_interrupted_is_shown_as_stuck(daemon):
    """kmem takes memory away under that lock, and hears no signal: ten seconds after a cancel it counts as stuck."""
    daemon.inject("offline-block", dax="dax0.0")
    job = begun(daemon, daemon.set_mode("dax0.0", "devdax"))
    daemon.cancel(job)
    daemon.wait(lambda: daemon.manager["State"] == "degraded", "it is shown", limit=30 * SLOW)
    ((kind, message),) = daemon.manager["Conflicts"]
    assert kind == "worker" and "dax0.0" in message
    assert daemon.job(job)["State"] == "running" and daemon.round_trip() < QUICK
    daemon.inject("end-offline")
    daemon.wait(lambda: daemon.removed(job), "the kernel comes back")
    daemon.wait(lambda: not daemon.manager["Conflicts"] and daemon.manager["State"] == "idle", "and that is shown")
