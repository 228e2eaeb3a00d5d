# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the prepared parts of the test machine lie. Shared by prepare and guest.py."""

import os
import pwd
from pathlib import Path


class NotPrepared(RuntimeError):
    """A part of the cache is missing; the message says how to make it."""


def invoking_user():
    """The user behind sudo, or None: a cache made with sudo belongs to who asked for it."""
    name = os.environ.get("SUDO_USER")
    if os.geteuid() != 0 or not name or name == "root":
        return None
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def cache_dir() -> Path:
    if own := os.environ.get("CXLMEMD_VM_CACHE"):
        return Path(own).absolute()
    if user := invoking_user():
        return Path(user.pw_dir, ".cache/cxlmemd/vm")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "cxlmemd/vm")


def left_out(name: str) -> Path:
    """Where prepare says why it went on without a part."""
    return cache_dir() / f"{name}.left-out"


def part(name: str) -> Path:
    """The folder of a prepared part: qemu, root, perl, kernel-VERSION or selftest-VERSION."""
    link = cache_dir() / name
    if not link.exists():
        kernel = name.removeprefix("kernel-").removeprefix("selftest-")
        how = f"KERNEL={kernel} tests/vm/prepare" if kernel != name else "tests/vm/prepare"
        why = f" ({left_out(name).read_text().strip()})" if left_out(name).exists() else ""
        raise NotPrepared(f"{link} is missing{why}: run {how} (as root) first")
    return link.resolve()
