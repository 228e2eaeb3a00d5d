# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dynamic capacity: extents come and go while blocks go online and offline (R5)."""

import random

from harness import MOVABLE, dax_path, rule
from wire import NAME, BusError

GIB = 1 << 30


def extents(daemon):
    """The dax devices of the region, as the bus has them."""
    return {values[f"{NAME}.DaxDevice"]["Name"]: values[f"{NAME}.DaxDevice"] for values in daemon.objects.values()
            if f"{NAME}.DaxDevice" in values}


def test_R5_an_extent_is_picked_up_and_kept_while_it_is_in_use(make_daemon):
    daemon = make_daemon(machine="dynamic-capacity", policy=MOVABLE)
    daemon.inject("add-extent", region="region0", size="1GiB")
    device = daemon.wait_dax("dax0.1", State="online", InPolicy=True)
    assert device["BlocksTotal"] == 8
    assert "EBUSY" in daemon.fails("Busy", daemon.inject, "release-extent", dax="dax0.1")
    daemon.hold("dax0.1")
    assert daemon.result(daemon.offline("dax0.1")) == "done"
    assert daemon.result(daemon.set_mode("dax0.1", "devdax")) == "done"
    daemon.inject("unbind-dax", dax="dax0.1")
    daemon.inject("release-extent", dax="dax0.1")
    daemon.wait_gone(dax_path("dax0.1"))
    assert daemon.dax("dax0.0")["State"] == "online"


def test_R5_an_extent_that_is_taken_in_the_middle_of_a_job_ends_it_as_gone(make_daemon):
    daemon = make_daemon(machine="dynamic-capacity", policy="")
    daemon.inject("add-extent", region="region0", size="1GiB")
    daemon.wait_dax("dax0.1")
    daemon.inject("release-extent", dax="dax0.1", force=True, **{"on.operation": "online", "on.dax": "dax0.1", "on.nth": 3})
    other = daemon.online("dax0.0", "movable")
    assert daemon.result(daemon.online("dax0.1", "movable")) == "gone"
    assert daemon.result(other) == "done"
    daemon.wait_gone(dax_path("dax0.1"))


def test_R5_no_deadlock_and_no_lost_extent(make_daemon):
    """Extents come and go, some by force, while everything is slow and events get lost and late."""
    daemon = make_daemon(machine="dynamic-capacity", policy=MOVABLE)
    random.seed(5)
    daemon.inject("delay", operation="set_block", usec=500)
    daemon.inject("lose-events", probability="0.1")
    daemon.inject("delay-events", usec="3ms", probability="0.2")
    times = []
    for _ in range(60):
        name = f"dax0.{random.randrange(1, 7)}"
        try:
            random.choice([
                lambda: daemon.inject("add-extent", region="region0", size=GIB),
                lambda: daemon.inject("release-extent", dax=name),
                lambda: daemon.inject("release-extent", dax=name, force=True),
                lambda: daemon.offline(name),
                lambda: daemon.release(name),
            ])()
        except BusError:
            pass  # there is none, or it is in use
        times.append(daemon.round_trip())
    daemon.inject("clear-faults")
    daemon.nudge()
    daemon.look_again(2)
    daemon.wait_idle()
    for name, device in sorted(extents(daemon).items()):
        total = sum(length for _, length in device["Ranges"])
        assert device["Size"] == total and device["BlocksTotal"] * (128 << 20) == total, name
        assert device["BlocksOnline"] <= device["BlocksTotal"], name
        # Whoever was neither held by hand nor lost to a forced release is where policy wants it.
        assert device["InPolicy"] or device["Held"] or device["RebootRequired"] or device["Mode"] == "unbound", device
    assert max(times) < 5


