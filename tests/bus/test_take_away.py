# SPDX-License-Identifier: LGPL-2.1-or-later
"""Region.Remove: taking memory away without losing any; what it shares with Memdev.PrepareRemove."""

import pytest
from gi.repository import GLib
from harness import BLOCK, MOVABLE, ONLY_WATCH, dax_path, path_of
from take_away import POOL, REGION0, hanging, online, pool  # noqa: F401
from wire import NAME


def test_a_region_is_drained_unbound_and_destroyed(make_daemon):
    daemon = online(make_daemon)
    gone = []
    daemon.client.watchers.append(lambda signal: gone.append(REGION0 in daemon.objects)
                                  if signal.member == "JobRemoved" and signal.body[2] == REGION0 else None)
    job = daemon.remove_region("region0")
    first = daemon.job(job)
    assert (first["Operation"], first["Object"], first["StartedBy"]) == ("remove", REGION0, 0)
    assert daemon.result(job) == "done"
    assert gone == [False], "the region was off the bus before the job ended"
    last = daemon.job(job)
    assert (last["BlocksDone"], last["BlocksTotal"], last["Progress"]) == (32, 32, 1.0)
    assert last["Error"] == ("", "")
    assert daemon.removed(job).body[2] == REGION0
    assert daemon.dax() is None and daemon.properties(REGION0, "Region") is None
    assert daemon.properties(path_of("memdev", "mem0"), "Memdev")["Regions"] == []
    assert daemon.managed_objects().keys() == daemon.objects.keys() - {"/org/cxlmemd1"}
    # The other one is as it was, and nothing has leaked: the region can be made again.
    assert daemon.dax("dax1.0")["State"] == "online"
    daemon.inject("add-region", memdevs="mem0")
    daemon.wait_dax("dax0.0", State="online", Zone="movable", InPolicy=True, Size=4 << 30)


