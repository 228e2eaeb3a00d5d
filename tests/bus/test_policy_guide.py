# SPDX-License-Identifier: LGPL-2.1-or-later
"""What docs/policy-guide.md shows is what cxlmemctl says.

With CXLMEMD_WRITE_GUIDE=1 the guide is written anew instead of compared.
"""

import os
import re
import shlex
import subprocess

import pytest
from places import CTL, LIMIT, SOURCE

GUIDE = SOURCE / "docs/policy-guide.md"
EXAMPLES = SOURCE / "docs/examples/policy"
WRITE = os.environ.get("CXLMEMD_WRITE_GUIDE") == "1"

SAID = re.compile(r"<!-- said: (\S+) (\S+)( --observe)? -->\n```console\n(.*?)```\n", re.DOTALL)
FILE = re.compile(r"```toml file=(\S+)\n(.*?)```\n", re.DOTALL)

pytestmark = [pytest.mark.loop_alone, pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")]


def blocks():
    return list(SAID.finditer(GUIDE.read_text()))


def same(text):
    """Columns are as wide as the paths of this run."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def with_usual_paths(text, folder):
    """As in the folder that everybody has; the titles above move along."""
    usual = "/etc/cxlmemd/policy.d"
    out = []
    for line in text.splitlines():
        if text.startswith(("OBJECT ", "   RULE ")) and folder not in line:
            gap = max(re.findall(" +", line), key=len)
            line = line.replace(gap, gap[len(folder) - len(usual):], 1)
        out.append(line.replace(folder, usual))
    return "\n".join(out) + "\n"


def say(make_daemon, machine, example, observe, commands):
    daemon = make_daemon(machine=machine, policy=None, start=False, arguments=["--observe"] if observe else [])
    file = daemon.policy_file.with_name(example)
    file.parent.mkdir(parents=True)
    file.write_text((EXAMPLES / example).read_text())
    daemon.start()
    if not observe:
        daemon.look_again()  # what policy does about the machine has begun
        daemon.wait_idle()
        daemon.wait(lambda: daemon.plan() == [], "everything is in policy")
        daemon.wait_idle()
    out = ""
    for command in commands:
        done = subprocess.run([CTL, "--bus", daemon.bus.address, *shlex.split(command)[1:]], timeout=LIMIT,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        out += f"$ {command}\n" + with_usual_paths(done.stdout, str(file.parent))
    return out


@pytest.mark.parametrize("number", range(len(blocks())))
def test_the_guide_shows_what_is_said(make_daemon, number):
    machine, example, observe, shown = blocks()[number].groups()
    commands = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    said = say(make_daemon, machine, example, bool(observe), commands)
    if WRITE:
        match = blocks()[number]
        text = GUIDE.read_text()
        GUIDE.write_text(text[:match.start(4)] + said + text[match.end(4):])
        return
    assert same(shown) == same(said)


def test_the_guide_shows_the_files_as_they_are():
    text = GUIDE.read_text()
    if WRITE:
        GUIDE.write_text(FILE.sub(lambda m: f"```toml file={m[1]}\n{(EXAMPLES / m[1]).read_text()}```\n", text))
        text = GUIDE.read_text()
    shown = {name: content for name, content in FILE.findall(text)}
    assert shown == {path.name: path.read_text() for path in EXAMPLES.glob("*.toml")}
