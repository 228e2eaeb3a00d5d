# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands on a card: it may be pulled only when nothing does, and what cannot be told is never nothing (R17)."""

import pytest
from harness import MOVABLE, ONLY_WATCH, dax_path, path_of, rule
from take_away import online

CONFLICT = "Conflict"
REBOOT_REQUIRED = "RebootRequired"
FAILED = "Failed"

HEAD = """
block_size = "128MiB"
auto_online = "offline"
[features]
region_create = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
"""

# Two cards, each behind a window of its own, with memory that the firmware gave to the kernel: nodes 2 and 3.
PLAIN_RAM = HEAD + """
[[node]]
id = 2
memory = "4GiB"
[[node]]
id = 3
memory = "4GiB"
[[memdev]]
name = "mem0"
serial = 0x11
host = "0000:41:00.0"
ram_size = "4GiB"
[[memdev]]
name = "mem1"
serial = 0x12
host = "0000:e2:00.0"
ram_size = "4GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x490000000
size = "4GiB"
memdevs = ["mem0"]
[[root_decoder]]
name = "decoder0.1"
start = 0x690000000
size = "4GiB"
memdevs = ["mem1"]
"""

# A card behind a window of its own, and an hmem device in it.
HMEM = HEAD + """
[[memdev]]
name = "mem0"
serial = 0x11
host = "0000:41:00.0"
ram_size = "4GiB"
[[memdev]]
name = "mem1"
serial = 0x12
host = "0000:e2:00.0"
ram_size = "4GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x490000000
size = "4GiB"
memdevs = [{leads_to}]
[[dax]]
name = "dax9.0"
kind = "hmem"
target_node = 1
ranges = [{{ start = 0x490000000, size = "1GiB" }}]
"""


def explain(daemon, noun, name):
    return daemon.manager_call("Explain", "(oa{sv})", path_of(noun, name), {})


def conflicts(daemon, kind):
    return [message for found, message in daemon.manager["Conflicts"] if found == kind]


@pytest.fixture
def machine(machine_file, make_daemon):
    return lambda text, **what: make_daemon(machine=machine_file(text), **what)


# --- plain System RAM ---

def test_cards_whose_memory_is_plain_ram_are_not_emptied(machine):
    daemon = machine(PLAIN_RAM, policy=ONLY_WATCH)
    for card, node in (("mem0", 2), ("mem1", 3)):
        message = daemon.fails(CONFLICT, daemon.prepare_remove, card)
        assert "its memory is plain System RAM: the firmware gave it to the kernel; it cannot be emptied" in message
        assert f"4 GiB on node {node}" in message and "specific-purpose" in message
    assert conflicts(daemon, "leaked") == []
    assert daemon.manager["State"] == "idle"


@pytest.mark.parametrize("locked", ["true", "false"])
def test_a_region_of_plain_ram_is_not_removed(machine, locked):
    region = f"""
[[region]]
name = "region0"
memdevs = ["mem0"]
root_decoder = "decoder0.0"
start = 0x490000000
size = "4GiB"
locked = {locked}
"""
    daemon = machine(PLAIN_RAM + region, policy=ONLY_WATCH)
    for call, name in ((daemon.remove_region, "region0"), (daemon.prepare_remove, "mem0")):
        message = daemon.fails(CONFLICT, call, name)
        assert "plain System RAM" in message and "4 GiB on node 2" in message


@pytest.mark.parametrize("card", ["mem0", "mem1"])
def test_the_ready_machine_of_plain_ram_keeps_its_cards(make_daemon, card):
    daemon = make_daemon(machine="legacy-plain-ram", policy=ONLY_WATCH)
    message = daemon.fails(CONFLICT, daemon.prepare_remove, card)
    assert "32 GiB on node 1" in message
    assert "32 GiB on node 1" in daemon.fails(CONFLICT, daemon.remove_region, "region0")
    # The third card has no part in it.
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"


def test_no_region_is_planned_where_plain_ram_is(machine):
    table = '[[region]]\nname = "pool"\nmemdev_serial = ["0x11"]\nsize = "max"\n'
    daemon = machine(PLAIN_RAM, policy=table)
    (entry,) = [entry for _, entry in daemon.plan() if entry["rule"] == "pool"]
    assert entry["action"] == "blocked"


# --- by address, not by who made it ---

def test_an_hmem_device_in_the_cards_own_window_is_drained_along(machine):
    daemon = machine(HMEM.format(leads_to='"mem0"'), policy=rule(match='kind = "hmem"', memory='zone = "movable"'))
    daemon.wait_dax("dax9.0", State="online")
    job = daemon.prepare_remove("mem0")
    assert daemon.result(job) == "done"
    assert daemon.job(job)["BlocksTotal"] == 8
    daemon.wait_dax("dax9.0", Mode="unbound", BlocksOnline=0, Held=True)
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait(lambda: path_of("memdev", "mem0") not in daemon.objects)
    assert conflicts(daemon, "leaked") == []


