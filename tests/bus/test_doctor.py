# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl doctor: a well-set-up machine gives nothing, and each row of its table a finding of its own."""

import json
import os
import re
import subprocess

import pytest
from doctor_machine import (BUILTIN, CMDLINE, CONFIG, DAX, DEP, GOOD, MACHINE, REGION, RELEASE, WELL, config, doctor,
                            findings, modules_dep, told, write_root)
from harness import KERNEL, MOVABLE, ONLY_WATCH, QUICK_RETRY, rule
from places import CTL, MACHINES, SOURCE

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")

UDEV = 'ACTION=="add", SUBSYSTEM=="memory", RUN+="/bin/sh -c \'echo online > /sys$devpath/state\'"\n'
KDUMP = 'SUBSYSTEM=="memory", ACTION=="online", PROGRAM="/usr/sbin/kdump-config try-reload"\n'
TUNED = "[main]\nsummary=y\ninclude=balanced\n[sysfs]\n/sys/kernel/mm/numa/demotion_enabled=0\n"
ONLINE = "sys/devices/system/memory/auto_online_blocks"
DEFAULT = "CONFIG_MEMORY_HOTPLUG_DEFAULT_ONLINE=y\n"

# Files of the system that differ from the good machine's, and words of what is seen.
FILES = {
    "settings-quiet": ({"etc/cxlmemd/daemon.toml": '[log] # quiet\nlevel = "error"\n'}, 'level = "error"'),
    "not-enabled": ({"etc/systemd/system/multi-user.target.wants/cxlmemd.service": None}, "cxlmemd.service"),
    "early-not-enabled": ({"etc/systemd/system/sysinit.target.wants/cxlmemd-early.service": None}, "manages"),
    "udev-online": ({"etc/udev/rules.d/41-mine.rules": UDEV}, "/etc/udev/rules.d/41-mine.rules: Line 1"),
    "tmpfiles-online": ({"etc/tmpfiles.d/m.conf": f"w /{ONLINE} - - - - online\n"}, "/etc/tmpfiles.d/m.conf: Line 1"),
    "daxctl-config": ({"etc/daxctl.conf.d/a.conf": "# a\n[reconfigure-device x]\n"}, "a.conf:2: [reconfigure-device"),
    "tuned": ({"etc/tuned/active_profile": "mine\n", "etc/tuned/mine/tuned.conf": TUNED},
              "/etc/tuned/mine/tuned.conf:5: /sys/kernel/mm/numa"),
    "kdump-rules": ({"usr/lib/udev/rules.d/50-kdump.rules": KDUMP}, "50-kdump.rules:1"),
    "kdamonds": ({"proc/500/comm": "kdamond.0\n"}, "kdamond.0"),
    "kernel-options": ({CONFIG: config(without=["DEV_DAX_KMEM"])}, "CONFIG_DEV_DAX_KMEM is not set"),
    "module-missing": ({DEP: modules_dep(without=["dax_cxl"])}, "dax_cxl: neither built in"),
    "module-blocked": ({"etc/modprobe.d/y.conf": "install cxl-pci /bin/false\n"}, "y.conf:1: install cxl-pci"),
    "module-unloaded": ({"sys/module/kmem/refcnt": None}, "kmem: not loaded, and 0000:0d:00.0"),
    "module-built-in": ({BUILTIN: "kernel/drivers/dax/kmem.ko\n", CONFIG: config(more=DEFAULT)}, "kmem is built in"),
    "card-no-memdev": ({"sys/bus/pci/devices/0000:0e:00.0/class": "0x050210\n"}, "0000:0e:00.0"),
    "boot-default-state": ({"proc/cmdline": "memhp_default_state=online_movable " + CMDLINE}, "=online_movable"),
    "boot-movable-node": ({"proc/cmdline": "movable_node " + CMDLINE}, "movable_node"),
    "boot-online-policy": ({"sys/module/memory_hotplug/parameters/online_policy": "auto-movable\n"}, "auto-movable"),
    "boot-hmem": ({"proc/cmdline": "efi=debug,nosoftreserve " + CMDLINE}, "nosoftreserve"),
    "boot-numa": ({"proc/cmdline": "numa=nohmat " + CMDLINE}, "numa=nohmat"),
    "polkit-actions": ({"usr/share/polkit-1/actions/org.cxlmemd1.policy": None}, "org.cxlmemd1.policy"),
    "bus-policy": ({"usr/share/dbus-1/system.d/org.cxlmemd1.conf": None}, "org.cxlmemd1.conf"),
    "bus-limits": ({"etc/dbus-1/system-local.conf": '<limit name="max_message_size">65536</limit>'}, "is 64 KiB"),
    "journal-limits": ({"etc/systemd/journald.conf.d/a.conf": "[Journal]\nStorage=none\n"}, "a.conf:2: Storage=none"),
}

