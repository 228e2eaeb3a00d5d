# SPDX-License-Identifier: LGPL-2.1-or-later
"""The loser of a race backs off and tries again, and the bus answers throughout (R14)."""

import time

import pytest
from harness import MOVABLE, ONLY_WATCH, rule
from places import LIMIT, MACHINES, SANITIZED, SLOW

measures = pytest.mark.skipif(SANITIZED, reason="it measures time, and a sanitizer's says nothing")

QUICK = 0.1 * SLOW  # seconds for a Get and its answer; 0.7 ms is usual


def test_R14_a_busy_block_is_tried_again_with_growing_pauses(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EBUSY", nth=5, count=3)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "done"
    assert daemon.dax()["BlocksOnline"] == 32
    assert daemon.error(job) == ("", "")


def test_R14_pauses_grow(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EBUSY", count=0)
    begin = time.monotonic()
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) in ("failed", "partial")
    # Five retries by default: 50 + 100 + 200 + 400 + 800 ms.
    assert 1.4 < time.monotonic() - begin
    assert "EBUSY" in daemon.error(job)[1]


def test_R14_the_bus_answers_while_an_operation_hangs(make_daemon, record_property):
    daemon = make_daemon(policy=ONLY_WATCH)
    for operation in ("scan", "set_mode"):
        daemon.inject("hang", operation=operation)
    job = daemon.set_mode("dax0.0", "devdax")
    daemon.nudge()
    times = [daemon.round_trip() for _ in range(200)]
    record_property("round_trip_hanging_ms", round(1000 * max(times), 3))
    print(f"Get while an operation hangs: {1000 * sorted(times)[100]:.2f} ms, worst {1000 * max(times):.2f} ms")
    assert max(times) < QUICK
    assert daemon.managed_objects()
    # No scan is possible: what was known before is the answer, and it says so.
    (_, entry), = daemon.plan()
    assert (entry["action"], "older scan" in entry["reason"]) == ("none", True)
    assert "older scan" in daemon.explain("dax1.0")["obstacles"][-1]
    daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.removed(job))


@measures
def test_R14_the_bus_answers_while_a_hundred_thousand_blocks_come_online(make_daemon, record_property):
    daemon = make_daemon(machine=MACHINES / "sixteen-tib-pool.toml", policy=ONLY_WATCH)
    daemon.policy_file.write_text(MOVABLE)
    begin = time.monotonic()
    daemon.reload()
    times = []
    daemon.insist(lambda: times.append(daemon.round_trip()), lambda: daemon.dax()["InPolicy"])
    took = time.monotonic() - begin
    daemon.wait_idle()
    record_property("pool_online_seconds", round(took, 2))
    record_property("pool_round_trip_worst_ms", round(1000 * max(times), 1))
    print(f"131,072 blocks online in {took:.2f} s; Get round trips: {len(times)}, worst {1000 * max(times):.0f} ms")
    assert daemon.dax()["BlocksMovable"] == 131072
    assert max(times) < 1.0 * SLOW


@measures
def test_R14_a_single_block_of_a_large_machine_costs_little(make_daemon, record_property):
    """A change of one block by another actor, until it is on the bus."""
    daemon = make_daemon(machine=MACHINES / "sixteen-tib-pool.toml", policy=ONLY_WATCH)
    times = []
    for number in range(10):
        begin = time.monotonic()
        daemon.inject("online-block", dax="dax0.0", nth=number, zone="movable")
        daemon.wait_dax(BlocksOnline=number + 1)
        times.append(time.monotonic() - begin)
    print(f"one block of 131,072 by another actor, on the bus: {1000 * sorted(times)[5]:.0f} ms")
    record_property("one_block_ms", round(1000 * sorted(times)[5], 1))
    assert sorted(times)[5] < 0.5 * SLOW


def test_a_failing_scan_is_tried_again(make_daemon):
    daemon = make_daemon()
    daemon.inject("fail", operation="scan", errno="EIO")
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.inject("add-region", memdevs="mem7")
    daemon.wait_dax("dax2.0", State="online")
    assert "EIO" in daemon.log()


def test_scans_that_keep_failing_are_shown(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="scan", errno="EIO", count=0)
    daemon.nudge()
    daemon.wait(lambda: daemon.manager["State"] == "degraded")
    daemon.inject("clear-faults")
    daemon.wait(lambda: daemon.manager["State"] == "idle")


def test_a_hanging_scan_does_not_keep_the_daemon_from_stopping(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="scan")
    daemon.nudge()
    for _ in range(100):
        daemon.round_trip()
    daemon.process.terminate()
    assert daemon.ends_by_itself(LIMIT / 6) == 0


def test_a_hanging_block_does_not_keep_the_daemon_from_stopping(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=3)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 2)
    daemon.process.terminate()
    assert daemon.ends_by_itself(LIMIT / 2) == 0


def test_another_actor_at_the_same_blocks(make_daemon):
    """Both work on the same device from both ends; in the end everything is as the rule says."""
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=3000)
    daemon.policy_file.write_text(rule(memory='zone = "movable"\ndrift = "enforce"'))
    daemon.reload()
    for nth in range(16):
        try:
            daemon.inject("online-block", dax="dax0.0", nth=nth, zone="kernel")
        except Exception as error:
            assert "EINVAL" in str(error)  # the daemon was there first
    daemon.wait_dax(BlocksMovable=32, InPolicy=True)
