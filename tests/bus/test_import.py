# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl import: what it prints passes check, and does on a machine what the file did."""

import json
import re
import subprocess

import pytest
from harness import ONLY_WATCH
from places import CTL, LIMIT, MACHINES, SOURCE

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")

BY_VIRTUALIZATION = """SUBSYSTEM!="memory", GOTO="out"
ACTION!="add", GOTO="out"
ENV{.state}="online"
CONST{virt}=="none", ENV{.state}="online_movable"
ATTR{state}=="offline", ATTR{state}="$env{.state}"
LABEL="out"
"""
FILES = {
    "40-vendor.rules": BY_VIRTUALIZATION,
    "shell.rules": """ACTION=="add", SUBSYSTEM=="memory", RUN+="/bin/sh -c 'echo online > /sys$devpath/state'"\n""",
    "memory.conf": "w /sys/devices/system/memory/auto_online_blocks - - - - online_movable\n",
    "daxctl.conf": "[reconfigure-device a \"b\"]\nnvdimm.uuid = 48d8e42c-a2f0-4312-9e70-a837faafe862\n"
                   "mode = system-ram\n",
    "strange name \x1b.rules": """SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="online_kernel"\n""",
}


def ctl(daemon, *arguments, code=0, **more):
    done = subprocess.run([str(CTL), *(["--bus", daemon.bus.address] if daemon else []), *arguments], timeout=LIMIT,
                          capture_output=True, text=True, **more)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done


@pytest.mark.parametrize("name", FILES)
def test_what_is_printed_passes_check_without_a_word(make_daemon, name):
    daemon = make_daemon(policy=ONLY_WATCH)
    file = daemon.folder / name
    file.write_text(FILES[name])
    policy = ctl(daemon, "import", str(file)).stdout
    assert "\x1b" not in policy
    checked = daemon.folder / "imported.toml"
    checked.write_text(policy)
    assert ctl(daemon, "check", str(checked)).stdout == "no problems\n"


@pytest.mark.parametrize("virtualization, zone", [("none", "movable"), ("kvm", "kernel")])
def test_memory_comes_online_as_the_rules_had_it(make_daemon, machine_file, folder, virtualization, zone):
    file = folder / "40-vendor.rules"
    file.write_text(BY_VIRTUALIZATION)
    machine = (MACHINES / "two-card-server.toml").read_text() + f'\n[host]\nvirtualization = "{virtualization}"\n'
    daemon = make_daemon(machine=machine_file(machine), policy=ctl(None, "import", str(file)).stdout)
    device = daemon.wait_dax("dax0.0", State="online")
    assert device["Zone"] == zone and device["Rule"] == f"40-vendor-{'metal' if zone == 'movable' else 'guest'}"


def test_a_namespace_of_daxctls_is_found_by_its_uuid(make_daemon, machine_file, folder):
    file = folder / "daxctl.conf"
    file.write_text(FILES["daxctl.conf"])
    machine = (MACHINES / "hmem-and-pmem.toml").read_text()
    assert machine.count('kind = "pmem"\n') == 1
    named = machine.replace('kind = "pmem"\n', 'kind = "pmem"\nnvdimm_uuid = "48D8E42C-A2F0-4312-9E70-A837FAAFE862"\n')
    policy = ctl(None, "import", str(file)).stdout
    daemon = make_daemon(machine=machine_file(named), policy=policy, arguments=["--observe"])
    (device,) = [path for path in daemon.objects if "/dax/" in path
                 and daemon.properties(path, "DaxDevice")["Kind"] == "pmem"]
    assert [step[0] for step in daemon.plan()] == [device]
    daemon.stop()
    other = make_daemon(machine=machine_file(machine), policy=policy, arguments=["--observe"])
    assert other.plan() == []
    name = other.properties(device, "DaxDevice")["Name"]
    seen = other.explain(name)["rejected"]
    assert [(row[3], row[5]) for row in seen] == [("nvdimm_uuid", "not known: it is no namespace, or the kernel does not say which")]


def test_it_needs_no_daemon_and_reads_standard_input():
    done = ctl(None, "--bus", "unix:path=/nowhere", "import", "-", input=BY_VIRTUALIZATION)
    assert "[[rule]]" in done.stdout
    told = json.loads(ctl(None, "--json", "import", "-", input=BY_VIRTUALIZATION).stdout)
    assert told["Policy"] == done.stdout and told["Notes"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "\xff\xfe", 'SUBSYSTEM=="block", RUN+="/bin/true"\n'])
def test_a_file_with_nothing_in_it_is_an_error(tmp_path, text):
    file = tmp_path / "x.rules"
    file.write_bytes(text.encode("latin-1"))
    assert str(file) in ctl(None, "import", str(file), code=1).stderr
    ctl(None, "import", str(tmp_path / "nowhere"), code=1)
    ctl(None, "import", code=2)


def test_the_guide_shows_what_it_prints(tmp_path):
    guide = (SOURCE / "docs/policy-guide.md").read_text()
    found = re.search(r"<!-- imported: (\S+) -->\n```udev\n(.*?)```\n.*?```toml\n(.*?)```\n", guide, re.DOTALL)
    (tmp_path / found[1]).write_text(found[2])
    done = subprocess.run([str(CTL), "import", found[1]], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT)
    assert done.stdout == found[3]