def test_R5_extents_of_one_tag_are_one_device_with_their_ranges(make_daemon):
    daemon = make_daemon(machine="dynamic-capacity", policy=MOVABLE)
    daemon.inject("add-extent", region="region0", size="512MiB", count=3)
    device = daemon.wait_dax("dax0.1", State="online", Zone="movable", InPolicy=True)
    assert [length for _, length in device["Ranges"]] == [GIB // 2] * 3
    assert device["BlocksTotal"] == 12 and device["Size"] == 3 * GIB // 2


def test_R5_a_device_in_use_gains_an_extent_and_policy_brings_it_online(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy=MOVABLE)
    daemon.wait_dax("dax0.0", State="online", BlocksTotal=16, InPolicy=True)
    before = len(daemon.jobs("dax0.0"))
    daemon.inject("add-extent", dax="dax0.0", size="1GiB")
    device = daemon.wait_dax("dax0.0", State="online", BlocksTotal=24, BlocksOnline=24, InPolicy=True)
    assert len(device["Ranges"]) == 3 and device["LastError"] == ("", "")
    assert device["BytesOnline"] == 3 * GIB
    assert len(daemon.jobs("dax0.0")) == before + 1, "one job was enough"
    assert "changed by somebody else" not in daemon.log()
    assert not any(s.member == "InterfacesRemoved" and s.body[0] == dax_path("dax0.0") for s in daemon.client.signals)


def test_R5_an_extent_that_joins_in_the_middle_of_a_job_is_not_forgotten(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy="")
    daemon.inject("add-extent", dax="dax0.0", size="1GiB", **{"on.operation": "online", "on.nth": 3})
    daemon.inject("add-extent", dax="dax0.0", size="512MiB", **{"on.operation": "online", "on.nth": 18})
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    device = daemon.wait_dax("dax0.0", BlocksTotal=28, BlocksOnline=28, InPolicy=True)
    assert len(device["Ranges"]) == 4 and device["LastError"] == ("", "")
    assert "changed by somebody else" not in daemon.log()


def test_R5_one_of_several_extents_goes_and_the_others_stay(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy=MOVABLE)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    assert "EBUSY" in daemon.fails("Busy", daemon.inject, "release-extent", dax="dax0.0", nth=1)
    daemon.hold("dax0.0")
    start, length = daemon.dax("dax0.0")["Ranges"][1]
    for block in range(start >> 27, (start + length) >> 27):
        daemon.inject("offline-block", block=block)
    daemon.wait_dax("dax0.0", State="partial", BlocksOnline=8)
    daemon.inject("release-extent", dax="dax0.0", nth=1)
    device = daemon.wait_dax("dax0.0", State="online", BlocksTotal=8, BlocksOnline=8)
    assert device["Ranges"] == [(0x590000000, GIB)] and device["Held"]
    daemon.release("dax0.0")
    daemon.wait_dax("dax0.0", InPolicy=True, LastError=("", ""))


def test_R5_an_extent_that_is_taken_in_the_middle_of_a_job_leaves_the_others_to_it(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy="")
    # Onlined downwards: the extent behind the gap first, so it is taken while nothing of the first is online.
    daemon.inject("release-extent", dax="dax0.0", nth=0, force=True, **{"on.operation": "online", "on.nth": 3})
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "gone"
    daemon.wait_dax("dax0.0", BlocksTotal=8, BlocksOnline=3)
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"

    daemon.inject("add-extent", dax="dax0.0", size="1GiB")
    daemon.wait_dax("dax0.0", BlocksTotal=16)
    daemon.inject("release-extent", dax="dax0.0", nth=1, force=True, **{"on.operation": "online", "on.nth": 3})
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done", "of what is left all is online"
    device = daemon.wait_dax("dax0.0", BlocksTotal=8, BlocksOnline=8)
    assert device["State"] == "online" and not device["RebootRequired"]
    assert daemon.node(1)["BytesOnline"] == GIB + 3 * (128 << 20), "the lost blocks are there until reboot"


def test_R5_ranges_grow_and_shrink_while_blocks_go_online_and_offline(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    random.seed(7)
    daemon.inject("delay", operation="set_block", usec=300)
    daemon.inject("lose-events", probability="0.1")
    daemon.inject("delay-events", usec="3ms", probability="0.2")
    times = []
    for _ in range(80):
        try:
            random.choice([
                lambda: daemon.inject("add-extent", dax="dax0.0", size=f"{random.choice([2, 128, 512])}MiB"),
                lambda: daemon.inject("release-extent", dax="dax0.0", nth=random.randrange(4)),
                lambda: daemon.inject("offline-block", dax="dax0.0", nth=random.randrange(8)),
                lambda: daemon.offline("dax0.0"),
                lambda: daemon.release("dax0.0"),
                lambda: daemon.apply(),
            ])()
        except BusError:
            pass  # it is in use, there is no room, nothing to release
        times.append(daemon.round_trip())
    daemon.inject("clear-faults")
    daemon.look_again(2)
    daemon.wait_idle()
    daemon.release("dax0.0")
    daemon.apply()
    device = daemon.wait_dax("dax0.0", InPolicy=True, State="online")
    whole = sum((start + length) // (128 << 20) - -(-start // (128 << 20)) for start, length in device["Ranges"]
                if length >= 128 << 20)
    assert device["BlocksOnline"] == device["BlocksTotal"] == whole
    assert device["Size"] == sum(length for _, length in device["Ranges"])
    assert device["BytesStranded"] == device["Size"] - whole * (128 << 20)
    assert max(times) < 5


def test_R5_an_extent_that_kmem_could_not_add_is_said_and_the_others_are_brought_online(make_daemon):
    daemon = make_daemon(machine="growing-extents", policy=MOVABLE)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.inject("reserve-range", start=0x5d0000000, size="1GiB", holder="somebody")
    daemon.inject("add-extent", dax="dax0.0", offset="1GiB", size="1GiB")
    daemon.inject("add-extent", dax="dax0.0", offset="2GiB", size="512MiB")
    daemon.wait_dax("dax0.0", BlocksTotal=28, BlocksOnline=20, State="partial", InPolicy=False)
    daemon.wait(lambda: "8 of 28 blocks are missing" in daemon.dax()["LastError"][1], "what kmem did not add is said")
    daemon.look_again(2)
    daemon.wait_idle()
    assert "changed by somebody else" not in daemon.log()
    assert len(daemon.jobs("dax0.0")) == 2, "one for each time that there was something to do"
