# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl wait: there, partly, timed out; a daemon that comes late or is started again; the notify protocol."""

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

import pytest
from harness import MOVABLE, ONLY_WATCH, path_of, rule
from places import CTL, LIMIT

DONE, FAILED, USAGE, PARTIAL, UNREACHABLE, NOT_AUTHORISED, TIMED_OUT = range(7)
NONE = rule(memory='zone = "movable"\namount = "none"')

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")


def command(daemon, *arguments):
    return [str(CTL), "--bus", daemon.bus.address, "wait", *arguments]


def wait(daemon, *arguments, code=DONE):
    done = subprocess.run(command(daemon, *arguments), timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


class Waiting:
    """A `wait` that runs, with a socket for what it says to systemd.

    The socket is read all the time, as systemd reads its own: a full one holds up who speaks.
    """

    def __init__(self, daemon, *arguments):
        self.address = daemon.folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.address))
        self.heard = []
        self.said = queue.SimpleQueue()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        self.process = subprocess.Popen(command(daemon, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**os.environ, "NOTIFY_SOCKET": str(self.address)})

    def listen(self):
        while text := self.socket.recv(4096).decode():
            self.said.put(text)

    def until(self, text):
        while not self.heard or text not in self.heard[-1]:
            self.heard.append(self.said.get(timeout=LIMIT))
        return self.heard[-1]

    def ends(self, code=DONE):
        out, error = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == code, (self.process.returncode, out, error)
        return out

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bye:
            bye.sendto(b"", str(self.address))
        self.listener.join(LIMIT)
        self.socket.close()


