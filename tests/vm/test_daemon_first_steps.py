# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/first-steps.md, line by line as a newcomer types it, on a machine with one card and nothing set up.

With CXLMEMD_WRITE_GUIDE=1 the page is written anew instead of compared.
"""

import os
import re

import pytest
from conftest import KERNEL, SOURCE

from guest import Card

PAGE = SOURCE / "docs/first-steps.md"
BLOCK = re.compile(r"```(?:console|toml file=(\S+))\n(.*?)```\n", re.DOTALL)
WRITE = os.environ.get("CXLMEMD_WRITE_GUIDE") == "1"


@pytest.fixture(scope="module")
def guest(boot):
    guest = boot(cards=[Card(1, "1G")])
    guest.load_modules()
    return guest


def same(text):
    """Columns are as wide as what stands in them."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def run_block(guest, shown):
    said = ""
    for line in shown.splitlines():
        if line.startswith("$ "):
            done = guest.run(line[2:], 180, check=False)
            assert done.rc == 0, (line, done.stdout, done.stderr)
            said += f"{line}\n{done.stdout}"
    return said


@pytest.mark.skipif(KERNEL != "6.12", reason="the page shows what 6.12 says")
def test_the_page_is_what_happens(guest):
    text, at, out = PAGE.read_text(), 0, ""
    commands = 0
    for block in BLOCK.finditer(text):
        out += text[at:block.start(2)]
        at = block.end(2)
        file, shown = block.groups()
        if file:
            guest.run(f"install -D -m 0644 /dev/stdin {file}", stdin=shown.encode())
            out += shown
            continue
        said = run_block(guest, shown)
        commands += shown.count("$ ")
        out += said
        if not WRITE:
            assert same(said) == same(shown)
    assert commands > 10
    if WRITE:
        PAGE.write_text(out + text[at:])
