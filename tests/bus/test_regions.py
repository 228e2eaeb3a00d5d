# SPDX-License-Identifier: LGPL-2.1-or-later
"""Regions that [[region]] tables ask for."""

import pytest

from harness import MOVABLE, QUICK_RETRY, path_of
from wire import ROOT

GIB = 1 << 30


def wish(name="pool0", serials=(0x11, 0x12), more=""):
    return f'[[region]]\nname = "{name}"\ntype = "ram"\nmemdev_serial = {list(serials)}\n{more}\n'


def regions(daemon):
    """Name → properties of the regions that stand on the cards of these tests."""
    cards = {path_of("memdev", "mem2"), path_of("memdev", "mem3")}
    found = {path.rsplit("/", 1)[1]: daemon.properties(path, "Region")
             for path in daemon.objects if path.startswith(f"{ROOT}/region/")}
    return {name: region for name, region in found.items() if cards & set(region["Memdevs"])}


def conflicts(daemon):
    return [message for kind, message in daemon.manager["Conflicts"] if kind == "region"]


def add_cards(daemon, *numbers):
    for number in numbers:
        daemon.inject("add-memdev", serial=0x10 + number, name=f"mem{number + 1}")


def one_region(daemon):
    daemon.wait(lambda: len(regions(daemon)) == 1, "a region")
    return next(iter(regions(daemon).values()))


def test_a_region_is_made_once_its_cards_are_there_and_its_memory_follows_the_rules(make_daemon):
    daemon = make_daemon(policy=wish() + MOVABLE)
    assert "serials 0x11, 0x12" in daemon.wait(lambda: conflicts(daemon), "a conflict")[0]
    add_cards(daemon, 1)
    daemon.wait(lambda: "waits for serial 0x12" in conflicts(daemon)[0], "one card is missing")
    assert regions(daemon) == {}
    add_cards(daemon, 2)
    region = one_region(daemon)
    assert region["Memdevs"] == [path_of("memdev", "mem2"), path_of("memdev", "mem3")]
    assert (region["Size"], region["InterleaveWays"], region["Type"]) == (8 * GIB, 2, "ram")
    dax = region["DaxDevices"][0]
    daemon.wait(lambda: (device := daemon.properties(dax, "DaxDevice")) and device["InPolicy"], "its memory is online")
    assert daemon.properties(dax, "DaxDevice")["Zone"] == "movable"
    daemon.wait(lambda: conflicts(daemon) == [], "nothing is wrong any more")
    assert "made as region2" in daemon.log()


def test_the_order_of_the_serials_is_the_order_of_the_interleave(make_daemon):
    daemon = make_daemon(policy=wish(serials=(0x12, 0x11)))
    add_cards(daemon, 1, 2)
    assert one_region(daemon)["Memdevs"] == [path_of("memdev", "mem3"), path_of("memdev", "mem2")]


def test_it_is_planned_and_not_made_while_the_daemon_only_watches(make_daemon):
    daemon = make_daemon(policy=wish(), arguments=["--observe"])
    add_cards(daemon, 1, 2)
    path, entry = daemon.insist(daemon.round_trip, lambda: next(
        (e for e in daemon.plan() if e[1]["action"] == "create-region"), None), "it is planned")
    assert path == ROOT
    assert (entry["rule"], entry["bytes"], entry["blocks"]) == ("pool0", 8 * GIB, 0)
    assert entry["file"].endswith("50-test.toml") and entry["line"] == 1
    daemon.look_again(2)
    assert regions(daemon) == {}


def test_a_region_that_is_there_is_the_one_and_is_not_made_twice(make_daemon):
    daemon = make_daemon(policy=wish())
    add_cards(daemon, 1, 2)
    one_region(daemon)
    daemon.wait_idle()
    daemon.reload()
    daemon.look_again(2)
    assert len(regions(daemon)) == 1
    assert daemon.plan() == []


