# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broker of our own, in front of the daemon alone: what no real one would let through reaches it as it is."""

import random
import select
import socket
import struct
import time

from gi.repository import Gio, GLib
from places import LIMIT
from wire import NAME

CALL, REPLY, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE = range(1, 9)
FIXED = {"y": ("B", 1), "b": ("I", 4), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8),
         "t": ("Q", 8), "d": ("d", 8)}


class Writer:
    """Values as D-Bus lays them out; byte order `<` or `>`."""

    def __init__(self, order="<"):
        self.order, self.data = order, bytearray()

    def align(self, size):
        self.data += bytes(-len(self.data) % size)

    def fixed(self, code, value):
        form, size = FIXED[code]
        self.align(size)
        self.data += struct.pack(self.order + form, value)

    def string(self, text, code="s"):
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        if code == "g":
            self.data += bytes([len(data)]) + data + b"\0"
        else:
            self.fixed("u", len(data))
            self.data += data + b"\0"

    def field(self, number, code, value):
        self.align(8)
        self.data.append(number)
        self.string(code, "g")
        if code in "sog":
            self.string(value, code)
        else:
            self.fixed(code, value)


def message(kind, serial, fields, body=b"", signature="", flags=0, order="<"):
    """Bytes as they go over the wire. `fields`: (number, type, value)."""
    head = Writer(order)
    head.data += bytes([ord("l" if order == "<" else "B"), kind, flags, 1])
    head.fixed("u", len(body))
    head.fixed("u", serial)
    inner = Writer(order)
    inner.data += bytes(16)  # fields are aligned as from the message's beginning
    for number, code, value in fields:
        inner.field(number, code, value)
    if signature:
        inner.field(SIGNATURE, "g", signature)
    head.fixed("u", len(inner.data) - 16)
    head.data += inner.data[16:]
    head.align(8)
    return bytes(head.data) + body