def test_a_region_in_any_mode_and_without_memory_online(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    assert daemon.result(daemon.remove_region("region0")) == "done"
    assert daemon.result(daemon.remove_region("region1")) == "done"
    assert not [path for path in daemon.objects if "/region/" in path or "/dax/" in path]


def test_all_devices_of_a_region_are_drained_before_one_is_unbound(pool):
    modes = []
    pool.client.watchers.append(lambda signal: modes.append([pool.dax(d)["Mode"] for d in ("dax0.0", "dax0.1")])
                                if signal.path == dax_path("dax0.1") and "BlocksOnline" in signal.body[1] else None)
    pool.fails("Conflict", pool.remove_region, "region0")  # region1 stands above it on mem1
    assert pool.result(pool.remove_region("region1")) == "done"
    job = pool.remove_region("region0")
    assert pool.job(job)["BlocksTotal"] == 16
    assert pool.result(job) == "done"
    assert pool.job(job)["BlocksDone"] == 16
    assert modes and all(seen == ["system-ram", "system-ram"] for seen in modes)
    for name in ("mem0", "mem1"):
        assert pool.properties(path_of("memdev", name), "Memdev")["Regions"] == []
    assert not [path for path in pool.objects if "/dax/" in path]


def test_what_stands_above_is_named_and_nothing_is_drained(pool):
    message = pool.fails("Conflict", pool.remove_region, "region0")
    assert "region1" in message and "last decoder" in message and "remove region1 first" in message
    assert pool.dax("dax0.0")["State"] == "online"
    assert len(pool.jobs()) == 3, "policy's own"


@pytest.mark.parametrize("rollback", [True, False])
def test_a_pinned_block_stops_it_and_nothing_is_unbound(pool, rollback):
    assert pool.result(pool.remove_region("region1")) == "done"
    pool.inject("pin-block", dax="dax0.1", nth=3)
    job = pool.remove_region("region0", rollback=rollback, timeout=0)
    assert pool.result(job) == ("failed" if rollback else "partial")
    name, message = pool.error(job)
    assert name == f"{NAME}.Error.Busy"
    assert "dax0.1" in message and str(0x5D0000000 // BLOCK + 3) in message and "EBUSY" in message
    assert pool.job(job)["BlocksDone"] == 15 if not rollback else True
    # Nothing was unbound, and policy has it back, whether or not the job put it back itself.
    for device in ("dax0.0", "dax0.1"):
        pool.wait_dax(device, Mode="system-ram", State="online", Zone="movable", InPolicy=True, Held=False)
    # The obstacle away, the same call goes through.
    pool.inject("unpin-block", dax="dax0.1", nth=3)
    pool.wait_idle()
    assert pool.result(pool.remove_region("region0")) == "done"


def test_without_a_rule_a_failed_removal_puts_back_what_it_took(make_daemon, machine_file):
    daemon = make_daemon(policy=ONLY_WATCH, machine=machine_file(POOL.replace(
        "ranges =", 'blocks = "movable"\nranges =')))
    daemon.result(daemon.remove_region("region1"))
    daemon.inject("pin-block", dax="dax0.1", nth=0)
    assert daemon.result(daemon.remove_region("region0")) == "failed"
    for device in ("dax0.0", "dax0.1"):
        assert (daemon.dax(device)["BlocksOnline"], daemon.dax(device)["Zone"]) == (8, "movable")
        assert not daemon.dax(device)["Held"]


def test_a_destruction_that_fails_binds_and_onlines_again(make_daemon, machine_file):
    """Everything was drained and unbound by then."""
    daemon = make_daemon(policy=ONLY_WATCH, machine=machine_file(POOL.replace(
        "ranges =", 'blocks = "movable"\nranges =')))
    daemon.result(daemon.remove_region("region1"))
    daemon.inject("fail", operation="destroy_region", errno="EIO")
    job = daemon.remove_region("region0")
    assert daemon.result(job) == "failed"
    assert "region0" in daemon.error(job)[1] and "EIO" in daemon.error(job)[1]
    for device in ("dax0.0", "dax0.1"):
        seen = daemon.dax(device)
        assert (seen["Mode"], seen["BlocksOnline"], seen["Zone"]) == ("system-ram", 8, "movable")
    assert daemon.result(daemon.remove_region("region0")) == "done"


def test_policy_keeps_off_while_it_is_removed(make_daemon):
    daemon = online(make_daemon)
    jobs = daemon.jobs("dax0.0")
    daemon.inject("hang", operation="destroy_region")
    job = daemon.remove_region("region0")
    daemon.wait_dax(Mode="unbound")
    daemon.reload()
    assert "(remove)" in daemon.fails("Busy", daemon.apply)
    assert any("remove" in obstacle for obstacle in daemon.explain("dax0.0")["obstacles"])
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    assert daemon.jobs("dax0.0") == jobs


def test_cancel_takes_effect_at_the_next_block(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.remove_region, "region0", 11)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert daemon.error(job)[0] == f"{NAME}.Error.Canceled"
    daemon.wait_dax(Mode="system-ram", BlocksOnline=32, InPolicy=True, Held=False)
    assert REGION0 in daemon.objects


def test_cancel_after_the_unbinding_binds_again(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH, machine="auto-online")
    daemon.inject("hang", operation="destroy_region")
    job = daemon.remove_region("region0")
    daemon.wait_dax(Mode="unbound")
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert (daemon.dax()["Mode"], daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == ("system-ram", 32, "kernel")


def test_the_time_is_up(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("hang", operation="set_block", nth=5)
    job = daemon.remove_region("region0", timeout=300_000)
    assert daemon.result(job) == "timeout"
    assert daemon.error(job)[0] == f"{NAME}.Error.TimedOut" and "region0" in daemon.error(job)[1]
    daemon.wait_dax(State="online", InPolicy=True)


@pytest.mark.parametrize("event, details", [("remove-region", {"region": "region0"}),
                                            ("remove-memdev", {"memdev": "mem0"})])
def test_R7_it_ends_as_gone_if_somebody_else_was_faster(make_daemon, event, details):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.remove_region, "region0", 5)
    daemon.inject(event, **details)
    assert daemon.result(job) == "gone"
    assert daemon.error(job)[0] == f"{NAME}.Error.Gone" and "region0" in daemon.error(job)[1]
    daemon.wait_gone(dax_path("dax0.0"))


def test_R7_a_successor_is_not_removed_in_the_place_of_its_predecessor(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="destroy_region")
    job = daemon.remove_region("region0")
    daemon.wait_dax(Mode="unbound")
    daemon.inject("remove-region", region="region0")
    daemon.inject("add-region", memdevs="mem0", name="region0")
    daemon.inject("resume")
    assert daemon.result(job) == "gone"
    daemon.wait_dax(Mode="system-ram", Size=4 << 30)
    assert REGION0 in daemon.objects


def test_R11_memory_that_somebody_else_loses_in_the_middle_stops_it(pool):
    assert pool.result(pool.remove_region("region1")) == "done"
    job = hanging(pool, pool.remove_region, "region0", 5)
    pool.inject("unbind-dax", dax="dax0.1")  # with memory online: lost
    pool.inject("resume")
    assert pool.result(job) == "failed"
    assert pool.error(job)[0] == f"{NAME}.Error.RebootRequired"
    pool.wait_dax("dax0.1", RebootRequired=True)
    pool.wait_dax("dax0.0", State="online", InPolicy=True)
    assert REGION0 in pool.objects
    pool.fails("RebootRequired", pool.remove_region, "region0")


def test_a_device_that_somebody_else_unbinds_in_good_order_is_one_less(make_daemon, machine_file):
    daemon = make_daemon(policy=ONLY_WATCH, machine=machine_file(POOL))
    daemon.result(daemon.remove_region("region1"))
    assert daemon.result(daemon.online("dax0.1", "movable")) == "done"
    job = hanging(daemon, daemon.remove_region, "region0", 5)
    # The job has taken the second block and then the three highest ones.
    for event, more in (("offline-block", {"nth": 2, "count": 3}), ("offline-block", {"nth": 0}), ("unbind-dax", {})):
        daemon.inject(event, dax="dax0.1", **more)
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    assert REGION0 not in daemon.objects


def test_two_who_want_the_same_share_one_job(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.remove_region, "region0", 5)
    assert daemon.remove_region("region0") == job
    number = daemon.job(job)["Id"]
    for call, argument in ((daemon.prepare_remove, "mem0"), (daemon.offline, "dax0.0")):
        message = daemon.fails("Busy", call, argument)
        assert f"job {number} (remove)" in message
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    daemon.fails("org.freedesktop.DBus.Error.UnknownObject", daemon.remove_region, "region0")


def test_a_job_of_one_device_keeps_the_region_busy(pool):
    assert pool.result(pool.remove_region("region1")) == "done"
    job = hanging(pool, pool.offline, "dax0.1", 3)
    assert f"job {pool.job(job)['Id']} " in pool.fails("Busy", pool.remove_region, "region0")
    # Not one of its devices: it waits for nobody.
    pool.inject("resume")
    assert pool.result(job) == "done"


def test_policys_own_job_gives_way(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=3, dax="dax0.0")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    policy_job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(policy_job)["BlocksDone"] == 2)
    job = daemon.remove_region("region0")
    assert daemon.result(policy_job) == "canceled"
    assert daemon.result(job) == "done"
    assert REGION0 not in daemon.objects


def test_R13_without_hot_remove_it_is_refused_at_once(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("set-hotremove", possible=False)
    daemon.look_again()
    jobs = daemon.jobs()
    for call, name in ((daemon.remove_region, "region0"), (daemon.prepare_remove, "mem0")):
        assert "hot-remove" in daemon.fails("NotSupported", call, name)
    assert daemon.jobs() == jobs
    assert (daemon.dax()["State"], daemon.dax()["Held"]) == ("online", False)


def test_wrong_options_and_a_daemon_that_only_watches(make_daemon):
    daemon = online(make_daemon)
    jobs = daemon.jobs()
    for call, name in ((daemon.remove_region, "region0"), (daemon.prepare_remove, "mem0")):
        assert "'colour'" in daemon.fails("InvalidArgument", call, name, colour="red")
        assert "'hold'" in daemon.fails("InvalidArgument", call, name, hold=False)
        assert "'t'" in daemon.fails("InvalidArgument", call, name, timeout=GLib.Variant("s", "1s"))
    assert daemon.jobs() == jobs
    daemon.stop()
    daemon.arguments.append("--observe")
    daemon.start()
    daemon.fails("Conflict", daemon.remove_region, "region0")
    daemon.fails("Conflict", daemon.prepare_remove, "mem0")


def test_persistent_memory_is_not_destroyed(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("add-memdev", serial=9, name="mem7", pmem_size="2GiB")
    daemon.inject("add-region", memdevs="mem7", kind="cxl-pmem", name="region7", start=0x800000000, mode="devdax")
    daemon.wait_dax("dax7.0")
    assert "persistent" in daemon.fails("NotSupported", daemon.remove_region, "region7")


@pytest.mark.parametrize("event", ["unbind-dax", "replace-dax"])
@pytest.mark.parametrize("call", ["remove_region", "prepare_remove"])
def test_R11_a_removal_whose_device_goes_another_way_ends(make_daemon, call, event):
    daemon = make_daemon(policy=ONLY_WATCH)
    assert daemon.result(daemon.online("dax0.0", "movable", hold=False)) == "done"
    daemon.inject("hang", operation="set_block", nth=3)
    job = getattr(daemon, call)("region0" if call == "remove_region" else "mem0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 2)
    daemon.inject(event, dax="dax0.0")
    daemon.inject("resume")
    assert daemon.result(job) in ("failed", "gone")


def test_a_hold_ends_with_its_region(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.wait_idle()
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert daemon.dax()["Held"]
    assert daemon.result(daemon.remove_region("region0")) == "done"
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.inject("add-region", memdevs="mem0")
    daemon.wait_dax("dax0.0", State="online", InPolicy=True, Held=False)
