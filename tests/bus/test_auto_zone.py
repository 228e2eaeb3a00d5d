# SPDX-License-Identifier: LGPL-2.1-or-later
"""zone = "auto" and max_movable_ratio, as the bus shows them, and what stands in for a machine that is full."""

import pytest

from harness import BLOCK, QUICK_RETRY, rule

AUTO = rule(memory='zone = "auto"')

# One card of 4 GiB (32 blocks) beside so much memory that 1 : 1 lets half of it be movable.
SMALL = """
[[node]]
id = 0
cpus = true
memory = "2GiB"
[[root_decoder]]
name = "decoder0.0"
start = "0x100000000"
size = "64GiB"
"""

CARD = """
[[memdev]]
name = "mem{n}"
serial = {n}
host = "0000:0{n}:00.0"
ram_size = "4GiB"
[[region]]
name = "region{n}"
root_decoder = "decoder0.0"
memdevs = ["mem{n}"]
start = "{start:#x}"
size = "4GiB"
[[dax]]
name = "dax{n}.0"
region = "region{n}"
target_node = {node}
{more}
"""


def card(n, more=""):
    return CARD.format(n=n, node=n + 1, start=(4 + 4 * n) << 30, more=more)


def zones(daemon, name="dax0.0"):
    device = daemon.dax(name)
    return device["BlocksOnline"] - device["BlocksMovable"], device["BlocksMovable"]


def test_half_of_a_card_is_kernel_memory_and_the_plan_said_so(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy=AUTO, settings="max_movable_ratio = 1.0",
                         arguments=["--observe"])
    steps = [(entry["action"], entry["zone"], entry["blocks"]) for _, entry in daemon.plan()]
    assert steps == [("online", "kernel", 16), ("online", "movable", 16)]
    daemon.stop()

    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy=AUTO, settings="max_movable_ratio = 1.0")
    device = daemon.wait_dax(State="online", Zone="mixed", InPolicy=True)
    daemon.wait_idle()
    assert zones(daemon) == (16, 16)
    assert "max_movable_ratio 1 leaves room for 16 of 32 blocks in ZONE_MOVABLE" in device["Reason"]
    # The machine's own 2 GiB and the card's 2 GiB in kernel zones, 2 GiB movable.
    assert daemon.manager["MovableRatio"] == pytest.approx(0.5)
    assert daemon.manager["Conflicts"] == []


def test_a_card_that_comes_later_moves_nothing_of_the_first(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy=AUTO, settings="max_movable_ratio = 1.0")
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    jobs = daemon.jobs("dax0.0")
    daemon.inject("add-memdev", serial=9, name="mem9", host="0000:09:00.0")
    daemon.inject("add-region", memdevs="mem9")
    # The first card's 2 GiB in the kernel zone make room for as much of the second.
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    assert zones(daemon, "dax1.0") == (16, 16)
    assert daemon.jobs("dax0.0") == jobs
    assert zones(daemon) == (16, 16)


def test_without_a_ratio_auto_is_movable(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy=AUTO)
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True)


def test_a_smaller_ratio_takes_hold_at_a_reload(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy=AUTO, settings="max_movable_ratio = 1.0")
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    (daemon.config / "daemon.toml").write_text("max_movable_ratio = 0.5\n")
    daemon.reload()
    daemon.wait_dax(State="online", BlocksMovable=8, InPolicy=True)


def test_online_with_zone_auto_is_split_the_same_way(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0)), policy="", settings="max_movable_ratio = 0.25")
    job = daemon.online("dax0.0", "auto")
    assert daemon.result(job) == "done"
    assert zones(daemon) == (28, 4)


def test_memory_that_another_device_owes_is_waited_for(make_daemon, machine_file):
    """dax0.0 will be kernel memory, and dax1.0 may have as much movable: but not before it is there."""
    policy = rule("one", 'dax = "dax0.0"', 'zone = "kernel"') + rule("two", 'dax = "dax1.0"', 'zone = "auto"')
    daemon = make_daemon(machine=machine_file(SMALL + card(0) + card(1)), policy=policy,
                         settings="max_movable_ratio = 1.0\nretry.initial = '10ms'\nretry.max = '20ms'\n"
                                  "retry.attempts = 1000")
    daemon.wait_dax("dax1.0", BlocksMovable=32, InPolicy=True)
    daemon.wait_dax("dax0.0", State="online", Zone="kernel")
    daemon.stop()

    # dax0.0's memory never comes: the second stays at what 2 GiB of DRAM allow, though the plan has more.
    daemon = make_daemon(machine=machine_file(SMALL + card(0) + card(1)), policy="",
                         settings="max_movable_ratio = 1.0\nretry.initial = '10ms'\nretry.max = '20ms'\n"
                                  "retry.attempts = 1000")
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    daemon.policy_file.write_text(policy)
    daemon.reload()
    device = daemon.wait_dax("dax1.0", BlocksMovable=16)
    daemon.wait(lambda: "max_movable_ratio" in daemon.dax("dax1.0")["LastError"][1], "the reason")
    assert device["BlocksOnline"] == 16
    # Then it comes, and so does the rest.
    daemon.inject("clear-faults")
    daemon.apply()
    daemon.wait_dax("dax0.0", State="online", Zone="kernel")
    daemon.wait_dax("dax1.0", BlocksMovable=32, InPolicy=True)


