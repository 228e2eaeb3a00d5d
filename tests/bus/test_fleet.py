# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl plan --on: a policy over recorded machines says of each what a daemon there would plan."""

import json
import os
import subprocess
import time

import pytest
from harness import ONLY_WATCH, rule
from places import CTL, DAEMON, LIMIT, MACHINES, SLOW, SOURCE

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")

MOVABLE = rule("cards", memory='zone = "movable"')
KERNEL = rule("cards", memory='zone = "kernel"')
LOST = '[[rule]]\nname = "lost"\nmatch = { memdev_serial = 999 }\nmemory = { mode = "ignore" }\n'
READY = sorted(file.stem for file in MACHINES.glob("*.toml"))


def ctl(*arguments, environment=None):
    return subprocess.run([str(CTL), *map(str, arguments)], timeout=LIMIT, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})


def plan(*arguments, code=0):
    done = ctl("plan", "--json", *arguments)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def policy(tmp_path):
    def write(text, name="policy"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "10-cards.toml").write_text(text)
        return folder

    return write


@pytest.fixture
def fleet(tmp_path):
    """A folder of machines with names: {"web1": "two-card-server", ...}."""

    def write(machines):
        folder = tmp_path / "fleet"
        folder.mkdir(exist_ok=True)
        for name, machine in machines.items():
            text = (MACHINES / f"{machine}.toml").read_text()
            (folder / f"{name}.toml").write_text(f'{text}\n[host]\nname = "{name}"\n')
        return folder

    return write


def hosts(group):
    return [machine["host"] for machine in group["machines"]]


@pytest.mark.parametrize("machine", READY)
def test_each_machine_does_what_its_daemon_would_plan(make_daemon, policy, machine):
    daemon = make_daemon(machine=machine, policy=MOVABLE, arguments=["--observe"])
    (its_own,) = [json.loads(ctl("plan", "--json", "--bus", daemon.bus.address).stdout)]
    (group,) = plan("--on", MACHINES / f"{machine}.toml", "--policy", daemon.config / "policy.d",
                    code=0 if has_cards(machine) else 3)["outcomes"]
    steps = [(device["name"], step["action"], step.get("blocks", 0)) for device in group["devices"]
             for step in device["steps"] + ([{"action": "blocked"}] if device["obstacle"] else [])]
    assert steps == [(step["Object"].rsplit("/", 1)[1].replace("_2e", "."), step["action"], step["blocks"])
                     for step in its_own]


def has_cards(machine):
    return "[[region]]" in (MACHINES / f"{machine}.toml").read_text() and machine != "legacy-plain-ram"


def test_machines_of_equal_outcome_stand_together_the_largest_group_first(fleet, policy):
    folder = fleet({"odd": "eight-card-pool", "web1": "two-card-server", "web2": "two-card-server"})
    found = plan("--on", folder, "--policy", policy(MOVABLE))
    assert found["version"] == 1 and found["machines"] == 3
    assert [hosts(group) for group in found["outcomes"]] == [["web1", "web2"], ["odd"]]
    first = found["outcomes"][0]["devices"][0]
    assert {key: first[key] for key in ("name", "verdict", "rule", "steps")} == {
        "name": "dax0.0", "verdict": "act", "rule": "cards",
        "steps": [{"action": "online", "zone": "movable", "blocks": 32, "bytes": 4 << 30}]}
    text = ctl("plan", "--on", folder, "--policy", folder.parent / "policy").stdout
    assert "2 machines: web1, web2\n" in text and "1 machine: odd\n" in text
    assert "online 32 blocks (4 GiB) in movable" in text


def test_the_document_is_the_same_each_time(fleet, policy):
    folder = fleet({f"web{i}": READY[i % len(READY)] for i in range(2 * len(READY))})
    rules = policy(MOVABLE)
    assert len({ctl("plan", "--json", "--on", folder, "--policy", rules).stdout for _ in range(3)}) == 1


