# SPDX-License-Identifier: LGPL-2.1-or-later
"""What another actor changes after policy was carried out once."""

from harness import MOVABLE, rule

ENFORCE = rule(memory='zone = "movable"\ndrift = "enforce"')


def settled(make_daemon, policy=MOVABLE, **what):
    daemon = make_daemon(policy=policy, **what)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.look_again()
    return daemon


def test_drift_is_reported_and_not_put_back(make_daemon):
    daemon = settled(make_daemon)
    jobs = daemon.jobs()
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    device = daemon.wait_dax(BlocksOnline=31, InPolicy=False)
    daemon.look_again(2)
    device = daemon.dax()
    assert device["BlocksOnline"] == 31
    assert daemon.jobs() == jobs
    name, message = device["LastError"]
    assert name.endswith(".Conflict") and "somebody else" in message and "apply" in message
    # What it was and what it is, and who may have done it.
    assert "was online in ZONE_MOVABLE and is offline" in message
    assert "suspected: nothing on this machine is known to take memory offline" in message
    assert daemon.manager["State"] == "degraded"
    assert any("somebody else" in line for line in daemon.explain("dax0.0")["obstacles"])
    # The other device is none of it.
    assert daemon.dax("dax1.0")["LastError"] == ("", "")


def test_apply_puts_drift_right(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.wait_dax(BlocksOnline=31)
    (job,) = daemon.apply()
    assert daemon.result(job) == "done"
    daemon.wait_dax(BlocksOnline=32, InPolicy=True, LastError=("", ""))
    assert daemon.manager["State"] == "idle"


def test_drift_that_the_other_puts_right_is_forgotten(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.wait_dax(BlocksOnline=31, InPolicy=False)
    daemon.inject("online-block", dax="dax0.0", nth=3, zone="movable")
    daemon.wait_dax(BlocksOnline=32, InPolicy=True, LastError=("", ""))


def test_a_block_moved_to_another_zone_is_drift(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.inject("online-block", dax="dax0.0", nth=3, zone="kernel")
    daemon.wait_dax(BlocksOnline=32, BlocksMovable=31, Zone="mixed", InPolicy=False)
    daemon.wait(lambda: "and is online in a kernel zone" in daemon.dax()["LastError"][1], "the drift's words")


def test_drift_is_enforced_where_the_rule_says_so(make_daemon):
    daemon = settled(make_daemon, ENFORCE)
    jobs = daemon.jobs()
    daemon.inject("offline-block", dax="dax0.0", nth=3, count=4)
    (new,) = {daemon.wait_new_job("dax0.0", after=jobs)}
    assert daemon.result(new) == "done"
    daemon.wait_dax(BlocksOnline=32, InPolicy=True)
    assert daemon.job(new)["StartedBy"] == 0
    assert daemon.job(new)["Operation"] == "policy"
    # The first line names the suspect already.
    (line,) = [line for line in daemon.log().splitlines() if "changed by somebody else" in line]
    assert "suspected: nothing on this machine is known to take memory offline" in line


def test_enforcing_does_not_fight_for_ever(make_daemon):
    daemon = settled(make_daemon, ENFORCE)
    fights = 0
    for _ in range(6):
        jobs = daemon.jobs()
        daemon.inject("offline-block", dax="dax0.0", nth=3)
        daemon.wait_dax(InPolicy=False)
        daemon.look_again()
        if daemon.jobs() == jobs:
            break
        daemon.wait_dax(BlocksOnline=32, InPolicy=True)
        daemon.wait_idle()
        fights += 1
    assert fights == 2
    assert "stops fighting" in daemon.dax()["LastError"][1]


def test_unbound_and_bound_again_is_new_memory(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("offline-block", dax="dax0.0", count=32)
    daemon.inject("unbind-dax", dax="dax0.0")
    daemon.wait_dax(Mode="unbound")
    daemon.inject("bind-dax", dax="dax0.0")
    daemon.wait_dax(Mode="system-ram", State="online", Zone="movable", InPolicy=True)


def test_drift_while_the_daemon_was_away_is_reconciled(make_daemon):
    """Nothing of the last run is needed, and nothing of it misleads."""
    daemon = settled(make_daemon)
    daemon.kill()
    daemon.start()
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