def test_a_bind_that_would_starve_the_kernel_is_refused_with_the_reason(make_daemon, machine_file):
    # 4 GiB take 64 MiB of struct pages; 96 MiB are free, of which 64 MiB stay in reserve.
    full = SMALL.replace('memory = "2GiB"', 'memory = "2GiB"\nused = "1952MiB"')
    daemon = make_daemon(machine=machine_file(full + card(0, 'mode = "unbound"')), policy=AUTO)
    device = daemon.wait_dax(Mode="unbound", InPolicy=False)
    assert "struct pages would take 64MiB from the kernel zones" in device["Reason"]
    assert daemon.jobs() == []
    message = daemon.fails("Conflict", daemon.online, "dax0.0", "movable")
    assert "struct pages" in message and "memmap_on_memory" in message


def test_who_else_onlines_memory_is_a_conflict_and_a_suspect(make_daemon, machine_file):
    who = '[[competitor]]\nwhere = "/etc/udev/rules.d/40-memory.rules:3"\n'
    daemon = make_daemon(machine=machine_file(SMALL + card(0) + who))
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    kinds = dict(daemon.manager["Conflicts"])
    assert "/etc/udev/rules.d/40-memory.rules:3" in kinds["competitor"]
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.inject("online-block", dax="dax0.0", nth=3, zone="kernel")
    daemon.wait_dax(BlocksMovable=31, BlocksOnline=32)
    daemon.wait(lambda: "suspected: a udev rule (/etc/udev/rules.d/40-memory.rules:3)" in daemon.dax()["LastError"][1],
                "the suspect")
    assert BLOCK * 32 == daemon.dax()["BytesOnline"]


BOTH = "retry.initial = '10ms'\nretry.max = '20ms'\nretry.attempts = 3\nmax_movable_ratio = 1.0\n"


def two_rules(first, second):
    return rule("one", 'dax = "dax0.0"', f'zone = "{first}"') + rule("two", 'dax = "dax1.0"', f'zone = "{second}"')


def test_nothing_is_taken_offline_for_room_that_is_not_there(make_daemon, machine_file):
    """dax1.0 is kernel memory and may become movable once dax0.0's kernel memory is there; which never comes."""
    daemon = make_daemon(machine=machine_file(SMALL + card(0) + card(1)), settings=BOTH,
                         policy=rule("two", 'dax = "dax1.0"', 'zone = "kernel"'))
    daemon.wait_dax("dax1.0", State="online", Zone="kernel", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    daemon.policy_file.write_text(two_rules("kernel", "auto"))
    daemon.reload()
    daemon.wait(lambda: "max_movable_ratio" in daemon.dax("dax1.0")["LastError"][1], "the reason")
    daemon.wait_idle()
    # What 2 GiB of DRAM allow has moved; the rest is where it was, and online.
    assert zones(daemon, "dax1.0") == (16, 16)
    # Then the other one's memory comes, by hand, and what waited for it goes on by itself.
    daemon.inject("clear-faults")
    assert daemon.result(daemon.online("dax0.0", "kernel")) == "done"
    daemon.wait_dax("dax1.0", BlocksMovable=32, InPolicy=True)


def test_the_ratio_is_kept_to_while_kernel_memory_becomes_movable(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(SMALL + card(0) + card(1)), settings=BOTH,
                         policy=two_rules("kernel", "auto"))
    daemon.wait_dax("dax0.0", State="online", Zone="kernel")
    daemon.wait_dax("dax1.0", State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    daemon.client.signals.clear()
    daemon.policy_file.write_text(two_rules("movable", "auto"))
    daemon.reload()
    daemon.wait_dax("dax0.0", State="online", Zone="movable", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", Zone="kernel", InPolicy=True)
    told = [s.body[1]["MovableRatio"] for s in daemon.client.signals
            if s.member == "PropertiesChanged" and "MovableRatio" in s.body[1]]
    assert told and max(told) <= 1.0, told


def test_policys_own_half_finished_rezone_is_not_blamed_on_others(make_daemon, machine_file):
    """A pinned block ends it half-way, three times; nobody else did anything, and the ratio is kept in the end."""
    machine = machine_file(SMALL + card(0, 'blocks = "movable"'))
    daemon = make_daemon(machine=machine, policy="", settings="max_movable_ratio = 1.0\n" + QUICK_RETRY)
    daemon.wait_dax(Zone="movable")
    daemon.inject("pin-block", dax="dax0.0", nth=2)
    daemon.policy_file.write_text(AUTO + '[rule.drain]\nretries = 0\n')
    daemon.reload()
    daemon.wait(lambda: daemon.dax()["LastError"][0], "it fails")
    daemon.wait(lambda: "given up" in daemon.log(), "it is given up")
    daemon.wait_idle()
    assert 0 < zones(daemon)[0] < 16
    assert "EBUSY" in daemon.dax()["LastError"][1]
    assert "somebody else" not in daemon.log() and "another process" not in daemon.log()
    daemon.inject("unpin-block", dax="dax0.0", nth=2)
    for job in daemon.apply():
        assert daemon.result(job) == "done"
    daemon.wait_dax(InPolicy=True, LastError=("", ""))
    assert zones(daemon) == (16, 16)
    assert "somebody else" not in daemon.log() and "another process" not in daemon.log()
