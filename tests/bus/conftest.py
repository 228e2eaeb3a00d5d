import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import Daemon, PrivateBus  # noqa: E402
from places import BUILD, DAEMON, SANITIZED  # noqa: E402


def pytest_report_header():
    return f"cxlmemd: {DAEMON}{', with a sanitizer' if SANITIZED else ''}"


def pytest_collection_modifyitems(items):
    if not DAEMON.exists():
        raise pytest.UsageError(f"{DAEMON} does not exist: build it, or set CXLMEMD_BUILD (now {BUILD})")


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

    def make(bus=None, start=True, **what):
        daemon = Daemon(bus or shared_bus, folder, **what)
        made.append(daemon)
        return daemon.start() if start else daemon

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