WEIGHT = '[[node]]\nmatch = { id = [1] }\ninterleave_weight = 3\n'


def conflict(kind):
    return lambda daemon: daemon.wait(lambda: daemon.conflicts(kind), kind)


def edited(text, key):
    def act(daemon):
        daemon.policy_file.write_text(text)
        daemon.wait(lambda: daemon.manager[key], key)
    return act


def hold(daemon):
    daemon.hold("dax0.0")
    daemon.wait_dax(Held=True)


def poison(daemon):
    daemon.inject("poison-block", dax="dax0.0", nth=3)
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    daemon.wait(lambda: "EHWPOISON" in daemon.dax()["Reason"], "it is known")
    daemon.wait_idle()


def pull(daemon):
    daemon.wait_dax(State="online")
    daemon.inject("remove-memdev", memdev="mem0")
    conflict("leaked")(daemon)


def disable(daemon):
    daemon.wait_dax(State="offline")
    daemon.inject("disable-region", region="region0")
    conflict("region")(daemon)


def occupy(daemon):
    daemon.inject("add-memdev", serial=9, name="mem2", ram_size="1GiB")
    daemon.wait(lambda: daemon.memdev("mem2"))
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"
    daemon.inject("add-region", memdevs="mem2", name="region2")
    conflict("removal")(daemon)


def blind(daemon):
    daemon.wait_dax(State="online")
    daemon.inject("make-unreadable", dax="dax0.0", nth=2)
    daemon.nudge()
    conflict("unreadable")(daemon)


def stick(daemon):
    daemon.inject("hang", operation="set_block", nth=2, deaf=True)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 1)
    daemon.cancel(job)
    conflict("worker")(daemon)


def competitor(kind, what, where):
    return WELL + f'[[competitor]]\nkind = "{kind}"\nwhat = "{what}"\nwhere = "{where}"\nzone = "kernel"\n'


TIER = MACHINE.split("[[memdev]]")[0] + """[[node]]
id = 1
tier = 4
access = { read_latency = 300, write_latency = 300, read_bandwidth = 25000, write_bandwidth = 25000 }
[[dax]]
name = "dax0.0"
kind = "hmem"
ranges = [{ start = 0x2080000000, size = "4GiB" }]
target_node = 1
"""
ANY = rule(match='kind = ["cxl-ram", "hmem"]', memory='zone = "movable"')
LARGE = ('[[dax]]\nname = "dax9.0"\nkind = "hmem"\nranges = [{ start = 0x4000000000, size = "512GiB" }]\n'
         'target_node = 9\n')
IGNORE = '[[rule]]\nname = "large"\nmatch.kind = "hmem"\nmemory.mode = "ignore"\n'

