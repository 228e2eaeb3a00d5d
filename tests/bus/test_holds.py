# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator did by hand is not undone by policy until Release."""

from harness import MOVABLE, ONLY_WATCH, rule


def online(make_daemon, **what):
    daemon = make_daemon(**what)
    daemon.wait_dax("dax0.0", InPolicy=True, State="online")
    daemon.wait_dax("dax1.0", InPolicy=True, State="online")
    daemon.wait_idle()
    return daemon


def test_what_was_taken_offline_by_hand_stays_offline(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    jobs = daemon.jobs()
    daemon.look_again()
    daemon.reload()
    assert daemon.apply() == []
    daemon.look_again()
    assert daemon.jobs() == jobs
    device = daemon.dax()
    assert (device["State"], device["Held"], device["InPolicy"]) == ("offline", True, False)
    assert "administrator" in device["Reason"]
    assert daemon.explain("dax0.0")["verdict"] == "held"
    assert all(path != "dax0.0" for path, _ in daemon.plan())


def test_release_gives_it_back_to_policy(make_daemon):
    daemon = online(make_daemon)
    daemon.result(daemon.offline("dax0.0"))
    daemon.release("dax0.0")
    daemon.wait_dax(State="online", Zone="movable", Held=False, InPolicy=True)


def test_without_hold_policy_puts_it_right_again(make_daemon):
    daemon = online(make_daemon, policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    job = daemon.offline("dax0.0", hold=False)
    assert daemon.result(job) == "done"
    daemon.wait_dax(State="online", Zone="movable", Held=False, InPolicy=True)


def test_hold_and_release_are_idempotent(make_daemon):
    daemon = online(make_daemon)
    for _ in range(2):
        daemon.hold("dax0.0")
        assert daemon.dax()["Held"]
    for _ in range(2):
        daemon.release("dax0.0")
        assert not daemon.dax()["Held"]


def test_hold_stops_what_policy_is_doing(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=4, dax="dax0.0")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 3)
    daemon.hold("dax0.0")
    daemon.inject("resume")
    assert daemon.result(job) == "canceled"
    assert daemon.dax()["BlocksOnline"] <= 4


def test_a_hold_survives_kill_and_restart(make_daemon):
    daemon = online(make_daemon)
    daemon.hold("dax0.0")
    daemon.kill()
    daemon.start()
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.look_again()
    assert (daemon.dax()["Held"], daemon.dax()["State"]) == (True, "offline")
    daemon.release("dax0.0")
    daemon.wait_dax(State="online")
    daemon.kill()
    daemon.start()
    daemon.wait_dax("dax0.0", State="online", Held=False)


def test_a_hold_is_of_the_memory_and_not_of_the_name(make_daemon):
    daemon = online(make_daemon)
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    daemon.inject("replace-dax", dax="dax0.0", start=0xA00000000)
    daemon.wait_dax(Resource=0xA00000000, Held=False, State="online", InPolicy=True)
    # The same memory, come back.
    daemon.inject("replace-dax", dax="dax0.0", start=0x590000000)
    daemon.wait_dax(Resource=0x590000000, Held=True)
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == 0


def test_a_refused_call_leaves_no_hold(make_daemon):
    daemon = make_daemon(machine="negative-target-node", policy=ONLY_WATCH)
    daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable")
    assert not daemon.dax()["Held"]
    assert not (daemon.state / "holds").exists()


def test_kill_in_the_middle_of_work_leaves_sane_files(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=10_000)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 3)
    daemon.kill()
    assert [path.name for path in daemon.state.iterdir() if not path.name.startswith("recorder")] == ["holds"]
    assert (daemon.state / "holds").read_text().count("\nhold ") == 1
    daemon.start()
    assert daemon.dax()["Held"]
    assert not daemon.dax("dax1.0")["Held"]


def test_without_hold_policy_acts_again_at_once_whatever_its_drift(make_daemon):
    daemon = online(make_daemon, policy=rule(memory='zone = "movable"\ndrift = "report"'))
    assert daemon.result(daemon.offline("dax0.0", hold=False)) == "done"
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True, LastError=("", ""))
