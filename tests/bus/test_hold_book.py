# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds and marks of cards that are to be pulled: they end when they should, and outlive what they should."""

import pytest
from harness import MOVABLE, ONLY_WATCH, dax_path, path_of
from take_away import REGION0, hanging, online, pool  # noqa: F401

TABLE = '[[region]]\nname = "pool"\nmemdev_serial = ["0x1"]\nsize = "4GiB"\n'

# A card that nothing is made of.
BARE = """
[features]
region_create = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
[[memdev]]
name = "mem0"
serial = 0x1
host = "0000:0d:00.0"
ram_size = "4GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x590000000
size = "64GiB"
"""

# Four cards that all report serial 0, behind two host bridges.
SERIAL_ZERO = """
block_size = "2GiB"
auto_online = "offline"
[features]
region_create = true
[[node]]
id = 0
cpus = true
memory = "768GiB"
[[port]]
name = "port1"
[[port]]
name = "port3"
""" + "".join(f"""[[memdev]]
name = "mem{i}"
serial = 0
host = "0000:{bus}:00.0"
ram_size = "128GiB"
port = "{port}"
""" for i, (bus, port) in enumerate([("d3", "port1"), ("d4", "port1"), ("a9", "port3"), ("aa", "port3")])) + """
[[root_decoder]]
name = "decoder0.0"
start = 0xC050000000
size = "512GiB"
targets = ["port1", "port3"]
interleave_granularity = 256
[[root_decoder]]
name = "decoder0.1"
start = 0x16050000000
size = "256GiB"
targets = ["port1"]
"""

ON_PORT1 = '[[region]]\nname = "{}"\n{}\nroot_decoder = "decoder0.1"\nsize = "max"\n'


def book(daemon):
    return (daemon.state / "holds").read_text()


def of_another_boot(daemon):
    """The daemon's book, as a reboot of the machine makes of it."""
    text = book(daemon)
    (boot,) = {line.split()[2] for line in text.splitlines() if line.startswith(("ready", "emptying"))}
    (daemon.state / "holds").write_text(text.replace(boot, "0e1bdd2c-1a50-4c3a-8d8f-000000000000"))


# --- Restarts ---


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_preparation_that_is_cut_short_is_none(make_daemon, end):
    daemon = online(make_daemon)
    hanging(daemon, daemon.prepare_remove, "mem0", 4)
    assert daemon.memdev()["Preparation"] == "emptying"
    assert "emptying 0x1 " in book(daemon)
    getattr(daemon, end)()
    daemon.start()
    daemon.wait_dax(State="online", Zone="movable", Held=False, InPolicy=True)
    assert daemon.memdev()["Preparation"] == ""
    assert "emptying" not in book(daemon) and "ready" not in book(daemon)
    if end == "kill":
        assert "the daemon ended while job" in daemon.log()


