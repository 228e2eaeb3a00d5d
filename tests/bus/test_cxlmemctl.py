# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each subcommand once, on a real daemon, with the exit code that scripts rely on."""

import json
import os
import re
import select
import signal
import subprocess

import pytest
from harness import MOVABLE, ONLY_WATCH, dax_path, rule
from places import CTL, LIMIT, SOURCE
from wire import NAME

DONE, FAILED, USAGE, PARTIAL, UNREACHABLE, NOT_AUTHORISED = range(6)

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.wait_idle()
    return daemon


def ctl(daemon, *arguments, code=DONE, prefix=(), address=None):
    done = subprocess.run([*prefix, str(CTL), "--bus", address or daemon.bus.address, *arguments], timeout=LIMIT,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    if code not in (DONE, PARTIAL):
        assert done.stderr.startswith("cxlmemctl: ") or done.stdout, "it failed without a word"
    return done


def in_json(daemon, *arguments, **more):
    return json.loads(ctl(daemon, "--json", *arguments, **more).stdout)


def help_of(*command):
    done = subprocess.run([str(CTL), *command, "--help"], timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


COMMANDS = re.findall(r"^  ([a-z]+) ", help_of().split("Subcommands:")[1], re.M) if CTL.exists() else []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_are_in_the_manual_page_and_the_completions(command):
    page = (SOURCE / "docs/man/cxlmemctl.1").read_text()
    bash = (SOURCE / "cli/completion/cxlmemctl.bash").read_text()
    zsh = (SOURCE / "cli/completion/cxlmemctl.zsh").read_text()
    fish = (SOURCE / "cli/completion/cxlmemctl.fish").read_text()
    assert f"\n.It Cm {command}" in page
    assert f" -a {command} " in fish
    assert command in bash.split("commands=(")[1].split(")")[0].split()
    assert f"\n        '{command}:" in zsh
    for option in set(re.findall(r"--([a-z-]+)", help_of(command))) - {"help"}:
        assert f"--{option}" in bash and f"--{option}" in zsh and f" -l {option} " in fish, option
        assert f"Fl -{option}" in page


def test_status(daemon):
    text = ctl(daemon, "status").stdout
    for word in ("dax0.0", "dax1.0", "online", "movable", "8 GiB", "enforce"):
        assert word in text.replace("8GiB", "8 GiB"), text
    assert "\x1b" not in text
    assert in_json(daemon, "status")


@pytest.mark.parametrize("kind, name", [("memdevs", "mem0"), ("regions", "region1"), ("dax", "dax0.0"),
                                        ("nodes", "node1"), ("jobs", "1")])
def test_list(daemon, kind, name):
    assert name in ctl(daemon, "list", kind).stdout
    assert in_json(daemon, "list", kind)


@pytest.mark.parametrize("name", ["dax0.0", "region0", "mem0", "node1"])
def test_show(daemon, name):
    assert name in ctl(daemon, "show", name).stdout
    assert in_json(daemon, "show", name)


def test_the_table_says_of_what_policy_leaves_alone_that_it_does(make_daemon):
    ignore = '[[rule]]\nname = "mine"\n[rule.match]\nmemdev_serial = [1]\n[rule.memory]\nmode = "ignore"\n'
    daemon = make_daemon(policy=ignore)
    daemon.wait_dax(Rule="mine")
    table = ctl(daemon, "list", "dax").stdout
    assert "not as policy says" not in table
    ignored, unmanaged = (next(line for line in table.splitlines() if line.startswith(dax))
                          for dax in ("dax0.0", "dax1.0"))
    assert ignored.endswith("left alone") and "left alone" not in unmanaged
    # What a caller does to it is left alone, too.
    daemon.result(daemon.online("dax0.0", "movable", hold=False))
    daemon.result(daemon.online("dax1.0", "movable", hold=False))
    table = ctl(daemon, "list", "dax").stdout
    assert "not as policy says" not in table and table.count("left alone") == 1


def test_explain(daemon):
    text = ctl(daemon, "explain", "dax0.0").stdout
    assert "expanders" in text and str(daemon.policy_file) in text
    assert in_json(daemon, "explain", "dax0.0")["verdict"] == "in-policy"


def test_plan_and_apply(daemon):
    assert in_json(daemon, "plan") == []
    daemon.inject("offline-block", dax="dax0.0", count=4)
    daemon.wait_dax(BlocksOnline=28)
    (step,) = in_json(daemon, "plan")
    assert (step["Object"], step["action"], step["blocks"]) == (dax_path("dax0.0"), "online", 4)
    assert "dax0.0" in ctl(daemon, "plan").stdout
    ctl(daemon, "apply")
    daemon.wait_dax(BlocksOnline=32, InPolicy=True)


def test_remove_a_region_and_empty_a_card(daemon):
    assert "done" in ctl(daemon, "remove", "region0").stdout
    daemon.wait(lambda: daemon.dax() is None)
    (job,) = in_json(daemon, "remove", "mem1", "--timeout", "30s")
    assert (job["Operation"], job["Result"], job["BlocksDone"]) == ("prepare-remove", "done", 32)
    daemon.wait_dax("dax1.0", Mode="unbound", Held=True)
    assert "not a region or a memdev; it is on region1" in ctl(daemon, "remove", "dax1.0", code=FAILED).stderr
    ctl(daemon, "remove", "region1", "--no-hold", code=USAGE)


def test_remove_stops_at_a_pinned_block(daemon):
    daemon.inject("pin-block", dax="dax0.0", nth=2)
    done = ctl(daemon, "remove", "region0", "--rollback", code=FAILED)
    assert "EBUSY" in done.stdout + done.stderr
    daemon.wait_dax(State="online", InPolicy=True)
    ctl(daemon, "remove", "region0", "--no-rollback", code=PARTIAL)
    daemon.inject("unpin-block", dax="dax0.0", nth=2)
    daemon.wait_idle()
    job = ctl(daemon, "remove", "region0", "--no-block").stdout.strip()
    assert daemon.result(job) == "done"


def test_release_takes_memdevs_and_regions_too(daemon):
    ctl(daemon, "remove", "mem0", "mem1")
    assert "Preparation" in ctl(daemon, "show", "mem0").stdout
    assert "mem0: released" in ctl(daemon, "release", "mem0").stdout
    daemon.wait_dax("dax0.0", State="online", Held=False)
    assert "region1: released" in ctl(daemon, "release", "region1").stdout
    daemon.wait_dax("dax1.0", State="online", Held=False)
    assert "not a dax device, a region or a memdev" in ctl(daemon, "release", "node0", code=FAILED).stderr


def test_offline_online_hold_and_release(daemon):
    ctl(daemon, "offline", "dax0.0")
    daemon.wait_dax(State="offline", Held=True)
    ctl(daemon, "online", "dax0.0", "--zone", "kernel", "--amount", "50%")
    daemon.wait_dax(BlocksOnline=16, Zone="kernel")
    ctl(daemon, "release", "dax0.0")
    daemon.wait_dax(BlocksMovable=32, Held=False)
    ctl(daemon, "hold", "dax0.0", "dax1.0")
    daemon.wait_dax("dax1.0", Held=True)


def test_mode(daemon):
    ctl(daemon, "mode", "dax0.0", "devdax")
    daemon.wait_dax(Mode="devdax")


def test_no_block_and_cancel(daemon):
    daemon.inject("hang", operation="set_block")
    (job,) = in_json(daemon, "offline", "dax0.0", "--no-block")
    path = job["Path"] if isinstance(job, dict) else job
    number = str(daemon.wait(lambda: daemon.job(path))["Id"])
    ctl(daemon, "cancel", number)
    assert daemon.result(path) == "canceled"


def test_reload_and_check(daemon):
    assert "2" in ctl(daemon, "reload").stdout
    told = in_json(daemon, "check")
    assert [rule["name"] for rule in told["rules"]] == ["expanders"] and told["problems"] == []
    assert told["files"] == [{"path": str(daemon.policy_file), "masked_by": ""}]
    assert f"expanders  {daemon.policy_file}:1  kind = cxl-ram" in ctl(daemon, "check").stdout
    ctl(daemon, "check", str(daemon.policy_file))
    bad = daemon.folder / "bad.toml"
    bad.write_text("[[rule]]\nname = \"a\"\nnam = 1\n[rule.memory]\nmode = \"ignore\"\n")
    assert f"{bad}:3:1" in ctl(daemon, "check", str(bad), code=FAILED).stdout
    ctl(daemon, "check", "/nowhere.toml", code=FAILED)
    daemon.policy_file.write_text("[[rule]]\nname = \"a\"\nnam = 1\n[rule.memory]\nmode = \"ignore\"\n")
    assert f"{daemon.policy_file}:3:1" in ctl(daemon, "reload", code=FAILED).stderr
    daemon.policy_file.write_text(MOVABLE)


def test_check_takes_several_files_together_in_basename_order(daemon):
    first, second = daemon.folder / "z" / "10-a.toml", daemon.folder / "a" / "20-b.toml"
    for path in (first, second):
        path.parent.mkdir()
        path.write_text('[[rule]]\nname = "same"\n[rule.memory]\nmode = "ignore"\n')
    lines = ctl(daemon, "check", str(second), str(first), code=FAILED).stdout.splitlines()
    assert lines[0].startswith(f"{second}:2:8: error: rule 'same' exists already at {first}:2:8")
    second.write_text('[[rule]]\nname = "other"\n[rule.memory]\nmode = "ignore"\n')
    (problem,) = in_json(daemon, "check", str(second), str(first))
    assert (problem["severity"], problem["file"]) == ("warning", str(second)) and "never decides" in problem["message"]


def test_check_without_files_looks_at_the_disk_and_changes_nothing(daemon):
    daemon.policy_file.write_text(MOVABLE + "zoone = 1\n")
    done = ctl(daemon, "check", code=FAILED)
    assert done.stdout.startswith(f"{daemon.policy_file}:") and ": error: unknown key 'zoone'" in done.stdout
    assert "no rules" not in done.stdout
    assert daemon.manager["PolicyGeneration"] == 1 and daemon.dax()["Rule"] == "expanders"
    daemon.policy_file.write_text(MOVABLE)


def test_explain_says_why_earlier_rules_do_not_hold(make_daemon):
    daemon = make_daemon(policy=rule("big", 'size = ">= 16GiB"') + MOVABLE)
    daemon.wait_dax(InPolicy=True)
    text = ctl(daemon, "explain", "dax0.0").stdout
    assert f"big ({daemon.policy_file}:1): size wants >= 16GiB, it is 4GiB" in text


def test_monitor(daemon):
    process = subprocess.Popen([str(CTL), "--bus", daemon.bus.address, "--json", "monitor"], stdout=subprocess.PIPE)
    try:
        # It says nothing of being ready; something happens until it has seen something.
        seen = []

        def happen():
            daemon.hold("dax0.0")
            daemon.release("dax0.0")
            if select.select([process.stdout], [], [], 0)[0]:
                seen.append(os.read(process.stdout.fileno(), 1 << 16).decode())

        daemon.insist(happen, lambda: "Held" in "".join(seen))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) in (0, 130)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    lines = [json.loads(line) for line in "".join(seen).splitlines()[:-1]]
    assert lines


@pytest.mark.parametrize("names, said", [(["dax0.0"], "job 1 goes on"), (["dax0.0", "dax1.0"], "jobs 1 2 go on")])
def test_ctrl_c_leaves_the_jobs_and_says_how_to_cancel_them(make_daemon, names, said):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\namount = "none"'))
    daemon.inject("delay", operation="set_block", usec=100_000)
    process = subprocess.Popen([str(CTL), "--bus", daemon.bus.address, "online", *names, "--zone", "movable"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        def jobs():
            return [found[f"{NAME}.Job"] for path, found in daemon.objects.items() if "/job/" in path]

        # By the third block it has long begun to wait.
        daemon.wait(lambda: len(jobs()) == len(names) and any(job["BlocksDone"] > 2 for job in jobs()))
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) == 130
        advice = process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert said in advice
    command = advice.partition("cxlmemctl ")[2].split()
    ctl(daemon, *command)
    daemon.wait(lambda: daemon.manager["State"] == "idle")
    assert daemon.dax(names[-1])["BlocksOnline"] < daemon.dax(names[-1])["BlocksTotal"]


def test_exit_1_failed(daemon):
    assert "dax0.0" in ctl(daemon, "show", "dax0.9", code=FAILED).stderr  # did you mean
    ctl(daemon, "online", "dax7.0", code=FAILED)
    ctl(daemon, "cancel", "4711", code=FAILED)
    daemon.inject("pin-block", dax="dax0.0", nth=3)
    assert "memory block" in ctl(daemon, "offline", "dax0.0", code=FAILED).stdout


@pytest.mark.parametrize("arguments", [[], ["explode"], ["online"], ["online", "dax0.0", "--zone", "normal"],
                                       ["online", "dax0.0", "--amount", "many"], ["offline", "x", "--timeout", "soon"],
                                       ["mode", "dax0.0", "fsdax"], ["list", "cows"], ["show"],
                                       ["--bus", "system", "--host", "x", "status"]])
def test_exit_2_usage(daemon, arguments):
    ctl(daemon, *arguments, code=USAGE)


def test_exit_3_partial(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EIO", nth=5)
    assert "memory block" in ctl(daemon, "online", "dax0.0", "--zone", "movable", code=PARTIAL).stdout


def test_exit_3_one_of_two_devices(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    ctl(daemon, "online", "dax0.0", "dax1.0", "--zone", "movable", code=PARTIAL)
    daemon.wait_dax("dax1.0", BlocksOnline=32)


def test_exit_4_not_reachable(shared_bus, make_daemon):
    daemon = make_daemon(start=False)
    assert "not running" in ctl(daemon, "status", code=UNREACHABLE).stderr
    ctl(daemon, "online", "dax0.0", code=UNREACHABLE)
    ctl(daemon, "status", code=UNREACHABLE, address="unix:path=/nowhere")


def test_exit_4_the_daemon_ends_while_it_waits(daemon):
    daemon.inject("hang", operation="set_block")
    process = subprocess.Popen([str(CTL), "--bus", daemon.bus.address, "offline", "dax0.0"], stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        daemon.wait(lambda: any(values.get("org.cxlmemd1.Job", {}).get("Operation") == "offline"
                                for values in daemon.objects.values()))
        daemon.kill()
        output, error = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == UNREACHABLE, error


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as somebody else")
def test_exit_5_not_authorised(daemon):
    # The program must be where another user can read it.
    program = daemon.folder / "cxlmemctl"
    program.write_bytes(CTL.read_bytes())
    program.chmod(0o755)
    for arguments in (["offline", "dax0.0"], ["reload"], ["hold", "dax0.0"], ["apply"]):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(program), "--bus",
                               daemon.bus.address, "--no-ask-password", *arguments], capture_output=True, text=True,
                              timeout=LIMIT)
        assert done.returncode == NOT_AUTHORISED, (arguments, done)
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", str(program), "--bus", daemon.bus.address,
                           "status"], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == DONE


def test_strange_names_cannot_hurt_a_terminal(daemon):
    done = ctl(daemon, "show", "dax\x1b[31m\n0", code=FAILED)
    assert "\x1b" not in done.stdout + done.stderr
