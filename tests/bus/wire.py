# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small synchronous D-Bus client.

It keeps every message in the order in which the bus delivered it, so that a test can ask what a client
could know at the moment a reply arrived, and which of two signals came first. GLib marshals; the socket is
ours, so that a test can also send nonsense or hang up in the middle of a call.
"""

import functools
import os
import select
import socket
import time
from xml.etree import ElementTree

from gi.repository import Gio, GLib
from places import LIMIT, SOURCE

NAME = "org.cxlmemd1"
ROOT = "/org/cxlmemd1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"

# The types that the API gives its options and the emulator its details.
OPTION_TYPES = {"amount": "t", "timeout": "t", "rollback": "b", "hold": "b"}


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name.removeprefix("org.cxlmemd1.Error.")
        self.message = message


class NotInTime(AssertionError):
    pass


def options(**values):
    """a{sv}; a value that is a GLib.Variant goes as it is."""
    out = {}
    for key, value in values.items():
        if isinstance(value, GLib.Variant):
            out[key] = value
        elif key in OPTION_TYPES:
            out[key] = GLib.Variant(OPTION_TYPES[key], value)
        elif isinstance(value, bool):
            out[key] = GLib.Variant("b", value)
        elif isinstance(value, int):
            out[key] = GLib.Variant("x" if value < 2**63 else "t", value)
        else:
            out[key] = GLib.Variant("s", value)
    return out


class Mirror:
    """The objects of the daemon, by their signals alone."""

    def __init__(self):
        self.objects = {}

    def replace(self, objects):
        self.objects = {path: only_ours(interfaces) for path, interfaces in objects.items()}

    def take(self, message):
        """What the message was about, as (path, interface) pairs."""
        body, member = message.body, message.member
        if member == "InterfacesAdded" and message.interface == OBJECT_MANAGER:
            path, interfaces = body
            ours = only_ours(interfaces)
            self.objects.setdefault(path, {}).update(ours)
            return [(path, interface) for interface in ours]
        if member == "InterfacesRemoved" and message.interface == OBJECT_MANAGER:
            path, interfaces = body
            for interface in interfaces:
                self.objects.get(path, {}).pop(interface, None)
            if not self.objects.get(path):
                self.objects.pop(path, None)
            return []
        if member == "PropertiesChanged" and message.interface == PROPERTIES:
            interface, changed, invalidated = body
            assert not invalidated, f"{message.path}: {invalidated} are invalidated, not told"
            assert_types_of_the_xml(interface, message.raw.get_body().get_child_value(1))
            if message.path in self.objects and interface in self.objects[message.path]:
                self.objects[message.path][interface].update(changed)
                return [(message.path, interface)]
        return []


@functools.cache
def told_types(interface):
    """Property → type, of those whose changes are told."""
    file = SOURCE / f"dbus/interfaces/{interface}.xml"
    return {p.get("name"): p.get("type") for p in ElementTree.parse(file).iter("property")
            if [a.get("value") for a in p.iter("annotation") if a.get("name") == EMITS] == ["true"]}


def assert_types_of_the_xml(interface, changed):
    """The daemon writes most values of PropertiesChanged itself, past the generated getters."""
    for i in range(changed.n_children()):
        name, value = (changed.get_child_value(i).get_child_value(k) for k in (0, 1))
        told = (name.get_string(), value.get_variant().get_type_string())
        assert told in told_types(interface).items(), f"{interface} told {told}"


def only_ours(interfaces):
    return {name: dict(values) for name, values in interfaces.items() if name.startswith(NAME)}


class Message:
    def __init__(self, raw):
        self.raw = raw
        self.type = raw.get_message_type()
        self.path = raw.get_path()
        self.interface = raw.get_interface()
        self.member = raw.get_member()
        self.sender = raw.get_sender()
        self.reply_to = raw.get_reply_serial()
        body = raw.get_body()
        self.body = body.unpack() if body is not None else ()
        self.at = time.monotonic()

    def __repr__(self):
        return f"{self.path} {self.member}{self.body!r}"


class Client:
    def __init__(self, address, uid=None):
        """`uid`: whom the broker takes it for; only root can choose."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        me = os.geteuid()
        try:
            if uid is not None:
                os.seteuid(uid)
            self.socket.connect(address.removeprefix("unix:path="))  # the kernel notes who we are now
            self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        finally:
            os.seteuid(me)
        answer = self.socket.recv(256)
        assert answer.startswith(b"OK "), answer
        self.socket.sendall(b"BEGIN\r\n")
        self.buffer = b""
        self.serial = 0
        self.replies = {}
        self.signals = []
        self.mirror = Mirror()
        self.watchers = []  # called with each message, after the mirror took it
        self.unique_name = self.call("/", "org.freedesktop.DBus", "Hello", to="org.freedesktop.DBus")

    def close(self):
        self.socket.close()

    # --- sending ---

    def send(self, *what, **more):
        self.socket.sendall(self.blob(*what, **more))
        return self.serial

    def blob(self, path, interface, member, signature="()", *arguments, to=NAME, flags=0):
        """A call as it goes over the wire."""
        message = Gio.DBusMessage.new_method_call(to, path, interface, member)
        message.set_flags(Gio.DBusMessageFlags(flags))
        if arguments:
            message.set_body(GLib.Variant(signature, arguments))
        return self._blob(message)

    def send_reply(self, call, body):
        """Answers a method call that came in."""
        message = Gio.DBusMessage.new_method_reply(call.raw)
        message.set_body(body)
        self.socket.sendall(self._blob(message))

    def send_error(self, call, name, text):
        self.socket.sendall(self._blob(call.raw.new_method_error_literal(name, text)))

    def _blob(self, message):
        self.serial += 1
        message.set_serial(self.serial)
        return message.to_blob(Gio.DBusCapabilityFlags.NONE)

    def call(self, *what, limit=LIMIT, **to):
        return self.reply(self.send(*what, **to), limit)

    def reply(self, serial, limit=LIMIT):
        self.wait(lambda: serial in self.replies, "a reply", limit)
        message = self.replies.pop(serial)
        if message.type == Gio.DBusMessageType.ERROR:
            raise BusError(message.raw.get_error_name(), message.body[0] if message.body else "")
        if len(message.body) == 1:
            return message.body[0]
        return message.body or None

    def bus_call(self, member, signature, *arguments):
        return self.call("/org/freedesktop/DBus", "org.freedesktop.DBus", member, signature, *arguments,
                         to="org.freedesktop.DBus")

    def match(self, rule):
        self.bus_call("AddMatch", "(s)", rule)

    # --- receiving ---

    def wait(self, condition, what, limit=LIMIT):
        """Takes messages until the condition holds; no message, no look."""
        until = time.monotonic() + limit
        while not (value := condition()):
            if not self.pump(until - time.monotonic()):
                raise NotInTime(f"not within {limit:.0f} s: {what}")
        return value

    def pump(self, limit):
        """Takes one message; False if none came."""
        until = time.monotonic() + limit
        while not self._complete():
            ready, _, _ = select.select([self.socket], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return False
            more = self.socket.recv(1 << 20)
            if not more:
                raise ConnectionError("the bus hung up")
            self.buffer += more
        size = Gio.DBusMessage.bytes_needed(self.buffer[:16])
        blob, self.buffer = self.buffer[:size], self.buffer[size:]
        message = Message(Gio.DBusMessage.new_from_blob(blob, Gio.DBusCapabilityFlags.NONE))
        if message.type in (Gio.DBusMessageType.METHOD_RETURN, Gio.DBusMessageType.ERROR):
            self.replies[message.reply_to] = message
        elif message.type == Gio.DBusMessageType.SIGNAL:
            self.signals.append(message)
            self.mirror.take(message)
        for watcher in self.watchers:
            watcher(message)
        return True

    def _complete(self):
        return len(self.buffer) >= 16 and len(self.buffer) >= Gio.DBusMessage.bytes_needed(self.buffer[:16])