def test_a_region_that_differs_is_said_and_left(make_daemon):
    daemon = make_daemon(policy=wish("half", [0x1], 'size = "2GiB"'))
    assert "region0 is on these memdevs, and it has 4GiB, not 2GiB" in daemon.wait(
        lambda: conflicts(daemon), "a conflict")[0]
    daemon.look_again()
    assert daemon.properties(path_of("region", "region0"), "Region")["Size"] == 4 * GIB
    assert [entry[1]["action"] for entry in daemon.plan()] == ["blocked"]


def test_a_card_that_comes_back_gets_its_region_again(make_daemon):
    daemon = make_daemon(policy=wish(serials=[0x11]))
    add_cards(daemon, 1)
    one_region(daemon)
    daemon.wait_idle()
    daemon.inject("remove-memdev", memdev="mem2")
    daemon.wait(lambda: conflicts(daemon) and regions(daemon) == {}, "the card has gone")
    add_cards(daemon, 1)
    one_region(daemon)


def test_a_region_that_somebody_removes_stays_away_until_a_reload(make_daemon):
    daemon = make_daemon(policy=wish())
    add_cards(daemon, 1, 2)
    one_region(daemon)
    daemon.wait_idle()
    daemon.inject("remove-region", region="region2")
    daemon.wait(lambda: regions(daemon) == {}, "it is gone")
    daemon.look_again(2)
    assert regions(daemon) == {}
    assert daemon.log().count("it was removed while its memdevs stayed") == 1
    daemon.reload()
    one_region(daemon)


def test_a_region_that_fails_is_tried_again_and_then_made(make_daemon):
    daemon = make_daemon(policy=wish(), settings=QUICK_RETRY)
    daemon.inject("fail", operation="create_region", errno="EBUSY", count=2)
    add_cards(daemon, 1, 2)
    one_region(daemon)
    daemon.wait(lambda: conflicts(daemon) == [], "nothing is wrong any more")
    assert "EBUSY" in daemon.log()


def test_a_region_that_keeps_failing_is_given_up_until_the_policy_is_reloaded(make_daemon):
    daemon = make_daemon(policy=wish(), settings=QUICK_RETRY)
    daemon.inject("fail", operation="create_region", errno="EIO", count=0)
    add_cards(daemon, 1, 2)
    daemon.insist(daemon.round_trip, lambda: "given up after 3 attempts" in daemon.log(), "it gives up")
    daemon.wait(lambda: any("EIO" in message for message in conflicts(daemon)), "a conflict")
    daemon.look_again(2)
    assert daemon.log().count("given up") == 1
    daemon.inject("clear-faults")
    daemon.look_again()
    assert regions(daemon) == {}
    daemon.reload()
    one_region(daemon)


@pytest.mark.parametrize("text, why", [
    ("garbage\n", "does not say which region"),
    ("region0 decoder0.0 ../../etc/passwd\n", "does not say which region"),
])
def test_a_journal_that_cannot_be_understood_stops_it_from_making_regions(make_daemon, text, why):
    daemon = make_daemon(policy=wish(), start=False)
    daemon.runtime.mkdir(exist_ok=True)
    (daemon.runtime / "region-draft").write_text(text)
    daemon.start()
    add_cards(daemon, 1, 2)
    assert any(why in message for message in daemon.wait(lambda: conflicts(daemon), "a conflict"))
    daemon.look_again()
    assert regions(daemon) == {}


def test_a_stop_while_it_makes_a_region_ends_the_daemon_and_the_next_one_goes_on(make_daemon):
    daemon = make_daemon(policy=wish())
    daemon.inject("hang", operation="create_region")
    add_cards(daemon, 1, 2)
    journal = daemon.runtime / "region-draft"
    daemon.insist(daemon.round_trip, journal.exists, "it is being made")
    assert journal.read_text().startswith("region2 decoder0.0 ")
    daemon.wait(lambda: daemon.manager["State"] == "working", "it works")
    daemon.stop()
    daemon.start()
    add_cards(daemon, 1, 2)
    one_region(daemon)
    assert not journal.exists()
