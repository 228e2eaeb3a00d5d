# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callers that are wrong, rude or gone. The daemon lives on."""

import os
import socket
import struct
import time

import pytest
from gi.repository import Gio, GLib
from harness import BLOCK, MOVABLE, ONLY_WATCH, dax_path
from places import SLOW
from wire import NAME, PROPERTIES, ROOT, BusError, Client, options


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    yield daemon
    assert daemon.is_alive()
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done", "it does not work any more"


@pytest.mark.parametrize("path, interface, member, signature, arguments", [
    (ROOT, "Manager", "Reload", "()", ()),
    (ROOT, "Manager", "Reload", "(s)", ("x",)),
    (ROOT, "Manager", "Explain", "(sa{sv})", ("x", {})),
    (ROOT, "Manager", "CheckPolicy", "(aysa{sv})", (b"x", "y", {})),
    (ROOT, "Manager", "Plan", "(a{ss})", ({"a": "b"},)),
    (dax_path("dax0.0"), "DaxDevice", "Online", "(ua{sv})", (1, {})),
    (dax_path("dax0.0"), "DaxDevice", "Online", "(s)", ("movable",)),
    (dax_path("dax0.0"), "DaxDevice", "Online", "(sa{sv}s)", ("movable", {}, "more")),
    (f"{ROOT}/emulator", "Emulator", "Inject", "(s)", ("resume",)),
])
def test_wrong_signatures(daemon, path, interface, member, signature, arguments):
    with pytest.raises(BusError) as refused:
        daemon.call(path, interface, member, signature, *arguments)
    assert refused.value.name == "org.freedesktop.DBus.Error.InvalidArgs"


@pytest.mark.parametrize("path, interface, member, error", [
    (ROOT, "Manager", "Explode", "UnknownMethod"),
    (ROOT, "Nothing", "Reload", "UnknownMethod|UnknownInterface"),
    (f"{ROOT}/nowhere", "Manager", "Reload", "UnknownObject|UnknownMethod"),
    ("/", "Manager", "Reload", "UnknownObject|UnknownMethod"),
])
def test_what_does_not_exist(daemon, path, interface, member, error):
    with pytest.raises(BusError) as refused:
        daemon.call(path, interface, member, "(a{sv})", {})
    assert refused.value.name.rsplit(".", 1)[1] in error.split("|")


def test_properties_cannot_be_written(daemon):
    for path, interface, name, value in ((ROOT, "Manager", "Mode", GLib.Variant("s", "observe")),
                                         (dax_path("dax0.0"), "DaxDevice", "Held", GLib.Variant("b", True)),
                                         (ROOT, "Manager", "Nothing", GLib.Variant("b", True))):
        with pytest.raises(BusError):
            daemon.client.call(path, PROPERTIES, "Set", "(ssv)", f"{NAME}.{interface}", name, value)
    assert daemon.manager["Mode"] == "enforce"