def test_an_hmem_device_that_several_cards_may_carry_is_refused_by_name(machine):
    daemon = machine(HMEM.format(leads_to='"mem0", "mem1"'), policy=ONLY_WATCH)
    daemon.wait_dax("dax9.0")
    for card in ("mem0", "mem1"):
        message = daemon.fails(CONFLICT, daemon.prepare_remove, card)
        assert "dax9.0" in message and "leads to mem0, mem1" in message and "reboot" not in message


def test_an_hmem_device_in_a_region_is_drained_before_the_region_goes(machine):
    region = """
[[region]]
name = "region0"
memdevs = ["mem0"]
root_decoder = "decoder0.0"
start = 0x490000000
size = "4GiB"
"""
    text = HMEM.format(leads_to='"mem0"').replace("[[dax]]", region + "[[dax]]")
    daemon = machine(text, policy=rule(match='kind = "hmem"', memory='zone = "movable"'))
    daemon.wait_dax("dax9.0", State="online")
    assert daemon.result(daemon.remove_region("region0")) == "done"
    daemon.wait_dax("dax9.0", Mode="unbound", BlocksOnline=0)
    daemon.wait_gone(path_of("region", "region0"))


# --- leaked ---

@pytest.mark.parametrize("event, details", [("remove-region", {"region": "region0"}),
                                            ("remove-memdev", {"memdev": "mem0"})])
def test_memory_that_loses_its_device_is_leaked_and_said(make_daemon, event, details):
    daemon = online(make_daemon)
    daemon.inject(event, **details)
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.wait(lambda: conflicts(daemon, "leaked"), "the conflict")
    (message,) = conflicts(daemon, "leaked")
    assert "dax0.0" in message and "4 GiB on node 1" in message and "memory blocks 178-209" in message
    assert "before a reboot" in message
    daemon.wait(lambda: daemon.manager["State"] == "degraded", "degraded")
    warning = [line for line in daemon.log().splitlines() if "leaked" in line and "dax0.0" in line]
    assert warning and "node 1" in warning[0] and "32 memory blocks" in warning[0]
    if event == "remove-region":
        assert "leaked" in daemon.fails(REBOOT_REQUIRED, daemon.prepare_remove, "mem0")
        assert "leaked" in daemon.objects[path_of("memdev", "mem0")]["org.cxlmemd1.Memdev"]["Reason"]
    else:
        # The region that the card left behind cannot go either.
        assert "leaked" in daemon.fails(REBOOT_REQUIRED, daemon.remove_region, "region0")
    # The other card has nothing to do with it.
    assert daemon.result(daemon.prepare_remove("mem1")) == "done"


def test_a_leak_is_known_by_name_after_a_restart(make_daemon, tmp_path):
    """The emulated machine ends with the daemon: it is carried over as a record."""
    daemon = online(make_daemon)
    daemon.inject("remove-region", region="region0")
    daemon.wait(lambda: conflicts(daemon, "leaked"), "the conflict")
    machine = tmp_path / "carried.toml"
    machine.write_text(daemon.manager_call("Record"))
    daemon.stop()
    again = make_daemon(machine=machine, policy=MOVABLE)
    again.wait(lambda: conflicts(again, "leaked"), "the conflict")
    assert "4 GiB on node 1" in conflicts(again, "leaked")[0]
    assert again.manager["State"] == "degraded"
    assert "leaked" in again.fails(REBOOT_REQUIRED, again.prepare_remove, "mem0")


def test_a_leak_that_cannot_be_read_for_a_while_keeps_its_name(make_daemon):
    daemon = online(make_daemon)
    daemon.inject("remove-region", region="region0")
    daemon.wait(lambda: conflicts(daemon, "leaked"), "the conflict")
    daemon.inject("make-unreadable", block=178, count=32)
    daemon.look_again()
    daemon.wait(lambda: conflicts(daemon, "unreadable") and not conflicts(daemon, "leaked"), "nothing is known of it")
    daemon.inject("make-unreadable", block=178, count=32, ends=True)
    daemon.wait(lambda: conflicts(daemon, "leaked"), "the conflict")
    assert "of dax0.0 (memory blocks 178-209" in conflicts(daemon, "leaked")[0]


