#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the instructions of each piece (pieces.h) under callgrind and compares them with instructions.json: a gate
that a crowded machine does not move. Fails if a piece takes a quarter more than what is written there; says so if it
takes a quarter less, for then the file is out of date.

    instructions.py PROGRAM            compares
    instructions.py PROGRAM --write    writes what it counts
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WRITTEN = Path(__file__).with_name("instructions.json")
ROOM = 0.25


def count(program, piece):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                               f"--callgrind-out-file={folder}/out", str(program), piece],
                              capture_output=True, text=True, timeout=300)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found or int(found[1]) == 0:
        sys.exit(f"{piece}: valgrind ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return int(found[1])


def verdict(counted, written):
    """What is wrong, or None."""
    if written is None:
        return "is not in the file: --write"
    if counted > written * (1 + ROOM):
        return f"takes {counted / written:.2f} times what it took"
    if counted < written * (1 - ROOM):
        return f"takes {counted / written:.2f} times what it took: --write, so that it stays so"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if not shutil.which("valgrind"):
        print("there is no valgrind")
        return 77
    pieces = subprocess.run([given.program], check=True, capture_output=True, text=True).stdout.split()
    counted = {piece: count(given.program, piece) for piece in pieces}
    if given.write:
        WRITTEN.write_text(json.dumps(counted, indent=2) + "\n")
    written = json.loads(WRITTEN.read_text())
    wrong = 0
    for piece, instructions in counted.items():
        problem = verdict(instructions, written.get(piece))
        wrong += problem is not None
        print(f"{piece:12} {instructions:12,} instructions{': ' + problem if problem else ''}")
    for piece in written.keys() - counted.keys():
        wrong += 1
        print(f"{piece}: in the file, and no piece of the program")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
