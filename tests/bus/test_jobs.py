# SPDX-License-Identifier: LGPL-2.1-or-later
"""Online, Offline and SetMode, and the job objects that they return."""

import pytest
from gi.repository import GLib
from harness import BLOCK, MOVABLE, dax_path, rule, watched
from places import LIMIT
from wire import NAME, options


def told(daemon, job, key):
    """Every value of a job's property that the bus saw, oldest first."""
    out = []
    for signal in daemon.client.signals:
        if signal.member == "InterfacesAdded" and signal.body[0] == job:
            out.append(signal.body[1][f"{NAME}.Job"][key])
        elif signal.member == "PropertiesChanged" and signal.path == job and key in signal.body[1]:
            out.append(signal.body[1][key])
    return out


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
    assert "'fsdax'" in wrong(daemon.set_mode, "dax0.0", "fsdax")
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
