# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs that end before their goal: canceled, timed out, failed, no longer wanted."""

import pytest
from harness import BLOCK, MOVABLE, ONLY_WATCH, rule, scenario, watched
from places import LIMIT
from wire import NotInTime


def test_cancel_in_the_middle_of_onlining(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_block", nth=11)
    job = daemon.online("dax0.0", "movable", rollback=False)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 10)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert daemon.error(job)[0].endswith(".Canceled")
    assert daemon.dax()["BlocksOnline"] == 10
    assert daemon.dax()["Held"]
    # It can be taken up again.
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"


def test_a_canceled_policy_job_does_not_come_back_by_itself(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=5000, dax="dax0.0")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 4)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.look_again(2)
    assert daemon.jobs("dax0.0") == [job]
    assert daemon.dax()["BlocksOnline"] < 32
    assert daemon.dax()["LastError"][0].endswith(".Canceled")
    daemon.apply()
    daemon.wait_dax(State="online", InPolicy=True, LastError=("", ""))


def test_cancel_while_the_driver_hangs(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax0.0", "devdax")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert daemon.dax()["Mode"] == "system-ram"


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 22)])
def test_cancel_in_the_middle_of_draining(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="set_block", nth=11)
    job = daemon.offline("dax0.0", rollback=rollback)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 10)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")


def test_cancel_of_a_waiting_job(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_block")
    first = daemon.online("dax0.0", "movable")
    second = daemon.online("dax1.0", "movable")
    assert daemon.job(second)["State"] == "waiting"
    daemon.cancel(second)
    daemon.inject("resume")
    assert daemon.result(second) == "canceled"
    assert daemon.result(first) == "done"
    assert daemon.dax("dax1.0")["BlocksOnline"] == 0


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 27)])
def test_a_block_that_hangs_runs_into_the_timeout(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="set_block", nth=6)
    job = daemon.offline("dax0.0", timeout=300_000, rollback=rollback)
    assert daemon.result(job) == "timeout"
    assert daemon.error(job)[0].endswith(".TimedOut")
    assert "dax0.0" in daemon.error(job)[1]
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")


@pytest.mark.parametrize("timeout", [2**64 - 1, 2**63, 0])
def test_an_infinite_timeout_is_a_job_without_limit(make_daemon, timeout):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable", timeout=timeout), LIMIT / 3) == "done"
    daemon.wait_idle()


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 1)])
def test_a_pinned_block_is_named(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("pin-block", dax="dax0.0", nth=20)
    job = daemon.offline("dax0.0", rollback=rollback)
    assert daemon.result(job) in ("failed", "partial")
    name, message = daemon.error(job)
    assert name.endswith(".Busy")
    assert f"memory block {daemon.dax()['Resource'] // BLOCK + 20}" in message and "EBUSY" in message
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")
    assert message == daemon.dax()["LastError"][1]


def test_a_pinned_block_keeps_the_device_bound(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("pin-block", dax="dax0.0", nth=20)
    job = daemon.set_mode("dax0.0", "devdax", rollback=True)
    assert daemon.result(job) == "failed"
    assert (daemon.dax()["Mode"], daemon.dax()["BlocksOnline"]) == ("system-ram", 32)


def hanging_rollback(make_daemon, folder):
    """A job that failed, and hangs at the second block that it puts back."""
    daemon = watched(make_daemon, machine=scenario(folder, """
[[step]]
on = { operation = "online", dax = "dax0.0", nth = 1 }
event = "hang"
operation = "set_block"
""", machine="auto-online"))
    daemon.inject("fail", operation="set_block", errno="EIO", nth=20)
    job = daemon.offline("dax0.0", rollback=True)
    daemon.insist(daemon.round_trip, lambda: "scenario.toml:3: hang" in daemon.log(), "it puts back")
    return daemon, job


def test_a_hanging_rollback_can_be_canceled(make_daemon, folder):
    daemon, job = hanging_rollback(make_daemon, folder)
    daemon.cancel(job)
    try:
        assert daemon.result(job, LIMIT / 6) == "failed"
        assert daemon.dax()["BlocksOnline"] == 2  # the one that failed, the first that was put back
    except NotInTime:
        daemon.inject("resume")
        raise


def test_a_hanging_rollback_does_not_keep_the_daemon_from_stopping(make_daemon, folder):
    daemon, _ = hanging_rollback(make_daemon, folder)
    daemon.process.terminate()
    assert daemon.ends_by_itself(LIMIT / 6) == 0


def test_jobs_of_two_devices_do_not_wait_for_each_others_pauses(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="set_block", errno="EBUSY", dax="dax0.0", count=0)
    slow = daemon.online("dax0.0", "movable")
    assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
    assert daemon.removed(slow) is None
    daemon.inject("clear-faults")
    assert daemon.result(slow) == "done"


def test_a_job_with_a_broken_reader_ends(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="read_blocks", errno="EIO", count=0)
    daemon.inject("fail", operation="set_block", errno="EIO", count=0)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job, LIMIT / 3) in ("failed", "partial")
    assert "EIO" in daemon.error(job)[1]


def test_a_job_that_waits_for_the_worker_is_canceled_and_timed_out_at_once(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    hanging = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(hanging)["BlocksDone"] == 1)
    late = daemon.online("dax1.0", "movable", timeout=50_000)
    assert daemon.result(late) == "timeout"
    waiting = daemon.online("dax1.0", "movable")
    daemon.cancel(waiting)
    assert daemon.result(waiting) == "canceled"
    assert daemon.job(hanging)["State"] == "running"
    daemon.inject("resume")
    assert daemon.result(hanging) == "done"


def test_a_policy_job_that_is_no_longer_wanted_does_not_begin(make_daemon):
    both = 'kind = "cxl-ram"'
    daemon = make_daemon(policy=rule("all", both, 'zone = "movable"'))
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    before = daemon.jobs("dax1.0")
    daemon.inject("hang", operation="set_block", dax="dax0.0")
    daemon.policy_file.write_text(rule("all", both, 'zone = "kernel"'))
    daemon.reload()
    unwanted = daemon.wait_new_job("dax1.0", before)
    daemon.policy_file.write_text(rule("all", both, 'zone = "movable"'))
    daemon.reload()
    assert daemon.result(unwanted) == "canceled"
    daemon.inject("resume")
    daemon.wait_idle()
    daemon.wait_dax("dax0.0", BlocksMovable=32, InPolicy=True)
    assert daemon.dax("dax1.0")["BlocksMovable"] == 32
    assert daemon.jobs("dax1.0") == [*before, unwanted]


def test_canceling_a_job_of_ones_own_is_no_trouble_of_the_device(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 1)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.wait(lambda: daemon.manager["State"] == "idle", "no trouble")
    assert daemon.dax()["LastError"] == ("", "")
