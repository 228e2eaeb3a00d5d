# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw messages, past every library and broker: damaged bodies, wrong signatures, headers that are none.

CXLMEMD_RAW_SEED and CXLMEMD_RAW_CALLS choose others, and more of them."""

import os
import pathlib
import struct
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest
from harness import MACHINES, MOVABLE, ROOT, dax_path, path_of
from places import DAEMON, LIMIT, SANITIZED, SOURCE
from raw_bus import CALL, DESTINATION, INTERFACE, MEMBER, PATH, REPLY, SENDER, Nonsense, RawBus, Writer, message
from wire import NAME, OBJECT_MANAGER, PROPERTIES

pytestmark = pytest.mark.loop_alone

SEED = int(os.environ.get("CXLMEMD_RAW_SEED", "1"))
CALLS = int(os.environ.get("CXLMEMD_RAW_CALLS", "20000" if SANITIZED else "100000"))
WRONG = ("Sanitizer", "runtime error:", "terminate", "what()", "internal error")
MOST_GROWTH = 8 << 20
PATHS = [ROOT, "/", f"{ROOT}/emulator", dax_path("dax0.0"), dax_path("dax1.0"), path_of("memdev", "mem0"),
         path_of("region", "region0"), path_of("node", "node1"), path_of("decoder", "decoder0.0"), f"{ROOT}/job/1",
         "/org/freedesktop/LogControl1", "/nobody"]
ROOT_SENDER, STRANGER = ":1.7", ":1.9"


def methods():
    out = [(PROPERTIES, "Get", "ss"), (PROPERTIES, "GetAll", "s"), (PROPERTIES, "Set", "ssv"),
           (OBJECT_MANAGER, "GetManagedObjects", ""), ("org.freedesktop.DBus.Introspectable", "Introspect", ""),
           ("org.freedesktop.DBus.Peer", "Ping", ""), ("org.freedesktop.DBus.Peer", "GetMachineId", "")]
    for file in sorted((SOURCE / "dbus/interfaces").glob("*.xml")):
        for interface in ElementTree.parse(file).iter("interface"):
            out += [(interface.get("name"), method.get("name"),
                     "".join(a.get("type") for a in method.iter("arg") if a.get("direction", "in") == "in"))
                    for method in interface.iter("method")]
    # A delay of the emulator holds up the machine for as long as it says, which nothing here waits for.
    return [entry for entry in out if entry[1] != "Inject"]


class Target:
    """The daemon on a raw bus."""

    def __init__(self, folder):
        self.bus = RawBus(folder)
        self.bus.uids = {ROOT_SENDER: 0}
        policy = folder / "config/policy.d/50-test.toml"
        policy.parent.mkdir(parents=True)
        policy.write_text(MOVABLE)
        self.log_file = folder / "log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [str(DAEMON), "--backend", f"emulator:{MACHINES}/two-card-server.toml", "--config",
                 str(folder / "config"), "--state", str(folder / "state"), "--runtime", str(folder / "run"), "--bus",
                 self.bus.address], stdout=log, stderr=log, env={**os.environ, "JOURNAL_STREAM": ""})
        try:
            self.bus.meet(self.is_alive)
        except BaseException:
            self.process.kill()
            self.bus.stop()
            raise

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        try:
            self.process.terminate()
            code = self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.bus.stop()
        log = self.log_file.read_text(errors="replace")
        assert code == 0 and not [word for word in WRONG if word in log], log[-4000:]

    def state(self):
        """A question in order, and its answer."""
        body = Writer()
        body.string(f"{NAME}.Manager")
        body.string("State")
        found = self.bus.call(self.is_alive, STRANGER, ROOT, PROPERTIES, "Get", bytes(body.data), "ss")
        assert found.get_message_type() == REPLY, found.print_(0)
        return found.get_body().unpack()[0]

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) << 10

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture
def target(tmp_path):
    target = Target(tmp_path)
    yield target
    target.stop()


def test_a_hundred_thousand_raw_calls(target, record_property):
    nonsense = Nonsense(SEED, methods(), PATHS, [STRANGER, STRANGER, ROOT_SENDER, ":1.8"])
    before, begin = None, time.monotonic()
    for number in range(CALLS):
        target.bus.send(nonsense.call(target.bus.next()))
        if number % 64 == 63:
            target.bus.turn(0)
        if number % 1000 == 999:
            assert target.state() in ("idle", "working", "degraded")
            if before is None and number >= CALLS // 5:
                before = target.resident(), target.files()
    target.state()
    seconds, after = time.monotonic() - begin, (target.resident(), target.files())
    print(f"{CALLS} calls of seed {SEED} in {seconds:.0f} s, {target.bus.answers}; "
          f"{before[0] >> 10} KiB and {before[1]} files after a fifth, {after[0] >> 10} KiB and {after[1]} at the end")
    record_property("seconds", round(seconds, 1))
    assert target.bus.connections == 1, "it lost the connection over a message"
    assert target.bus.answers["error"] > CALLS // 4 and target.bus.answers["return"] > CALLS // 20
    assert after[1] <= before[1] + 2
    if not SANITIZED:
        assert after[0] - before[0] < MOST_GROWTH


def headers():
    """Headers that are none, and messages that do not end: (name, bytes)."""
    fields = [(PATH, "o", ROOT), (INTERFACE, "s", PROPERTIES), (MEMBER, "s", "GetAll"), (SENDER, "s", STRANGER),
              (DESTINATION, "s", NAME)]
    good = message(CALL, 7, fields)
    yield "no byte order", b"x" + good[1:]
    yield "a type that is none", good[:1] + b"\0" + good[2:]
    yield "another version", good[:3] + b"\7" + good[4:]
    yield "no serial", good[:8] + bytes(4) + good[12:]
    yield "a body of 4 GiB", good[:4] + struct.pack("<I", 0xfffffff0) + good[8:]
    yield "fields of 4 GiB", good[:12] + struct.pack("<I", 0xfffffff0) + good[16:]
    yield "fields of 64 MiB", good[:12] + struct.pack("<I", 64 << 20) + good[16:]
    yield "no path", message(CALL, 7, fields[1:])
    yield "no member", message(CALL, 7, [field for field in fields if field[0] != MEMBER])
    yield "a path that is none", message(CALL, 7, [(PATH, "o", "org//"), *fields[1:]])
    yield "a member that is none", message(CALL, 7, [*(f for f in fields if f[0] != MEMBER), (MEMBER, "s", "a b")])
    yield "two paths", message(CALL, 7, [*fields, (PATH, "o", "/")])
    yield "a signature that is none", message(CALL, 7, fields, b"", "a{")
    yield "a reply to nothing", message(REPLY, 7, fields[2:])
    yield "half a message", good[:len(good) // 2]


@pytest.mark.parametrize("blob", [blob for _, blob in headers()], ids=[name for name, _ in headers()])
def test_a_header_that_is_none_costs_the_connection_at_most(target, blob):
    target.bus.send(blob)
    if ends_later(blob):
        target.bus.lost()  # a broker that hangs up in the middle of it
        target.bus.meet(target.is_alive)
    try:
        target.state()
    except OSError:  # it has hung up
        target.bus.until(lambda: target.bus.connections == 2 and target.bus.named, target.is_alive)
    assert target.state() in ("idle", "working", "degraded")
    assert target.bus.connections <= 2


def ends_later(blob):
    """Whether the stream says that more is to come."""
    order = {ord("l"): "<", ord("B"): ">"}.get(blob[0])
    body, _, fields = struct.unpack(f"{order}III", blob[4:16]) if order else (0, 0, 0)
    return len(blob) < 16 + (fields + 7) // 8 * 8 + body < 128 << 20
