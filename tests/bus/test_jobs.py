"""Online, Offline, SetMode and Cancel, and the job objects that they return."""

import pytest
from gi.repository import GLib
from harness import BLOCK, MOVABLE, ONLY_WATCH, dax_path, rule, scenario
from places import LIMIT
from wire import NAME, NotInTime, options


def told(daemon, job, key):
    """Every value of a job's property that the bus saw, oldest first."""
    out = []
    for signal in daemon.client.signals:
        if signal.member == "InterfacesAdded" and signal.body[0] == job:
            out.append(signal.body[1][f"{NAME}.Job"][key])
        elif signal.member == "PropertiesChanged" and signal.path == job and key in signal.body[1]:
            out.append(signal.body[1][key])
    return out


def watched(make_daemon, **what):
    """A daemon without a rule: every job is the caller's."""
    return make_daemon(policy=ONLY_WATCH, **what)


def test_online_and_offline_by_hand(make_daemon):
    daemon = watched(make_daemon)
    for zone in ("movable", "kernel", "auto"):
        job = daemon.online("dax0.0", zone)
        assert daemon.result(job) == "done"
        assert daemon.dax()["State"] == "online"
        assert daemon.dax()["Zone"] == ("movable" if zone == "auto" else zone)
        assert daemon.job(job)["BlocksDone"] == daemon.job(job)["BlocksTotal"]
        assert daemon.error(job) == ("", "")
    assert daemon.dax()["Held"]
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert (daemon.dax()["State"], daemon.dax()["Zone"], daemon.dax()["BytesOnline"]) == ("offline", "none", 0)
    assert daemon.dax()["Mode"] == "system-ram"
    assert daemon.dax("dax1.0")["BlocksOnline"] == 0


