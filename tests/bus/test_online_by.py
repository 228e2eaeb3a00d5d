# SPDX-License-Identifier: LGPL-2.1-or-later
"""[rule.memory] online_by: a whole device by one write to daxX.Y/state (7.3), or block by block."""

import pytest

from harness import MOVABLE, QUICK_RETRY, rule
from test_field import NEWER

BY_STATE = rule(memory='zone = "movable"\nonline_by = "state"')
ENFORCED = rule(memory='zone = "movable"\nonline_by = "state"\ndrift = "enforce"')
SLOW = NEWER.replace("famfs = true", 'famfs = true\ntime_model = "before-7.4"').replace('"1GiB"', '"16GiB"').replace(
    '"4GiB"', '"16GiB"')


@pytest.fixture
def newer(make_daemon, tmp_path):
    """A daemon on a machine like Linux 7.3 with one card of eight blocks; `text`: another machine."""
    def make(policy, text=NEWER, **more):
        path = tmp_path / "machine.toml"
        path.write_text(text)
        return make_daemon(machine=path, policy=policy, **more)

    return make


def settled(daemon, **wanted):
    device = daemon.wait_dax(InPolicy=True, **wanted)
    daemon.wait_idle()
    return device


def test_the_state_agrees_with_the_blocks_both_ways(newer):
    daemon = newer(BY_STATE)
    device = settled(daemon, State="online", Zone="movable", HotplugState="online_movable")
    assert device["HotplugNote"] == ""
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    device = daemon.dax()
    assert (device["HotplugState"], device["BlocksOnline"], device["HotplugNote"]) == ("unplugged", 0, "")
    # By hand as by policy: what the rule says of the way holds.
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    device = daemon.dax()
    assert (device["HotplugState"], device["Zone"], device["BlocksOnline"]) == ("online_movable", "movable", 8)


def test_by_blocks_the_state_stays_behind_and_that_is_said(newer):
    daemon = newer(MOVABLE)
    device = settled(daemon, State="online", Zone="movable", HotplugState="offline")
    assert "its state reads 'offline', and 8 of its 8 memory blocks are online" in device["HotplugNote"]
    assert device["HotplugNote"] in daemon.explain("dax0.0")["reason"]
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert daemon.dax()["HotplugNote"] == ""


def test_a_kernel_without_it_does_it_by_blocks_and_says_so(make_daemon):
    daemon = make_daemon(policy=BY_STATE)
    device = settled(daemon, State="online", Zone="movable")
    assert "this kernel has no daxX.Y/state" in device["Reason"]
    assert (device["HotplugState"], device["HotplugNote"]) == ("", "")


def test_the_plan_says_what_is_done(newer):
    daemon = newer("")
    daemon.policy_file.write_text(BY_STATE)
    daemon.call("/org/cxlmemd1", "Manager", "Reload", "(a{sv})", {})
    settled(daemon, State="online")
    daemon.policy_file.write_text(rule(memory='zone = "kernel"\nonline_by = "state"'))
    daemon.reload()
    device = settled(daemon, Zone="kernel", HotplugState="online_kernel")
    assert device["HotplugNote"] == ""
    assert "by one write to its state" in daemon.log()


def test_memory_that_is_pinned_stays_all_of_it(newer):
    daemon = newer(BY_STATE, settings=QUICK_RETRY)
    settled(daemon, State="online", HotplugState="online_movable")
    daemon.inject("pin-block", dax="dax0.0", nth=3)
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "failed"
    assert "set state unplugged" in daemon.error(job)[1]
    device = daemon.dax()
    assert (device["BlocksOnline"], device["HotplugState"]) == (8, "online_movable")


def test_a_plug_that_fails_after_the_unplug_is_an_error_and_release_brings_it_back(newer):
    daemon = newer(BY_STATE, settings=QUICK_RETRY)
    settled(daemon, State="online", HotplugState="online_movable")
    # The first call takes it away; the second should bring it to the kernel zone, and cannot.
    daemon.inject("fail", operation="set_hotplug_state", errno="ENOMEM", nth=2)
    job = daemon.online("dax0.0", "kernel")
    assert daemon.result(job) == "failed"
    assert "set state online_kernel" in daemon.error(job)[1] and "ENOMEM" in daemon.error(job)[1]
    assert daemon.dax()["HotplugState"] == "unplugged"
    daemon.release("dax0.0")
    settled(daemon, BlocksOnline=8, Zone="movable", HotplugState="online_movable")


def test_canceled_between_unplug_and_plug_it_is_put_back(newer):
    daemon = newer(BY_STATE)
    settled(daemon, State="online", HotplugState="online_movable")
    # Long enough to be met there; put back it passes.
    daemon.inject("delay", operation="set_hotplug_state", usec=2_000_000, nth=2, count=1)
    job = daemon.online("dax0.0", "kernel")
    daemon.wait(lambda: daemon.job(job)["Progress"] > 0, "it is away")
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    device = daemon.dax()
    assert (device["BlocksOnline"], device["Zone"], device["HotplugState"]) == (8, "movable", "online_movable")


def test_canceled_while_it_goes_it_is_as_it_was(newer):
    daemon = newer(BY_STATE)
    settled(daemon, State="online", HotplugState="online_movable")
    daemon.inject("delay", operation="set_hotplug_state", usec=60_000_000, count=1)
    job = daemon.offline("dax0.0")
    daemon.wait(lambda: daemon.job(job)["State"] == "running", "it runs")
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    device = daemon.dax()
    assert (device["BlocksOnline"], device["HotplugState"], device["Zone"]) == (8, "online_movable", "movable")


def test_progress_is_read_from_the_blocks(newer):
    daemon = newer(BY_STATE, text=SLOW)
    settled(daemon, State="online", HotplugState="online_movable")
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "done"
    seen = [signal.body[1]["Progress"] for signal in daemon.client.signals
            if signal.member == "PropertiesChanged" and signal.path == job and "Progress" in signal.body[1]]
    assert any(0 < each < 1 for each in seen), seen
    assert seen == sorted(seen)


def test_drift_is_put_right_the_cheap_way(newer):
    daemon = newer(ENFORCED)
    settled(daemon, State="online", HotplugState="online_movable")
    # One block: the rest stays where it is.
    daemon.inject("offline-block", dax="dax0.0", nth=2)
    daemon.wait(lambda: "changed by somebody else" in daemon.log(), "the drift")
    device = settled(daemon, BlocksOnline=8)
    assert device["HotplugState"] == "online_movable"
    # All of it, once the job that put that right is over: until then it is the job's to mend.
    daemon.wait_idle()
    daemon.inject("write-dax-state", dax="dax0.0", value="unplugged")
    daemon.wait(lambda: "its state reads 'unplugged'" in daemon.log(), "it is seen")
    settled(daemon, BlocksOnline=8, HotplugState="online_movable", Mode="system-ram")
