# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is laid over the guest's root at boot."""

import io
import os
import stat
import time
from pathlib import Path


class Cpio:
    """Writes an initramfs overlay ("newc" cpio) that respects the folders and links of the base image."""

    MOUNTED_OVER = ("/run/", "/dev/", "/proc/", "/sys/")

    def __init__(self, index: Path):
        self.out = io.BytesIO()
        self.folders, self.links, self.count = {"/"}, {}, 0
        for line in index.read_text().splitlines():
            kind, name, *target = line.split(" ", 2)
            if kind == "dir":
                self.folders.add(name)
            else:
                self.links[name] = os.path.normpath(os.path.join(os.path.dirname(name), target[0]))

    def resolve(self, name):
        """Where a file really lands: a /lib in an install tree must not replace the base's link to /usr/lib."""
        done = "/"
        for part in Path(name).parts[1:-1]:
            done = os.path.join(done, part)
            done = self.links.get(done, done)
        return os.path.join(done, os.path.basename(name))

    def add(self, name, mode, data=b""):
        name = self.resolve(os.path.normpath("/" + name.lstrip("/")))
        if name.startswith(self.MOUNTED_OVER):
            raise ValueError(f"{name}: its folder is mounted over at boot; use guest.put() after it")
        self.folder(os.path.dirname(name))
        if stat.S_ISDIR(mode):
            self.folder(name, mode)
        else:
            self.entry(name, mode, data)

    def folder(self, name, mode=stat.S_IFDIR | 0o755):
        if name not in self.folders and name not in self.links:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self.entry(name, mode)

    def entry(self, name, mode, data=b""):
        self.count += 1
        path = name.lstrip("/").encode() + b"\0"
        fields = [self.count, mode, 0, 0, 1, int(time.time()), len(data), 0, 0, 0, 0, len(path), 0]
        for piece in (b"070701" + b"".join(b"%08x" % field for field in fields) + path, data):
            self.out.write(piece + bytes(-len(piece) % 4))

    def add_tree(self, tree: Path):
        for path in sorted(tree.rglob("*")):
            name, mode = str(path.relative_to(tree)), path.lstat().st_mode
            if stat.S_ISLNK(mode):
                self.add(name, mode, os.readlink(path).encode())
            elif stat.S_ISDIR(mode):
                self.add(name, stat.S_IFDIR | 0o755)
            else:
                self.add(name, mode, path.read_bytes())

    def finish(self) -> bytes:
        self.entry("TRAILER!!!", 0)
        return self.out.getvalue()