@pytest.fixture
def waiting():
    made = []

    def make(daemon, *arguments):
        made.append(Waiting(daemon, *arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("what", [["--rule", "expanders"], ["--instance", "expanders"], ["--device", "dax0.0"],
                                  ["--device", "region1"], ["--device", "mem0"], ["--node", "1"],
                                  ["--rule", "expanders", "--bytes", "8GiB"]])
def test_what_comes_online_is_waited_for(make_daemon, what):
    daemon = make_daemon()
    assert "online" in wait(daemon, *what, "--timeout", "60s").stdout
    told = json.loads(wait(daemon, *what, "--json").stdout)
    assert told["There"] and told["BytesOnline"] >= told["BytesWanted"] > 0 and told["Missing"] == []


def test_exit_6_says_what_is_missing_and_why(make_daemon):
    daemon = make_daemon(policy=NONE)
    daemon.hold("dax0.0")
    daemon.wait_dax(Held=True)
    out = wait(daemon, "--rule", "expanders", "--timeout", "100ms", code=TIMED_OUT).stdout
    assert "time is up with 0 B of 8 GiB online" in out
    assert "dax0.0: 0 B of 4 GiB online; " in out and "give it back with: cxlmemctl release dax0.0" in out
    assert "dax1.0: 0 B of 4 GiB online; " in out


def test_exit_6_names_the_kernels_error(make_daemon):
    daemon = make_daemon(settings='[retry]\ninitial = "10ms"\nmax = "20ms"\nattempts = 2\n')
    daemon.wait_dax(State="online")
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    daemon.release("dax0.0")
    daemon.wait(lambda: daemon.dax()["LastError"][0])
    told = json.loads(wait(daemon, "--device", "dax0.0", "--timeout", "100ms", "--json", code=TIMED_OUT).stdout)
    assert not told["There"] and any("EIO" in one["Reason"] for one in told["Missing"]), told


def test_exit_3_partly(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online")
    daemon.hold("dax0.0")
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    out = wait(daemon, "--rule", "expanders", "--timeout", "100ms", code=PARTIAL).stdout
    assert "time is up with 4 GiB of 8 GiB online" in out and "dax0.0: " in out and "dax1.0: " not in out
    wait(daemon, "--rule", "expanders", "--bytes", "4GiB", "--timeout", "100ms")
    wait(daemon, "--rule", "expanders", "--bytes", "5GiB", "--timeout", "100ms", code=PARTIAL)


def test_it_ends_with_the_event_that_brings_the_memory(make_daemon, waiting):
    daemon = make_daemon(policy=NONE)
    process = waiting(daemon, "--device", "dax0.0")
    assert "STATUS=waiting for dax0.0" in process.until("STATUS=")
    daemon.online("dax0.0", "movable")
    assert "dax0.0: 4 GiB online" in process.ends()


def test_memory_that_appears_later_counts(make_daemon, waiting):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online")
    assert daemon.result(daemon.remove_region("region0")) == "done"
    process = waiting(daemon, "--device", "region9")
    process.until("STATUS=")
    daemon.inject("add-region", name="region9", memdevs="mem0", size="1GiB", mode="system-ram")
    assert "region9: 1 GiB online" in process.ends()


def test_a_daemon_that_is_not_up_yet_is_waited_for(make_daemon, waiting):
    daemon = make_daemon(start=False)
    process = waiting(daemon, "--rule", "expanders", "--timeout", "60s")
    daemon.start()
    assert "8 GiB online" in process.ends()
    daemon.stop()
    started = time.monotonic()
    assert "not running" in wait(daemon, "--rule", "expanders", "--timeout", "200ms", code=UNREACHABLE).stderr
    assert time.monotonic() - started >= 0.2


def test_a_daemon_that_is_started_again_is_met_again(make_daemon, waiting):
    daemon = make_daemon(policy=NONE)
    process = waiting(daemon, "--rule", "expanders")
    process.until("STATUS=waiting for rule expanders")
    daemon.kill()
    daemon.policy_file.write_text(MOVABLE)
    daemon.start()
    assert "8 GiB online" in process.ends()


# ---- nothing of it on this machine

OTHER = rule("other", 'memdev_serial = 0x4711') + MOVABLE


@pytest.mark.parametrize("word, code", [("met", DONE), ("fail", FAILED)])
def test_a_rule_without_a_device_is_what_the_option_says(make_daemon, word, code):
    daemon = make_daemon(policy=OTHER)
    daemon.wait_dax("dax1.0", State="online")
    out = wait(daemon, "--rule", "other", "--if-none", word, "--settle", "50ms", "--timeout", "60s", code=code).stdout
    assert "rule other: nothing on this machine" in out


def test_a_rule_without_a_device_is_waited_for_by_default(make_daemon):
    daemon = make_daemon(policy=OTHER)
    out = wait(daemon, "--rule", "other", "--settle", "1ms", "--timeout", "300ms", code=TIMED_OUT).stdout
    assert "no dax device is decided by rule other" in out


def test_a_rule_that_does_not_exist_is_never_met(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", State="online")
    out = wait(daemon, "--rule", "expandrs", "--if-none", "met", "--settle", "1ms", "--timeout", "300ms",
               code=TIMED_OUT).stdout
    assert "no rule expandrs is in force" in out


# ---- as a unit

def test_a_watch_is_ready_when_it_is_there_and_ends_with_the_drain(make_daemon, waiting):
    daemon = make_daemon()
    process = waiting(daemon, "--rule", "expanders", "--watch")
    process.until("READY=1")
    daemon.inject("hang", operation="set_block")  # nothing has gone offline when it says so
    job = daemon.offline("dax0.0")
    process.until("STOPPING=1")
    assert "takes dax0.0 away (offline)" in process.ends()
    assert daemon.dax()["BytesOnline"] == 4 << 30
    daemon.cancel(job)


@pytest.mark.parametrize("drain", [lambda d: d.remove_region("region0"), lambda d: d.prepare_remove("mem0"),
                                   lambda d: d.set_mode("dax0.0", "devdax")], ids=["region", "card", "mode"])
def test_a_watch_ends_with_every_kind_of_drain(make_daemon, waiting, drain):
    daemon = make_daemon()
    process = waiting(daemon, "--device", "dax0.0", "--watch")
    process.until("READY=1")
    drain(daemon)
    process.until("STOPPING=1")
    process.ends()


def test_a_watch_goes_on_while_enough_stays(make_daemon, waiting):
    daemon = make_daemon()
    process = waiting(daemon, "--rule", "expanders", "--bytes", "4GiB", "--watch")
    process.until("READY=1")
    daemon.wait_dax("dax1.0", State="online")
    daemon.wait_dax("dax0.0", State="online")
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    assert process.process.poll() is None
    daemon.offline("dax1.0")
    process.ends()


def test_a_watch_survives_a_restart_of_the_daemon(make_daemon, waiting):
    daemon = make_daemon()
    process = waiting(daemon, "--node", "1", "--watch")
    process.until("READY=1")
    daemon.kill()
    daemon.start()
    daemon.wait_dax("dax0.0", State="online")
    process.process.send_signal(signal.SIGTERM)
    process.ends()


def test_a_watch_ends_when_blocks_go_behind_everybodys_back(make_daemon, waiting):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\ndrift = "report"'))
    process = waiting(daemon, "--device", "dax0.0", "--watch")
    process.until("READY=1")
    daemon.inject("offline-block", dax="dax0.0", count=1)
    assert "less of it is online" in process.ends()


@pytest.mark.parametrize("arguments", [[], ["--rule", "a", "--node", "1"], ["--node", "one"], ["--node", "-1"],
                                       ["--rule", ""], ["--rule", "a", "--bytes", "0"], ["--rule", "a", "--bytes", "x"],
                                       ["--rule", "a", "--if-none", "maybe"], ["--rule", "a", "--settle", "2000min"]])
def test_wrong_usage(make_daemon, arguments):
    wait(make_daemon(policy=ONLY_WATCH), *arguments, code=USAGE)


def test_names_are_shown_escaped(make_daemon):
    daemon = make_daemon()
    done = wait(daemon, "--rule", "a\x1b[31m", "--timeout", "50ms", code=TIMED_OUT)
    assert "\x1b" not in done.stdout + done.stderr
    assert path_of("memdev", "mem0") not in done.stdout


def test_a_daemon_that_dies_while_it_is_asked_for_the_rule_is_waited_for(make_daemon, waiting):
    """Each reload makes it ask once more, and the daemon is gone by then."""
    daemon = make_daemon(policy=ONLY_WATCH)
    one = waiting(daemon, "--rule", "expanders", "--if-none", "met", "--settle", "60s")
    one.until("is in force")
    for _ in range(20):
        daemon.reload()
        daemon.kill()
        daemon.start()
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    one.ends()