def test_files_that_are_named_twice_count_once(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    assert plan("--on", folder, folder / "web1.toml", "--policy", policy(MOVABLE))["machines"] == 1


def test_only_what_another_policy_changes(fleet, policy):
    folder = fleet({"web1": "two-card-server", "web2": "two-card-server", "bare": "laptop-with-nothing"})
    old, new = policy(KERNEL, "old"), policy(MOVABLE, "new")
    found = plan("--on", folder, "--policy", new, "--against", old)
    assert "outcomes" not in found and found["unchanged"] == 1
    (group,) = found["changes"]
    assert hosts(group) == ["web1", "web2"]
    assert [(item["name"], item["before"]["steps"][0]["zone"], item["after"]["steps"][0]["zone"])
            for item in group["devices"]] == [("dax0.0", "kernel", "movable"), ("dax1.0", "kernel", "movable")]
    text = ctl("plan", "--on", folder, "--policy", new, "--against", old).stdout
    assert "before  online 32 blocks (4 GiB) in kernel" in text and "after   online 32 blocks" in text
    assert "1 machine without a change\n" in text


def test_comments_and_places_are_no_change(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    found = plan("--on", folder, "--policy", policy("# why\n\n" + MOVABLE, "new"), "--against", policy(MOVABLE, "old"))
    assert found["changes"] == [] and found["unchanged"] == 1


def test_settings_of_a_rule_that_act_later_are_a_change(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    new = policy(rule("cards", memory='zone = "movable"', drain='timeout = "5s"'), "new")
    old = policy(MOVABLE, "old")
    assert len(plan("--on", folder, "--policy", new, "--against", old)["changes"]) == 1
    assert "drain timeout 5000000 us" in ctl("plan", "--on", folder, "--policy", new, "--against", old).stdout


def test_settings_count_too(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    auto = rule("cards", memory='zone = "auto"')
    new, old = policy(auto, "new"), policy(auto, "old")
    (new / "daemon.toml").write_text("max_movable_ratio = 0.01\n")
    whole = new.parent / "whole"
    (whole / "policy.d").mkdir(parents=True)
    (whole / "policy.d/10-cards.toml").write_text(auto)
    (whole / "daemon.toml").write_text("max_movable_ratio = 0.01\n")
    assert len(plan("--on", folder, "--policy", new, "--against", old)["changes"]) == 1
    assert plan("--on", folder, "--policy", new, "--against", whole)["changes"] == []


def test_a_table_that_matches_nowhere_is_named_and_the_exit_code_is_3(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    region = '[[region]]\nname = "pool"\ntype = "ram"\nmemdev_serial = [4711]\n'
    node = "[[node]]\nmatch = { id = [77] }\ninterleave_weight = 3\n"
    rules = policy(MOVABLE + LOST + region + node)
    found = plan("--on", folder, "--policy", rules, code=3)
    assert [(idle["table"], idle["name"]) for idle in found["unmatched"]] == [
        ("rule", "lost"), ("region", "pool"), ("node", "")]
    done = ctl("plan", "--on", folder, "--policy", rules)
    line = MOVABLE.count("\n") + 1
    assert done.returncode == 3
    assert f"{rules}/10-cards.toml:{line}: rule 'lost': matches on none of these machines\n" in done.stdout


def test_a_rule_that_an_earlier_one_shadows_everywhere_is_said(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    rules = policy(MOVABLE + rule("spare", match='size = ">= 1GiB"', memory='zone = "kernel"'))
    found = plan("--on", folder, "--policy", rules)
    assert [idle["name"] for idle in found["shadowed"]] == ["spare"] and found["unmatched"] == []


def test_a_bad_file_is_named_with_its_line_and_the_others_go_on(fleet, policy, tmp_path):
    folder = fleet({"web1": "two-card-server"})
    (folder / "bad.toml").write_text('block_size = "128MiB"\nblok = 3\n')
    arguments = ["--on", folder, tmp_path / "absent.toml", "--policy", policy(MOVABLE + LOST)]
    found = plan(*arguments, code=1)  # an error counts more than a table that matches nowhere
    assert found["machines"] == 1 and hosts(found["outcomes"][0]) == ["web1"]
    assert [(error["file"], error["line"]) for error in found["errors"]] == [
        (str(folder / "bad.toml"), 2), (str(tmp_path / "absent.toml"), 0)]
    done = ctl("plan", *arguments)
    assert done.returncode == 1 and "web1" in done.stdout
    assert f"cxlmemctl: {folder}/bad.toml:2:1: " in done.stderr and "absent.toml: read: " in done.stderr


def test_a_folder_without_machines_is_an_error(policy, tmp_path):
    (tmp_path / "empty").mkdir()
    found = plan("--on", tmp_path / "empty", "--policy", policy(MOVABLE), code=1)
    assert found["errors"][0]["message"] == "has no *.toml files"


def test_a_policy_with_errors_plans_nothing(fleet, policy):
    folder = fleet({"web1": "two-card-server"})
    rules = policy(MOVABLE.replace("movable", "sideways"))
    done = ctl("plan", "--on", folder, "--policy", rules)
    assert done.returncode == 1 and f"{rules}/10-cards.toml:7:" in done.stdout and "web1" not in done.stdout
    done = ctl("plan", "--on", folder, "--policy", folder.parent / "absent")
    assert done.returncode == 1 and "cannot be read (ENOENT)" in done.stdout


def test_what_a_file_says_of_itself_does_not_reach_the_terminal_raw(policy, tmp_path):
    text = (MACHINES / "two-card-server.toml").read_text()
    (tmp_path / "a\x1b[31m.toml").write_text(text)
    (tmp_path / "-b.toml").write_text(text)
    done = subprocess.run([str(CTL), "plan", "--on=-b.toml", "--on", "a\x1b[31m.toml", "--policy", str(policy(MOVABLE))],
                          cwd=tmp_path, timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "2 machines: ./-b.toml, a\\x1b[31m.toml\n" in done.stdout


def test_a_daemons_own_machine_is_recorded_for_the_moment(make_daemon, policy, tmp_path):
    daemon = make_daemon(machine="two-card-server", policy=ONLY_WATCH, arguments=["--observe"])
    done = ctl("plan", "--bus", daemon.bus.address, "--policy", policy(MOVABLE), environment={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "1 machine: this machine\n" in done.stdout and "online 32 blocks" in done.stdout
    assert not list(tmp_path.glob("cxlmemctl.*"))


def test_with_a_host_the_policy_is_named():
    done = ctl("--host", "web1", "plan", "--on", "x.toml")
    assert done.returncode == 2 and "--policy" in done.stderr


def test_without_the_daemons_program_the_package_is_named(tmp_path):
    lonely = tmp_path / "bin/cxlmemctl"
    lonely.parent.mkdir()
    lonely.write_bytes(CTL.read_bytes())
    lonely.chmod(0o755)
    if os.access("/usr/sbin/cxlmemd", os.X_OK):
        pytest.skip("cxlmemd is installed on this machine: its program is found")
    done = subprocess.run([str(lonely), "plan", "--on", "x.toml"], timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 1 and "of the package cxlmemd, which is not installed" in done.stderr


def test_a_thousand_machines_take_seconds(policy, tmp_path, record_property):
    """The bar is 10 s. Machines of the size that servers have: 16 cards' memory in 2,048 blocks each."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    text = (MACHINES / "eight-card-pool.toml").read_text()
    for i in range(1000):
        (folder / f"web{i:04}.toml").write_text(f'{text}\n[host]\nname = "web{i:04}"\n')
    began = time.monotonic()
    found = plan("--on", folder, "--policy", policy(MOVABLE, "new"), "--against", policy(KERNEL, "old"))
    took = time.monotonic() - began
    record_property("seconds", took)
    assert len(hosts(found["changes"][0])) == 1000
    assert took < 10 * SLOW


def test_the_daemons_own_option_prints_the_same_document(fleet, policy):
    folder, rules = fleet({"web1": "two-card-server"}), policy(MOVABLE)
    done = subprocess.run([str(DAEMON), "--policy", str(rules), "--plan-on", str(folder)], timeout=LIMIT,
                          capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == plan("--on", folder, "--policy", rules)


def test_the_document_is_as_the_documentation_has_it(fleet, policy):
    """Every key that is printed is in docs/fleet.md."""
    text = (SOURCE / "docs/fleet.md").read_text()
    folder = fleet({"web1": "two-card-server", "web2": "negative-target-node"})
    (folder / "bad.toml").write_text("blok = 3\n")
    new = policy(MOVABLE + LOST + '[[region]]\nname = "pool"\ntype = "ram"\nmemdev_serial = ["0x1", "0x2"]\n', "new")
    old = policy(KERNEL, "old")

    def keys(value):
        if isinstance(value, dict):
            return set(value) | set().union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    for arguments in ([], ["--against", old]):
        found = keys(plan("--on", folder, "--policy", new, *arguments, code=1))
        assert {key for key in found if f"`{key}`" not in text} == set()
