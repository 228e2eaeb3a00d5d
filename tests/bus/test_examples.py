# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients in docs/examples and the busctl lines of docs/dbus.md: each does what it says, on a real daemon."""

import os
import re
import select
import shutil
import subprocess
import time

import pytest
from harness import ONLY_WATCH, dax_path, path_of
from places import DAEMON, LIMIT, SOURCE

CLIENTS = SOURCE / "docs/examples/clients"


@pytest.mark.skipif(shutil.which("ansible-lint") is None, reason="ansible-lint is not installed")
def test_ansible_lint_accepts_the_role(tmp_path):
    """Its rules for production, on a copy: it writes beside what it reads."""
    copy = tmp_path / "ansible"
    shutil.copytree(SOURCE / "docs/examples/ansible", copy)
    done = subprocess.run(["ansible-lint", "--offline", "--nocolor", "--profile", "production", "site.yml", "roles/cxlmemd"],
                          cwd=copy, timeout=10 * LIMIT, capture_output=True, text=True,
                          env={**os.environ, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"0 failure\(s\), 0 warning\(s\) on [1-9][0-9]* files", done.stdout + done.stderr), done.stderr


def test_the_policy_of_the_role_has_no_problems():
    done = subprocess.run([str(DAEMON), "--check-config", str(SOURCE / "docs/examples/ansible/files/10-expanders.toml")],
                          timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == "", done.stdout


def environment(daemon):
    return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": daemon.bus.address, "LC_ALL": "C", "PAGER": "cat"}


@pytest.fixture
def online(make_daemon):
    daemon = make_daemon()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.wait_idle()
    return daemon


class Reader:
    """The lines of a process, as they come."""

    def __init__(self, *command, **more):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
        self.text = ""

    def until(self, word):
        end = time.monotonic() + LIMIT
        while word not in self.text:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            assert data, f"{word!r} did not come, but:\n{self.text}"
            self.text += data.decode()
        return self.text

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def read():
    made = []

    def start(*command, **more):
        made.append(Reader(*command, **more))
        return made[-1]

    yield start
    for reader in made:
        reader.stop()


def test_the_python_client_prints_every_change(make_daemon, read):
    daemon = make_daemon(policy=ONLY_WATCH)
    client = read("/usr/bin/python3", CLIENTS / "watch.py", "--snapshot", env=environment(daemon))
    client.until(f"= {dax_path('dax1.0')} org.cxlmemd1.DaxDevice")
    client.until("! cxlmemd is there")
    job = daemon.online("dax0.0", "movable")
    for line in (f"+ {job} org.cxlmemd1.Job", f"* JobNew {job} {dax_path('dax0.0')}",
                 f"~ {dax_path('dax0.0')} State = 'online'", f"~ {path_of('node', 'node1')} BytesOnline = {4 << 30}",
                 "~ /org/cxlmemd1 BytesOnline", f"* JobRemoved {job} {dax_path('dax0.0')} done"):
        client.until(line)
    daemon.inject("remove-memdev", memdev="mem1")
    client.until(f"- {path_of('memdev', 'mem1')} org.cxlmemd1.Memdev")
    daemon.stop()
    client.until("! cxlmemd has gone")
    lines = [line for line in client.text.splitlines() if line.startswith("~ /org/cxlmemd1 BytesOnline")]
    assert lines == sorted(set(lines), key=lines.index), "a change of the root was printed twice"


@pytest.fixture(scope="module")
def offline_client(tmp_path_factory):
    if not shutil.which("make"):
        pytest.skip("there is no make")
    folder = tmp_path_factory.mktemp("clients")
    for file in ("Makefile", "offline.cpp"):
        shutil.copy(CLIENTS / file, folder)
    done = subprocess.run(["make", "-C", folder, "CXXFLAGS=-O1 -Wall -Wextra -Werror"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "offline"


def test_the_cpp_client_follows_its_job_to_the_end(online, offline_client):
    def run(*arguments):
        return subprocess.run([offline_client, *arguments], env=environment(online), capture_output=True, text=True,
                              timeout=LIMIT)

    online.inject("delay", operation="set_block", usec=2000)
    done = run("dax0.0")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done
    assert online.get_all(lines[0], "Job")["Operation"] == "offline" and lines[-1] == "done"
    assert [line for line in lines if line.endswith(" blocks")][-1] == "32 blocks"
    online.wait_dax(State="offline", Held=True)

    online.inject("pin-block", dax="dax1.0", nth=3)
    failed = run("dax1.0", "30")
    assert failed.returncode == 1 and failed.stdout.splitlines()[-1].startswith("failed: dax1.0: memory block")
    assert "no such" in (unknown := run("dax9.9")).stderr.lower() or "unknown" in unknown.stderr.lower()
    assert unknown.returncode == 1


def busctl_lines(name="docs/dbus.md"):
    return re.findall(r"^    (busctl .*)$", (SOURCE / name).read_text(), re.MULTILINE)


def test_the_screen_has_ten_busctl_lines_and_the_readme_no_other():
    assert len(busctl_lines()) >= 10
    assert busctl_lines("README.md") and set(busctl_lines("README.md")) <= set(busctl_lines())


def test_the_busctl_lines_work_as_printed(online, read):
    seen = {}
    for line in busctl_lines():
        if " monitor " in line:
            monitor = read("sh", "-c", f"exec {line}", env=environment(online))
            monitor.until("onitoring")
            online.inject("offline-block", dax="dax1.0", nth=31)
            monitor.until("PropertiesChanged")
            continue
        done = subprocess.run(["sh", "-c", line], env=environment(online), capture_output=True, text=True,
                              timeout=LIMIT, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        seen[line] = done.stdout
        online.round_trip()
        online.wait_idle()  # a person types more slowly than the jobs are
    said = "\n".join(seen.values())
    for word in ("/org/cxlmemd1/dax/dax0_2e0", ".SetMode", "expanders", '"BlocksOnline"', "/org/cxlmemd1/job/"):
        assert word in said, word
    assert path_of("region", "region1") not in online.objects, "the line that removes a region does"
