# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reload, CheckPolicy, Plan, Apply, Explain, and what a rule asks for."""

import os

import pytest
from harness import BLOCK, KERNEL, MOVABLE, ONLY_WATCH, QUICK_RETRY, dax_path, rule
from wire import ROOT

BAD = '[[rule]]\nname = "expanders"\n[rule.memory]\nmode = "system-ram"\nzone = "moveable"\n'


def test_a_good_policy_after_a_bad_one_is_enforced(make_daemon):
    daemon = make_daemon(policy=BAD)
    daemon.policy_file.write_text(MOVABLE)
    assert daemon.reload() == 1
    assert daemon.manager["Mode"] == "enforce"
    assert daemon.manager["PolicyProblems"] == []
    daemon.wait_dax(State="online", Zone="movable")


def test_a_bad_reload_names_the_place_and_the_old_policy_stays(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    daemon.policy_file.write_text(BAD)
    message = daemon.fails("InvalidPolicy", daemon.reload)
    assert f"{daemon.policy_file}:5:" in message and "moveable" in message
    assert "stays" in message
    assert daemon.manager["PolicyGeneration"] == 1
    assert daemon.manager["Mode"] == "enforce"
    assert daemon.manager["PolicyProblems"][0][:2] == (str(daemon.policy_file), 5)
    assert daemon.dax()["Rule"] == "expanders"
    # And it goes on to be carried out.
    daemon.inject("add-memdev", serial=7, name="mem2")
    daemon.inject("add-region", memdevs="mem2", name="region2")
    daemon.wait_dax("dax2.0", State="online", Zone="movable")


def test_a_reload_moves_memory_to_the_zone_the_new_policy_says(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    daemon.policy_file.write_text(KERNEL)
    assert daemon.reload() == 2
    daemon.wait_dax(State="online", Zone="kernel", InPolicy=True)


def test_a_reload_in_the_middle_of_work_takes_over(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.policy_file.write_text(MOVABLE)
    daemon.inject("delay", operation="set_block", usec=5000)
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 2)
    daemon.policy_file.write_text(KERNEL)
    daemon.reload()
    assert daemon.result(job) == "canceled"
    daemon.wait_dax(State="online", Zone="kernel", InPolicy=True)


def test_a_rule_that_went_away_leaves_the_memory_as_it_is(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    before = daemon.jobs()
    daemon.policy_file.unlink()
    daemon.reload()
    daemon.look_again()
    assert daemon.jobs() == before
    assert daemon.dax()["State"] == "online"
    assert daemon.dax()["Rule"] == ""


def test_an_unknown_key_is_an_error_that_suggests(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    text = MOVABLE + "zoone = 1\n"
    ((file, line, column, severity, message),) = daemon.check_policy(text, "50-a.toml")
    assert (file, line, column, severity) == ("50-a.toml", text[: text.index("zoone")].count("\n") + 1, 1, "error")
    assert "zoone" in message and "zone" in message.replace("zoone", "")


def test_check_policy_changes_nothing(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    assert daemon.check_policy(MOVABLE) == []
    daemon.look_again()
    assert not daemon.jobs()
    assert daemon.manager["PolicyProblems"] == []
    assert daemon.manager["PolicyGeneration"] == 1


def test_warnings_do_not_keep_a_policy_from_being_enforced(make_daemon):
    daemon = make_daemon(policy=MOVABLE + rule("never"))
    assert [problem[3] for problem in daemon.manager["PolicyProblems"]] == ["warning"]
    daemon.wait_dax(State="online", Zone="movable")


def test_plan_says_each_step_with_its_rule_and_place(make_daemon):
    daemon = make_daemon(arguments=["--observe"])
    entries = daemon.plan()
    assert [path for path, _ in entries] == [dax_path("dax0.0"), dax_path("dax1.0")]
    for _, entry in entries:
        assert entry.keys() >= {"action", "zone", "blocks", "bytes", "rule", "file", "line", "reason"}
        assert (entry["action"], entry["zone"], entry["blocks"], entry["bytes"]) == ("online", "movable", 32, 32 * BLOCK)
        assert (entry["rule"], entry["file"], entry["line"]) == ("expanders", str(daemon.policy_file), 1)
        assert "offline" in entry["reason"]


def test_plan_is_empty_when_everything_is_in_policy(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", InPolicy=True)
    daemon.wait_dax("dax0.0", InPolicy=True)
    assert daemon.plan() == []
    assert daemon.apply() == []


def test_explain_names_rule_place_and_the_rules_before(make_daemon):
    policy = rule("big", 'size = ">= 16GiB"') + MOVABLE
    daemon = make_daemon(policy=policy)
    daemon.wait_dax(InPolicy=True)
    told = daemon.explain("dax0.0")
    assert (told["verdict"], told["rule"], told["file"]) == ("in-policy", "expanders", str(daemon.policy_file))
    assert told["line"] == rule("big").count("\n") + 1
    ((name, file, line, key, want, seen),) = told["rejected"]
    assert (name, file, line, key) == ("big", str(daemon.policy_file), 1, "size")
    assert "16" in want and "4" in seen


def test_explain_of_what_cannot_be_explained(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    assert "dax7.0" in daemon.fails("NotFound", daemon.explain, "dax7.0")
    for path in (ROOT, f"{ROOT}/job/_31", "/", f"{ROOT}/dax"):
        daemon.fails("InvalidArgument", daemon.manager_call, "Explain", "(oa{sv})", path, {})


def test_amount_in_percent_takes_exactly_half(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\namount = "50%"'))
    daemon.wait_dax(BlocksOnline=16, BlocksMovable=16, State="partial", InPolicy=True)
    daemon.wait_idle()
    assert daemon.plan() == []


@pytest.mark.parametrize("amount, blocks", [('"1GiB"', 8), ('"none"', 0), ('"all"', 32)])
def test_amounts(make_daemon, amount, blocks):
    daemon = make_daemon(policy=rule(memory=f'zone = "movable"\namount = {amount}'))
    daemon.wait_dax(BlocksOnline=blocks, InPolicy=True)
    assert daemon.dax("dax0.0")["BlocksOnline"] == blocks


def test_a_smaller_amount_takes_the_rest_offline(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.policy_file.write_text(rule(memory='zone = "movable"\namount = "25%"'))
    daemon.reload()
    daemon.wait_dax("dax0.0", BlocksOnline=8, InPolicy=True)


def test_memory_that_the_kernel_onlined_first_is_rezoned(make_daemon):
    daemon = make_daemon(machine="auto-online")
    daemon.wait_dax("dax0.0", State="online", Zone="movable", BlocksMovable=32, InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", Zone="movable", InPolicy=True)


def test_rezone_says_what_it_could_not_move(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("pin-block", dax="dax0.0", nth=5)
    daemon.policy_file.write_text(rule(memory='zone = "movable"', drain="retries = 1"))
    daemon.reload()
    job = daemon.wait_new_job("dax0.0")
    assert daemon.result(job) == "partial"
    block = daemon.dax()["Resource"] // BLOCK + 5
    assert f"memory block {block}" in daemon.error(job)[1]
    assert daemon.error(job)[0].endswith(".Busy")
    device = daemon.wait_dax(BlocksOnline=32, BlocksMovable=31, Zone="mixed")
    assert f"memory block {block}" in device["LastError"][1]
    assert not device["InPolicy"]
    # Once it can move, it moves, and nothing is left to complain of.
    daemon.inject("unpin-block", dax="dax0.0", nth=5)
    daemon.apply()
    daemon.wait_dax(BlocksMovable=32, Zone="movable", LastError=("", ""), InPolicy=True)


def test_on_conflict_keep_leaves_what_is_online(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=rule(memory='zone = "movable"\non_conflict = "keep"'))
    daemon.wait_dax(State="online", Zone="kernel", InPolicy=True)
    daemon.look_again()
    assert not daemon.jobs()


def test_a_device_on_another_node_than_required_is_left_alone_and_said(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\nrequire_node = [2]'))
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    device = daemon.wait_dax("dax0.0", InPolicy=False)
    daemon.look_again()
    assert not daemon.jobs("dax0.0")
    assert device["BlocksOnline"] == 0
    assert "node 1" in device["Reason"] and "2" in device["Reason"]
    assert device["LastError"][0].endswith(".Conflict")
    assert daemon.explain("dax0.0")["verdict"] == "blocked"


def test_devdax_by_policy(make_daemon):
    policy = '[[rule]]\nname = "app"\n[rule.memory]\nmode = "devdax"\n'
    daemon = make_daemon(machine="auto-online", policy=policy)
    daemon.wait_dax(Mode="devdax", BlocksOnline=0, InPolicy=True)
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    daemon.wait_dax(Mode="system-ram", State="online", Zone="movable", InPolicy=True)


def test_mode_ignore_is_left_alone(make_daemon):
    daemon = make_daemon(policy='[[rule]]\nname = "not-ours"\n[rule.memory]\nmode = "ignore"\n')
    daemon.look_again()
    assert not daemon.jobs()
    assert daemon.explain("dax0.0")["verdict"] == "ignored"


def test_every_new_decision_is_told_once(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", InPolicy=True)
    daemon.wait_dax("dax1.0", InPolicy=True)
    daemon.look_again(2)
    told = [(s.body[0], s.body[1]["verdict"]) for s in daemon.client.signals if s.member == "Decision"]
    for name in ("dax0.0", "dax1.0"):
        assert [verdict for path, verdict in told if path == dax_path(name)] == ["act", "in-policy"]


def test_hidden_files_are_not_policy(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    daemon.wait_dax(State="online", InPolicy=True)
    (daemon.policy_file.parent / ".#50-test.toml").symlink_to("somebody@host.123:456")  # as Emacs does
    (daemon.policy_file.parent / ".tmp50-test.toml").write_text(MOVABLE)
    daemon.reload()
    assert daemon.manager["PolicyProblems"] == []
    assert daemon.manager["PolicyFiles"] == [str(daemon.policy_file)]


def test_a_file_name_that_is_not_utf8_is_a_problem_and_harms_nobody(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    daemon.wait_dax(State="online", InPolicy=True)
    folder = os.fsencode(daemon.policy_file.parent)
    with open(folder + b"/60-\xff.toml", "w") as file:
        file.write("")
    assert "60-\\xff.toml" in daemon.fails("InvalidPolicy", daemon.reload)
    daemon.kill()
    daemon.start()
    assert daemon.manager["Mode"] == "observe"
    os.unlink(folder + b"/60-\xff.toml")
    daemon.reload()
    assert daemon.manager["Mode"] == "enforce"


def test_a_relative_link_to_dev_null_masks_too(make_daemon):
    daemon = make_daemon(policy=MOVABLE, settings="", start=False)
    depth = len(daemon.policy_file.parent.resolve().parts) - 1
    daemon.policy_file.with_name("90-masked.toml").symlink_to("../" * depth + "dev/null")
    (daemon.config / "daemon.toml").symlink_to("/dev/null")
    daemon.start()
    assert daemon.manager["PolicyProblems"] == [] and daemon.manager["Mode"] == "enforce"