class RawBus:
    """Listens where a bus would; `address` is for --bus. Answers what a daemon asks of a broker; callers are who
    `uids` says."""

    def __init__(self, folder):
        self.path = str(folder / "raw")
        self.address = f"unix:path={self.path}"
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)
        self.connection, self.buffer, self.serial = None, bytearray(), 1
        self.connections = 0
        self.named = False
        self.uids = {}
        self.replies = {}  # serial → Gio.DBusMessage, of calls in `wanted`
        self.wanted = set()
        self.answers = {"return": 0, "error": 0, "signal": 0}

    def stop(self):
        for end in (self.connection, self.listener):
            if end is not None:
                end.close()

    def meet(self, alive, limit=LIMIT):
        """Takes the daemon's connection until it has its name."""
        self.named = False
        self.until(lambda: self.named, alive, limit)

    def until(self, condition, alive, limit=LIMIT):
        end = time.monotonic() + limit
        while not condition():
            assert alive(), "the daemon ended"
            assert time.monotonic() < end, f"not within {limit} s"
            self.turn(0.2)

    def turn(self, wait):
        """Takes what there is."""
        ends = [self.listener] + ([self.connection] if self.connection else [])
        for ready in select.select(ends, [], [], wait)[0]:
            if ready is self.listener:
                self.accept()
            else:
                self.read()

    def accept(self):
        self.connection, _ = self.listener.accept()
        self.connection.settimeout(LIMIT)
        self.buffer.clear()
        self.connections += 1
        self.named = False
        greeting = b""
        while b"BEGIN\r\n" not in greeting:  # sd-bus says all of it at once, and has no doubt about the answers
            greeting += (more := self.connection.recv(4096))
            if not more:
                return self.lost()
        greeting, _, rest = greeting.partition(b"BEGIN\r\n")
        lines = [b"DATA"] if b"\r\nDATA" in greeting else []
        lines += [b"OK 0123456789abcdef0123456789abcdef"] + ([b"AGREE_UNIX_FD"] if b"NEGOTIATE" in greeting else [])
        self.connection.sendall(b"".join(line + b"\r\n" for line in lines))
        self.buffer += rest

    def lost(self):
        self.connection.close()
        self.connection = None

    def read(self):
        try:
            more = self.connection.recv(1 << 20)
        except ConnectionError:
            more = b""
        if not more:
            return self.lost()
        self.buffer += more
        while len(self.buffer) >= 16:
            size = Gio.DBusMessage.bytes_needed(bytes(self.buffer[:16]))
            if len(self.buffer) < size:
                break
            blob = bytes(self.buffer[:size])
            del self.buffer[:size]
            self.take(blob)

    def take(self, blob):
        kind = blob[1]
        if kind == SIGNAL:
            self.answers["signal"] += 1
            return
        if kind != CALL:
            self.answers["return" if kind == REPLY else "error"] += 1
            # The reply's serial, without decoding all of it: most are of no interest.
            if self.wanted:
                found = Gio.DBusMessage.new_from_blob(blob, Gio.DBusCapabilityFlags.NONE)
                if found.get_reply_serial() in self.wanted:
                    self.replies[found.get_reply_serial()] = found
            return
        call = Gio.DBusMessage.new_from_blob(blob, Gio.DBusCapabilityFlags.NONE)
        answer = self.answer(call)
        if answer is not None:
            self.send(answer)

    def answer(self, call):
        member, body = call.get_member(), call.get_body()
        fields = [(REPLY_SERIAL, "u", call.get_serial()), (SENDER, "s", "org.freedesktop.DBus"),
                  (DESTINATION, "s", ":1.1")]
        if call.get_flags() & Gio.DBusMessageFlags.NO_REPLY_EXPECTED:
            return None
        data = Writer()
        if member == "Hello":
            data.string(":1.1")
            return message(REPLY, self.next(), fields, bytes(data.data), "s")
        if member in ("RequestName", "GetConnectionUnixUser"):
            if member == "RequestName":
                self.named = True
            data.fixed("u", 1 if member == "RequestName" else self.uids.get(body.unpack()[0], 65534))
            return message(REPLY, self.next(), fields, bytes(data.data), "u")
        if member in ("AddMatch", "RemoveMatch"):
            return message(REPLY, self.next(), fields)
        data.string("there is nothing here")
        return message(ERROR, self.next(), [(ERROR_NAME, "s", "org.freedesktop.DBus.Error.UnknownMethod"), *fields],
                       bytes(data.data), "s")

    def next(self):
        self.serial += 1
        return self.serial

    def send(self, blob):
        self.connection.sendall(blob)

    def call(self, alive, sender, path, interface, member, body=b"", signature=""):
        """The answer to a proper call."""
        serial = self.next()
        self.wanted.add(serial)
        self.send(message(CALL, serial, [(PATH, "o", path), (INTERFACE, "s", interface), (MEMBER, "s", member),
                                         (DESTINATION, "s", NAME), (SENDER, "s", sender)], body, signature))
        before = self.connections
        self.until(lambda: serial in self.replies or self.connection is None or self.connections > before, alive)
        self.wanted.discard(serial)
        if serial not in self.replies:
            raise ConnectionError("the daemon hung up")
        return self.replies.pop(serial)


