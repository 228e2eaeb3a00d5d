# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come, go and are replaced while something is done to them."""

from harness import MOVABLE, ONLY_WATCH, dax_path, path_of
from wire import NAME, OBJECT_MANAGER


def watched_and_hanging(make_daemon, nth=3):
    """A daemon whose job on dax0.0 hangs at its nth block."""
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=nth)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == nth - 1)
    return daemon, job


def ends_of_life(daemon):
    """Removals and ends of jobs, as paths, in the order in which the bus told them."""
    out = []
    for signal in daemon.client.signals:
        if signal.member == "JobRemoved":
            out.append(signal.body[1])
        elif signal.member == "InterfacesRemoved":
            out.append(signal.body[0])
    return out


def test_a_hot_added_region_is_picked_up(make_daemon):
    daemon = make_daemon()
    daemon.inject("add-memdev", serial=9, name="mem7", ram_size="2GiB")
    daemon.inject("add-region", memdevs="mem7", name="region5")
    device = daemon.wait_dax("dax5.0", State="online", Zone="movable", InPolicy=True)
    assert device["BlocksTotal"] == 16
    region = daemon.properties(device["Region"], "Region")
    assert region["Name"] == "region5"
    assert region["Memdevs"] == [path_of("memdev", "mem7")]
    assert region["DaxDevices"] == [dax_path("dax5.0")]
    assert daemon.properties(device["Node"], "Node")["DaxDevices"] == [dax_path("dax5.0")]


def test_a_hot_added_region_that_the_kernel_onlined_is_rezoned(make_daemon):
    daemon = make_daemon(machine="auto-online")
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.inject("add-region", memdevs="mem7")
    daemon.wait_dax("dax2.0", State="online", Zone="movable", InPolicy=True)


