# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memdev.PrepareRemove: emptying a card that somebody is going to pull."""

from harness import MOVABLE, ONLY_WATCH, dax_path, path_of, rule
from take_away import REGION0, hanging, online, pool  # noqa: F401


def test_a_card_is_emptied_and_held_until_it_is_back(make_daemon):
    daemon = online(make_daemon)
    job = daemon.prepare_remove("mem0")
    assert daemon.job(job)["Operation"] == "prepare-remove"
    assert daemon.job(job)["Object"] == path_of("memdev", "mem0")
    assert daemon.result(job) == "done"
    assert (daemon.job(job)["BlocksDone"], daemon.job(job)["BlocksTotal"]) == (32, 32)
    device = daemon.dax()
    assert (device["Mode"], device["BlocksOnline"], device["Held"]) == ("unbound", 0, True)
    assert REGION0 in daemon.objects
    assert (daemon.dax("dax1.0")["State"], daemon.dax("dax1.0")["Held"]) == ("online", False)
    # Nothing that makes policy look brings it online again, not even a new daemon.
    daemon.reload()
    assert daemon.apply() == []
    daemon.look_again()
    assert (daemon.dax()["Mode"], daemon.dax()["Held"]) == ("unbound", True)

    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait_gone(dax_path("dax0.0"))
    assert not daemon.dax("dax1.0")["RebootRequired"]
    # What the kernel leaves of the region without its card goes like any other.
    daemon.wait(lambda: daemon.properties(REGION0, "Region")["Memdevs"] == [])
    assert daemon.result(daemon.remove_region("region0")) == "done"
    daemon.inject("add-memdev", serial=1, name="mem0", ram_size="4GiB")
    daemon.inject("add-region", memdevs="mem0", name="region0", start=0x590000000)
    daemon.wait_dax("dax0.0", State="online", Zone="movable", Held=False, InPolicy=True)


def test_the_hold_outlives_the_daemon_and_ends_with_the_card(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    daemon.stop()  # the emulated machine ends with it, and is new then
    daemon.start()
    daemon.wait_dax("dax1.0", State="online")
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Held"]) == (0, True)
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.inject("remove-region", region="region0")
    daemon.inject("add-memdev", serial=1, name="mem0", ram_size="4GiB")
    daemon.inject("add-region", memdevs="mem0", name="region0", start=0x590000000)
    daemon.wait_dax("dax0.0", State="online", Held=False)


def test_release_gives_a_prepared_card_back_to_policy(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    daemon.release("dax0.0")
    daemon.wait_dax("dax0.0", State="online", Mode="system-ram", Held=False, InPolicy=True)
    # Held by hand now, it stays so when the card goes: that hold is not the card's.
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.inject("remove-region", region="region0")
    daemon.inject("add-memdev", serial=1, name="mem0", ram_size="4GiB")
    daemon.inject("add-region", memdevs="mem0", name="region0", start=0x590000000)
    daemon.wait_dax("dax0.0", Held=True)
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == 0


def test_a_card_of_two_regions_takes_all_their_devices(pool):
    job = pool.prepare_remove("mem1")
    assert pool.job(job)["BlocksTotal"] == 24
    assert pool.result(job) == "done"
    for device in ("dax0.0", "dax0.1", "dax1.0"):
        assert (pool.dax(device)["Mode"], pool.dax(device)["Held"]) == ("unbound", True)
    pool.inject("remove-memdev", memdev="mem1")
    pool.wait(lambda: not [path for path in pool.objects if "/dax/" in path], "all devices have gone")


def test_a_pinned_block_in_the_last_device_puts_back_all(pool):
    pool.inject("pin-block", dax="dax1.0", nth=7)
    job = pool.prepare_remove("mem1")
    assert pool.result(job) == "failed"
    assert "dax1.0" in pool.error(job)[1]
    for device in ("dax0.0", "dax0.1", "dax1.0"):
        pool.wait_dax(device, Mode="system-ram", State="online", Zone="movable", Held=False, InPolicy=True)


def test_canceled_it_leaves_no_hold(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.prepare_remove, "mem0", 4)
    assert daemon.dax()["Held"]
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.wait_dax(State="online", Held=False, InPolicy=True)


def test_pulled_in_the_middle_it_ends_as_gone(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.prepare_remove, "mem0", 4)
    daemon.inject("remove-memdev", memdev="mem0")
    assert daemon.result(job) == "gone"
    daemon.wait_gone(path_of("memdev", "mem0"))


def test_a_card_that_nothing_stands_on_is_ready_at_once(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.wait(lambda: path_of("memdev", "mem7") in daemon.objects)
    job = daemon.prepare_remove("mem7")
    assert daemon.result(job) == "done"
    assert (daemon.job(job)["BlocksTotal"], daemon.job(job)["Progress"]) == (0, 1.0)


def test_what_was_held_before_stays_held_when_it_fails(make_daemon):
    daemon = online(make_daemon, policy=rule(memory='zone = "movable"', drain="retries = 1"))
    daemon.hold("dax0.0")
    daemon.inject("pin-block", dax="dax0.0", nth=7)
    assert daemon.result(daemon.prepare_remove("mem0")) == "failed"
    assert (daemon.dax()["State"], daemon.dax()["Held"]) == ("online", True)


def test_a_devdax_device_of_a_card_is_unbound_too(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("add-memdev", serial=9, name="mem7", pmem_size="2GiB")
    daemon.inject("add-region", memdevs="mem7", kind="cxl-pmem", name="region7", start=0x800000000, mode="devdax")
    daemon.wait_dax("dax7.0")
    assert daemon.result(daemon.prepare_remove("mem7")) == "done"
    assert daemon.dax("dax7.0")["Mode"] == "unbound"


def test_no_region_is_made_on_a_card_that_is_prepared_for_its_removal(make_daemon):
    table = '[[region]]\nname = "pool"\nmemdev_serial = [{}]\nsize = "1GiB"\n'
    daemon = make_daemon(policy=MOVABLE)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("add-memdev", serial=0x77, name="mem7", host="0000:77:00.0")
    daemon.wait(lambda: path_of("memdev", "mem7") in daemon.objects, "the card")
    assert daemon.result(daemon.prepare_remove("mem7")) == "done"
    daemon.policy_file.write_text(MOVABLE + table.format("0x77"))
    daemon.reload()
    (entry,) = [entry for _, entry in daemon.plan() if entry["rule"] == "pool"]
    assert entry["action"] == "blocked" and "prepared for its removal" in entry["reason"]
    daemon.look_again(2)
    assert path_of("region", "region2") not in daemon.objects
    # Another card with that serial, or this one again, is policy's.
    daemon.inject("remove-memdev", memdev="mem7")
    daemon.wait(lambda: path_of("memdev", "mem7") not in daemon.objects, "the card has gone")
    daemon.inject("add-memdev", serial=0x77, name="mem7", host="0000:77:00.0")
    daemon.wait(lambda: path_of("region", "region2") in daemon.objects, "the region")
