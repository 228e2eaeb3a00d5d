# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs end by what the machine is, in bounded time, and undo what they did in reverse."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from harness import BLOCK, MOVABLE, ONLY_WATCH, QUICK_RETRY, rule, scenario, watched
from places import LIMIT
from test_auto_zone import SMALL, card


def cpu_seconds(daemon):
    """What the daemon has used of processors, all its threads."""
    fields = pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def undone_by_another(folder, driver, undoes, dax="dax0.0", machine="two-card-server"):
    """A machine on which another actor undoes what is done to the driver of a device, each time."""
    return scenario(folder, f"""
[[step]]
on = {{ operation = "{driver}", dax = "{dax}", times = 0 }}
event = "{undoes}"
dax = "{dax}"
""", machine)


# --- 1. A loop has a bound and a pause ---

def set_mode(daemon):
    return daemon.set_mode("dax0.0", "devdax")


def online(daemon):
    return daemon.online("dax0.0", "movable")


def prepare_remove(daemon):
    return daemon.prepare_remove("mem0")


def remove_region(daemon):
    return daemon.remove_region("region0")


@pytest.mark.parametrize("begin", [set_mode, online, prepare_remove, remove_region])
def test_R14_a_job_that_cannot_look_pauses_and_ends(make_daemon, begin):
    daemon = watched(make_daemon)
    if begin is online:  # a step of the driver, too
        assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    daemon.inject("fail", operation="scan", errno="EIO", count=0)
    calls = cpu_seconds(daemon)
    job = begin(daemon)
    # Other devices' jobs go on meanwhile.
    assert daemon.result(daemon.online("dax1.0", "movable")) in ("done", "failed", "partial")
    assert daemon.dax("dax1.0")["BlocksOnline"] == 32
    assert daemon.result(job) == "failed"
    assert "EIO" in daemon.error(job)[1]
    assert cpu_seconds(daemon) - calls < 1
    daemon.inject("clear-faults")


def test_R14_a_scan_that_fails_for_a_while_is_waited_for(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="scan", errno="EIO", count=2)
    job = daemon.set_mode("dax0.0", "devdax")
    assert daemon.result(job) == "done"
    assert daemon.dax()["Mode"] == "devdax"


@pytest.mark.parametrize("begin, driver, undoes", [
    (set_mode, "unbind", "bind-dax"), (online, "bind", "unbind-dax"), (prepare_remove, "unbind", "bind-dax"),
    (remove_region, "unbind", "bind-dax")])
def test_R14_another_actor_that_undoes_the_driver_each_time_ends_the_job(make_daemon, folder, begin, driver, undoes):
    machine = "two-card-server"
    if begin is online:
        (folder / "machine.toml").write_text(
            (pathlib.Path(scenario(folder, "").read_text().split('"')[1]).read_text()).replace(
                'name = "dax0.0"', 'name = "dax0.0"\nmode = "devdax"'))
        machine = folder / "machine"
    path = undone_by_another(folder, driver, undoes) if machine == "two-card-server" else None
    if path is None:
        path = folder / "scenario.toml"
        path.write_text(f"""machine = "{folder}/machine.toml"
[[step]]
on = {{ operation = "{driver}", dax = "dax0.0", times = 0 }}
event = "{undoes}"
dax = "dax0.0"
""")
    daemon = watched(make_daemon, machine=path)
    used = cpu_seconds(daemon)
    job = begin(daemon)
    assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
    assert daemon.result(job) == "failed"
    assert daemon.error(job)[1]
    assert cpu_seconds(daemon) - used < 1


def test_R14_a_pinned_block_does_not_keep_those_that_are_ready_waiting(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH)
    daemon.inject("pin-block", dax="dax0.0", nth=5)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.dax()["BlocksMovable"] == 31, "the others are there")
    assert daemon.removed(job) is None, "the pinned one is still tried"
    daemon.inject("unpin-block", dax="dax0.0", nth=5)
    assert daemon.result(job) == "done"


# --- 2. The machine decides the end, not the stop flag ---