# The machine of the daemon, its policy and what is done to it; words of what is seen, and what else is found.
DEVICES = {
    "daemon-observes": ({"arguments": ["--observe"], "policy": ONLY_WATCH}, None, "'observe'", {"no-rule"}),
    "policy-problems": ({}, edited("[[rule]]\nname = 7\n", "PolicyProblems"), ":2:8: error:", set()),
    "policy-pending": ({}, edited(KERNEL, "PolicyPending"), "edited", set()),
    "no-rule": ({"policy": ONLY_WATCH}, None, "dax0.0: cxl-ram", set()),
    "held": ({}, hold, "dax0.0: held", set()),
    "not-in-policy": ({"policy": ONLY_WATCH, "settings": QUICK_RETRY}, poison, "poisoned", set()),
    "auto-online": ({"machine": 'auto_online = "online_movable"\n' + WELL}, None, "reads 'online_movable'", set()),
    "udev-online": ({"machine": competitor("onlines", "a udev rule", "/etc/udev/rules.d/1.rules:3")},
                    conflict("competitor"), "1.rules:3", set()),
    "tmpfiles-online": ({"machine": competitor("onlines", "a tmpfiles.d line that writes x", "/etc/tmpfiles.d/x:1")},
                        conflict("competitor"), "tmpfiles.d/x:1", set()),
    "daxctl-config": ({"machine": competitor("onlines", "a daxctl configuration", "/etc/daxctl.conf.d/x.conf:1")},
                      conflict("competitor"), "x.conf:1", set()),
    "kdump-rules": ({"machine": competitor("crash-dump", "a udev rule reloads the crash kernel", "/x.rules:1")},
                    conflict("work-per-block"), "x.rules:1", set()),
    "kernel-old": ({"machine": WELL.replace("region_create = true", "")}, None, "region-create", set()),
    "kernel-options": ({"machine": WELL.replace("region_create", "memory_hotremove = false\nregion_create")}, None,
                       "memory-hotremove", set()),
    "boot-memmap": ({"machine": WELL + LARGE, "policy": MOVABLE + IGNORE}, None, "take 8.02 GiB of the 16 GiB", set()),
    "card-without-region": ({"machine": MACHINE}, None, "mem0 (0000:0d:00.0): 1 GiB, no region", set()),
    "card-plain-ram": ({"machine": "legacy-plain-ram"}, None, "plain System RAM",
                       {"auto-online", "card-without-region", "window-no-room"}),
    "card-not-managed": ({"machine": MACHINE + REGION}, None, "region0 has no dax device", set()),
    "slot-without-window": ({"machine": MACHINE + "memdevs = []\n"}, None, "mem0 (0000:0d:00.0)", set()),
    "window-no-room": ({"machine": WELL.replace('ram_size = "1GiB"', 'ram_size = "16GiB"')}, None,
                       "mem0: 15 GiB of it are in no region", set()),
    "node-none": ({"machine": "negative-target-node"}, None, "dax0.0: target node -1",
                  {"not-in-policy", "kernel-old", "coordinates-missing"}),
    "dram-node": ({"machine": WELL.replace("target_node = 1", "target_node = 0")}, None, "is on node0", set()),
    "coordinates-missing": ({"machine": "two-card-server"}, None, "node1: unknown: ReadLatency", set()),
    "serial-shared": ({"machine": WELL.replace("serial = 0x91", "serial = 0")}, None, "mem0: serial number 0x0", set()),
    "stranded": ({"machine": WELL.replace('"1GiB"', '"1088MiB"')}, None, "dax0.0: 64 MiB of", set()),
    "tier": ({"machine": TIER, "policy": ANY}, conflict("tier"), "node 1 is in tier 4", set()),
    "movable-ratio": ({"machine": WELL.replace("16GiB", "256MiB")}, conflict("movable-ratio"), "is safe", set()),
    "leaked": ({}, pull, "leaked", {"region-trouble"}),
    "region-trouble": ({"policy": ONLY_WATCH}, disable, "region0", {"card-not-managed"}),
    "tuning": ({"policy": MOVABLE + WEIGHT, "machine": WELL.replace("weighted_interleave = true", "")},
               conflict("tuning"), "no weighted interleave", set()),
    "removal": ({}, occupy, "cxlmemctl remove mem2", {"held"}),
    "unreadable": ({}, blind, "state cannot be read (EIO)", {"not-in-policy", "card-not-managed"}),
    "worker": ({"policy": ONLY_WATCH}, stick, "of dax0.0", {"held"}),
}

# Not of a machine: tests/cli/doctor_test.cpp.
ELSEWHERE = {"other-conflict"}


