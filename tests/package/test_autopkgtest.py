# SPDX-License-Identifier: LGPL-2.1-or-later
"""debian/tests: the one that runs anywhere. The other one, which wants a machine: tests/vm/test_packages.py."""

import os
import re
import shutil
import subprocess

import pytest

import debs

# A layer over this machine's root that is gone afterwards, without its systemd: what is installed there starts nothing.
LAYER = """
mount -t tmpfs tmpfs "$0" && mkdir "$0/upper" "$0/work" "$0/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
mount -t proc proc "$0/root/proc"
mount --rbind /dev "$0/root/dev"
mount -t sysfs -o ro sysfs "$0/root/sys"
mount -t tmpfs tmpfs "$0/root/run"
mount -t tmpfs tmpfs "$0/root/tmp"
mkdir -p "$0/root/run/lock"
mkdir "$0/root/autopkgtest" && cp -r "$1" "$0/root/autopkgtest/source" && cp "$2" "$3" "$0/root/autopkgtest"
exec chroot "$0/root" sh -ec 'cd /autopkgtest && exec autopkgtest --no-built-binaries --test-name=emulator *.deb source/ -- null'
"""


def test_it_passes_with_the_programs_unpacked(installed_environment):
    if not shutil.which("dbus-run-session"):
        pytest.skip("dbus-run-session is missing (dbus-daemon)")
    done = subprocess.run([debs.SOURCE / "debian/tests/emulator"], env=installed_environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "# the end" in done.stdout


def test_autopkgtest_installs_the_packages_and_passes(packages, tmp_path):
    if not shutil.which("autopkgtest"):
        pytest.skip("autopkgtest is missing (scripts/setup package)")
    if os.geteuid() != 0:
        pytest.skip("a layer over this machine's root to install in takes root")
    debs.copy(tmp_path / "source")
    layer = tmp_path / "layer"
    layer.mkdir()
    argv = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "sh", "-ec", LAYER, layer,
            tmp_path / "source", *packages.values()]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^emulator +PASS$", done.stdout, re.MULTILINE), done.stdout


def test_both_are_listed_and_can_be_run():
    listed = re.findall(r"^Tests: (\S+)$", (debs.SOURCE / "debian/tests/control").read_text(), re.MULTILINE)
    assert sorted(listed) == ["emulator", "service"]
    for name in listed:
        assert os.access(debs.SOURCE / "debian/tests" / name, os.X_OK)
