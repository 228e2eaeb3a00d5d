# SPDX-License-Identifier: LGPL-2.1-or-later
"""Edited configuration files: noticed, checked, shown as pending or as problems, and put in force if asked to."""

import os
import subprocess

from gi.repository import GLib
from harness import KERNEL, MOVABLE, ONLY_WATCH, Daemon, rule
from places import DAEMON, LIMIT
from wire import ROOT

BAD = '[[rule]]\nname = "expanders"\n[rule.memory]\nzone = "moveable"\n'
AUTO = "auto_reload = true\n"


def wait(daemon, **wanted):
    daemon.wait(lambda: all(daemon.manager[key] == value for key, value in wanted.items()), f"the manager is {wanted}")


def told(daemon, words):
    return daemon.log().count(words)


def replace(path, text):
    """As most editors do it."""
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(text)
    os.rename(fresh, path)


def effective(daemon, **options):
    return daemon.manager_call("EffectivePolicy", "(a{sv})", options)


def test_a_valid_edit_is_pending_until_a_reload(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax(Zone="movable", InPolicy=True)
    assert daemon.manager["PolicyPending"] is False
    replace(daemon.policy_file, KERNEL)
    wait(daemon, PolicyPending=True, PolicyGeneration=1, PolicyProblems=[])
    assert daemon.dax()["Zone"] == "movable"
    daemon.reload()
    wait(daemon, PolicyPending=False, PolicyGeneration=2)
    daemon.wait_dax(Zone="kernel", InPolicy=True)
    assert told(daemon, "waits for a reload") == 1


def test_an_edit_taken_back_is_not_pending(make_daemon):
    daemon = make_daemon()
    daemon.policy_file.write_text(KERNEL)
    wait(daemon, PolicyPending=True)
    daemon.policy_file.write_text(MOVABLE)
    wait(daemon, PolicyPending=False)
    assert daemon.manager["PolicyGeneration"] == 1


def test_the_same_text_written_again_is_no_edit(make_daemon):
    daemon = make_daemon()
    replace(daemon.policy_file, MOVABLE)
    # Something that is one comes after it.
    (daemon.config / "daemon.toml").write_text("auto_reload = false\n")
    wait(daemon, PolicyPending=True)
    assert told(daemon, "was edited") == 1


def test_an_edit_with_errors_is_shown_and_what_is_in_force_stays(make_daemon):
    daemon = make_daemon(policy=MOVABLE + rule("never"))
    daemon.wait_dax(InPolicy=True)
    warnings = daemon.manager["PolicyProblemsInForce"]
    assert warnings and warnings == daemon.manager["PolicyProblems"]
    daemon.policy_file.write_text(BAD)
    daemon.wait(lambda: any(p[3] == "error" for p in daemon.manager["PolicyProblems"]), "the error is shown")
    assert daemon.manager["PolicyProblems"][0][:2] == (str(daemon.policy_file), 4)
    assert daemon.manager["PolicyProblemsInForce"] == warnings
    assert (daemon.manager["PolicyPending"], daemon.manager["PolicyGeneration"]) == (False, 1)
    assert (daemon.manager["Mode"], daemon.dax()["Rule"]) == ("enforce", "expanders")
    assert told(daemon, "moveable") == 1
    daemon.policy_file.write_text(KERNEL)
    wait(daemon, PolicyPending=True, PolicyProblems=[], PolicyProblemsInForce=warnings)


def test_auto_reload_puts_a_valid_edit_in_force_once(make_daemon):
    daemon = make_daemon(settings=AUTO)
    daemon.wait_dax(Zone="movable", InPolicy=True)
    replace(daemon.policy_file, KERNEL)
    wait(daemon, PolicyGeneration=2, PolicyPending=False)
    daemon.wait_dax(Zone="kernel", InPolicy=True)
    assert daemon.manager["PolicyGeneration"] == 2


def test_auto_reload_leaves_an_edit_with_errors_alone(make_daemon):
    daemon = make_daemon(settings=AUTO)
    daemon.wait_dax(Zone="movable", InPolicy=True)
    daemon.policy_file.write_text(BAD)
    daemon.wait(lambda: daemon.manager["PolicyProblems"], "the error is shown")
    assert (daemon.manager["PolicyGeneration"], daemon.dax()["Rule"]) == (1, "expanders")
    daemon.policy_file.write_text(KERNEL)
    wait(daemon, PolicyGeneration=2, PolicyProblems=[])


def test_auto_reload_waits_for_the_writer(make_daemon):
    """Half of the file would be a policy, too: one that does something else."""
    daemon = make_daemon(settings=AUTO)
    daemon.wait_dax(Zone="movable", InPolicy=True)
    other = daemon.policy_file.with_name("60-other.toml")
    with daemon.policy_file.open("w") as file:
        file.write(KERNEL)
        file.flush()
        other.write_text(rule("other", 'kind = "hmem"'))
        daemon.look_again(3)
        assert daemon.manager["PolicyGeneration"] == 1
        file.write("# the end\n")
    wait(daemon, PolicyGeneration=2)
    assert daemon.manager["PolicyFiles"] == [str(daemon.policy_file), str(other)]


def test_auto_reload_itself_is_a_setting_that_waits(make_daemon):
    daemon = make_daemon()
    (daemon.config / "daemon.toml").write_text(AUTO)
    wait(daemon, PolicyPending=True, PolicyGeneration=1)
    daemon.reload()
    wait(daemon, PolicyPending=False, PolicyGeneration=2)
    daemon.policy_file.write_text(KERNEL)
    wait(daemon, PolicyGeneration=3)


def test_a_bad_start_is_mended_by_an_edit(make_daemon):
    daemon = make_daemon(policy=BAD, settings=AUTO)
    assert daemon.manager["Mode"] == "observe"
    assert daemon.manager["PolicyProblemsInForce"] == daemon.manager["PolicyProblems"] != []
    replace(daemon.policy_file, MOVABLE)
    wait(daemon, Mode="enforce", PolicyProblems=[], PolicyProblemsInForce=[])
    daemon.wait_dax(Zone="movable", InPolicy=True)


def test_folders_that_appear_later_are_noticed(make_daemon):
    daemon = make_daemon(policy=None)
    assert not daemon.config.exists()
    daemon.policy_file.parent.mkdir(parents=True)
    daemon.policy_file.write_text(MOVABLE)
    wait(daemon, PolicyPending=True)


def test_effective_policy_is_of_the_disk_or_in_force(make_daemon):
    daemon = make_daemon(policy=rule("small", 'size = "< 1GiB"') + MOVABLE)
    extra = daemon.policy_file.with_name("10-first.toml")
    extra.write_text('[[rule]]\nname = "first"\n[rule.match]\nkind = "hmem"\n[rule.memory]\nmode = "ignore"\n')
    masked = daemon.policy_file.with_name("20-none.toml")
    masked.symlink_to("/dev/null")
    rules, files, problems = effective(daemon)
    assert [(file, line, name) for file, line, name, _, _ in rules] == [
        (str(extra), 1, "first"), (str(daemon.policy_file), 1, "small"), (str(daemon.policy_file), 8, "expanders")]
    assert rules[0][3:] == ("kind = hmem", "left alone")
    assert rules[2][3:] == ("kind = cxl-ram", "system-ram, zone movable, amount all")
    assert files == [(str(extra), ""), (str(masked), "/dev/null"), (str(daemon.policy_file), "")]
    assert problems == []
    rules, files, _ = effective(daemon, in_force=GLib.Variant("b", True))
    assert [rule[2] for rule in rules] == ["small", "expanders"] and files == [(str(daemon.policy_file), "")]
    assert daemon.manager["PolicyGeneration"] == 1


def test_effective_policy_and_check_policy_refuse_unknown_options(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    for options in ({"colour": GLib.Variant("s", "red")}, {"in_force": GLib.Variant("s", "yes")}):
        assert next(iter(options)) in daemon.fails("InvalidArgument", effective, daemon, **options)
    for options in ({"in_force": GLib.Variant("b", True)}, {"files": GLib.Variant("as", ["x"])}):
        daemon.fails("InvalidArgument", daemon.call, ROOT, "Manager", "CheckPolicy", "(ssa{sv})", "x", "", options)


def test_check_config_lists_the_rules_and_what_masks_what(folder, shared_bus):
    daemon = Daemon(shared_bus, folder)
    daemon.policy_file.with_name("90-vendor.toml").symlink_to("/dev/null")
    done = subprocess.run([str(DAEMON), "--check-config", "--config", str(daemon.config)], capture_output=True,
                          text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        f"   1  expanders  {daemon.policy_file}:1",
        "      kind = cxl-ram: system-ram, zone movable, amount all",
        f"masked: {daemon.policy_file.with_name('90-vendor.toml')} by /dev/null"]