def test_online_in_the_zone_of_its_rule(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "kernel"\namount = "none"'))
    assert daemon.result(daemon.online("dax0.0", "")) == "done"
    assert daemon.dax()["Zone"] == "kernel"


def test_online_a_part(make_daemon):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable", amount=5 * BLOCK)) == "done"
    assert daemon.dax()["BlocksOnline"] == 5
    assert daemon.result(daemon.online("dax0.0", "movable", amount=3 * BLOCK)) == "done"
    assert daemon.dax()["BlocksOnline"] == 3


@pytest.mark.parametrize("amount", [0, 1, BLOCK - 1])
def test_an_amount_of_no_block_is_refused(make_daemon, amount):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable", amount=amount)
    assert daemon.dax()["BlocksOnline"] == 32


def test_set_mode_drains_binds_and_back(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    assert daemon.dax()["State"] == "online"
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    assert (daemon.dax()["Mode"], daemon.dax()["BlocksOnline"]) == ("devdax", 0)
    assert not daemon.dax()["RebootRequired"]
    assert "mode devdax" in daemon.fails("InvalidArgument", daemon.offline, "dax0.0")
    assert daemon.result(daemon.set_mode("dax0.0", "system-ram")) == "done"
    assert daemon.dax()["Mode"] == "system-ram"
    assert daemon.result(daemon.set_mode("dax0.0", "system-ram")) == "done"  # there already


def test_online_binds_first_if_it_must(make_daemon):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert (daemon.dax()["Mode"], daemon.dax()["BlocksMovable"]) == ("system-ram", 32)


# --- what is refused ---


def test_an_object_that_does_not_exist(make_daemon):
    daemon = watched(make_daemon)
    for call in (daemon.hold, daemon.release, daemon.offline):
        daemon.fails("org.freedesktop.DBus.Error.UnknownObject", call, "dax7.0")
    daemon.fails("org.freedesktop.DBus.Error.UnknownObject", daemon.cancel, "/org/cxlmemd1/job/_37")


def test_wrong_arguments_are_named(make_daemon):
    daemon = watched(make_daemon)
    def wrong(call, *arguments, **given):
        return daemon.fails("InvalidArgument", call, *arguments, **given)

    assert "'normal'" in wrong(daemon.online, "dax0.0", "normal")
    assert "no rule" in wrong(daemon.online, "dax0.0", "")
    assert "'famfs'" in wrong(daemon.set_mode, "dax0.0", "famfs")
    assert "'colour'" in wrong(daemon.online, "dax0.0", "movable", colour="red")
    assert "'amount'" in wrong(daemon.offline, "dax0.0", amount=BLOCK)
    assert "more than" in wrong(daemon.online, "dax0.0", "movable", amount=8 << 30)
    assert "timeout" in wrong(daemon.online, "dax0.0", "movable", timeouts=1)
    message = wrong(daemon.online, "dax0.0", "movable", timeout=GLib.Variant("i", 1))
    assert "'timeout'" in message and "'i'" in message and "'t'" in message
    assert "'b'" in wrong(daemon.offline, "dax0.0", rollback=GLib.Variant("s", "yes"))
    for path, interface, member in ((dax_path("dax0.0"), "DaxDevice", "Hold"), ("/org/cxlmemd1", "Manager", "Reload"),
                                    ("/org/cxlmemd1", "Manager", "Plan"), ("/org/cxlmemd1", "Manager", "Apply")):
        assert "'x'" in wrong(daemon.call, path, interface, member, "(a{sv})", options(x=1))
    assert not daemon.jobs()
    assert not daemon.dax()["Held"], "what was refused left a hold behind"


def test_another_goal_while_a_job_is_at_it_is_busy_and_names_the_job(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_block")
    job = daemon.online("dax0.0", "movable")
    number = daemon.job(job)["Id"]
    message = daemon.fails("Busy", daemon.offline, "dax0.0")
    assert f"job {number} " in message and "dax0.0" in message
    # The same order is the same job.
    assert daemon.online("dax0.0", "movable") == job
    daemon.inject("resume")
    assert daemon.result(job) == "done"


def test_a_callers_job_takes_over_from_policy(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("delay", operation="set_block", usec=5000)
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    policy_job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(policy_job)["BlocksDone"] >= 1)
    job = daemon.online("dax0.0", "kernel")
    assert daemon.result(policy_job) == "canceled"
    assert daemon.result(job) == "done"
    daemon.wait_dax(Zone="kernel", State="online", Held=True)


# --- job objects ---


def test_a_job_object_from_the_first_to_the_last_word(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("delay", operation="set_block", usec=2000)
    job = daemon.online("dax0.0", "movable")
    assert daemon.job(job) is not None, "the object was there before the reply"
    first = next(s.body[1][f"{NAME}.Job"] for s in daemon.client.signals
                 if s.member == "InterfacesAdded" and s.body[0] == job)
    assert first["Operation"] == "online"
    assert first["Object"] == dax_path("dax0.0")
    assert first["StartedBy"] == 0
    assert first["State"] in ("waiting", "running")
    assert first["Result"] == ""
    assert (first["BlocksDone"], first["BlocksTotal"]) == (0, 32)
    new = next(s for s in daemon.client.signals if s.member == "JobNew")
    assert new.body == (first["Id"], job, dax_path("dax0.0"))
    assert daemon.result(job) == "done"
    assert daemon.removed(job).body == (first["Id"], job, dax_path("dax0.0"), "done")
    assert told(daemon, job, "State")[-2:] == ["running", "finished"]
    last = daemon.get_all(job, "Job")
    assert (last["State"], last["Result"], last["Progress"], last["BlocksDone"]) == ("finished", "done", 1.0, 32)


def test_the_new_state_is_on_the_bus_before_the_job_ends(make_daemon):
    daemon = watched(make_daemon)
    seen = []

    def watch(signal):
        if signal.member == "JobRemoved":
            node = daemon.node(1)
            seen.append((daemon.job(signal.body[1])["Result"], daemon.dax()["BlocksOnline"], daemon.dax()["State"],
                         node["BytesOnline"] if node else 0, daemon.manager["BytesOnline"]))

    daemon.client.watchers.append(watch)
    daemon.result(daemon.online("dax0.0", "movable"))
    daemon.result(daemon.offline("dax0.0"))
    assert seen == [("done", 32, "online", 4 << 30, 4 << 30), ("done", 0, "offline", 0, 0)]


@pytest.mark.parametrize("what", ["online", "rezone", "offline"])
def test_progress_never_goes_back(make_daemon, what):
    daemon = watched(make_daemon, machine="two-card-server" if what == "online" else "auto-online")
    daemon.inject("delay", operation="set_block", usec=25_000)
    daemon.inject("fail", operation="set_block", errno="EBUSY", nth=7)
    job = daemon.offline("dax0.0") if what == "offline" else daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "done"
    for key in ("Progress", "BlocksDone"):
        values = told(daemon, job, key)
        assert values == sorted(values), key
        assert len(values) > 8, f"{key} was told as the work went on"
    assert set(told(daemon, job, "BlocksTotal")) == {32}
    assert told(daemon, job, "Progress")[0] == 0.0
    assert told(daemon, job, "Progress")[-1] == 1.0


def test_a_job_counts_every_block_it_brought(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="read_blocks", errno="EIO")
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "done"
    assert set(told(daemon, job, "BlocksTotal")) == {32}
    assert daemon.job(job)["BlocksDone"] == 32


def test_a_finished_job_stays_readable_for_ten_seconds(make_daemon):
    daemon = watched(make_daemon)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "done"
    daemon.cancel(job)  # over already: nothing to do, no error
    daemon.wait_gone(job)
    gone = next(s for s in daemon.client.signals if s.member == "InterfacesRemoved" and s.body[0] == job)
    assert 9.5 < gone.at - daemon.removed(job).at < 10 + LIMIT / 2
    assert job not in daemon.managed_objects()


# --- ending before the goal ---


def test_cancel_in_the_middle_of_onlining(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_block", nth=11)
    job = daemon.online("dax0.0", "movable", rollback=False)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 10)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert daemon.error(job)[0].endswith(".Canceled")
    assert daemon.dax()["BlocksOnline"] == 10
    assert daemon.dax()["Held"]
    # It can be taken up again.
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"


def test_a_canceled_policy_job_does_not_come_back_by_itself(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=5000, dax="dax0.0")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 4)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.look_again(2)
    assert daemon.jobs("dax0.0") == [job]
    assert daemon.dax()["BlocksOnline"] < 32
    assert daemon.dax()["LastError"][0].endswith(".Canceled")
    daemon.apply()
    daemon.wait_dax(State="online", InPolicy=True, LastError=("", ""))


def test_cancel_while_the_driver_hangs(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax0.0", "devdax")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert daemon.dax()["Mode"] == "system-ram"


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 22)])
def test_cancel_in_the_middle_of_draining(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="set_block", nth=11)
    job = daemon.offline("dax0.0", rollback=rollback)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 10)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")


