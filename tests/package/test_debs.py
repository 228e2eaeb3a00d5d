# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages: what is in them, what they ask for, and what lintian says. What they do to a machine:
tests/vm/test_packages.py."""

import os
import re
import shutil
import stat
import subprocess

import pytest

import debs

OF_THE_DAEMON = {
    "usr/sbin/cxlmemd", "usr/lib/cxlmemd/daemon.toml", "usr/lib/cxlmemd/policy.d/90-watch.toml",
    "usr/lib/modules-load.d/cxlmemd.conf", "usr/lib/systemd/catalog/cxlmemd.catalog",
    "UNITS/cxlmemd.service", "UNITS/cxlmemd-early.service",
    "usr/share/dbus-1/system-services/org.cxlmemd1.service", "usr/share/dbus-1/system.d/org.cxlmemd1.conf",
    "usr/share/polkit-1/actions/org.cxlmemd1.policy",
    "usr/share/man/man8/cxlmemd.8.gz", "usr/share/man/man5/org.cxlmemd1.5.gz",
    "usr/share/man/man5/cxlmemd.policy.5.gz", "usr/share/man/man5/cxlmemd.toml.5.gz",
    "usr/share/man/man5/cxlmemd-emulator.5.gz",
} | {f"usr/share/dbus-1/interfaces/{path.name}"
     for path in (debs.SOURCE / "dbus/interfaces").glob("org.cxlmemd1.*.xml")}
OF_THE_COMMAND_LINE = {
    "usr/bin/cxlmemctl", "UNITS/cxlmemd-metrics.service", "UNITS/cxlmemd-metrics.timer",
    "UNITS/cxlmemd-online@.target", "UNITS/cxlmemd-wait@.service", "usr/share/man/man1/cxlmemctl.1.gz",
    "usr/share/bash-completion/completions/cxlmemctl", "usr/share/fish/vendor_completions.d/cxlmemctl.fish",
    "usr/share/zsh/vendor-completions/_cxlmemctl",
}


def field(deb, name):
    return subprocess.run(["dpkg-deb", "-f", deb, name], check=True, capture_output=True, text=True).stdout.strip()


def files_of(tree):
    """Without documents and overrides of lintian; systemd's folder as UNITS, for releases differ in it."""
    names = {str(path.relative_to(tree)) for path in tree.rglob("*") if not path.is_dir()}
    return {re.sub(r"^(usr/)?lib/systemd/system/", "UNITS/", name) for name in names
            if not name.startswith(("usr/share/doc/", "usr/share/lintian/"))}


def test_there_are_two_of_the_version_of_the_source(packages):
    assert set(packages) == {"cxlmemd", "cxlmemctl"}
    upstream, whole = debs.version()
    assert {field(deb, "Version") for deb in packages.values()} == {whole}
    cmake = (debs.SOURCE / "CMakeLists.txt").read_text()
    assert re.search(r"project\(cxlmemd VERSION (\S+)", cmake)[1] == upstream


def test_each_file_is_in_the_package_that_needs_it(trees):
    assert files_of(trees["cxlmemd"]) == OF_THE_DAEMON
    assert files_of(trees["cxlmemctl"]) == OF_THE_COMMAND_LINE


def test_the_documents_and_examples_are_there(trees):
    folder = trees["cxlmemd"] / "usr/share/doc/cxlmemd"
    for name in ("examples/policy/all-removable.toml", "examples/units/database.service", "copyright"):
        assert (folder / name).is_file(), sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert list(folder.glob("policy-guide.md*")) and list(folder.glob("changelog.gz"))
    assert (trees["cxlmemctl"] / "usr/share/doc/cxlmemctl/copyright").is_file()


def test_files_under_etc_are_conffiles_and_memory_is_left_alone(packages, trees):
    for name, tree in trees.items():
        done = subprocess.run(["dpkg-deb", "-I", packages[name], "conffiles"], capture_output=True, text=True)
        under_etc = sorted(f"/{path.relative_to(tree)}" for path in tree.glob("etc/**/*") if not path.is_dir())
        assert sorted(done.stdout.split()) == under_etc, name
    # A place for policy, and no rule in any file.
    assert (trees["cxlmemd"] / "etc/cxlmemd/policy.d").is_dir()
    policy = (trees["cxlmemd"] / "usr/lib/cxlmemd/policy.d/90-watch.toml").read_text()
    assert [line for line in policy.splitlines() if line and line[0] != "#"] == []


def test_the_command_line_needs_no_daemon_and_the_daemon_its_own_command_line(packages):
    assert not re.search(r"\bcxlmemd\b", field(packages["cxlmemctl"], "Depends") + field(packages["cxlmemctl"], "Recommends"))
    assert f"cxlmemctl (= {debs.version()[1]})" in field(packages["cxlmemd"], "Depends")
    for name in packages:
        assert "libsdbus-c++" in field(packages[name], "Depends")


def test_every_program_that_a_unit_starts_is_installed(trees):
    """By this package or one that it depends on."""
    have = {path.name for tree in trees.values() for path in tree.glob("usr/*bin/*")}
    for unit in [path for tree in trees.values() for path in tree.rglob("cxlmemd*.service")]:
        for program in re.findall(r"^Exec\w+=(/usr/\S*bin/\S+)", unit.read_text(), re.MULTILINE):
            assert program.rsplit("/", 1)[1] in have, f"{unit.name}: {program}"


def test_nothing_is_writable_by_others_or_more_than_it_should_be(trees):
    for tree in trees.values():
        for path in tree.rglob("*"):
            mode = path.lstat().st_mode
            assert path.is_symlink() or not mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID), path


def test_lintian_is_content(built):
    tool = shutil.which("lintian")
    if not tool:
        pytest.skip("lintian is missing (scripts/setup package)")
    (changes,) = built.glob("*.changes")
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    done = subprocess.run([tool, *as_root, "--fail-on", "error,warning", "--info", changes],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = [line for line in done.stdout.splitlines() if re.match(r"[EW]: ", line)]
    assert done.returncode == 0 and not found, done.stdout


def test_build_dependencies_are_what_setup_installs():
    """debian/control and scripts/setup name the same packages."""
    names = set(debs.build_dependencies())
    setup = (debs.SOURCE / "scripts/setup").read_text()
    groups = dict(re.findall(r'\[(\w+)\]="([^"]*)"', setup))
    have = {name for group in ("build", "test", "package") for name in groups[group].split()} | {"g++"}
    # The compiler is build-essential, and debhelper-compat and systemd-dev are had by other names here.
    assert names - {"debhelper-compat", "systemd", "systemd-dev", "g++-12", "g++-14"} <= have
    assert set(groups["build"].split()) - names <= {"g++", "make", "python3"}
