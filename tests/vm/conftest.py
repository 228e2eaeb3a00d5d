# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the daemon stand on: an install tree, and machines with the daemon in them.

CXLMEMD_VM_BUILD names a build folder to install from (its prefix must be /usr); without it build/vm is configured and
built here. KERNEL chooses the kernel, as in test_guest.py.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import paths  # noqa: E402
from channel import BootFailed  # noqa: E402
from guest import Guest  # noqa: E402
from service import ENABLED, Service  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]
KERNEL = os.environ.get("KERNEL", "6.12")


def run(*argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, argv))} ended with {done.returncode}\n{done.stdout[-4000:]}", pytrace=False)


def build_folder():
    given = os.environ.get("CXLMEMD_VM_BUILD")
    build = Path(given) if given else SOURCE / "build/vm"
    if not given:
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        run("cmake", "-S", SOURCE, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=OFF",
            "-DCMAKE_INSTALL_PREFIX=/usr", *launcher)
        run("cmake", "--build", build)
    cache = build / "CMakeCache.txt"
    if not cache.exists() or "CMAKE_INSTALL_PREFIX:PATH=/usr\n" not in cache.read_text():
        pytest.fail(f"{build} is no build folder with CMAKE_INSTALL_PREFIX=/usr", pytrace=False)
    return build


@pytest.fixture(scope="session")
def install_tree(tmp_path_factory):
    """The daemon as `cmake --install` lays it out. Built once a session."""
    try:
        for part in ("qemu", "root", f"kernel-{KERNEL}"):
            paths.part(part)
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    build = build_folder()
    tree = tmp_path_factory.mktemp("install-tree")
    run("cmake", "--install", build, "--strip", env={**os.environ, "DESTDIR": str(tree)})
    yield tree
    shutil.rmtree(tree, ignore_errors=True)


def lost_a_timer(guest):
    """QEMU's processor now and then never wakes a CPU of a kernel that has just begun, long before anything of ours: the
    kernel says so itself. Once more, and that counts."""
    console = guest.folder / "console.log"
    said = console.read_text(errors="replace") if console.exists() else ""
    if "kthread timer wakeup didn't happen" not in said:
        return False
    print(f"{guest.name}: the emulated processor lost a timer while it booted: once more", file=sys.stderr)
    return True


@pytest.fixture(scope="module")
def boot(install_tree, request):
    """Boots a machine with the daemon; it ends with the module. enabled: started at boot. kernel: for what only
    one of them has. install_tree: laid over the root in the place of the daemon's. The journal is kept beside the machine's
    logs if a test of the module fails."""
    machines = []

    def start(enabled=False, files=(), **options):
        overlay = [*files, *(ENABLED if enabled else ())]
        name = request.module.__name__.removeprefix("test_daemon_")
        kernel = options.pop("kernel", KERNEL)
        options.setdefault("install_tree", install_tree)
        guest = Guest(kernel=kernel, overlay=overlay, name=name, **options)
        try:
            guest.__enter__()
        except BootFailed:
            if not lost_a_timer(guest):
                raise
            guest = Guest(kernel=kernel, overlay=overlay, name=name, **options)
            guest.__enter__()
        guest.service = Service(guest)
        machines.append(guest)
        return guest

    failed_before = request.session.testsfailed
    yield start
    for guest in machines:
        failed = request.session.testsfailed > failed_before
        if failed:
            try:
                (guest.folder / "journal").write_text(guest.journal())
                (guest.folder / "dmesg").write_text(guest.dmesg())
            except Exception as error:  # the machine may be what failed
                print(f"no journal: {error}", file=sys.stderr)
        console = (guest.folder / "console.log").read_text(errors="replace")
        crash = re.search(r"(BUG:|Oops:|general protection)[^\n]*\n(.*\n){0,12}", console)
        guest.stop(keep_logs=failed or bool(crash))
        assert not crash, f"the kernel crashed:\n{crash[0]}"


FIGURES = {}


@pytest.fixture
def figures():
    """For numbers worth keeping: shown at the end of the run."""
    return FIGURES


def pytest_terminal_summary(terminalreporter):
    if FIGURES:
        terminalreporter.section(f"figures, kernel {KERNEL}")
    for what, value in FIGURES.items():
        terminalreporter.write_line(f"{what}: {value}")
