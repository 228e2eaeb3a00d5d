# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flight recorder: what happened can be told afterwards, and replayed to the same decisions."""

import errno
import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import new_folder
from harness import MOVABLE, QUICK_RETRY, PrivateBus, rule
from places import CTL, LIMIT
from wire import options

pytestmark = pytest.mark.loop_alone


def ctl(daemon, *arguments):
    return subprocess.run([str(CTL), "--bus", daemon.bus.address, *map(str, arguments)], timeout=LIMIT,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def incident(daemon, *arguments, since="1 hour ago"):
    done = ctl(daemon, "record", "--since", since, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decisions(text):
    """Of an incident: what was decided of which device, in order."""
    return re.findall(r"^# [0-9.]+ s decision (\S+ .*)$", text, re.MULTILINE)


def policy_of(text):
    """{name: text} of the policy files in an incident, those of the beginning."""
    out, name = {}, None
    for line in text.splitlines():
        if line.startswith("#file "):
            name = os.path.basename(line[6:])
            if name in out:
                break
            out[name] = ""
        elif line.startswith("#| ") and name:
            out[name] += line[3:] + "\n"
    return out


def recorded(daemon):
    """What lies on the disk, after all that has happened so far."""
    incident(daemon)
    return [json.loads(line) for line in (daemon.state / "recorder").read_text().splitlines() if line]


@pytest.fixture(scope="module")
def second_bus():
    path = new_folder()
    bus = PrivateBus(path)
    yield bus
    bus.stop()
    shutil.rmtree(path)


@pytest.fixture
def replay(make_daemon, second_bus, folder):
    """A daemon on an incident, with the policy that is in it."""

    def start(text):
        file = folder / "incident.toml"
        file.write_text(text)
        files = policy_of(text)
        (rules,) = [body for name, body in files.items() if name != "daemon.toml"]
        return make_daemon(bus=second_bus, machine=file, policy=rules, settings=files.get("daemon.toml", ""),
                           state=folder / "state-of-replay", runtime=folder / "run-of-replay")

    return start


def settled(daemon, count, text=None):
    """Its incident, once so many decisions are in it."""
    daemon.wait(lambda: len(decisions(incident(daemon))) >= count, "decisions")
    return incident(daemon)


def test_smoke(make_daemon, replay):
    daemon = make_daemon(machine="two-card-server", policy=MOVABLE)
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.wait_dax("dax0.0", InPolicy=False)
    text = incident(daemon)
    print(text)
    copy = replay(text)
    copy.wait_dax("dax0.0", InPolicy=False)
    print("=====", incident(copy))
    assert decisions(incident(copy)) == decisions(text)
    assert 0
