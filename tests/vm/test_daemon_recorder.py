# SPDX-License-Identifier: LGPL-2.1-or-later
"""An incident on a real kernel: a card arrives, the kernel refuses a block, somebody offlines another by hand, and a
drain fails. What the flight recorder has of it replays here, on the emulator, to the same decisions in the same order."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from conftest import build_folder
from guest import Card
from service import MANAGE, ROOT, poll, rule
from test_daemon_jobs import PIN

RULE = rule(memory='zone = "movable"', drain='timeout = "3s"\nretries = 2')
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>
"""


def decisions(text):
    """(device, verdict, action) in order. Reasons have memory blocks' numbers in them, which replay as they were."""
    return re.findall(r"^# [0-9.]+ s decision (\S+) (\S+) (\S+)", text, re.MULTILINE)


def drains(text):
    return re.findall(r"^# [0-9.]+ s job [0-9]+ (\S+ \S+): (\w+)", text, re.MULTILINE)


def configuration(text):
    """{name: text} of the files that were in force, as docs/fleet.md takes them out of an incident."""
    out, name = {}, None
    for line in text.splitlines():
        if line.startswith("#file "):
            name = os.path.basename(line[6:])
            out[name] = ""
        elif line.startswith("#| ") and name:
            out[name] += line[3:] + "\n"
    return out


class Replay:
    """A daemon on a recorded incident, on this machine: on a bus of its own, on the emulator, without rights."""

    def __init__(self, folder, text):
        self.folder, self.build = folder, build_folder()
        (folder / "bus.conf").write_text(BUS_CONFIG.format(folder=folder))
        (folder / "incident.toml").write_text(text)
        (folder / "config/policy.d").mkdir(parents=True)
        for name, body in configuration(text).items():
            (folder / "config" / ("" if name == "daemon.toml" else "policy.d") / name).write_text(body)
        self.bus = subprocess.Popen(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--print-address"],
                                    stdout=subprocess.PIPE, text=True)
        assert self.bus.stdout.readline()  # it listens
        self.log = (folder / "log").open("w")
        self.daemon = subprocess.Popen(
            [self.build / "daemon/cxlmemd", "--backend", f"emulator:{folder}/incident.toml", "--config", folder / "config",
             "--state", folder / "state", "--runtime", folder / "run", "--bus", f"unix:path={folder}/bus"],
            stderr=self.log, env={**os.environ, "JOURNAL_STREAM": ""})

    def incident(self):
        done = subprocess.run([self.build / "cli/cxlmemctl", "--bus", f"unix:path={self.folder}/bus", "record", "--since",
                               "1 hour ago"], capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 4), done.stderr  # 4: it has no name yet
        return done.stdout

    def stop(self):
        for process in (self.daemon, self.bus):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        self.log.close()


@pytest.fixture
def replay():
    folder = Path(tempfile.mkdtemp(prefix="cxlreplay."))
    started = []

    def start(text):
        started.append(Replay(folder, text))
        return started[0]

    yield start
    for one in started:
        one.stop()
        print((folder / "log").read_text(), file=sys.stderr)
    shutil.rmtree(folder)


def pin(guest, dax):
    """A page of the device's memory that cannot be moved: its block refuses to go offline."""
    node = guest.service.dax(dax)["TargetNode"]
    guest.run(f"mkdir -p /run/pin && mount -t tmpfs -o size=4M,mpol=bind:{node} pin /run/pin && mkfifo /run/pin/unpin")
    job = guest.spawn(f"exec python3 -c '{PIN}'")
    guest.run("until [ -e /run/pin/ready ]; do sleep 0.05; done", 60)
    return job


def test_an_incident_of_a_real_kernel_replays_to_the_same_decisions(boot, replay, tmp_path):
    guest = boot(cards=[Card(1, "1G")])
    guest.load_modules()
    service = guest.service
    service.start(RULE, MANAGE)
    first = guest.dax_of_region(guest.create_region(serials=[1]))
    service.settled(first, Movable=8)

    # While the node has this card's memory alone: regions of one window share it.
    pinned = pin(guest, first)
    try:
        guest.add_card(2)  # a card arrives, and somebody makes a region of it
        second = guest.dax_of_region(guest.create_region(serials=[2]))
        service.settled(second, Movable=8)

        victim = max(guest.blocks_of_dax(second))  # by hand
        guest.write(f"/sys/devices/system/memory/memory{victim}/state", "offline")
        poll("the drift to be seen", lambda: not service.dax(second)["InPolicy"], 60)

        card = guest.memdev_by_serial(1)
        job = service.call(f"{ROOT}/memdev/{card}", "Memdev", "PrepareRemove")[0]
        result = service.finished(job)["Result"]
        assert result not in ("done", "")
        text = guest.run("cxlmemctl record --since '1 hour ago'", 120).stdout
        anonymous = guest.run("cxlmemctl record --since '1 hour ago' --anonymise", 120).stdout
    finally:
        guest.run("echo > /run/pin/unpin")
        pinned.wait(60)
    (tmp_path / "incident.toml").write_text(text)

    for event in ("add-memdev", "add-region", "offline-block", "ask"):
        assert f'event = "{event}"' in text, event
    # The kernel tries again and again until it is interrupted, or says EBUSY.
    assert 'event = "hang"' in text or 'errno = "EBUSY"' in text
    wanted = decisions(text)
    assert (first, "in-policy", "none") in wanted and (second, "in-policy", "none") in wanted

    here = replay(text)
    end = time.monotonic() + 120
    while len(decisions(seen := here.incident())) < len(wanted) or len(drains(seen)) < len(drains(text)):
        assert here.daemon.poll() is None and time.monotonic() < end, f"{decisions(seen)}\ninstead of\n{wanted}\n{text}"
        time.sleep(0.2)  # between looks, not for a guess
    assert decisions(seen) == wanted, text
    assert drains(seen)[-1] == drains(text)[-1] and drains(text)[-1][1] == result

    assert "10-test.toml" not in anonymous and f"block = {victim:#x}" not in anonymous
    addresses = {int(word, 16) for word in re.findall(r"^start = (0x[0-9a-f]+)", text, re.MULTILINE)}
    told = {int(word, 16) for word in re.findall(r"^start = (0x[0-9a-f]+)", anonymous, re.MULTILINE)}
    assert addresses and not addresses & (told - {0})
