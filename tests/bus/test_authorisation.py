# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may: reading everyone, changing root, for there is no polkit on this bus. The bus lets everything through; the
daemon decides."""

import json
import os
import subprocess

import pytest
from harness import ONLY_WATCH, ROOT, dax_path, path_of
from places import LIMIT
from wire import NAME

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as somebody else")

DAX = dax_path("dax0.0")


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(policy=ONLY_WATCH)


def as_nobody(daemon, path, interface, member, *arguments):
    return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busctl",
                           f"--address={daemon.bus.address}", "--json=short", "call", NAME, path, interface, member,
                           *arguments], capture_output=True, text=True, timeout=LIMIT)


@pytest.mark.parametrize("path, interface, member, arguments", [
    (ROOT, "Manager", "Reload", ["a{sv}", "0"]),
    (ROOT, "Manager", "Apply", ["a{sv}", "0"]),
    (DAX, "DaxDevice", "Online", ["sa{sv}", "movable", "0"]),
    (DAX, "DaxDevice", "Offline", ["a{sv}", "0"]),
    (DAX, "DaxDevice", "SetMode", ["sa{sv}", "devdax", "0"]),
    (DAX, "DaxDevice", "Hold", ["a{sv}", "0"]),
    (DAX, "DaxDevice", "Release", ["a{sv}", "0"]),
    (path_of("region", "region0"), "Region", "Remove", ["a{sv}", "0"]),
    (path_of("memdev", "mem0"), "Memdev", "PrepareRemove", ["a{sv}", "0"]),
    (f"{ROOT}/emulator", "Emulator", "Inject", ["sa{sv}", "clear-faults", "0"]),
    (DAX, "DaxDevice", "Addresses", ["a{sv}", "0"]),
    (ROOT, "Manager", "Record", ["a{sv}", "0"]),
])
def test_another_user_may_change_nothing(daemon, path, interface, member, arguments):
    before = daemon.managed_objects()
    done = as_nobody(daemon, path, f"{NAME}.{interface}", member, *arguments)
    assert done.returncode != 0
    assert "65534 is not authorised" in done.stderr and member in done.stderr, done.stderr
    assert daemon.managed_objects() == before
    assert not daemon.jobs()


def test_the_error_has_its_name(daemon):
    """busctl prints the text alone; monitor sees what was on the wire."""
    watcher = daemon.client
    watcher.call("/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring", "BecomeMonitor", "(asu)",
                 ["type='error'"], 0, to="org.freedesktop.DBus")
    done = as_nobody(daemon, DAX, f"{NAME}.DaxDevice", "Hold", "a{sv}", "0")
    assert done.returncode != 0
    watcher.wait(lambda: any(m.raw.get_error_name() == f"{NAME}.Error.NotAuthorized"
                             for m in watcher.replies.values()), "NotAuthorized on the wire")


def test_another_user_may_not_cancel(daemon):
    daemon.inject("hang", operation="set_block")
    job = daemon.online("dax0.0", "movable")
    done = as_nobody(daemon, job, f"{NAME}.Job", "Cancel", "a{sv}", "0")
    assert done.returncode != 0 and "not authorised" in done.stderr
    daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.removed(job))
    assert daemon.result(job) == "done"


@pytest.mark.parametrize("path, interface, member, arguments", [
    (ROOT, f"{NAME}.Manager", "Plan", ["a{sv}", "0"]),
    (ROOT, f"{NAME}.Manager", "Explain", ["oa{sv}", DAX, "0"]),
    (ROOT, f"{NAME}.Manager", "CheckPolicy", ["ssa{sv}", "x.toml", "", "0"]),
    (ROOT, f"{NAME}.Manager", "EffectivePolicy", ["a{sv}", "0"]),
    (ROOT, f"{NAME}.Manager", "Record", ["a{sv}", "1", "anonymise", "b", "true"]),
    (ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", []),
    (DAX, "org.freedesktop.DBus.Properties", "GetAll", ["s", f"{NAME}.DaxDevice"]),
    (DAX, "org.freedesktop.DBus.Introspectable", "Introspect", []),
])
def test_everyone_may_read(daemon, path, interface, member, arguments):
    done = as_nobody(daemon, path, interface, member, *arguments)
    assert done.returncode == 0, done.stderr
    assert "data" in json.loads(done.stdout)


def test_authorisation_comes_before_everything_else(daemon):
    """Who may not act learns nothing about arguments or devices either."""
    done = as_nobody(daemon, DAX, f"{NAME}.DaxDevice", "Online", "sa{sv}", "nowhere", "0")
    assert "not authorised" in done.stderr
    done = as_nobody(daemon, DAX, f"{NAME}.DaxDevice", "Online", "sa{sv}", "movable", "1", "colour", "s", "red")
    assert "not authorised" in done.stderr


def test_root_may(daemon):
    job = daemon.online("dax0.0", "movable")
    assert daemon.job(job)["StartedBy"] == 0
    assert daemon.result(job) == "done"