def test_strange_options(daemon):
    for strange in (GLib.Variant("v", GLib.Variant("t", 1)), GLib.Variant("a{sv}", {}), GLib.Variant("ay", b"x"),
                    GLib.Variant("d", float("nan")), GLib.Variant("at", [1])):
        daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable", timeout=strange)
    many = {f"k{i}": GLib.Variant("s", "x" * 100) for i in range(20000)}
    daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable", **many)
    daemon.fails("InvalidArgument", daemon.online, "dax0.0", "x" * (1 << 20))
    daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable\n\x1b[31m")
    assert not daemon.jobs()


@pytest.mark.parametrize("text", [
    "#" * (1 << 20) + "\n" + MOVABLE,
    "a = " + "[" * 200_000,
    "a = " + "{b=" * 100_000,
    "[[rule]]\n" * 60_000,
    "x = 1\n" * 100_000,
    'a = "' + "x" * (3 << 20) + '"',
    "a." * 100_000 + "b = 1",
    "\u202e\ufeff" * 1000,
], ids=["comment", "brackets", "tables", "rules", "doubles", "string", "dotted", "unicode"])
def test_huge_and_deep_texts_to_check(daemon, text, record_property):
    begin = time.monotonic()
    problems = daemon.check_policy(text)
    took = time.monotonic() - begin
    record_property("seconds", round(took, 3))
    print(f"{len(text)} characters: {took:.3f} s, {len(problems)} problems")
    assert problems and problems[0][3] == "error"
    assert len(problems) <= 10_000
    assert took < 2 * SLOW, "the loop thread was away for so long"


def test_a_policy_file_that_is_huge(daemon):
    daemon.policy_file.write_text(MOVABLE + "#" * (2 << 20))
    assert str(daemon.policy_file) in daemon.fails("InvalidPolicy", daemon.reload)


def test_a_policy_that_is_no_file(daemon):
    daemon.policy_file.unlink()
    daemon.policy_file.mkdir()
    assert "not a regular file" in daemon.fails("InvalidPolicy", daemon.reload)
    daemon.policy_file.rmdir()
    os.mkfifo(daemon.policy_file)
    assert "not a regular file" in daemon.fails("InvalidPolicy", daemon.reload)
    daemon.policy_file.unlink()
    daemon.policy_file.symlink_to("/nowhere")
    assert "ENOENT" in daemon.fails("InvalidPolicy", daemon.reload)
    daemon.policy_file.unlink()
    daemon.policy_file.symlink_to("/dev/null")
    daemon.reload()
    daemon.policy_file.unlink()
    daemon.policy_file.write_bytes(b"\xff\xfe\0\0")
    daemon.fails("InvalidPolicy", daemon.reload)
    daemon.policy_file.write_text("")


def test_thousands_of_quick_calls(daemon):
    client = daemon.client
    serials = []
    for number in range(3000):
        what = number % 4
        if what == 0:
            serials.append(client.send(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {}))
        elif what == 1:
            serials.append(client.send(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", dax_path("dax0.0"), {}))
        elif what == 2:
            serials.append(client.send(dax_path("dax0.0"), f"{NAME}.DaxDevice", "Online", "(sa{sv})", "nowhere", {}))
        else:
            serials.append(client.send(ROOT, PROPERTIES, "GetAll", "(s)", f"{NAME}.Manager"))
        if number % 200 == 199:
            client.wait(lambda: all(serial in client.replies for serial in serials), "all replies")
    client.wait(lambda: all(serial in client.replies for serial in serials), "all replies")
    assert all(client.replies.pop(serial).type.value_nick == ("error" if index % 4 == 2 else "method-return")
               for index, serial in enumerate(serials))


def test_thousands_of_jobs(daemon):
    """Each is over at once; they stay for ten seconds, and nothing gets slow or lost."""
    jobs = []
    for _ in range(300):
        jobs.append(daemon.online("dax1.0", "movable", amount=BLOCK))
        assert daemon.result(jobs[-1]) == "done"
    assert len(set(jobs)) == 300
    assert daemon.round_trip() < 0.2 * SLOW


def test_a_caller_that_hangs_up_with_a_call_in_flight(daemon):
    daemon.inject("hang", operation="set_block")
    for _ in range(20):
        rude = Client(daemon.bus.address)
        rude.send(dax_path("dax1.0"), f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
        rude.send(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})
        rude.send(f"{ROOT}/emulator", f"{NAME}.Emulator", "Inject", "(sa{sv})", "events", options(double=1))
        rude.close()
    daemon.round_trip()
    # Whether they were still there when the daemon asked the bus who they are is anybody's guess.
    daemon.inject("clear-faults")
    daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.manager["State"] != "working")
    assert {daemon.result(job) for job in daemon.jobs()} <= {"done"}


def test_a_caller_that_wants_no_reply(daemon):
    client = daemon.client
    for member in ("Plan", "Apply", "Nothing"):
        client.serial += 1
        message = Gio.DBusMessage.new_method_call(NAME, ROOT, f"{NAME}.Manager", member)
        message.set_flags(Gio.DBusMessageFlags.NO_REPLY_EXPECTED)
        message.set_serial(client.serial)
        message.set_body(GLib.Variant("(a{sv})", ({},)))
        client.socket.sendall(message.to_blob(Gio.DBusCapabilityFlags.NONE))
    daemon.round_trip()
    assert not [serial for serial in client.replies]


def test_a_caller_that_never_reads(daemon):
    """Its queue is the bus's to limit; the daemon must not wait for it."""
    mute = Client(daemon.bus.address)
    mute.match(f"type='signal',path_namespace='{ROOT}'")
    mute.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    for _ in range(500):
        mute.send(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    for _ in range(3):
        assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
        assert daemon.result(daemon.offline("dax1.0")) == "done"
    mute.close()


@pytest.mark.parametrize("event, details", [
    ("nothing", {}), ("", {}), ("fail", {}), ("fail", {"operation": "set_block", "errno": "EFOO"}),
    ("online-block", {"block": 2**64 - 1, "count": 5}), ("online-block", {"dax": "dax0.0", "nth": 2**63}),
    ("online-block", {"dax": "dax0.0", "count": 0}), ("add-memdev", {"serial": "0x" + "f" * 40}),
    ("add-memdev", {"serial": 1}), ("add-memdev", {"serial": 5, "name": "x" * 100_000}),
    ("add-region", {"memdevs": ","}), ("add-region", {"memdevs": "mem0,mem0,mem0"}),
    ("replace-dax", {"dax": "dax0.0", "start": 2**64 - 1}), ("replace-dax", {"dax": "dax0.0", "start": 7}),
    ("reserve-range", {"start": 2**64 - 1, "size": 2**64 - 1}), ("delay", {"operation": "scan", "usec": 2**64 - 1}),
    ("remove-memdev", {"memdev": "nobody"}), ("bind-dax", {"dax": "dax0.0"}), ("pin-block", {"block": 1}),
    ("events", {"lose": "many"}),
])
def test_nonsense_to_inject(daemon, event, details):
    try:
        daemon.inject(event, **details)
    except BusError as error:
        assert error.name in ("InvalidArgument", "NotFound", "Busy", "Gone", "Conflict"), error
    daemon.look_again()


def test_strange_names_of_devices(daemon):
    """Names are escaped into paths and come back out of them."""
    for name in ("mem/../..", "mem\u00e9", "-", "mem 1", "__", "mem\n"):
        try:
            daemon.inject("add-memdev", serial=abs(hash(name)) % 10**9 + 100, name=name)
        except BusError as error:
            assert error.name == "InvalidArgument"
            continue
        daemon.wait(lambda name=name: any(values.get(f"{NAME}.Memdev", {}).get("Name") == name
                                          for values in daemon.objects.values()), name)
    daemon.managed_objects()


def test_a_broken_message_costs_its_sender_the_connection_and_nobody_else(daemon):
    rude = Client(daemon.bus.address)
    rude.socket.sendall(struct.pack("<4BIII", ord("l"), 1, 0, 1, 0xFFFFFFF0, 1, 0))
    with pytest.raises((ConnectionError, OSError)):
        for _ in range(1000):
            rude.pump(1.0)
            rude.send(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})
    rude.close()
    daemon.round_trip()
