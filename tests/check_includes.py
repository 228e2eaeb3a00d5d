#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the arrows of the design: which folder may include which.

    tests/check_includes.py            the drawing; fails if an include points the wrong way
    tests/check_includes.py --dot      the same as a graphviz graph

    daemon -> dbus, backends, policy       policy -> nothing of ours
    dbus -> policy                         cli -> generated proxies alone
    backends -> policy, the topology model alone; linux and emulator know nothing of each other
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ["policy", "backends", "backends/linux", "backends/emulator", "dbus", "daemon", "cli"]

# What a backend may know of policy: facts, not decisions.
MODEL = ["policy/topology.h", "policy/units.h", "policy/uuid.h", "policy/error.h"]

# From a folder to headers of another: whole folders, or single files.
ARROWS = {
    "policy": [],
    "backends": MODEL,
    "backends/linux": ["backends", *MODEL],
    # Its machine files and events come from anywhere: the guard before the parser and the quotes around a caller's
    # word are policy's, and there is one of each.
    "backends/emulator": ["backends", *MODEL, "policy/parser_guard.h", "policy/text.h"],
    "dbus": ["policy", "generated adaptors"],
    "daemon": ["dbus", "backends", "backends/linux", "backends/emulator", "policy"],
    "cli": ["generated proxies"],
}

# Headers that the build makes, by what their names look like.
GENERATED = [(re.compile(r"org\.(?:cxlmemd1|freedesktop)\.\w+-adaptor\.h"), "generated adaptors"),
             (re.compile(r"cxlmemctl_proxies/\w+\.h"), "generated proxies"),
             (re.compile(r"(?:cxlmemctl_)?version\.h"), None)]


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


def folder_of(path):
    """The folder of ours that a header of this path lies in, or None."""
    parent = path.rpartition("/")[0]
    while parent and parent not in FOLDERS:
        parent = parent.rpartition("/")[0]
    return parent or None


def target_of(header, quoted, source):
    """(folder or kind of generated header, header) of an include; None: not ours."""
    for pattern, kind in GENERATED:
        if pattern.fullmatch(header):
            return (kind, header) if kind else None
    if folder := folder_of(header):
        return folder, header
    if not quoted:
        return None
    beside = (source.parent / header).resolve()
    if beside.is_file() and beside.is_relative_to(ROOT):
        inside = str(beside.relative_to(ROOT))
        return folder_of(inside) or inside, inside
    return "unknown", header


def may(source_folder, target_folder, header):
    allowed = ARROWS[source_folder]
    return source_folder == target_folder or target_folder in allowed or header in allowed


def read():
    """{(from, to): {header, …}} and what points the wrong way as file:line: messages."""
    edges, wrong = defaultdict(set), []
    for top in sorted({folder.partition("/")[0] for folder in FOLDERS}):
        for source in sorted((ROOT / top).rglob("*")):
            if source.suffix not in (".h", ".cpp", ".in"):
                continue
            name = str(source.relative_to(ROOT))
            folder, text = folder_of(name), source.read_text(errors="replace")
            for match in INCLUDE.finditer(text):
                target = target_of(match[1] or match[2], bool(match[1]), source)
                if target is None:
                    continue
                if target[0] != folder:
                    edges[folder, target[0]].add(target[1])
                if not may(folder, *target):
                    line = text.count("\n", 0, match.start()) + 1
                    wrong.append(f"{name}:{line}: {folder} may not include {target[1]}")
    return edges, wrong


def drawing(edges):
    for folder in FOLDERS:
        targets = [(to, headers) for (start, to), headers in sorted(edges.items()) if start == folder]
        if not targets:
            yield f"{folder:18}-> nothing of ours"
        for index, (to, headers) in enumerate(targets):
            names = sorted(header.rpartition("/")[2] for header in headers)
            shown = ", ".join(names) if len(names) <= 4 else f"{len(names)} headers"
            yield f"{folder if index == 0 else '':18}-> {to:18} ({shown})"


def graph(edges):
    yield "digraph includes {"
    yield '  rankdir=BT; node [shape=box, fontname="sans-serif"];'
    for folder in FOLDERS:
        yield f'  "{folder}";'
    for (start, to), headers in sorted(edges.items()):
        yield f'  "{start}" -> "{to}" [label="{len(headers)}"];'
    yield "}"


def main():
    edges, wrong = read()
    for line in graph(edges) if "--dot" in sys.argv[1:] else drawing(edges):
        print(line)
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