def ids_of_the_page():
    return re.findall(r"\\\[`([a-z-]+)`,\s", doctor("--page")[1])


def settle(daemon):
    if daemon.dax() is not None and not daemon.manager["Mode"] == "observe":
        daemon.wait(lambda: daemon.manager["State"] != "working" and (
            daemon.dax()["InPolicy"] or daemon.dax()["LastError"][0]), "it has done what it can")


def test_a_well_set_up_machine_gives_nothing(make_daemon, machine_file, folder):
    daemon = make_daemon(machine=machine_file(WELL), policy=MOVABLE)
    settle(daemon)
    code, report = told("--root", write_root(folder), bus=daemon.bus.address)
    assert (code, report["Findings"], report["CannotTell"]) == (0, [], [])
    assert sorted(report["Fine"]) == sorted(ids_of_the_page())


@pytest.mark.parametrize("name", FILES)
def test_what_files_say(make_daemon, machine_file, folder, name):
    changes, seen = FILES[name]
    daemon = make_daemon(machine=machine_file(WELL), policy=MOVABLE)
    settle(daemon)
    root = write_root(folder, changes)
    code, report = told("--root", root, bus=daemon.bus.address)
    assert (code, set(findings(report))) == (1, {name}) and any(seen in line for line in report["Findings"][0]["Seen"])
    assert "{}" not in report["Findings"][0]["Next"]
    # The same without the daemon.
    code, report = told("--root", root)
    assert (code, set(findings(report))) == (4, {name, "daemon-unreachable"})


@pytest.mark.parametrize("name", DEVICES)
def test_what_the_daemon_says(make_daemon, machine_file, folder, name):
    what, act, seen, more = DEVICES[name]
    what = {"policy": MOVABLE, "machine": WELL, **what}
    if "\n" in what["machine"]:
        what["machine"] = machine_file(what["machine"])
    daemon = make_daemon(**what)
    if what["policy"] != ONLY_WATCH:
        settle(daemon)
    if act:
        act(daemon)
    code, report = told("--root", write_root(folder), bus=daemon.bus.address)
    found = findings(report)
    brief = {id: each["Seen"] for id, each in found.items()}
    assert code == 1 and name in found and any(seen in line for line in found[name]["Seen"]), brief
    assert set(found) - {name} <= more | ({"no-rule"} if what["policy"] == ONLY_WATCH else set()), brief
    assert "{}" not in found[name]["Next"]
    if name == "worker":
        daemon.inject("resume")
        daemon.wait_idle()


def test_each_row_has_a_test():
    ids = ids_of_the_page()
    assert len(ids) == len(set(ids)) and "daemon-unreachable" in ids
    assert {*FILES, *DEVICES, "daemon-unreachable"} | ELSEWHERE == set(ids)


def test_the_page_is_what_the_table_makes():
    assert (SOURCE / "docs/troubleshooting.md").read_text() == doctor("--page")[1]
    assert "(troubleshooting.md)" in (SOURCE / "docs/README.md").read_text()


def test_without_the_daemon_it_looks_at_the_files_and_says_what_it_left_out(folder):
    code, report = told("--root", write_root(folder))
    assert code == 4 and report["Daemon"] is False and set(findings(report)) == {"daemon-unreachable"}
    left_out = {each["Id"]: each["Unread"] for each in report["CannotTell"]}
    assert "card-without-region" in left_out and "kernel-old" not in left_out
    assert all("does not answer" in reason for reasons in left_out.values() for reason in reasons)
    assert not {*left_out} & {*report["Fine"]}


def test_auto_online_is_seen_without_the_daemon_and_who_sets_it(folder):
    root = write_root(folder, {ONLINE: "online\n", CONFIG: config(more=DEFAULT)})
    seen = findings(told("--root", root)[1])["auto-online"]["Seen"]
    assert seen == ["auto_online_blocks reads 'online'", f"set by the kernel's default, {DEFAULT.strip()}"]


def test_a_kernel_before_regions_of_volatile_memory(folder):
    root = write_root(folder, {"proc/sys/kernel/osrelease": "6.1.0-13-amd64\n"})
    assert "kernel-old" in findings(told("--root", root)[1])


