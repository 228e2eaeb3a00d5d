# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing that a file, a card or a device is called reaches a terminal or a log raw."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

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


class Terminal:
    """A command with a terminal of its own, which somebody types into."""

    def __init__(self, *command, columns=80):
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen([str(part) for part in command], stdin=follower, stdout=follower,
                                        stderr=follower, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(follower, termios.TIOCSCTTY, 0),
                                        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
        os.close(follower)
        self.seen = ""

    def until(self, text):
        while text not in self.seen:
            assert select.select([self.leader], [], [], LIMIT)[0], self.seen
            self.seen += os.read(self.leader, 65536).decode()

    def types(self, text):
        os.write(self.leader, text.encode())

    def ends(self):
        try:
            while more := os.read(self.leader, 65536):
                self.seen += more.decode()
        except OSError:  # EIO: the other end is closed
            pass
        return self.process.wait(LIMIT)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.leader)


@pytest.fixture
def slow_online(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\namount = "none"'))
    daemon.inject("delay", operation="set_block", usec=100_000)
    terminal = Terminal(CTL, "--bus", daemon.bus.address, "online", "dax0.0", "--zone", "movable", columns=120)
    terminal.until("left")
    assert re.search(r"\d blocks, \d+(\.\d)? [GM]iB/s, \d+ s left", terminal.seen)
    yield daemon, terminal
    terminal.close()


def test_ctrl_c_asks_and_cancels_the_job(slow_online):
    daemon, terminal = slow_online
    terminal.types("\x03")
    terminal.until("(w)aiting?")
    terminal.types("c\n")
    assert terminal.ends() == 1
    assert "dax0.0: online canceled" in terminal.seen
    assert daemon.dax()["BlocksOnline"] < daemon.dax()["BlocksTotal"]


def test_ctrl_c_asks_and_goes_on_waiting(slow_online):
    _, terminal = slow_online
    terminal.types("\x03")
    terminal.until("(w)aiting?")
    terminal.types("w\n")
    assert terminal.ends() == 0
    assert "dax0.0: online done, 32 blocks" in terminal.seen


@pytest.mark.parametrize("answer", ["\n", "l\n", "\x03", "\x04"], ids=["return", "l", "ctrl-c", "end"])
def test_ctrl_c_asks_and_leaves_the_job(slow_online, answer):
    daemon, terminal = slow_online
    terminal.types("\x03")
    terminal.until("(w)aiting?")
    terminal.types(answer)
    assert terminal.ends() == 130
    assert "job 1 goes on, cancel with: cxlmemctl cancel 1" in terminal.seen
    daemon.wait_dax(State="online")


@pytest.mark.parametrize("columns", [48, 60, 80, 120])
@pytest.mark.parametrize("words, whole", [(["status"], "system-ram"), (["list", "dax"], "system-ram"),
                                          (["list", "regions"], "GRANULARITY"), (["show", "dax0.0"], "system-ram"),
                                          (["explain", "dax0.0"], "expanders"), (["check"], "expanders")],
                         ids=lambda words: " ".join(words) if isinstance(words, list) else "")
def test_tables_fit_the_window(make_daemon, words, whole, columns):
    daemon = make_daemon()
    daemon.wait_dax(State="online")
    terminal = Terminal(CTL, "--bus", daemon.bus.address, *words, columns=columns)
    try:
        assert terminal.ends() == 0
    finally:
        terminal.close()
    lines = terminal.seen.replace("\r", "").splitlines()
    assert lines and not [line for line in lines if len(line) > columns]
    assert whole in terminal.seen  # no word is broken