class Nonsense:
    """Calls that no client of a library would send. Always the same for a seed."""

    def __init__(self, seed, methods, paths, senders):
        self.random = random.Random(seed)
        self.methods, self.paths, self.senders = methods, paths, senders
        self.words = ["", "a", "movable", "dax0.0", "devdax", "zone", "amount", "files", "é", "\udcff", "x" * 300,
                      "\x1b[2J", "%s%n", "/org/cxlmemd1/dax/dax0_2e0", "18446744073709551615", "[[rule]]\n", "0x10"]

    def call(self, serial):
        pick = self.random
        interface, member, signature = pick.choice(self.methods)
        order = pick.choice("<<<>")
        if pick.random() < 0.3:
            signature = self.signature()
        body = Writer(order)
        for code in split(signature):
            self.value(body, code, 0)
        data = bytes(body.data)
        if pick.random() < 0.5:
            data = self.damage(data)
        fields = [(PATH, "o", pick.choice(self.paths)), (MEMBER, "s", member), (SENDER, "s", pick.choice(self.senders)),
                  (DESTINATION, "s", NAME)]
        if pick.random() < 0.95:
            fields.append((INTERFACE, "s", interface))
        pick.shuffle(fields)
        flags = pick.choice([0, 0, 0, 1, 2, 4, 5])
        return message(CALL, serial, fields, data, signature, flags, order)

    def signature(self):
        return "".join(self.type(0) for _ in range(self.random.randrange(4)))

    def type(self, depth):
        pick = self.random.random()
        if depth < 4 and pick < 0.2:
            return "a" + self.type(depth + 1)
        if depth < 4 and pick < 0.3:
            return f"({''.join(self.type(depth + 1) for _ in range(self.random.randrange(1, 4)))})"
        if depth < 4 and pick < 0.5:
            return f"a{{{self.random.choice('sosutx')}{self.type(depth + 1)}}}"
        return self.random.choice("ybnqiuxtdsogv")

    def value(self, out, code, depth):
        pick = self.random
        if code in FIXED:
            if code == "d":
                return out.fixed(code, pick.choice([0.0, -1.5, float("nan"), float("inf"), 1e300]))
            if code == "b":
                return out.fixed(code, pick.choice([0, 1]))
            bits = FIXED[code][1] * 8
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if code in "nix" else (0, (1 << bits) - 1)
            return out.fixed(code, pick.choice([low, high, low + 1, high - 1, 0, 1, pick.randint(low, high)]))
        if code == "o":
            return out.string(pick.choice(self.paths), "o")
        if code == "g":
            return out.string(self.signature(), "g")
        if code == "s":
            return out.string(pick.choice(self.words))
        if code == "v":
            inner = self.type(depth + 2)
            out.string(inner, "g")
            return self.value(out, inner, depth + 1)
        if code[0] == "a":
            return self.array(out, code, depth)
        out.align(8)
        for each in split(code[1:-1]):
            self.value(out, each, depth + 1)

    def array(self, out, code, depth):
        out.fixed("u", 0)
        at = len(out.data) - 4
        out.align(8 if code[1] in "({xtd" else FIXED[code[1]][1] if code[1] in FIXED else 1 if code[1] in "gv" else 4)
        begin = len(out.data)
        for _ in range(self.random.choice([0, 1, 1, 2, 5]) if depth < 6 else 0):
            self.value(out, code[1:], depth + 1)
        struct.pack_into(out.order + "I", out.data, at, len(out.data) - begin)

    def damage(self, data):
        pick = self.random
        data = bytearray(data)
        for _ in range(pick.randrange(1, 4)):
            kind = pick.randrange(4)
            if kind == 0 and data:
                data[pick.randrange(len(data))] = pick.randrange(256)
            elif kind == 1 and data:
                del data[pick.randrange(len(data)):]
            elif kind == 2:
                data += pick.randbytes(pick.randrange(40))
            elif len(data) >= 4:
                at = pick.randrange(len(data) - 3) & ~3
                data[at:at + 4] = struct.pack("<I", pick.choice([0, 1, 0x7fffffff, 0xffffffff, len(data), 1 << 26]))
        return bytes(data)


def split(signature):
    """The complete types of a signature."""
    out, at = [], 0
    while at < len(signature):
        end = at
        while signature[end] == "a":
            end += 1
        if signature[end] in "({":
            depth = 0
            while True:
                depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(signature[end], 0)
                if depth == 0:
                    break
                end += 1
        out.append(signature[at:end + 1])
        at = end + 1
    return out


def proper_value(signature, *values):
    """A body, for a call that is in order."""
    return bytes(GLib.Variant(f"({signature})", values).get_data_as_bytes().get_data())