def test_cancel_of_a_waiting_job(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("hang", operation="set_block")
    first = daemon.online("dax0.0", "movable")
    second = daemon.online("dax1.0", "movable")
    assert daemon.job(second)["State"] == "waiting"
    daemon.cancel(second)
    daemon.inject("resume")
    assert daemon.result(second) == "canceled"
    assert daemon.result(first) == "done"
    assert daemon.dax("dax1.0")["BlocksOnline"] == 0


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 27)])
def test_a_block_that_hangs_runs_into_the_timeout(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("hang", operation="set_block", nth=6)
    job = daemon.offline("dax0.0", timeout=300_000, rollback=rollback)
    assert daemon.result(job) == "timeout"
    assert daemon.error(job)[0].endswith(".TimedOut")
    assert "dax0.0" in daemon.error(job)[1]
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")


def test_the_drain_timeout_of_the_rule_counts_from_the_last_block(make_daemon):
    daemon = make_daemon(machine="auto-online",
                         policy=rule(memory='zone = "kernel"', drain='timeout = "300ms"\nrollback = false'))
    daemon.inject("delay", operation="set_block", usec=20_000)  # 640 ms altogether
    daemon.inject("hang", operation="set_block", nth=32)
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "timeout"
    assert daemon.dax()["BlocksOnline"] == 1


@pytest.mark.parametrize("timeout", [2**64 - 1, 2**63, 0])
def test_an_infinite_timeout_is_a_job_without_limit(make_daemon, timeout):
    daemon = watched(make_daemon)
    assert daemon.result(daemon.online("dax0.0", "movable", timeout=timeout), LIMIT / 3) == "done"
    daemon.wait_idle()


@pytest.mark.parametrize("rollback, left", [(True, 32), (False, 1)])
def test_a_pinned_block_is_named(make_daemon, rollback, left):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("pin-block", dax="dax0.0", nth=20)
    job = daemon.offline("dax0.0", rollback=rollback)
    assert daemon.result(job) in ("failed", "partial")
    name, message = daemon.error(job)
    assert name.endswith(".Busy")
    assert f"memory block {daemon.dax()['Resource'] // BLOCK + 20}" in message and "EBUSY" in message
    assert (daemon.dax()["BlocksOnline"], daemon.dax()["Zone"]) == (left, "kernel")
    assert message == daemon.dax()["LastError"][1]


def test_a_pinned_block_keeps_the_device_bound(make_daemon):
    daemon = watched(make_daemon, machine="auto-online")
    daemon.inject("pin-block", dax="dax0.0", nth=20)
    job = daemon.set_mode("dax0.0", "devdax", rollback=True)
    assert daemon.result(job) == "failed"
    assert (daemon.dax()["Mode"], daemon.dax()["BlocksOnline"]) == ("system-ram", 32)


def hanging_rollback(make_daemon, folder):
    """A job that failed, and hangs at the second block that it puts back."""
    daemon = watched(make_daemon, machine=scenario(folder, """
[[step]]
on = { operation = "online", dax = "dax0.0", nth = 1 }
event = "hang"
operation = "set_block"
""", machine="auto-online"))
    daemon.inject("fail", operation="set_block", errno="EIO", nth=20)
    job = daemon.offline("dax0.0", rollback=True)
    daemon.insist(daemon.round_trip, lambda: "scenario.toml:3: hang" in daemon.log(), "it puts back")
    return daemon, job


def test_a_hanging_rollback_can_be_canceled(make_daemon, folder):
    daemon, job = hanging_rollback(make_daemon, folder)
    daemon.cancel(job)
    try:
        assert daemon.result(job, LIMIT / 6) == "failed"
        assert daemon.dax()["BlocksOnline"] == 2  # the one that failed, the first that was put back
    except NotInTime:
        daemon.inject("resume")
        raise


def test_a_hanging_rollback_does_not_keep_the_daemon_from_stopping(make_daemon, folder):
    daemon, _ = hanging_rollback(make_daemon, folder)
    daemon.process.terminate()
    assert daemon.ends_by_itself(LIMIT / 6) == 0


def test_jobs_of_two_devices_do_not_wait_for_each_others_pauses(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="set_block", errno="EBUSY", dax="dax0.0", count=0)
    slow = daemon.online("dax0.0", "movable")
    assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
    assert daemon.removed(slow) is None
    daemon.inject("clear-faults")
    assert daemon.result(slow) == "done"


def test_a_job_with_a_broken_reader_ends(make_daemon):
    daemon = watched(make_daemon)
    daemon.inject("fail", operation="read_blocks", errno="EIO", count=0)
    daemon.inject("fail", operation="set_block", errno="EIO", count=0)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job, LIMIT / 3) in ("failed", "partial")
    assert "EIO" in daemon.error(job)[1]