def test_a_drain_that_reached_its_goal_is_done_though_the_scan_takes_longer_than_its_timeout(make_daemon):
    daemon = make_daemon(machine="auto-online",
                         policy=rule(memory='zone = "kernel"', drain='timeout = "300ms"'))
    daemon.inject("delay", operation="scan", usec=1_500_000)
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "done"
    assert daemon.dax()["BlocksOnline"] == 0
    daemon.inject("clear-faults")


def test_cancel_interrupts_the_scan_that_a_job_waits_for(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="scan")
    job = daemon.offline("dax0.0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 32)
    daemon.cancel(job)
    assert daemon.result(job, LIMIT / 6) == "done", "its goal holds"
    assert daemon.dax()["BlocksOnline"] == 0


def test_a_timeout_interrupts_the_scan_that_a_job_waits_for(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="scan")
    job = daemon.set_mode("dax0.0", "devdax", timeout=300_000)
    # That the driver changed is known; what it led to is not.
    assert daemon.result(job, LIMIT / 6) in ("timeout", "done")


def test_the_drain_timeout_of_the_rule_limits_the_whole_drain(make_daemon):
    daemon = make_daemon(machine="auto-online",
                         policy=rule(memory='zone = "kernel"', drain='timeout = "300ms"\nrollback = false'))
    daemon.inject("delay", operation="set_block", usec=20_000)  # 640 ms altogether
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "timeout"
    assert 0 < daemon.dax()["BlocksOnline"] < 32


@pytest.mark.parametrize("how", ["rule", "caller"])
def test_a_deadline_names_the_block_that_was_in_the_way(make_daemon, how):
    drain = 'retries = 1000\ntimeout = "300ms"' if how == "rule" else "retries = 1000"
    policy = rule(memory='zone = "kernel"', drain=drain)
    daemon = make_daemon(machine="auto-online", policy=policy)
    daemon.inject("pin-block", dax="dax0.0", nth=20)
    job = daemon.offline("dax0.0", **({} if how == "rule" else {"timeout": 300_000}))
    assert daemon.result(job) == "timeout"
    name, message = daemon.error(job)
    assert name.endswith(".TimedOut")
    assert f"memory block {daemon.dax()['Resource'] // BLOCK + 20}" in message and "EBUSY" in message
    assert daemon.dax()["BlocksOnline"] == 32


# --- 3. A rollback is the reverse of what was done, to the same state ---

def state_of(daemon, name="dax0.0"):
    device = daemon.dax(name)
    return {key: device[key] for key in ("Mode", "State", "Zone", "BlocksOnline", "BlocksMovable", "Held")}


@pytest.mark.parametrize("fault", ["fails", "canceled"])
def test_set_mode_that_does_not_bind_puts_driver_blocks_and_hold_back(make_daemon, fault):
    daemon = watched(make_daemon, machine="auto-online")
    assert daemon.result(daemon.online("dax0.0", "movable", hold=False)) == "done"
    before = state_of(daemon)
    assert (before["Mode"], before["BlocksMovable"], before["Held"]) == ("system-ram", 32, False)
    if fault == "fails":
        daemon.inject("fail", operation="bind", errno="EIO")
    else:
        daemon.inject("hang", operation="bind")
    job = daemon.set_mode("dax0.0", "devdax")
    if fault == "canceled":
        daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 32)
        daemon.cancel(job)
    assert daemon.result(job) == ("failed" if fault == "fails" else "canceled")
    daemon.look_again()
    assert state_of(daemon) == before