def test_killed_before_the_unbinding_it_is_not_taken_for_ready(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_mode")
    daemon.prepare_remove("mem0")
    daemon.wait(lambda: daemon.memdev()["Preparation"] == "emptying")
    daemon.kill()
    daemon.start()
    assert (daemon.dax()["Mode"], daemon.dax()["Held"]) == ("system-ram", False)
    assert daemon.memdev()["Preparation"] == ""


def test_a_ready_card_that_was_not_pulled_before_a_reboot_is_policys(make_daemon, machine_file):
    daemon = make_daemon(policy=MOVABLE + TABLE, machine=machine_file(BARE))
    daemon.wait_dax(State="online")
    daemon.wait_idle()
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    assert daemon.memdev()["Preparation"] == "ready"
    daemon.stop()
    # The same boot: the region, which the emulator forgets, is not made on a card that waits to be pulled.
    daemon.start()
    daemon.look_again(2)
    assert (daemon.memdev()["Preparation"], REGION0 in daemon.objects) == ("ready", False)
    assert any("prepared for its removal" in message for message in daemon.conflicts("region"))
    daemon.stop()
    of_another_boot(daemon)
    daemon.start()
    daemon.wait_dax(State="online", Held=False)
    assert daemon.memdev()["Preparation"] == ""
    assert "the machine was restarted, and the card was not pulled" in daemon.log()


def test_a_card_that_was_pulled_while_no_daemon_ran_is_no_longer_marked(make_daemon, machine_file):
    daemon = make_daemon(policy=MOVABLE + TABLE, machine=machine_file(BARE))
    daemon.wait_dax(State="online")
    daemon.wait_idle()
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    daemon.stop()
    card = BARE[BARE.index("[[memdev]]"):BARE.index("[[root_decoder]]")]
    machine_file(BARE.replace(card, ""))
    daemon.start()
    daemon.insist(daemon.round_trip, lambda: "the card has gone" in daemon.log(), "the mark ends")
    assert "ready" not in book(daemon)
    # It comes back.
    daemon.inject("add-memdev", serial=1, name="mem0", host="0000:0d:00.0", ram_size="4GiB")
    daemon.wait_dax(State="online", Held=False)


def test_the_files_of_an_older_version_are_taken_over(make_daemon):
    daemon = make_daemon(start=False)
    daemon.state.mkdir()
    (daemon.state / "holds").write_text("serials 0x2 at 0x690000000\nserials 0x1 at 0x590000000\n")
    (daemon.state / "prepared").write_text("1 -\n1 serials 0x1 at 0x590000000\n")
    daemon.start()
    # The emulator's cards are bound anew: what is said of the first one is not true any more.
    daemon.wait_dax("dax0.0", State="online", Held=False)
    assert daemon.dax("dax1.0")["Held"] == (daemon.dax("dax1.0")["Resource"] == 0x690000000)
    assert not (daemon.state / "prepared").exists()
    assert book(daemon).startswith("cxlmemd-holds 2\n")


@pytest.mark.parametrize("text, why", [("cxlmemd-holds 9\nend\n", "newer"), ("cxlmemd-holds 2\nhold", "damaged"),
                                       ("\x00\x00\n", "damaged")])
def test_a_book_that_is_not_understood_means_to_watch_only(make_daemon, text, why):
    daemon = make_daemon(start=False)
    daemon.state.mkdir()
    (daemon.state / "holds").write_text(text)
    daemon.start()
    daemon.look_again()
    assert (daemon.manager["Mode"], daemon.dax()["BlocksOnline"]) == ("observe", 0)
    assert why in daemon.log()
    for call, name in ((daemon.hold, "dax0.0"), (daemon.release, "dax0.0"), (daemon.prepare_remove, "mem0")):
        assert why in daemon.fails("Failed", call, name)
    assert book(daemon) == text


# --- Release ---


def test_release_of_a_card_ends_its_preparation(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    assert "stands on mem0, which is prepared for its removal" in daemon.dax()["Reason"]
    assert any("cxlmemctl release mem0" in text for text in daemon.explain("dax0.0")["obstacles"])
    daemon.release_memdev("mem0")
    assert daemon.memdev()["Preparation"] == ""
    daemon.wait_dax(State="online", Mode="system-ram", Held=False, InPolicy=True)
    daemon.release_memdev("mem0")  # nothing to do
    assert "ready" not in book(daemon)


def test_release_of_a_card_leaves_what_an_administrator_holds(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    daemon.release_memdev("mem0")
    daemon.look_again()
    assert (daemon.dax()["Held"], daemon.dax()["BlocksOnline"]) == (True, 0)
    assert "administrator" in daemon.dax()["Reason"]


def test_release_of_a_region_releases_all_its_devices_and_cards(pool):
    for card in ("mem0", "mem1"):
        assert pool.result(pool.prepare_remove(card)) == "done"
    pool.hold("dax0.0")
    pool.hold("dax1.0")
    pool.release_region("region0")
    for device in ("dax0.0", "dax0.1"):
        pool.wait_dax(device, State="online", Held=False, InPolicy=True)
    assert [pool.memdev(card)["Preparation"] for card in ("mem0", "mem1")] == ["", ""]
    assert (pool.dax("dax1.0")["Held"], pool.dax("dax1.0")["BlocksOnline"]) == (True, 0)


def test_a_card_that_shares_its_region_stays_prepared(pool):
    for card in ("mem0", "mem1"):
        assert pool.result(pool.prepare_remove(card)) == "done"
    pool.release("dax1.0")  # on mem1 alone
    pool.wait_dax("dax1.0", State="online", Held=False)
    assert [pool.memdev(card)["Preparation"] for card in ("mem0", "mem1")] == ["ready", ""]
    pool.look_again()
    assert [pool.dax(d)["BlocksOnline"] for d in ("dax0.0", "dax0.1")] == [0, 0]


def test_release_of_one_card_leaves_a_bare_one_prepared(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("add-memdev", serial=9, name="mem2")
    daemon.wait(lambda: daemon.memdev("mem2"))
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    daemon.release("dax0.0")
    daemon.wait_dax(State="online", Held=False)
    assert [daemon.memdev(card)["Preparation"] for card in ("mem0", "mem2")] == ["", "ready"]
    daemon.release_memdev("mem2")
    assert daemon.memdev("mem2")["Preparation"] == ""


def test_what_is_being_emptied_is_not_released(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.prepare_remove, "mem0", 4)
    for call, name in ((daemon.release_memdev, "mem0"), (daemon.release_region, "region0"),
                       (daemon.release, "dax0.0")):
        message = daemon.fails("Busy", call, name)
        assert f"job {daemon.job(job)['Id']} " in message
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    assert daemon.memdev()["Preparation"] == "ready"


def test_memory_that_is_used_by_hand_ends_the_preparation(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    assert daemon.result(daemon.set_mode("dax0.0", "devdax", hold=False)) == "done"
    assert daemon.memdev()["Preparation"] == ""
    assert "no longer prepared for its removal" in daemon.log()


# --- Refused calls ---


def test_a_refused_call_changes_no_hold(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("add-memdev", serial=9, name="mem2")
    daemon.wait(lambda: daemon.memdev("mem2"))
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    daemon.hold("dax1.0")
    job = hanging(daemon, daemon.offline, "dax0.0", 3, hold=False)
    before, held = book(daemon), [daemon.dax(d)["Held"] for d in ("dax0.0", "dax1.0")]
    daemon.fails("Busy", daemon.online, "dax0.0", "kernel")
    daemon.fails("Busy", daemon.set_mode, "dax0.0", "devdax")
    daemon.fails("Busy", daemon.prepare_remove, "mem0")
    daemon.fails("Busy", daemon.remove_region, "region0")
    daemon.fails("InvalidArgument", daemon.online, "dax1.0", "movable", amount=1)
    for path, interface, member in ((dax_path("dax9.0"), "DaxDevice", "Release"),
                                    (path_of("memdev", "mem9"), "Memdev", "Release"),
                                    (path_of("region", "region9"), "Region", "Release")):
        daemon.fails("org.freedesktop.DBus.Error.UnknownObject", daemon.call, path, interface, member, "(a{sv})", {})
    assert book(daemon) == before
    assert [daemon.dax(d)["Held"] for d in ("dax0.0", "dax1.0")] == held
    assert daemon.memdev("mem0")["Preparation"] == ""
    daemon.inject("resume")
    assert daemon.result(job) == "done"


def test_a_hold_that_ends_with_its_card_survives_a_refused_call(make_daemon):
    """The refused call once made of it a hold for ever."""
    daemon = online(make_daemon)
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    before = book(daemon)
    daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax1.0", "devdax")
    daemon.inject("set-hotremove", possible=False)
    daemon.fails("InvalidArgument", daemon.offline, "dax0.0")
    daemon.fails("InvalidArgument", daemon.set_mode, "dax0.0", "fsdax")
    assert [line for line in book(daemon).splitlines() if "0x1" in line] == \
        [line for line in before.splitlines() if "0x1" in line]
    daemon.inject("set-hotremove", possible=True)
    daemon.inject("resume")
    assert daemon.result(job)


# --- Saves that fail ---


def test_a_failed_save_fails_the_call_and_changes_nothing(make_daemon):
    daemon = online(make_daemon)
    daemon.hold("dax1.0")
    before, jobs = book(daemon), daemon.jobs()
    (daemon.state / "holds.new").mkdir()  # what is written first cannot be opened
    for call, name in ((daemon.hold, "dax0.0"), (daemon.release, "dax1.0"), (daemon.offline, "dax0.0"),
                       (daemon.prepare_remove, "mem0"), (daemon.remove_region, "region1")):
        assert "holds.new" in daemon.fails("Failed", call, name)
    daemon.look_again()
    assert daemon.jobs() == jobs
    assert (daemon.dax("dax0.0")["Held"], daemon.dax("dax1.0")["Held"]) == (False, True)
    assert daemon.dax("dax0.0")["State"] == "online"
    assert (book(daemon), daemon.memdev()["Preparation"]) == (before, "")


def test_what_a_job_leaves_is_saved_later_if_it_cannot_be_at_its_end(make_daemon):
    daemon = online(make_daemon)
    job = hanging(daemon, daemon.prepare_remove, "mem0", 4)
    (daemon.state / "holds.new").mkdir()
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    daemon.look_again()
    assert daemon.memdev()["Preparation"] == "emptying", "nobody would know of it after a restart"
    assert daemon.log().count("holds.new") == 1, "it is said once"
    (daemon.state / "holds.new").rmdir()
    daemon.look_again()
    assert daemon.memdev()["Preparation"] == "ready"


# --- Memory that appears on a prepared card ---


def test_a_region_by_another_tool_stays_offline_and_is_said(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("add-memdev", serial=9, name="mem2", ram_size="4GiB")
    daemon.wait(lambda: daemon.memdev("mem2"))
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    daemon.inject("add-region", memdevs="mem2", name="region2", size="1GiB", mode="system-ram")
    device = daemon.wait_dax("dax2.0", Held=True)
    daemon.look_again(2)
    assert (daemon.dax("dax2.0")["BlocksOnline"], device["Mode"]) == (0, "system-ram")
    assert "it stands on mem2, which is prepared for its removal" in daemon.dax("dax2.0")["Reason"]
    assert daemon.explain("dax2.0")["verdict"] == "held"
    assert daemon.memdev("mem2")["Preparation"] == "occupied"
    (conflict,) = daemon.conflicts("removal")
    assert "do not pull the card" in conflict and "dax2.0" in conflict and "cxlmemctl remove mem2" in conflict
    assert daemon.log().count(conflict) == 1
    # As it says.
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    assert (daemon.memdev("mem2")["Preparation"], daemon.conflicts("removal")) == ("ready", [])


def test_memory_that_the_kernel_onlines_on_it_is_said_and_not_fought(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("add-memdev", serial=9, name="mem2", ram_size="4GiB")
    daemon.wait(lambda: daemon.memdev("mem2"))
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    jobs = daemon.jobs()
    daemon.inject("set-auto-online", value="online_movable")
    daemon.inject("add-region", memdevs="mem2", name="region2", size="1GiB", mode="system-ram")
    daemon.wait_dax("dax2.0", State="online", Held=True)
    daemon.wait(lambda: any("1GiB of dax2.0 are online" in text for text in daemon.conflicts("removal")))
    daemon.look_again()
    assert (daemon.dax("dax2.0")["State"], daemon.jobs()) == ("online", jobs)
    # Block by block, too.
    daemon.inject("offline-block", dax="dax2.0", nth=0, count=4)
    daemon.wait(lambda: any("512MiB of dax2.0 are online" in text for text in daemon.conflicts("removal")))


def test_an_extent_on_a_prepared_card_stays_offline_and_is_said(make_daemon):
    daemon = make_daemon(machine="dynamic-capacity")
    daemon.wait_idle()
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    assert daemon.memdev()["Preparation"] == "ready"
    daemon.inject("add-extent", region="region0", size="1GiB")
    daemon.insist(daemon.round_trip, lambda: "memory has appeared on it since" in daemon.log(), "it is said")
    daemon.look_again()
    for path in [p for p in daemon.objects if "/dax/" in p]:
        device = daemon.properties(path, "DaxDevice")
        assert (device["BlocksOnline"], device["Held"]) == (0, True)


# --- Cards that share a serial ---


def test_an_ambiguous_serial_is_refused_with_the_hosts_that_carry_it(make_daemon, machine_file):
    policy = ON_PORT1.format("a", 'memdev_serial = ["0x0"]') + ON_PORT1.format("b", 'memdev_serial = ["0x0"]')
    daemon = make_daemon(machine=machine_file(SERIAL_ZERO), policy=policy)
    daemon.look_again()
    assert [e["action"] for _, e in daemon.plan()] == ["blocked", "blocked"]
    for _, entry in daemon.plan():
        assert entry["reason"] == ("serial 0x0 is on 4 cards: 0000:d3:00.0, 0000:d4:00.0, 0000:a9:00.0, "
                                   "0000:aa:00.0: name them by memdev_host")
    assert not [path for path in daemon.objects if "/region/" in path]


def test_cards_of_one_serial_have_regions_and_are_pulled_one_by_one(make_daemon, machine_file):
    policy = MOVABLE + ON_PORT1.format("a", 'memdev_host = "0000:d3:00.0"') + \
        ON_PORT1.format("b", 'memdev_serial = 0\nmemdev_host = "0000:d4:00.0"')
    daemon = make_daemon(machine=machine_file(SERIAL_ZERO), policy=policy)
    for device in ("dax0.0", "dax1.0"):
        daemon.wait_dax(device, State="online")
    daemon.wait_idle()
    of = {daemon.properties(path_of("region", f"region{i}"), "Region")["Memdevs"][0]: f"dax{i}.0" for i in (0, 1)}
    mine, other = of[path_of("memdev", "mem0")], of[path_of("memdev", "mem1")]
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    assert (daemon.dax(mine)["Held"], daemon.dax(other)["Held"], daemon.dax(other)["State"]) == (True, False, "online")
    assert [daemon.memdev(f"mem{i}")["Preparation"] for i in range(4)] == ["ready", "", "", ""]
    assert daemon.result(daemon.prepare_remove("mem1")) == "done"
    daemon.inject("remove-memdev", memdev="mem1")
    daemon.wait(lambda: daemon.memdev("mem1") is None)
    daemon.look_again()
    assert daemon.memdev("mem0")["Preparation"] == "ready"
    assert "0000:d4:00.0" not in book(daemon) and "0000:d3:00.0" in book(daemon)


def test_a_card_of_a_serial_that_is_there_can_be_added(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("add-memdev", serial=1, name="mem7", host="0000:77:00.0")
    daemon.wait(lambda: daemon.memdev("mem7"))
    daemon.inject("add-memdev", serial=1, name="mem8")  # without a host it gets one of its own
    daemon.wait(lambda: daemon.memdev("mem8"))
    assert daemon.memdev("mem8")["Host"] not in [daemon.memdev(name)["Host"] for name in ("mem0", "mem1", "mem7")]
    message = daemon.fails("InvalidArgument", daemon.inject, "add-memdev", serial=1,
                           host="0000:77:00.0")
    assert "is there already, as mem7" in message
    assert "several memdevs" in daemon.fails("InvalidArgument", daemon.inject, "remove-memdev",
                                             memdev="0x1")
    for name in ("mem7", "mem8"):
        daemon.inject("remove-memdev", memdev=name)
        daemon.wait(lambda name=name: daemon.memdev(name) is None)
    assert daemon.memdev("mem0")["Serial"] == 1
