"""Dynamic capacity: extents come and go while blocks go online and offline (R5)."""

import random

from harness import MOVABLE, dax_path
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