def test_a_policy_drain_for_devdax_that_fails_puts_back_what_it_took(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("pin-block", dax="dax0.0", nth=5)
    daemon.policy_file.write_text(rule(match='kind = "cxl-ram"', drain="retries = 0").replace("system-ram", "devdax"))
    daemon.reload()
    daemon.wait(lambda: "given up after" in daemon.log(), "it is given up")
    daemon.wait_idle()
    daemon.wait_dax("dax0.0", Mode="system-ram", BlocksOnline=32, Zone="kernel")


def test_a_removal_that_fails_after_the_unbind_puts_memory_back_into_its_zone(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    for name in ("dax0.0", "dax1.0"):
        assert daemon.result(daemon.online(name, "movable", amount=16 * BLOCK, hold=False)) == "done"
    before = state_of(daemon)
    assert (before["BlocksOnline"], before["BlocksMovable"]) == (16, 16)
    daemon.inject("fail", operation="destroy_region", errno="EIO")
    assert daemon.result(daemon.remove_region("region0")) == "failed"
    daemon.look_again()
    assert state_of(daemon) == before


def test_a_step_whose_read_back_is_interrupted_forgets_nothing(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="read_blocks")
    job = daemon.offline("dax0.0", rollback=True)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 32)
    daemon.cancel(job)
    assert daemon.result(job) in ("canceled", "done")
    online = 0 if daemon.result(job) == "done" else 32
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == online


def test_a_canceled_rezone_leaves_every_block_in_its_old_zone(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="online", nth=11)
    job = daemon.online("dax0.0", "movable", rollback=True)
    daemon.wait(lambda: daemon.dax()["BlocksMovable"] >= 0 and daemon.job(job)["Progress"] > 0.5)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.look_again()
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (32, "kernel")


# --- 4. Own doing is never drift ---

def test_a_canceled_offline_without_a_hold_is_not_blamed_on_others(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("hang", operation="set_block", nth=11)
    job = daemon.offline("dax0.0", hold=False, rollback=False)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 10)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.wait_dax(BlocksOnline=32, InPolicy=True, LastError=("", ""))
    assert "changed by somebody else" not in daemon.log()


# --- 5. What changes without an event is looked at ---

def test_what_is_blocked_for_want_of_kernel_memory_goes_on_when_memory_comes_back(make_daemon, machine_file):
    # The struct pages of 4 GiB take 64 MiB. 160 MiB are free, and 64 stay in reserve: enough for one device.
    small = SMALL.replace('memory = "2GiB"', 'memory = "2GiB"\nused = "1888MiB"')
    machine = machine_file(small + card(0, 'mode = "unbound"') + card(1))
    daemon = make_daemon(machine=machine, policy=rule(match="memdev_serial = [0]", memory='zone = "kernel"'))
    daemon.wait(lambda: "struct pages" in daemon.dax()["LastError"][1], "it is blocked")
    daemon.inject("lose-events", count=0)
    daemon.inject("unbind-dax", dax="dax1.0")
    daemon.wait_dax(Mode="system-ram", State="online", InPolicy=True, LastError=("", ""))


@pytest.mark.parametrize("call", ["apply", "reload", "plan", "explain"])
def test_a_weight_that_another_process_wrote_is_seen_by_the_next_call(make_daemon, call):
    policy = "[[node]]\nmatch = { id = [0] }\ninterleave_weight = 7\n"
    daemon = make_daemon(policy=policy)
    daemon.wait(lambda: daemon.node(0)["InterleaveWeight"] == 7, "it is written")
    daemon.look_again()
    daemon.inject("set-interleave-weight", node=0, weight=3)  # no event tells of it
    getattr(daemon, call)(*["dax0.0"] * (call == "explain"))
    line = "interleave weight of node 0: 7"
    daemon.insist(daemon.round_trip, lambda: daemon.log().count(line) == 2, "it is put right")


@pytest.mark.parametrize("call", ["apply", "reload", "plan"])
def test_demotion_that_another_process_wrote_is_seen_by_the_next_call(make_daemon, call):
    daemon = make_daemon(settings='demotion = "on"\n')
    daemon.insist(daemon.round_trip, lambda: daemon.log().count("demotion: on") == 1, "it is on")
    daemon.wait_dax(InPolicy=True)
    daemon.wait_idle()
    daemon.look_again()
    daemon.inject("set-demotion", enabled=False)  # no event tells of it
    getattr(daemon, call)()
    daemon.insist(daemon.round_trip, lambda: daemon.log().count("demotion: on") == 2, "it is put right")


@pytest.mark.parametrize("call", ["apply", "reload", "plan"])
def test_auto_online_blocks_that_another_process_wrote_is_seen_by_the_next_call(make_daemon, call):
    daemon = make_daemon(settings='auto_online = "manage"\n')
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline", "it is ours")
    daemon.wait_dax(InPolicy=True)
    daemon.wait_idle()
    daemon.inject("set-auto-online", value="online_kernel")  # no event tells of it
    getattr(daemon, call)()
    assert "another process wrote online_kernel to auto_online_blocks" in daemon.log()
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline", "it is ours again")


def quietly(daemon, event, **details):
    """As by another process, and no event tells of it."""
    daemon.inject("lose-events", count=0)
    daemon.inject(event, **details)
    daemon.inject("clear-faults")


def settled(make_daemon, **what):
    daemon = make_daemon(**what)
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    return daemon


def test_plan_explain_and_apply_answer_from_the_machine_as_it_is(make_daemon):
    daemon = settled(make_daemon)
    quietly(daemon, "offline-block", dax="dax0.0", nth=3, count=2)
    (_, step), = daemon.plan()
    assert (step["action"], step["blocks"]) == ("online", 2)
    quietly(daemon, "offline-block", dax="dax0.0", nth=9)
    assert daemon.explain("dax0.0")["blocks"] == 3
    quietly(daemon, "offline-block", dax="dax1.0", nth=9)
    jobs = daemon.apply()
    assert [daemon.result(job) for job in jobs] == ["done", "done"]
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)