def test_what_cannot_be_read_is_not_fine(make_daemon, machine_file, folder):
    daemon = make_daemon(machine=machine_file(WELL), policy=MOVABLE)
    settle(daemon)
    root = write_root(folder, {"proc/cmdline/x": "", "proc/cmdline": None, CONFIG: None, "proc/config.gz": "x",
                               BUILTIN: None, "proc/2/comm": None, "etc/cxlmemd/daemon.toml": None,
                               "etc/cxlmemd/daemon.toml/x": ""})
    code, report = told("--root", root, bus=daemon.bus.address)
    assert (code, report["Findings"]) == (3, [])
    unread = {each["Id"]: " ".join(each["Unread"]) for each in report["CannotTell"]}
    assert set(unread) == {"boot-default-state", "boot-movable-node", "boot-hmem", "boot-numa", "module-blocked",
                           "module-built-in", "module-missing", "kernel-options", "kdamonds", "settings-quiet",
                           "early-not-enabled"}
    assert "/proc/cmdline: is not a file" in unread["boot-numa"]
    assert "/proc/config.gz: is compressed" in unread["kernel-options"]


def test_a_root_that_is_not_there_is_wrong_usage(folder):
    for arguments in (["--root", folder / "nowhere"], ["--root", ""], ["--root="]):
        code, text, errors = doctor(*arguments)
        assert (code, text) == (2, "") and errors


def test_of_a_root_with_nothing_in_it_little_is_fine(folder):
    code, report = told("--root", folder)
    unknown = {each["Id"] for each in report["CannotTell"]}
    assert code == 4 and {"boot-numa", "kernel-old", "kdamonds", "auto-online", "card-no-memdev", "boot-online-policy",
                          "module-unloaded", "module-missing", "kernel-options"} <= unknown


def test_of_an_emulated_machine_no_file_is_read(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    code, report = told(bus=daemon.bus.address)
    unread = {each["Id"]: each["Unread"] for each in report["CannotTell"]}
    assert code == 1 and unread["boot-numa"] == ["the daemon's machine is an emulated one, which has no files"]
    assert not {*FILES} & {*report["Fine"]}


def test_of_another_machine_no_file_is_read(tmp_path):
    """ssh that fails: neither the daemon nor the files say anything."""
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\nexit 255\n")
    fake.chmod(0o755)
    done = subprocess.run([str(CTL), "--host", "other", "--json", "doctor"], capture_output=True, text=True,
                          env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    report = json.loads(done.stdout)
    assert done.returncode == 4 and report["Fine"] == []
    unread = {each["Id"]: each["Unread"] for each in report["CannotTell"]}
    assert "files are those of another machine" in unread["boot-numa"][0]


def test_many_cards_of_one_kind_are_one_finding(make_daemon, machine_file, folder):
    cards = "".join(f'[[memdev]]\nname = "mem{n}"\nserial = {n + 1}\nhost = "0000:{n + 16:02x}:00.0"\n'
                    f'ram_size = "1GiB"\n' for n in range(1, 13))
    machine = MACHINE.replace("[[root_decoder]]", cards + "[[root_decoder]]")
    daemon = make_daemon(machine=machine_file(machine), policy=MOVABLE)
    code, text, _ = doctor("--root", write_root(folder), bus=daemon.bus.address)
    assert code == 1 and "and 5 more" in text and text.count("[card-without-region]") == 1


def test_a_hostile_file_name_and_line_are_escaped(folder):
    root = write_root(folder, {"etc/daxctl.conf.d/x\x1b[31m.conf": "[reconfigure-device \x1b]0;x\x07]\n"})
    (root / "etc/daxctl.conf.d/y\udcff.conf").write_bytes(b"[reconfigure-device \xff]\n")
    _, text, _ = doctor("--root", root)
    assert "\x1b" not in text and "\\x1b[31m.conf" in text and "y\\xff.conf" in text
    assert len(findings(told("--root", root)[1])["daxctl-config"]["Seen"]) == 2
