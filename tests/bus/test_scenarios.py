# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scenario files: things happen to the machine by themselves, and the daemon takes them as it should."""

import subprocess

import pytest
from harness import BLOCK, ONLY_WATCH, QUICK_RETRY, path_of, rule, scenario
from places import DAEMON, LIMIT, SLOW, SOURCE
from wire import BusError

SCENARIOS = SOURCE / "backends/emulator/scenarios"


@pytest.mark.parametrize("name", sorted(path.name for path in SCENARIOS.glob("*.toml")))
def test_every_scenario_in_the_tree_is_taken(make_daemon, name):
    daemon = make_daemon(machine=SCENARIOS / name, policy=ONLY_WATCH)
    assert daemon.dax("dax0.0")["BlocksTotal"] == 32


def test_R7_a_card_is_pulled_in_the_middle_of_a_job_and_comes_back(make_daemon):
    daemon = make_daemon(machine=SCENARIOS / "pulled-in-the-middle.toml", policy=ONLY_WATCH)
    before = daemon.dax("dax0.0")["Ranges"]
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "gone"
    assert daemon.properties(job, "Job")["BlocksDone"] <= 3
    daemon.wait(lambda: daemon.properties(path_of("memdev", "mem5"), "Memdev"))
    # Three of its blocks were online when it was pulled: that memory is lost, and the successor lies beside it.
    daemon.wait_dax("dax0.0", RebootRequired=False, State="offline")
    (start, size), = daemon.dax("dax0.0")["Ranges"]
    assert start >= before[0][0] + before[0][1] and size == before[0][1]
    assert daemon.node(1)["BytesOnline"] == 3 * BLOCK
    assert "pulled-in-the-middle.toml:5: remove-memdev" in daemon.log()


def test_a_stubborn_actor_is_beaten_in_the_end(make_daemon):
    daemon = make_daemon(machine=SCENARIOS / "stubborn-udev-rule.toml", settings=QUICK_RETRY,
                         policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, BlocksMovable=32)
    daemon.inject("unbind-dax", dax="dax1.0")  # with its memory online: lost, and nobody loops over it
    daemon.wait_dax("dax1.0", RebootRequired=True)


def test_a_flaky_kernel_gets_there_in_the_end(make_daemon):
    daemon = make_daemon(machine=SCENARIOS / "flaky-kernel.toml", settings=QUICK_RETRY,
                         policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, BlocksMovable=32, InPolicy=True)
    daemon.wait_idle()


def test_a_storm_of_a_hundred_thousand_events(make_daemon, record_property):
    daemon = make_daemon(machine=SCENARIOS / "storm.toml", policy=ONLY_WATCH)
    times = []
    card = path_of("memdev", "mem7")
    daemon.insist(lambda: times.append(daemon.round_trip()), lambda: card in daemon.objects)
    print(f"{len(times)} round trips in the storm, worst {1000 * max(times):.1f} ms")
    record_property("storm_round_trip_worst_ms", round(1000 * max(times), 1))
    assert max(times) < 0.5 * SLOW


def test_the_same_seed_makes_the_same_failures(make_daemon, folder):
    """The errors of one run are those of the next."""
    file = scenario(folder, """
[scenario]
seed = 77
[[step]]
at = 0
event = "fail"
operation = "online"
errno = "EIO"
probability = 0.3
""")

    def blocks_that_failed():
        daemon = make_daemon(machine=file, policy=ONLY_WATCH)
        out = []
        daemon.insist(daemon.round_trip, lambda: "scenario.toml:5: fail" in daemon.log())
        for _ in range(20):
            out.append(daemon.result(daemon.online("dax0.0", "movable", amount=128 << 20)))
            daemon.offline("dax0.0")
            daemon.wait_idle()
        daemon.stop()
        return out

    first = blocks_that_failed()
    assert len(set(first)) > 1, first
    assert blocks_that_failed() == first


def test_a_step_that_the_machine_refuses_is_logged_and_the_next_happens(make_daemon, folder):
    daemon = make_daemon(policy=ONLY_WATCH, machine=scenario(folder, """
[[step]]
at = "10ms"
event = "remove-memdev"
memdev = "mem7"
[[step]]
at = "20ms"
event = "online-block"
dax = "dax0.0"
"""))
    daemon.wait_dax(BlocksOnline=1)
    assert 'scenario.toml:3: remove-memdev: remove-memdev: inject: detail "memdev" names "mem7"' in daemon.log()


def test_steps_can_be_ordered_while_it_runs(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("offline-block", block="same", **{"on.operation": "online", "on.nth": 2, "on.times": 0})
    assert daemon.result(daemon.online("dax0.0", "movable", amount=4 * (128 << 20))) in ("partial", "failed", "done")
    daemon.wait_idle()
    assert daemon.dax()["BlocksOnline"] == 1
    daemon.inject("set-hotremove", possible=False, at="50ms")
    daemon.inject("add-memdev", serial=9, at="60ms")
    daemon.wait(lambda: "memory-hotremove" not in daemon.manager["Features"])


@pytest.mark.parametrize("details", [{"at": "soon"}, {"at": "2h"}, {"on.operation": "sing"}, {"on.nth": 1},
                                     {"on.uevent": "memory sings"}, {"on.operation": "scan", "at": 1}, {"at": -1},
                                     {"on.operation": "scan", "on.moment": "during"}])
def test_orders_that_make_no_sense(make_daemon, details):
    daemon = make_daemon(policy=ONLY_WATCH)
    try:
        daemon.inject("resume", **details)
    except BusError as error:
        assert error.name == "InvalidArgument"
        return
    raise AssertionError("it was taken")


def test_wrong_files_are_said_with_their_place(folder):
    path = scenario(folder, '[[step]]\nat = "1s"\nevent = "explode"\n')
    done = subprocess.run([DAEMON, "--backend", f"emulator:{path}", "--plan"], capture_output=True, text=True,
                          timeout=LIMIT)
    assert done.returncode == 1
    assert f'{path}:4:9: "event" of [[step]] is none: there are add-memdev' in done.stderr