def test_memory_that_others_remove_in_good_order_is_not_leaked(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.wait_dax("dax0.0", State="offline")
    daemon.inject("remove-region", region="region0")
    daemon.wait_gone(dax_path("dax0.0"))
    daemon.look_again()
    assert conflicts(daemon, "leaked") == []
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"


# --- what cannot be told ---

@pytest.mark.parametrize("errno", ["EIO", "EINTR"])
def test_a_block_that_cannot_be_read_keeps_the_card_and_its_region(make_daemon, errno):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.wait_dax("dax0.0", State="offline")
    daemon.inject("make-unreadable", dax="dax0.0", nth=3, errno=errno)
    daemon.look_again()
    daemon.wait(lambda: conflicts(daemon, "unreadable"), "the conflict")
    for call, name in ((daemon.prepare_remove, "mem0"), (daemon.remove_region, "region0"), (daemon.set_mode, "dax0.0")):
        arguments = ("devdax",) if call == daemon.set_mode else ()
        message = daemon.fails(FAILED, call, name, *arguments)
        assert "cannot tell" in message and "memory block 181: state" in message and errno in message
    assert daemon.dax()["Mode"] == "system-ram"
    assert daemon.manager["State"] == "degraded"
    # The other card is as it was; and once the block can be read, all is as before, without an event.
    assert daemon.result(daemon.prepare_remove("mem1")) == "done"
    daemon.inject("make-unreadable", dax="dax0.0", nth=3, ends=True)
    daemon.wait(lambda: not conflicts(daemon, "unreadable"), "the conflict ends")
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"


# --- explained ---

def test_a_card_without_a_region_is_explained_with_the_table_that_makes_one(machine):
    cards = """
[[memdev]]
name = "mem0"
serial = 0x51
host = "0000:0d:00.0"
ram_size = "16GiB"
[[memdev]]
name = "mem1"
serial = 0
host = "0000:0e:00.0"
ram_size = "16GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x890000000
size = "64GiB"
memdevs = ["mem0", "mem1"]
"""
    daemon = machine(HEAD + cards, policy=ONLY_WATCH)
    seen = explain(daemon, "memdev", "mem0")
    assert seen["verdict"] == "unused"
    assert seen["reason"] == ('16 GiB, no region; a [[region]] table with memdev_serial = "0x51" makes one; 16 GiB fit '
                              "into decoder0.0")
    assert 'memdev_host = "0000:0e:00.0"' in explain(daemon, "memdev", "mem1")["reason"]
    assert daemon.objects[path_of("memdev", "mem0")]["org.cxlmemd1.Memdev"]["Reason"] == "16 GiB, no region"
    window = explain(daemon, "decoder", "decoder0.0")
    assert "64 GiB of its window of 64 GiB are free" in window["reason"]
    decoder = daemon.objects[path_of("decoder", "decoder0.0")]["org.cxlmemd1.RootDecoder"]
    assert (decoder["Size"], decoder["Free"], decoder["Start"]) == (64 << 30, 64 << 30, 0)
    assert decoder["Memdevs"] == [path_of("memdev", "mem0"), path_of("memdev", "mem1")]


def test_a_window_that_is_too_small_is_said(machine):
    cards = """
[[memdev]]
name = "mem0"
serial = 0x51
host = "0000:0d:00.0"
ram_size = "16GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x890000000
size = "4GiB"
"""
    daemon = machine(HEAD + cards, policy=ONLY_WATCH)
    assert "of 4 GiB: no more than that fits into decoder0.0" in explain(daemon, "memdev", "mem0")["reason"]


def test_plain_ram_is_explained_with_what_the_firmware_should_do(machine):
    daemon = machine(PLAIN_RAM, policy=ONLY_WATCH)
    seen = explain(daemon, "memdev", "mem0")
    assert seen["verdict"] == "in-use"
    assert "plain System RAM" in seen["reason"] and "specific-purpose memory" in seen["reason"]
    assert daemon.objects[path_of("memdev", "mem0")]["org.cxlmemd1.Memdev"]["Reason"] == "plain System RAM on node 2"
    node = explain(daemon, "node", "node2")
    assert any("mem0" in line and "plain System RAM" in line for line in node["obstacles"])
    assert "no room" in explain(daemon, "decoder", "decoder0.0")["reason"]


def test_a_region_without_a_dax_device_is_explained(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.wait_dax("dax0.0")
    assert "dax0.0" in explain(daemon, "region", "region0")["reason"]
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait_gone(dax_path("dax0.0"))
    assert "no dax device" in explain(daemon, "region", "region0")["reason"]


def test_what_is_no_object_is_not_explained(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.fails("NotFound", explain, daemon, "memdev", "mem99")
    daemon.fails("InvalidArgument", explain, daemon, "job", "1")