def test_lost_and_doubled_events_change_nothing(make_daemon):
    daemon = make_daemon()
    daemon.inject("events", lose=5, double=500)
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.inject("add-region", memdevs="mem7")
    daemon.wait_dax("dax2.0", State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    assert len(daemon.jobs("dax2.0")) == 1


def test_R1_objects_go_in_the_reverse_of_the_order_in_which_they_came(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.inject("add-region", memdevs="mem7", name="region5")
    daemon.wait_dax("dax5.0")
    daemon.wait(lambda: daemon.node(3))
    paths = [path_of("memdev", "mem7"), path_of("region", "region5"), path_of("node", "node3"), dax_path("dax5.0")]
    added = [s.body[0] for s in daemon.client.signals if s.member == "InterfacesAdded" and s.body[0] in paths]
    assert added == paths
    daemon.inject("remove-region", region="region5")
    daemon.inject("remove-memdev", memdev="mem7")
    daemon.wait_gone(path_of("memdev", "mem7"))
    removed = [path for path in ends_of_life(daemon) if path in paths]
    assert removed.index(dax_path("dax5.0")) < removed.index(path_of("region", "region5"))
    assert removed[-1] == path_of("memdev", "mem7")
    assert sorted(removed) == sorted(paths), "each once, none left"


def test_R7_a_job_in_flight_ends_as_gone_when_its_device_goes(make_daemon):
    daemon, job = watched_and_hanging(make_daemon)
    daemon.inject("remove-region", region="region0")
    assert daemon.result(job) == "gone"
    assert daemon.error(job)[0] == f"{NAME}.Error.Gone"
    assert "dax0.0" in daemon.error(job)[1]
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.wait_idle()


def test_R7_a_job_ends_before_its_device_is_taken_off_the_bus(make_daemon):
    daemon, job = watched_and_hanging(make_daemon)
    daemon.inject("remove-region", region="region0")
    daemon.wait_gone(path_of("region", "region0"))
    assert daemon.result(job) == "gone"
    assert ends_of_life(daemon)[:3] == [job, dax_path("dax0.0"), path_of("region", "region0")]


def test_R7_a_job_that_waits_ends_before_its_device_is_taken_off_the_bus(make_daemon):
    daemon, first = watched_and_hanging(make_daemon)
    waiting = daemon.online("dax1.0", "movable")
    daemon.inject("remove-region", region="region1")
    daemon.inject("resume")
    assert daemon.result(waiting) == "gone"
    assert daemon.result(first) == "done"
    daemon.wait_gone(dax_path("dax1.0"))
    ends = ends_of_life(daemon)
    assert ends.index(waiting) < ends.index(dax_path("dax1.0"))


def test_R7_a_job_that_pauses_ends_before_its_device_is_taken_off_the_bus(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EBUSY", count=0)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.look_again()  # at least one round of failures is over
    daemon.inject("remove-region", region="region0")
    daemon.wait_gone(dax_path("dax0.0"))
    assert daemon.result(job) == "gone"
    ends = ends_of_life(daemon)
    assert ends.index(job) < ends.index(dax_path("dax0.0"))


def test_R7_a_successor_of_the_same_name_is_not_touched(make_daemon):
    daemon, job = watched_and_hanging(make_daemon)
    daemon.inject("replace-dax", dax="dax0.0", start=0xA00000000)
    assert daemon.result(job) == "gone"
    device = daemon.wait_dax(Resource=0xA00000000)
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == 0
    assert not device["Held"]
    assert daemon.jobs("dax0.0") == [job]
    # A new object, not the old one with new values.
    life = [(s.member, s.body[0]) for s in daemon.client.signals if s.interface == OBJECT_MANAGER
            and s.body[0] == dax_path("dax0.0")]
    assert [member for member, _ in life][-2:] == ["InterfacesRemoved", "InterfacesAdded"]


def test_R7_a_successor_at_the_same_place_is_not_touched(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block")
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.inject("replace-dax", dax="dax0.0")
    assert daemon.result(job) == "gone"
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == 0


def test_R7_policy_begins_anew_with_the_successor(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", dax="dax0.0")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.inject("replace-dax", dax="dax0.0", start=0xA00000000)
    assert daemon.result(job) == "gone"
    # A write that began behind the exchange did not come to hang: the successor's would.
    daemon.inject("clear-faults")
    daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.dax()["InPolicy"])
    daemon.wait_dax(Resource=0xA00000000, State="online", Zone="movable", InPolicy=True)


def test_a_card_that_is_pulled_while_its_memory_drains(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=5)
    job = daemon.offline("dax0.0", rollback=True)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 4)
    daemon.inject("remove-memdev", memdev="mem0")
    assert daemon.result(job) == "gone"
    daemon.wait_gone(path_of("memdev", "mem0"))
    def region():
        return daemon.properties(path_of("region", "region0"), "Region")

    daemon.wait(lambda: region()["Memdevs"] == region()["DaxDevices"] == [], "the region is empty")


def test_a_device_that_goes_during_rollback(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EIO", nth=20)
    daemon.inject("hang", operation="set_block", nth=34)
    job = daemon.offline("dax0.0", rollback=True)
    daemon.wait(lambda: daemon.error(job)[0])
    daemon.inject("remove-region", region="region0")
    assert daemon.result(job) == "gone"
    daemon.wait_gone(dax_path("dax0.0"))


def test_a_device_that_goes_while_it_is_bound(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax0.0", "devdax")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.inject("remove-region", region="region0")
    assert daemon.result(job) == "gone"


def test_calls_on_a_removed_device_say_so(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("remove-region", region="region0")
    # Before the daemon has seen it, or after: an error that names what is the matter, and no job that hangs.
    try:
        assert daemon.result(daemon.online("dax0.0", "movable")) == "gone"
    except Exception as error:
        assert getattr(error, "name", "") in ("org.freedesktop.DBus.Error.UnknownObject", "Gone", "NotFound"), error
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.fails("org.freedesktop.DBus.Error.UnknownObject", daemon.online, "dax0.0", "movable")
