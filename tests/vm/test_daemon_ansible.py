# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Ansible role in docs/examples/ansible, against a machine with a real kernel: the plan is shown, the policy comes
into force, the memory is waited for, and a reload that fails brings the files before back.

Ansible runs here; its connection is the guest's channel (ansible_connection/guest.py). The package is not installed by
it: a guest has no package manager, the daemon is there as `cmake --install` lays it out.
"""

import base64
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import threading
from pathlib import Path

import pytest

from guest import Card
from service import MANAGE, POLICY, UNIT, poll, rule

HERE = Path(__file__).resolve().parent
ROLES = HERE.parents[1] / "docs/examples/ansible/roles"

# Each play takes a minute and a half in an emulated processor. A run has the way that is meant and the way back.
long = pytest.mark.skipif(not os.environ.get("CXLMEMD_VM_LONG"), reason="takes minutes: CXLMEMD_VM_LONG=1 runs it")

pytestmark = pytest.mark.skipif(shutil.which("ansible-playbook") is None, reason="ansible-playbook is not installed")


class Server:
    """Lets the connection plugin reach the guest, one question at a time."""

    def __init__(self, guest, path):
        self.guest, self.errors = guest, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                end, _ = self.listener.accept()
            except OSError:
                return  # closed
            with end, end.makefile("rwb") as stream:
                try:
                    answer = self.answer(json.loads(stream.readline()))
                except Exception as error:
                    self.errors.append(error)
                    answer = {"rc": 255, "out": "", "err": str(error)}
                stream.write(json.dumps(answer).encode() + b"\n")
                stream.flush()

    def answer(self, question):
        if "command" in question:
            stdin = base64.b64decode(question["stdin"])
            done = self.guest.run(question["command"], 300, check=False, stdin=stdin)
            return {"rc": done.rc, "out": done.stdout, "err": done.stderr}
        if "put" in question:
            self.guest.put(Path(question["put"]), question["to"])
        else:
            Path(question["to"]).write_bytes(self.guest.get(question["fetch"]))
        return {"rc": 0}

    def close(self):
        self.listener.close()


def give_python(guest):
    """All of Python's library: a guest has the smallest one, and Ansible's modules want more."""
    version = guest.run("python3 -c 'import sys; print(*sys.version_info[:2])'").stdout.split()
    if version != [str(part) for part in sys.version_info[:2]]:
        pytest.skip(f"the guest has Python {'.'.join(version)}, this machine another one whose library does not fit")
    library = Path(sysconfig.get_path("stdlib"))
    text = io.BytesIO()
    with tarfile.open(fileobj=text, mode="w:gz") as archive:
        for file in sorted(library.rglob("*")):
            kept = file.suffix in (".py", ".so") and not {"test", "idlelib", "lib2to3", "site-packages", "dist-packages", "ensurepip",
                                                            "tkinter", "turtledemo", "pydoc_data", "asyncio", "unittest"} & {
                *file.relative_to(library).parts}
            if kept:
                archive.add(file, str(file.relative_to("/")))
    guest.put(text.getvalue(), "/run/python.tgz")
    guest.run("tar -xzf /run/python.tgz -C / && rm /run/python.tgz", 120)


@pytest.fixture(scope="module")
def machine(boot, tmp_path_factory):
    guest = boot(cards=[Card(1, "1G")])
    guest.load_modules()
    give_python(guest)
    folder = tmp_path_factory.mktemp("ansible")
    server = Server(guest, folder / "socket")
    guest.service.start(rule(memory='zone = "movable"\namount = "50%"'), MANAGE)
    guest.dax = guest.dax_of_region(guest.create_region(serials=[1]))
    guest.service.settled(guest.dax, offline=4, Movable=4)
    yield guest, folder
    server.close()
    assert server.errors == []


def play(folder, *arguments, **variables):
    (folder / "play.yml").write_text("- hosts: all\n  gather_facts: false\n  roles:\n    - cxlmemd\n")
    (folder / "hosts").write_text("web1 ansible_connection=guest ansible_python_interpreter=/usr/bin/python3\n")
    (folder / "variables.json").write_text(json.dumps({"cxlmemd_package": "", **variables}))
    return subprocess.run(
        ["ansible-playbook", "-i", str(folder / "hosts"), "-e", f"@{folder}/variables.json", *arguments,
         str(folder / "play.yml")],
        cwd=folder, timeout=900, capture_output=True, text=True,
        env={**os.environ, "CXLMEMD_GUEST_SOCKET": str(folder / "socket"), "ANSIBLE_ROLES_PATH": str(ROLES),
             "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "ansible_connection"), "ANSIBLE_HOME": str(folder / "home"),
             "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1", "ANSIBLE_REMOTE_TMP": "/run/ansible", "LC_ALL": "C.UTF-8"})


def policy_file(folder, text):
    file = folder / Path(POLICY).name
    file.write_text(text)
    return str(file)


WHOLE = rule(memory='zone = "movable"\namount = "all"')


@long
def test_the_plan_is_shown_and_nothing_happens_with_check(machine):
    guest, folder = machine
    before = guest.get(POLICY)
    done = play(folder, "--check", cxlmemd_policy_files=[policy_file(folder, WHOLE)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "online 4 blocks (512 MiB) in movable" in done.stdout and "before" in done.stdout
    assert guest.get(POLICY) == before
    guest.service.settled(guest.dax, offline=4, Movable=4)


@long
def test_a_policy_with_an_error_goes_no_further_than_check(machine):
    guest, folder = machine
    before = guest.get(POLICY)
    done = play(folder, cxlmemd_policy_files=[policy_file(folder, WHOLE.replace("movable", "sideways"))])
    assert done.returncode != 0 and "is not a zone" in done.stdout
    assert guest.get(POLICY) == before


def test_a_reload_that_fails_brings_the_files_before_back(machine):
    guest, folder = machine
    before, generation = guest.get(POLICY), guest.service.manager()["PolicyGeneration"]
    drop_in = "/run/systemd/system/cxlmemd.service.d/fails.conf"
    guest.put(b"[Service]\nExecReload=\nExecReload=/bin/false\n", drop_in)
    guest.run("systemctl daemon-reload")
    try:
        done = play(folder, cxlmemd_policy_files=[policy_file(folder, WHOLE)])
        assert done.returncode != 0 and "the files before are back" in done.stdout, done.stdout + done.stderr
        assert guest.get(POLICY) == before
        assert guest.service.manager()["PolicyGeneration"] == generation
    finally:
        guest.run(f"rm {drop_in} && systemctl daemon-reload")
    guest.service.settled(guest.dax, offline=4, Movable=4)


@long
def test_a_wait_that_fails_puts_the_policy_before_in_force_again(machine):
    guest, folder = machine
    before = guest.get(POLICY)
    done = play(folder, cxlmemd_policy_files=[policy_file(folder, rule(memory='zone = "movable"\namount = "25%"'))],
                cxlmemd_wait_rules=["no-such-rule"], cxlmemd_wait_timeout="1s")
    assert done.returncode != 0 and "the files before are back, and in force" in done.stdout, done.stdout + done.stderr
    assert guest.get(POLICY) == before
    guest.service.settled(guest.dax, offline=4, Movable=4)


def test_a_policy_is_rolled_out_and_its_memory_waited_for(machine):
    guest, folder = machine
    done = play(folder, cxlmemd_policy_files=[policy_file(folder, WHOLE)], cxlmemd_wait_rules=["expanders"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert guest.get(POLICY).decode() == WHOLE
    blocks = guest.blocks_of_dax(guest.dax)
    assert [zone for _, (_, zone, _) in sorted(blocks.items())] == ["Movable"] * 8
    again = play(folder, cxlmemd_policy_files=[policy_file(folder, WHOLE)], cxlmemd_wait_rules=["expanders"])
    assert again.returncode == 0 and "changed=0" in again.stdout, again.stdout
    poll("the unit to be well", lambda: guest.run(f"systemctl is-active {UNIT}").stdout.strip() == "active", 30)
    assert guest.run("ls -d /tmp/cxlmemd-rollout.*", check=False).rc != 0
