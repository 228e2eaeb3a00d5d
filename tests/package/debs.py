# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the Debian packages from a copy of the tree, and keeps them by what they were made from: tests that want them
build them once. CXLMEMD_PACKAGE_CACHE names the folder, else ~/.cache/cxlmemd/packages."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("CXLMEMD_PACKAGE_CACHE", Path.home() / ".cache/cxlmemd/packages"))
KEPT = 4  # results, for other trees of the same user
# Neither built nor run by debian/rules.
ASIDE = ("scripts/", "tests/bus/", "tests/campaign/", "tests/debian13/", "tests/package/", "tests/vm/")
CCACHE = Path("/usr/lib/ccache")


class CannotBuild(RuntimeError):
    """A tool or a build dependency is missing; the message says which."""


class BuildFailed(RuntimeError):
    """With the end of the log."""


def files():
    listing = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             check=True, capture_output=True).stdout.decode()
    return sorted(name for name in listing.split("\0") if name and (SOURCE / name).is_file())


def key():
    """What the packages are made from: the files, and the packages that they are built with."""
    digest = hashlib.sha256()
    for name in files():
        if not name.startswith(ASIDE):
            mode = (SOURCE / name).stat().st_mode & 0o111
            digest.update(f"{name}\0{mode}\0".encode() + hashlib.sha256((SOURCE / name).read_bytes()).digest())
    for name in build_dependencies():
        digest.update(subprocess.run(["dpkg-query", "-W", name], capture_output=True).stdout)
    return digest.hexdigest()[:16]


def build_dependencies():
    """Names, by debian/control, and what comes with every build."""
    control = (SOURCE / "debian/control").read_text()
    asked = re.search(r"^Build-Depends:\n((?: .*\n)+)", control, re.MULTILINE)[1]
    return sorted({re.split(r"[ :(|<,]", line.strip())[0] for line in asked.splitlines()} |
                  {"debhelper", "dpkg-dev", "g++-12", "g++-14", "systemd"})


def version():
    """(upstream, with the revision) by debian/changelog."""
    first = (SOURCE / "debian/changelog").read_text().split("\n", 1)[0]
    whole = re.fullmatch(r"cxlmemd \(([^)]+)\) .*", first)[1]
    return whole.rsplit("-", 1)[0], whole


def ready():
    """Raises CannotBuild unless everything is there."""
    for tool, package in (("dpkg-buildpackage", "dpkg-dev"), ("dh", "debhelper")):
        if not shutil.which(tool):
            raise CannotBuild(f"{tool} is missing: install {package} (scripts/setup package)")
    done = subprocess.run(["dpkg-checkbuilddeps"], cwd=SOURCE, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(done.stderr.strip())


def copy(target: Path):
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / name, target / name)


def build(out: Path, folder="cxlmemd", options="", environment=None, umask=0o022, ccache=True):
    """Source and binary packages into `out`, which is made; `folder` is what the copy of the tree is called, `options`
    for DEB_BUILD_OPTIONS. Raises BuildFailed."""
    out.mkdir(parents=True)
    tree, upstream = out / folder, version()[0]
    copy(tree)
    subprocess.run(["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go=rX",
                    f"--transform=s,^{folder},cxlmemd-{upstream},", f"--exclude={folder}/debian", "-cJf", f"cxlmemd_{upstream}.orig.tar.xz", folder],
                   cwd=out, check=True)
    cpus = len(os.sched_getaffinity(0))
    env = {**os.environ, "DEB_BUILD_OPTIONS": f"parallel={cpus} {options}".strip(), **(environment or {})}
    if ccache and CCACHE.is_dir():
        # Named, for debhelper gives the compiler another home. Without CCACHE_BASEDIR, whose relative names get into
        # the debugging symbols: it is found again under the same path.
        home = subprocess.run(["ccache", "-k", "cache_dir"], check=True, capture_output=True, text=True).stdout.strip()
        env |= {"PATH": f"{CCACHE}:{env['PATH']}", "CCACHE_DIR": home}
        env.pop("CCACHE_BASEDIR", None)
    with open(out / "log", "wb") as log:
        done = subprocess.run(["dpkg-buildpackage", "-us", "-uc"], cwd=tree, env=env, umask=umask, stdout=log,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise BuildFailed((out / "log").read_text(errors="replace")[-6000:])
    shutil.rmtree(tree)


def built() -> Path:
    """The folder with the packages of this tree: .deb, .dsc, .changes, and the log. Built without tests, which every run
    has in its part `unit`; test_reproducible.py builds with them."""
    done = CACHE / key()
    if done.is_dir():
        os.utime(done)
        return done
    ready()
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.is_dir():
            return done  # another process has been at it
        work = CACHE / ".building"  # always the same, for the compiler's cache
        shutil.rmtree(work, ignore_errors=True)
        build(work, options="nocheck")
        work.rename(done)
    results = sorted((path for path in CACHE.iterdir() if path.name[0] != "."), key=lambda path: path.stat().st_mtime)
    for old in results[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return done


def debs(folder: Path):
    """Name → file, without those of debugging symbols."""
    return {path.name.split("_")[0]: path for path in sorted(folder.glob("*.deb")) if "-dbgsym_" not in path.name}


def repacked(deb: Path, out: Path, new_version):
    """The same package under another version."""
    tree = out / f"tree-{deb.stem}"
    subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
    control = tree / "DEBIAN/control"
    old = re.search(r"^Version: (.*)$", control.read_text(), re.MULTILINE)[1]
    text = control.read_text().replace(f"Version: {old}\n", f"Version: {new_version}\n")
    control.write_text(text.replace(f"(= {old})", f"(= {new_version})"))
    target = out / f"{deb.name.split('_')[0]}_{new_version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, target], check=True,
                   stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return target