def test_a_job_that_waits_for_the_worker_is_canceled_and_timed_out_at_once(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    hanging = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(hanging)["BlocksDone"] == 1)
    late = daemon.online("dax1.0", "movable", timeout=50_000)
    assert daemon.result(late) == "timeout"
    waiting = daemon.online("dax1.0", "movable")
    daemon.cancel(waiting)
    assert daemon.result(waiting) == "canceled"
    assert daemon.job(hanging)["State"] == "running"
    daemon.inject("resume")
    assert daemon.result(hanging) == "done"


def test_a_policy_job_that_is_no_longer_wanted_does_not_begin(make_daemon):
    both = 'kind = "cxl-ram"'
    daemon = make_daemon(policy=rule("all", both, 'zone = "movable"'))
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    before = daemon.jobs("dax1.0")
    daemon.inject("hang", operation="set_block", dax="dax0.0")
    daemon.policy_file.write_text(rule("all", both, 'zone = "kernel"'))
    daemon.reload()
    unwanted = daemon.wait_new_job("dax1.0", before)
    daemon.policy_file.write_text(rule("all", both, 'zone = "movable"'))
    daemon.reload()
    assert daemon.result(unwanted) == "canceled"
    daemon.inject("resume")
    daemon.wait_idle()
    daemon.wait_dax("dax0.0", BlocksMovable=32, InPolicy=True)
    assert daemon.dax("dax1.0")["BlocksMovable"] == 32
    assert daemon.jobs("dax1.0") == [*before, unwanted]


def test_canceling_a_job_of_ones_own_is_no_trouble_of_the_device(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 1)
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"
    daemon.wait(lambda: daemon.manager["State"] == "idle", "no trouble")
    assert daemon.dax()["LastError"] == ("", "")
