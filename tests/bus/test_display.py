# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing that a file, a card or a device is called reaches a terminal or a log raw."""

import os
import pty
import re
import select
import subprocess

import pytest
from harness import rule
from places import CTL, DAEMON, LIMIT
from wire import NAME, ROOT, BusError

pytestmark = pytest.mark.loop_alone

RAW = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")
EVIL = "\x1b]0;owned\x07\x1b[2J\u009b31m\r"
FILE = f"50-{EVIL}.toml"


@pytest.fixture
def daemon(make_daemon, folder):
    """A policy file with such a name, which has a mistake and one rule that is good; a card with such firmware."""
    policies = folder / "config/policy.d"
    policies.mkdir(parents=True)
    (policies / FILE).write_text(rule(name="good", match='kind = "cxl-ram"', memory='zone = "movable"'))
    daemon = make_daemon(policy=None, arguments=["--observe"])
    for event in ({"firmware": EVIL}, {"name": f"mem{EVIL}"}, {"host": f"0000:{EVIL}"}):
        try:
            daemon.inject("add-memdev", serial=500 + len(str(event)), **event)
        except BusError as error:
            assert error.name == "InvalidArgument"
    daemon.look_again()
    return daemon


def on_a_terminal(*command):
    """What a terminal gets to see of it, without its own colours."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=follower,
                               stderr=follower, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
    os.close(follower)
    out = b""
    while select.select([leader], [], [], LIMIT)[0]:
        try:
            more = os.read(leader, 65536)
        except OSError:  # EIO: the other end is closed
            break
        if not more:
            break
        out += more
    os.close(leader)
    process.wait(LIMIT)
    return out.decode().replace("\r\n", "\n")


def assert_nothing_raw(text):
    assert not RAW.search(text), ascii(RAW.search(text)) + ascii(text[:2000])


@pytest.mark.parametrize("words", [["status"], ["list"], ["list", "memdevs"], ["plan"], ["check"],
                                   ["explain", "dax0.0"], ["show", "dax0.0"], ["record"], ["show", EVIL],
                                   ["online", "dax0.0", "--zone", EVIL], ["check", f"/nowhere/{FILE}"]],
                         ids=lambda words: words[0])
def test_cxlmemctl(daemon, words):
    text = on_a_terminal(CTL, "--bus", daemon.bus.address, *words)
    assert text
    assert_nothing_raw(text)


def test_every_memdev_by_name(daemon):
    cards = [path for path in daemon.objects if "/memdev/" in path]
    assert len(cards) >= 3
    for path in cards:
        name = daemon.properties(path, "Memdev")["Name"]
        assert_nothing_raw(name)
        assert_nothing_raw(on_a_terminal(CTL, "--bus", daemon.bus.address, "show", name))


def test_no_property_has_it_raw(daemon):
    for path, interfaces in daemon.managed_objects().items():
        for interface, properties in interfaces.items():
            if interface.startswith(NAME):
                assert_nothing_raw(repr(properties).encode().decode("unicode_escape"))
    assert_nothing_raw("".join(daemon.get_all(ROOT, "Manager")["PolicyFiles"]))
    assert "\\x1b" in "".join(daemon.get_all(ROOT, "Manager")["PolicyFiles"])


def test_the_daemons_own_output(daemon, folder):
    mistakes = folder / "config/policy.d" / f"60-{EVIL}.toml"
    mistakes.write_text("colour = 1\n")
    daemon.fails("InvalidPolicy", daemon.reload)
    for words in (["--check-config"], ["--plan"], ["--check-config", mistakes]):
        text = on_a_terminal(DAEMON, "--backend", "emulator", "--config", daemon.config, "--state", daemon.state,
                             "--runtime", daemon.runtime, *words)
        assert "colour" in text
        assert_nothing_raw(text)
    assert_nothing_raw(daemon.log())
    assert "\\x1b" in daemon.log()
