# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon says: how much of it (LogControl1), to whom (the journal, with fields), and how often (once)."""

import os
import re
import shutil
import socket
import subprocess

import pytest
from gi.repository import GLib
from harness import MOVABLE, ONLY_WATCH
from places import LIMIT, SOURCE
from wire import PROPERTIES, BusError, Client

PATH, INTERFACE = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"
CATALOG = SOURCE / "units/cxlmemd.catalog"
IDS = SOURCE / "daemon/message_ids.h"


def ids():
    """{name: id} of the daemon's messages."""
    return dict(re.findall(r'MessageId (\w+)\{"([0-9a-f]{32})"\}', IDS.read_text()))


def get(client, name):
    return client.call(PATH, PROPERTIES, "Get", "(ss)", INTERFACE, name)


def put(client, name, value):
    client.call(PATH, PROPERTIES, "Set", "(ssv)", INTERFACE, name, GLib.Variant("s", value))


# --- LogControl1 ---


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(policy=ONLY_WATCH)


def test_what_it_starts_with(daemon):
    assert daemon.client.call(PATH, PROPERTIES, "GetAll", "(s)", INTERFACE) == {
        "LogLevel": "info", "LogTarget": "console", "SyslogIdentifier": "cxlmemd"}


@pytest.mark.parametrize("level, info, warning", [("debug", True, True), ("info", True, True), ("notice", False, True),
                                                  ("warning", False, True), ("err", False, False),
                                                  ("crit", False, False), ("emerg", False, False)])
def test_levels_are_those_of_syslog(daemon, level, info, warning):
    put(daemon.client, "LogLevel", level)
    assert get(daemon.client, "LogLevel") == level
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert ("dax0.0: online: done" in daemon.log()) == info
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax1.0")
    job = daemon.online("dax1.0", "movable")
    assert daemon.result(job) != "done"
    assert ("dax1.0: online: " in daemon.log()) == warning


@pytest.mark.parametrize("name, value", [("LogLevel", "loud"), ("LogLevel", ""), ("LogLevel", "7"), ("LogLevel", "ERR"),
                                         ("LogTarget", "printer"), ("LogTarget", "")])
def test_unknown_words_are_errors(daemon, name, value):
    before = get(daemon.client, name)
    with pytest.raises(BusError) as refused:
        put(daemon.client, name, value)
    assert refused.value.name == "InvalidArgument"
    assert get(daemon.client, name) == before


def test_the_identifier_cannot_be_written(daemon):
    with pytest.raises(BusError):
        put(daemon.client, "SyslogIdentifier", "me")


def test_targets(daemon):
    put(daemon.client, "LogTarget", "null")
    assert get(daemon.client, "LogTarget") == "null"
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    assert "online: done" not in daemon.log()
    put(daemon.client, "LogTarget", "auto")
    assert get(daemon.client, "LogTarget") == "console"
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert "offline: done" in daemon.log()


def test_a_reload_sets_the_level_only_if_the_settings_say_another_one(make_daemon):
    daemon = make_daemon(settings='[log]\nlevel = "warning"\n')
    assert get(daemon.client, "LogLevel") == "warning"
    put(daemon.client, "LogLevel", "debug")
    daemon.reload()
    assert get(daemon.client, "LogLevel") == "debug"
    (daemon.config / "daemon.toml").write_text('[log]\nlevel = "notice"\n')
    daemon.reload()
    assert get(daemon.client, "LogLevel") == "notice"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as somebody else")
def test_only_root_may_write(daemon):
    nobody = Client(daemon.bus.address, uid=65534)
    assert get(nobody, "LogLevel") == "info"
    for name, value in (("LogLevel", "debug"), ("LogTarget", "null")):
        with pytest.raises(BusError) as refused:
            put(nobody, name, value)
        assert refused.value.name == "NotAuthorized" and "65534" in refused.value.message
        assert get(daemon.client, name) != value
    nobody.close()


# --- each once ---


def test_a_decision_is_said_once_however_often_the_machine_is_looked_at(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, InPolicy=True)
    daemon.wait_idle()
    daemon.look_again()
    before = daemon.log()
    daemon.look_again(times=20)
    assert daemon.log() == before
    for name in ("dax0.0", "dax1.0"):
        said = [line for line in before.splitlines() if line.startswith(f"cxlmemd: {name}: ")]
        assert len(said) == len(set(said)) <= 4, said


def test_a_blocked_device_is_said_once(make_daemon):
    daemon = make_daemon(machine="negative-target-node")
    daemon.look_again()
    before = daemon.log()
    assert "warning: " in before
    daemon.look_again(times=10)
    assert daemon.log() == before


