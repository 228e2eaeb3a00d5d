# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import pathlib
import shutil
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Daemon, PrivateBus  # noqa: E402
from places import BUILD, DAEMON, SANITIZED  # noqa: E402


def pytest_configure(config):
    os.umask(0o022)  # the daemon takes no configuration that a group may write
    config.addinivalue_line("markers", "last: runs behind all others")
    # The thread sanitizer's run (scripts/test tsan) leaves these out.
    config.addinivalue_line("markers", "loop_alone: tries what the loop's thread does by itself")


def pytest_report_header():
    return f"cxlmemd: {DAEMON}{', with a sanitizer' if SANITIZED else ''}"


def pytest_collection_modifyitems(items):
    if not DAEMON.exists():
        raise pytest.UsageError(f"{DAEMON} does not exist: build it, or set CXLMEMD_BUILD (now {BUILD})")
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for daemon in getattr(item, "daemons", []):
            report.sections.append(("log of the daemon", daemon.log()[-20000:]))


def new_folder():
    # Not tmp_path: the socket's path must be short, and another user must reach it.
    return pathlib.Path(tempfile.mkdtemp(prefix="cxlbus."))


@pytest.fixture(scope="session")
def shared_bus():
    folder = new_folder()
    bus = PrivateBus(folder)
    yield bus
    bus.stop()
    shutil.rmtree(folder)


class Resting:
    """A daemon with all its work done, and nobody who talks to it."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.since = time.monotonic()
        self.switches_then = self.switches()

    def seconds(self):
        return time.monotonic() - self.since

    def switches(self):
        return sum(int((task / "status").read_text().split("voluntary_ctxt_switches:")[1].split()[0])
                   for task in pathlib.Path(f"/proc/{self.daemon.process.pid}/task").iterdir())


@pytest.fixture(scope="session")
def resting(request):
    bus_folder, folder = new_folder(), new_folder()
    bus = PrivateBus(bus_folder)
    daemon = Daemon(bus, folder)
    daemon.start()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    for job in daemon.jobs():
        daemon.wait_gone(job)  # ten seconds; after that there is no timer left
    daemon.round_trip()
    daemon.client.pump(0.5)
    yield Resting(daemon)
    daemon.stop()
    bus.stop()
    shutil.rmtree(bus_folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def begin_to_rest(request):
    """While all others run, if the tests of test_at_rest.py come behind them."""
    if not SANITIZED and any(item.get_closest_marker("last") for item in request.session.items):
        request.getfixturevalue("resting")


@pytest.fixture
def own_bus():
    """A bus that the test may kill."""
    folder = new_folder()
    bus = PrivateBus(folder)
    yield bus
    bus.stop()
    shutil.rmtree(folder)


@pytest.fixture
def folder():
    path = new_folder()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def make_daemon(shared_bus, folder, request):
    """Makes daemons; each must end with 0 on SIGTERM when the test is over."""
    request.node.daemons = made = []

    def make(bus=None, start=True, meet=True, **what):
        daemon = Daemon(bus or shared_bus, folder, **what)
        made.append(daemon)
        return daemon.start(meet) if start else daemon

    yield make
    errors = []
    for daemon in made:
        try:
            daemon.stop()
        except AssertionError as error:
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def machine_file(folder):
    """Writes a topology file."""

    def write(text):
        path = folder / "machine.toml"
        path.write_text(text)
        return path

    return write