def test_reload_goes_by_the_machine_as_it_is(make_daemon):
    """The new policy wants nothing of what another process has done without an event."""
    daemon = settled(make_daemon)
    for dax in ("dax0.0", "dax1.0"):
        quietly(daemon, "offline-block", dax=dax, nth=0, count=32)
        quietly(daemon, "unbind-dax", dax=dax)
        quietly(daemon, "bind-dax", dax=dax, mode="devdax")
    daemon.policy_file.write_text('[[rule]]\nname = "as it is"\n[rule.match]\nkind = "cxl-ram"\n'
                                  '[rule.memory]\nmode = "devdax"\n')
    before = daemon.jobs()
    daemon.reload()
    daemon.wait_dax(Mode="devdax", InPolicy=True)
    daemon.wait_idle()
    assert daemon.jobs() == before, "there is nothing to do"


def test_a_refusal_looks_first(make_daemon):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax", hold=False)) == "done"
    assert "devdax" in daemon.fails("InvalidArgument", daemon.offline, "dax0.0")
    quietly(daemon, "unbind-dax", dax="dax0.0")
    quietly(daemon, "bind-dax", dax="dax0.0", mode="system-ram")
    assert daemon.result(daemon.offline("dax0.0", hold=False)) == "done"


def test_a_refusal_for_want_of_kernel_memory_looks_first(make_daemon, machine_file):
    small = SMALL.replace('memory = "2GiB"', 'memory = "2GiB"\nused = "1888MiB"')
    machine = machine_file(small + card(0, 'mode = "unbound"') + card(1))
    daemon = make_daemon(machine=machine, policy=ONLY_WATCH)
    assert "struct pages" in daemon.fails("Conflict", daemon.online, "dax0.0", "kernel")
    quietly(daemon, "unbind-dax", dax="dax1.0")
    assert daemon.result(daemon.online("dax0.0", "kernel")) == "done"


@pytest.mark.parametrize("call", ["plan", "explain", "apply", "reload", "online"])
def test_a_scan_that_hangs_leaves_nobody_unanswered(make_daemon, call):
    daemon = settled(make_daemon)
    assert daemon.result(daemon.set_mode("dax1.0", "devdax")) == "done"
    daemon.wait_idle()
    daemon.inject("hang", operation="scan")
    begin = time.monotonic()
    if call == "plan":
        (path, entry), = daemon.plan()
        assert (path, entry["action"]) == ("/org/cxlmemd1", "none")
        said = entry["reason"]
    elif call == "explain":
        said = daemon.explain("dax0.0")["obstacles"][-1]
    elif call == "online":
        said = daemon.fails("InvalidArgument", daemon.offline, "dax1.0")
        assert "as of the last scan" in said
    else:
        getattr(daemon, call)()
        said = daemon.log()
    assert "no scan ended in 2 s" in said
    assert time.monotonic() - begin < 10
    daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.plan() == [], "it goes on")


