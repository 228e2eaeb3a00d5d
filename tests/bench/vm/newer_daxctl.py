# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daxctl newer than the one in the guest's Debian 12: a newer Debian's, with the loader and the libraries that it was
built for, so that the guest stays as it is. A part of tests/vm's cache, made the first time it is asked for."""

from __future__ import annotations

import shutil
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path

VM = Path(__file__).resolve().parents[2] / "vm"
sys.path.insert(0, str(VM))
import paths  # noqa: E402

prepare = SourceFileLoader("prepare", str(VM / "prepare")).load_module()

SUITE = "forky"
PART = "daxctl"
LOADER = "ld-linux-x86-64.so.2"
GUEST_HOME = "/opt/newer-daxctl"


class NotToBeHad(RuntimeError):
    """The packages could not be had; why is on stderr."""


@dataclass(frozen=True)
class NewerDaxctl:
    folder: Path

    @property
    def version(self) -> str:
        return (self.folder / "version").read_text().strip()

    @property
    def overlay(self):
        """For Guest."""
        return [(path, f"{GUEST_HOME}/{path.name}", 0o755) for path in sorted(self.folder.iterdir())]

    @property
    def command(self) -> str:
        """How the guest starts it. Without a script around it: a shell's start would be measured too."""
        return f"{GUEST_HOME}/{LOADER} --library-path {GUEST_HOME} {GUEST_HOME}/daxctl"


def build(out: Path, apt):
    """One flat folder: the program, its loader, the libraries that the loader names, and the version."""
    prepare.say(f"daxctl: downloading it from {SUITE}, with its libraries")
    tree = out / "tree"
    for deb in apt.closure(SUITE, "daxctl"):
        prepare.run("dpkg", "-x", str(deb), str(tree))
    libraries, program = tree / "usr/lib/x86_64-linux-gnu", tree / "usr/bin/daxctl"
    start = [str(libraries / LOADER), "--library-path", str(libraries)]
    wanted = [program, libraries / LOADER]
    for line in prepare.run(*start, "--list", str(program)).splitlines():
        name, _, found = line.strip().partition(" => ")
        if Path(name).name == LOADER or name.startswith("linux-vdso"):
            continue
        if not found.startswith(f"{libraries}/"):
            prepare.fail(f"daxctl of {SUITE} needs {line.strip()}, which its packages do not bring")
        wanted.append(libraries / name)
    version = prepare.run(*start, str(program), "--version")
    for path in wanted:
        shutil.copy(path, out / path.name)
    (out / "version").write_text(version)
    shutil.rmtree(tree)
    prepare.say(f"daxctl: {version.strip()}, {len(wanted) - 2} libraries")


def newer_daxctl() -> NewerDaxctl:
    key = prepare.recipe(build, SUITE)
    folder = paths.cache_dir() / f"{PART}-{key}"
    if not folder.is_dir():
        try:
            prepare.make_folder(paths.cache_dir())
            cache = prepare.Cache(paths.cache_dir())
            with closing(cache.lock):
                cache.build(PART, key, lambda out: build(
                    out, prepare.Apt(cache.folder / ".building-apt", prepare.mirror(), [SUITE])))
                cache.sweep()
                cache.hand_over()
        except (SystemExit, OSError) as error:  # the first is how prepare ends when something fails
            raise NotToBeHad(str(error)) from None
    return NewerDaxctl(folder)