def test_a_scan_that_fails_again_and_again_is_said_once(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="scan", errno="EIO", count=2)
    daemon.nudge()
    daemon.wait(lambda: "unreadable" in [kind for kind, _ in daemon.manager["Conflicts"]], "it is shown")
    daemon.wait(lambda: not daemon.manager["Conflicts"], "it works again")
    assert daemon.log().count("looking at the machine: ") == 1
    assert daemon.log().count("looking at the machine works again") == 1


# --- the journal ---


def test_the_catalog_has_the_ids_of_the_daemon():
    explained = re.findall(r"^-- ([0-9a-f]{32})$", CATALOG.read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(ids().values())
    assert len(set(explained)) == len(explained) > 10


def test_every_message_id_is_used():
    code = "".join(path.read_text() for path in (SOURCE / "daemon").glob("*.cpp"))
    assert [name for name in ids() if f"message::{name}" not in code] == []


@pytest.mark.skipif(not shutil.which("journalctl"), reason="journalctl is not installed")
def test_journalctl_takes_the_catalog(folder):
    where = folder / "root/usr/lib/systemd/catalog"
    where.mkdir(parents=True)
    (folder / "root/var/lib/systemd/catalog").mkdir(parents=True)
    shutil.copy(CATALOG, where)
    for option in ("--update-catalog", "--list-catalog"):
        done = subprocess.run(["journalctl", f"--root={folder}/root", option], capture_output=True, text=True,
                              timeout=LIMIT)
        assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} == set(ids().values())
    assert done.stdout.count("cxlmemd: ") == len(ids())


def entry(datagram):
    """An entry as sd_journal_sendv writes it; multi-line values are not used here."""
    return dict(line.split("=", 1) for line in datagram.decode().splitlines() if "=" in line)


class Journal:
    """Takes what is sent to /run/systemd/journal/socket in the daemon's own view of /run."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "socket"))
        self.socket.settimeout(LIMIT)

    def next(self, name):
        """The next entry of that kind; those before it are dropped."""
        while True:
            seen = entry(self.socket.recv(1 << 16))
            if seen.get("MESSAGE_ID") == ids()[name]:
                return seen


def in_a_view_of_its_own(command, folder):
    place = "/run/systemd/journal"
    return ["unshare", "-m", "sh", "-c",
            f'mount -t tmpfs none /run && mkdir -p {place} && mount --bind "{folder}" {place} && exec "$@"', "sh",
            *command]


def can_unshare():
    return os.geteuid() == 0 and shutil.which("unshare") and \
        subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="needs root and a mount namespace")
def test_entries_have_their_fields(make_daemon, folder):
    journal = Journal(folder / "journal")
    daemon = make_daemon(policy=ONLY_WATCH, start=False)
    command = in_a_view_of_its_own(daemon.command(), journal.folder)
    daemon.command = lambda: command
    daemon.start()
    put(daemon.client, "LogTarget", "journal")
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()

    assert journal.next("policy_reloaded")["PRIORITY"] == "5"
    decision = journal.next("decision")
    assert decision["CXLMEMD_DEVICE"] == "dax0.0" and decision["CXLMEMD_RULE"] == "expanders"
    assert decision["CXLMEMD_FILE"] == str(daemon.policy_file) and int(decision["CXLMEMD_LINE"]) == 1
    assert decision["CXLMEMD_VERDICT"] == "act"
    assert decision["SYSLOG_IDENTIFIER"] == "cxlmemd" and decision["PRIORITY"] == "6"
    done = journal.next("job_done")
    assert done["CXLMEMD_DEVICE"] == "dax0.0" and done["CXLMEMD_JOB"] == "1"
    assert (done["CXLMEMD_OPERATION"], done["CXLMEMD_RESULT"]) == ("policy", "done")
    assert done["CXLMEMD_RULE"] == "expanders"

    for name in ("dax0.0", "dax1.0"):  # policy's own jobs are over
        daemon.wait_dax(name, InPolicy=True)
    daemon.wait_idle()
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax1.0")
    job = daemon.offline("dax1.0")
    assert daemon.result(job) == "failed"
    failed = journal.next("job_not_done")
    assert failed["CXLMEMD_RESULT"] == "failed" and failed["PRIORITY"] == "4"
    assert failed["CXLMEMD_ERROR"] == "Failed" and failed["ERRNO"] == "5"

    daemon.policy_file.write_text("[[rule]\n")
    daemon.fails("InvalidPolicy", daemon.reload)
    problem = journal.next("policy_problem")
    assert problem["CXLMEMD_FILE"] == str(daemon.policy_file) and problem["CXLMEMD_LINE"] == "1"
    assert problem["PRIORITY"] == "3"