def test_a_scan_that_fails_is_said_by_the_answer(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("fail", operation="scan", errno="EIO", count=0)
    assert "EIO" in daemon.plan()[0][1]["reason"]
    assert "EIO" in daemon.explain("dax0.0")["obstacles"][-1]
    assert "EIO" in daemon.fails("Failed", daemon.manager_call, "Record")
    daemon.inject("clear-faults")
    assert daemon.plan() == []
    assert daemon.manager_call("Record")


def test_a_caller_who_waits_for_a_scan_when_the_daemon_stops_is_told(make_daemon):
    daemon = settled(make_daemon)
    daemon.inject("hang", operation="scan")
    serial = daemon.client.send("/org/cxlmemd1", "org.cxlmemd1.Manager", "Apply", "(a{sv})", {})
    daemon.round_trip()
    daemon.process.terminate()
    daemon.wait(lambda: serial in daemon.client.replies, "an answer")
    assert daemon.client.replies[serial].raw.get_error_name() == "org.cxlmemd1.Error.Canceled"
    assert daemon.ends_by_itself() == 0


def test_R7_a_call_that_waited_for_a_scan_does_not_touch_the_successor(make_daemon):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax", hold=False)) == "done"
    daemon.inject("hang", operation="scan")
    serial = daemon.client.send("/org/cxlmemd1/dax/dax0_2e0", "org.cxlmemd1.DaxDevice", "Offline", "(a{sv})", {})
    daemon.round_trip()
    daemon.inject("replace-dax", dax="dax0.0")
    daemon.insist(lambda: daemon.inject("resume"), lambda: serial in daemon.client.replies, "an answer")
    assert daemon.client.replies[serial].raw.get_error_name() == "org.cxlmemd1.Error.Gone"
    assert not [path for path in daemon.jobs() if daemon.job(path) and daemon.job(path)["Operation"] == "offline"]


def test_another_actors_interrupted_offline_does_not_stay_going_offline(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("begin-offline", dax="dax0.0", nth=3)
    daemon.look_again()
    daemon.wait_dax(InPolicy=False)
    daemon.inject("end-offline", interrupted=True)
    daemon.wait_dax(State="online", InPolicy=True, LastError=("", ""))


def test_auto_online_blocks_that_another_process_writes_is_written_again(make_daemon):
    daemon = make_daemon(settings='auto_online = "manage"\n')
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline", "it is ours")
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("set-auto-online", value="online_kernel")
    daemon.nudge()
    said = "another process wrote online_kernel to auto_online_blocks"
    daemon.insist(daemon.round_trip, lambda: said in daemon.log(), "it is said")
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline", "it is ours again")


def test_auto_online_blocks_is_no_fight_for_ever(make_daemon, folder):
    daemon = make_daemon(settings='auto_online = "manage"\n', machine=scenario(folder, """
[[step]]
on = { operation = "set_auto_online", times = 0 }
event = "set-auto-online"
value = "online_kernel"
"""))
    daemon.inject("set-auto-online", value="online_kernel")
    daemon.insist(daemon.nudge, lambda: "no longer put right" in daemon.log(), "it stops")
    lines = daemon.log().count("another process wrote")
    daemon.nudge()
    daemon.wait_idle()
    assert daemon.log().count("another process wrote") == lines == 4


# --- 6. What is shown ends with its cause ---

def test_the_error_of_a_policy_job_ends_under_a_hold(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    daemon.wait(lambda: daemon.dax()["LastError"][0], "it failed")
    daemon.hold("dax0.0")
    daemon.wait_dax(Held=True, LastError=("", ""))
    daemon.wait(lambda: daemon.manager["State"] == "idle", "nothing is wrong")


def test_drift_that_is_reported_ends_under_a_hold(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.wait(lambda: daemon.dax()["LastError"][0], "it is said")
    daemon.hold("dax0.0")
    daemon.wait_dax(Held=True, LastError=("", ""))


def test_what_is_blocked_in_observe_mode_ends_with_its_cause(make_daemon):
    daemon = make_daemon(arguments=["--observe"], machine="auto-online", policy=MOVABLE)
    daemon.inject("set-hotremove", possible=False)
    daemon.nudge()
    daemon.wait(lambda: daemon.dax()["LastError"][0], "it is blocked")
    daemon.inject("set-hotremove", possible=True)
    daemon.nudge()
    daemon.wait_dax(LastError=("", ""))


def test_a_failed_removal_is_no_trouble_of_devices_that_were_not_in_the_way(make_daemon):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    daemon.inject("fail", operation="destroy_region", errno="EIO")
    assert daemon.result(daemon.remove_region("region0")) == "failed"
    assert daemon.dax()["LastError"] == ("", "")


def test_what_policy_leaves_alone_is_in_policy(make_daemon):
    daemon = make_daemon(policy=rule("off").replace("system-ram", "ignore"))
    assert daemon.dax()["InPolicy"]
    daemon.policy_file.write_text("")
    daemon.reload()
    daemon.wait_dax(Rule="", InPolicy=True)


# --- 7. Order ---

def test_a_late_remove_event_of_a_predecessor_does_not_end_the_successors_job(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("delay-events", usec=600_000, uevent="dax remove")
    daemon.inject("replace-dax", dax="dax0.0", start=0xA00000000)
    daemon.wait_dax(Resource=0xA00000000)
    daemon.inject("delay", operation="set_mode", usec=1_500_000)
    job = daemon.set_mode("dax0.0", "devdax")
    assert daemon.result(job) == "done"
    assert daemon.dax()["Mode"] == "devdax"


def test_R6_a_job_appears_behind_the_object_that_it_is_about(make_daemon):
    daemon = make_daemon()
    for turn in range(3):
        daemon.inject("add-memdev", serial=90 + turn, name=f"mem{7 + turn}", ram_size="2GiB")
        daemon.inject("add-region", memdevs=f"mem{7 + turn}", name=f"region{5 + turn}")
        daemon.wait_dax(f"dax{5 + turn}.0", State="online", InPolicy=True)
    seen = set()
    new_jobs = 0
    for signal in daemon.client.signals:
        if signal.member == "InterfacesAdded":
            seen.add(signal.body[0])
        if signal.member == "JobNew" and "dax/dax0" not in signal.body[2] and "dax/dax1" not in signal.body[2]:
            new_jobs += 1
            assert signal.body[2] in seen
            assert signal.body[1] in seen
    assert new_jobs == 3


def test_SIGTERM_during_the_first_scan_leaves_auto_online_blocks_alone(make_daemon, folder):
    daemon = make_daemon(settings='auto_online = "manage"\n', start=False, machine=scenario(folder, """
[[step]]
on = { operation = "scan", nth = 1, moment = "before" }
event = "delay"
operation = "scan"
usec = "1s"
count = 1
""", machine="auto-online"))
    with daemon.log_file.open("ab") as log:
        process = subprocess.Popen(daemon.command(), stderr=log, stdout=log, env={**os.environ, "JOURNAL_STREAM": ""})
    try:
        until = time.monotonic() + LIMIT
        while "delay" not in daemon.log():  # the first scan has begun
            assert time.monotonic() < until and process.poll() is None, daemon.log()
            os.sched_yield()
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert not (daemon.runtime / "auto_online_blocks").exists()
    assert "auto_online_blocks is offline" not in daemon.log()


def test_what_a_crashed_daemon_managed_is_put_back_by_one_that_leaves_it(make_daemon, folder):
    (folder / "run").mkdir()
    (folder / "run/auto_online_blocks").write_text("online_movable")
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "online_movable", "put back")
    assert not (folder / "run/auto_online_blocks").exists()


# --- 8. A last look ---

@pytest.mark.parametrize("how", ["canceled", "timeout"])
def test_a_job_that_is_stopped_has_its_last_look(make_daemon, how):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert daemon.node(1)["Tier"] == 22
    daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax0.0", "devdax", rollback=False, **({"timeout": 600_000} if how == "timeout" else {}))
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 32)
    if how == "canceled":
        daemon.cancel(job)
    assert daemon.result(job) == how
    assert (daemon.node(1)["BytesOnline"], daemon.node(1)["Tier"]) == (0, -1)


def test_own_weight_is_not_blamed_on_others_after_scans_that_failed(make_daemon):
    daemon = make_daemon(policy="", settings=QUICK_RETRY)
    daemon.policy_file.write_text('[[node]]\nmatch = { id = [0] }\ninterleave_weight = 7\n')
    daemon.inject("fail", operation="scan", errno="EIO", count=2)
    daemon.reload()
    daemon.insist(daemon.round_trip, lambda: "interleave weight of node 0: 7" in daemon.log(), "it is written")
    daemon.reload()
    daemon.wait(lambda: daemon.node(0)["InterleaveWeight"] == 7, "it is seen")
    assert "changed by somebody else" not in daemon.log()
    assert daemon.conflicts("tuning") == []


def test_drift_that_was_reported_is_no_silent_enforce_after_a_restart(make_daemon, machine_file):
    blocks = 'blocks = { movable = "32-62", offline = "63" }'
    daemon = make_daemon(policy=rule(memory='zone = "movable"'), machine=machine_file(SMALL + card(0)))
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("offline-block", dax="dax0.0", nth=31)
    daemon.wait(lambda: daemon.dax()["LastError"][0], "it is reported")
    daemon.kill()
    # The machine goes on as it is.
    daemon.machine = machine_file(SMALL + card(0, blocks))
    daemon.start()
    daemon.wait(lambda: "before the daemon was started" in daemon.dax()["LastError"][1], "still reported")
    assert daemon.dax()["BlocksOnline"] == 31
    assert not daemon.jobs()
    (job,) = daemon.apply()
    assert daemon.result(job) == "done"
    daemon.wait_dax(InPolicy=True, LastError=("", ""))
    assert (daemon.state / "drift").read_text() == ""


# --- 9. From reading ---

def test_a_region_whose_removal_was_cut_short_is_named_and_removed_again(make_daemon):
    """As SIGKILL between the disable and the delete leaves it."""
    daemon = watched(make_daemon)
    assert daemon.conflicts("region") == []
    daemon.inject("disable-region", region="region0")
    daemon.wait(lambda: daemon.conflicts("region"), "it is said")
    daemon.wait(lambda: not daemon.properties("/org/cxlmemd1/region/region0", "Region")["Enabled"], "it is shown")
    record = daemon.config / "record.toml"
    record.write_text(daemon.manager_call("Record"))
    daemon.stop()

    daemon = watched(make_daemon, machine=record)
    said, = daemon.conflicts("region")
    assert "cut short" in said and "cxlmemctl remove region0" in said
    assert not daemon.properties("/org/cxlmemd1/region/region0", "Region")["Enabled"]
    told = daemon.manager_call("Explain", "(oa{sv})", "/org/cxlmemd1/region/region0", {})
    assert "cxlmemctl remove region0" in told["reason"]
    assert daemon.result(daemon.remove_region("region0")) == "done"
    daemon.wait_gone("/org/cxlmemd1/region/region0")
    daemon.wait(lambda: daemon.conflicts("region") == [], "nothing is left to say")


def reboot_was_required(daemon, dax="dax0.0"):
    """At any moment since the daemon started."""
    return any(signal.member == "PropertiesChanged" and signal.path == f"/org/cxlmemd1/dax/{dax.replace('.', '_2e')}"
               and signal.body[1].get("RebootRequired") for signal in daemon.client.signals)


def test_another_actors_slow_unbind_is_no_lost_memory(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("unbind-dax", dax="dax0.0", usec=3_000_000)
    daemon.nudge()
    daemon.wait_dax(Mode="unbound")
    assert not reboot_was_required(daemon) and not daemon.dax()["RebootRequired"]
    assert daemon.conflicts("leaked") == []


def test_memory_that_an_unbind_left_behind_is_lost_in_the_end(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("unbind-dax", dax="dax0.0", usec=60_000_000)
    daemon.nudge()
    daemon.wait_dax(RebootRequired=True)
    daemon.wait(lambda: daemon.conflicts("leaked"), "it is said")
