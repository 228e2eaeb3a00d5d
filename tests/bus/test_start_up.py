# SPDX-License-Identifier: LGPL-2.1-or-later
"""From nothing to a running daemon: what is there comes online, what is wrong is said and nothing is touched."""

import os
import signal
import subprocess

import pytest
from harness import MOVABLE, ONLY_WATCH, ROOT, Daemon, rule
from places import DAEMON, LIMIT
from wire import BusError

BAD = '[[rule]]\nname = "a"\n[rule.memory]\nmode = "system-ram"\nzone = "moveable"\n'


def test_devices_present_come_online_as_the_rule_says(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    for name in ("dax0.0", "dax1.0"):
        device = daemon.wait_dax(name, State="online", Zone="movable", InPolicy=True)
        assert device["BlocksOnline"] == device["BlocksMovable"] == device["BlocksTotal"] == 32
        assert device["Rule"] == "expanders"
        assert "expanders" in device["Reason"]
    daemon.wait_idle()
    assert daemon.manager["State"] == "idle"
    assert daemon.manager["Mode"] == "enforce"
    assert daemon.manager["PolicyGeneration"] == 1
    assert daemon.manager["PolicyFiles"] == [str(daemon.policy_file)]
    assert daemon.manager["BytesOnline"] == daemon.manager["BytesTotal"] == 8 << 30
    assert [daemon.result(job) for job in daemon.jobs()] == ["done", "done"]


def test_the_first_rule_that_holds_decides(make_daemon):
    policy = rule("second-card", 'memdev_serial = "0x2"', 'zone = "kernel"') + MOVABLE
    daemon = make_daemon(policy=policy)
    daemon.wait_dax("dax0.0", Zone="movable", State="online", Rule="expanders")
    daemon.wait_dax("dax1.0", Zone="kernel", State="online", Rule="second-card")


def test_a_bad_policy_means_observe_and_nothing_is_touched(make_daemon):
    daemon = make_daemon(policy=BAD)
    assert daemon.manager["Mode"] == "observe"
    ((file, line, column, severity, message),) = daemon.manager["PolicyProblems"]
    assert (file, line, severity) == (str(daemon.policy_file), 5, "error")
    assert column > 0
    assert "moveable" in message and "movable" in message
    daemon.look_again()
    assert not daemon.jobs()
    assert daemon.dax()["BlocksOnline"] == 0
    assert daemon.manager["State"] == "degraded"
    daemon.fails("InvalidPolicy", daemon.apply)


def test_one_bad_file_does_not_hide_where_the_other_is_good(make_daemon):
    daemon = make_daemon(start=False)
    (daemon.config / "policy.d/10-bad.toml").write_text("[[rule]\n")
    daemon.start()
    assert daemon.manager["Mode"] == "observe"
    assert daemon.manager["PolicyProblems"][0][0].endswith("10-bad.toml")
    assert daemon.manager["PolicyProblems"][0][1] == 1


def test_a_policy_that_others_may_write_means_observe(make_daemon):
    daemon = make_daemon(start=False)
    daemon.policy_file.chmod(0o666)
    daemon.start()
    assert daemon.manager["Mode"] == "observe"
    ((file, line, column, severity, message),) = daemon.manager["PolicyProblems"]
    assert (file, line, column, severity) == (str(daemon.policy_file), 0, 0, "error")
    assert "writable by everyone (mode 0666)" in message
    daemon.look_again()
    assert daemon.dax()["BlocksOnline"] == 0
    daemon.policy_file.chmod(0o644)
    daemon.reload()
    daemon.wait_dax("dax0.0", State="online", Zone="movable")


def test_a_folder_that_others_may_write_is_no_policy_at_a_reload(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", State="online", Zone="movable")
    daemon.policy_file.parent.chmod(0o777)
    (daemon.policy_file.parent / "10-stranger.toml").write_text(rule("stranger", memory='zone = "kernel"'))
    assert "mode 0777" in daemon.fails("InvalidPolicy", daemon.reload)
    daemon.look_again()
    assert daemon.dax()["Zone"] == "movable" and daemon.manager["PolicyGeneration"] == 1


def test_bad_settings_mean_observe(make_daemon):
    daemon = make_daemon(settings='auto_online = "mange"\n')
    assert daemon.manager["Mode"] == "observe"
    file, line, column, severity, message = daemon.manager["PolicyProblems"][0]
    assert (file, line, severity) == (str(daemon.config / "daemon.toml"), 1, "error")
    assert "manage" in message


def test_observe_never_acts(make_daemon):
    daemon = make_daemon(arguments=["--observe"])
    assert daemon.manager["Mode"] == "observe"
    assert {entry[0] for entry in daemon.plan()} == {f"{ROOT}/dax/dax0_2e0", f"{ROOT}/dax/dax1_2e0"}
    try:
        daemon.apply()
    except BusError:
        pass  # which error is not for this test to say
    daemon.look_again()
    assert not daemon.jobs()
    assert daemon.dax()["BlocksOnline"] == 0


@pytest.mark.parametrize("kind", ["folder", "loop"])
def test_unreadable_holds_mean_observe(make_daemon, folder, kind):
    state = folder / "state"
    state.mkdir()
    if kind == "folder":
        (state / "holds").mkdir()
    else:
        (state / "holds").symlink_to("holds")
    daemon = make_daemon(state=state)
    assert daemon.manager["Mode"] == "observe"
    daemon.look_again()
    assert not daemon.jobs()
    assert "holds" in daemon.log()


def test_a_machine_without_cxl_is_no_error(make_daemon):
    daemon = make_daemon(machine="laptop-with-nothing")
    assert daemon.manager["State"] == "idle"
    assert daemon.manager["BytesTotal"] == 0
    assert not any("/dax/" in path for path in daemon.objects)
    assert daemon.plan() == []
    assert "no CXL" in daemon.log()


def test_no_configuration_at_all_only_watches(make_daemon):
    daemon = make_daemon(policy=None)
    assert not daemon.config.exists()
    assert daemon.manager["Mode"] == "enforce"
    assert daemon.manager["PolicyFiles"] == []
    daemon.look_again()
    assert not daemon.jobs()
    assert daemon.dax()["Rule"] == ""
    assert daemon.dax()["InPolicy"], "policy leaves it alone"


def test_a_state_folder_that_cannot_be_written_is_said_and_holds_nothing(make_daemon, folder):
    (folder / "file").write_text("")
    daemon = make_daemon(policy=ONLY_WATCH, state=folder / "file/state")
    message = daemon.fails("Failed", daemon.hold, "dax0.0")
    assert "file/state" in message and "ENOTDIR" in message
    assert not daemon.dax()["Held"]
    daemon.fails("Failed", daemon.online, "dax0.0", "movable")  # it would be a hold
    assert daemon.result(daemon.online("dax0.0", "movable", hold=False)) == "done"


def test_a_runtime_folder_that_cannot_be_written_leaves_auto_online_alone(make_daemon, folder):
    (folder / "file").write_text("")
    daemon = make_daemon(machine="auto-online", settings='auto_online = "manage"\n', runtime=folder / "file/run")
    daemon.wait_dax(Zone="movable", State="online")
    daemon.look_again()
    assert daemon.manager["KernelAutoOnline"] == "online"
    assert "auto_online_blocks is left alone" in daemon.log()


def test_auto_online_is_managed_and_put_back(make_daemon):
    daemon = make_daemon(machine="auto-online", settings='auto_online = "manage"\n')
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline")
    kept = [path for path in daemon.runtime.iterdir() if path.is_file()]
    assert [path.read_text().strip() for path in kept] == ["online"]
    daemon.stop()
    assert not any(daemon.runtime.iterdir())


def test_auto_online_that_is_left_alone_is_named_as_a_conflict(make_daemon):
    daemon = make_daemon(machine="auto-online", settings='auto_online = "leave"\n')
    daemon.wait_dax(Zone="movable", State="online")
    daemon.look_again()
    assert daemon.manager["KernelAutoOnline"] == "online"
    assert "auto-online" in [kind for kind, _ in daemon.manager["Conflicts"]]


def test_a_second_daemon_ends_and_touches_nothing(make_daemon, folder):
    first = make_daemon(policy=ONLY_WATCH)
    other = Daemon(first.bus, folder, policy=None)
    ended = subprocess.run(other.command(), capture_output=True, text=True, timeout=LIMIT)
    assert ended.returncode == 1
    assert "File exists" in ended.stderr or "name" in ended.stderr
    assert first.is_alive()


def test_plan_prints_and_touches_nothing(folder, shared_bus):
    daemon = Daemon(shared_bus, folder)
    printed = subprocess.run([*daemon.command(), "--plan"], capture_output=True, text=True, timeout=LIMIT)
    assert printed.returncode == 0, printed.stderr
    assert "dax0.0: online movable 32 blocks (4GiB)" in printed.stdout
    assert not daemon.state.exists()


def test_check_config_names_the_place(folder, shared_bus):
    daemon = Daemon(shared_bus, folder, policy=BAD)
    printed = subprocess.run([str(DAEMON), "--check-config", "--config", str(daemon.config)], capture_output=True,
                             text=True, timeout=LIMIT)
    assert printed.returncode == 1
    assert printed.stdout.startswith(f"{daemon.policy_file}:5:") and ": error: " in printed.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_work_ends_it_after_the_block(make_daemon, number):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=20000)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 2)
    os.kill(daemon.process.pid, number)
    assert daemon.ends_by_itself() == 0
