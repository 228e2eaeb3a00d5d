# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a stranger's call may cost: a budget before anything is decoded, and a budget for every answer. On a bus with
Debian's limits and our bus policy, as uid 65534."""

import array
import os
import re
import shutil
import time
import xml.etree.ElementTree as ET

import pytest
from conftest import new_folder
from gi.repository import GLib
from harness import MOVABLE, ONLY_WATCH, dax_path, path_of, rule
from limited_bus import NOBODY, LimitedBus, forget_peak, peak_bytes, why_not
from places import SANITIZED, SLOW, SOURCE
from wire import NAME, PROPERTIES, ROOT, BusError, Client, options

pytestmark = pytest.mark.skipif(bool(why_not(os)), reason=why_not(os))

MIB = 1 << 20
# A stranger's call may have the daemon hold its own message, what is decoded of it, and the answer; MemoryMax= of the
# unit is 256 MiB. (A sanitizer's shadow memory is not the daemon's.)
MOST_BYTES = 160 * MIB


@pytest.fixture(scope="module")
def limited_bus():
    folder = new_folder()
    bus = LimitedBus(folder)
    yield bus
    bus.stop()
    shutil.rmtree(folder)


@pytest.fixture
def daemon(limited_bus, make_daemon):
    daemon = make_daemon(bus=limited_bus, policy=ONLY_WATCH)
    forget_peak(daemon)
    yield daemon
    assert daemon.is_alive()
    daemon.round_trip()
    if not SANITIZED:
        assert peak_bytes(daemon) < MOST_BYTES, f"{peak_bytes(daemon) >> 20} MiB"


@pytest.fixture
def stranger(daemon):
    client = Client(daemon.bus.address, uid=NOBODY)
    yield client
    client.close()


def ask(client, path, interface, member, signature, *arguments):
    """The error, or the answer, and the seconds that it took."""
    begin = time.monotonic()
    try:
        answer = client.call(path, interface, member, signature, *arguments)
    except BusError as error:
        answer = error
    return answer, time.monotonic() - begin


def check(client, name, text, **more):
    return ask(client, ROOT, f"{NAME}.Manager", "CheckPolicy", "(ssa{sv})", name, text, options(**more))


def refusal(asked, within=2):
    error, seconds = asked
    assert isinstance(error, BusError), f"it was answered: {str(error)[:200]}"
    assert error.name == "InvalidArgument", error
    assert len(error.message) < 500, f"{len(error.message)} bytes of message"
    assert seconds < within * SLOW
    return error.message


def files(count, name="{}.toml", text=""):
    return GLib.Variant("a(ss)", [(name.format(i), text) for i in range(count)])


def mistakes(count, key="k"):
    return "".join(f"{key}{i} = 1\n" for i in range(count))


MISTAKES = mistakes(1000)


def test_a_name_of_a_megabyte_and_a_thousand_mistakes(daemon, stranger):
    """2.9 GB and 28 s, once: the name stood in every problem."""
    assert "longer than 255 bytes" in refusal(check(stranger, "n" * 1_500_000, MISTAKES))


@pytest.mark.parametrize("name", ["a\x1b[2Jb.toml", "a\nb.toml", "\x7f.toml", "a\u009bb.toml"])
def test_a_name_with_a_control_character(daemon, stranger, name):
    assert "control character" in refusal(check(stranger, name, ""))
    assert "control character" in refusal(check(stranger, "a.toml", "", files=GLib.Variant("a(ss)", [(name, "")])))


def test_the_longest_name_and_the_most_mistakes(daemon, stranger):
    name = "n" * 250 + ".toml"
    problems, seconds = check(stranger, name, MISTAKES)
    assert len(problems) == 1000 and seconds < 2 * SLOW
    assert {problem[0] for problem in problems} == {name}
    assert not [problem for problem in problems if name in problem[4]], "a problem names its file once"


def test_two_rules_of_one_name_in_files_with_long_names(daemon, stranger):
    names = [letter * 250 + ".toml" for letter in "ab"]
    problems, _ = check(stranger, names[0], MOVABLE, files=GLib.Variant("a(ss)", [(names[1], MOVABLE)]))
    assert problems[0][0] == names[1] and len(problems[0][4]) < 300


def test_four_hundred_files_called_daemon_toml(daemon, stranger):
    """A reply of 32 MB, once."""
    for count, why in ((400, "more than 1040 values"), (256, "257 files are too many")):
        assert why in refusal(check(stranger, "daemon.toml", MISTAKES,
                                    files=files(count, "{}/daemon.toml", mistakes(100))))


def test_two_hundred_files_called_daemon_toml(daemon, stranger):
    # A check may take ten seconds, also where a sanitizer makes each of them long.
    text = mistakes(100 if SANITIZED else 1000)
    problems, seconds = check(stranger, "daemon.toml", MISTAKES, files=files(200, "{}/daemon.toml", text))
    assert sum(len(p[0]) + len(p[4]) for p in problems) <= MIB + 500
    assert re.search(r"^\d+ more problems, this one the first, are not shown$", problems[-1][4])
    assert problems[-1][3] == "error"
    assert seconds < 5 * SLOW


@pytest.mark.loop_alone
def test_two_million_empty_files(daemon, stranger):
    count = 2_000_000
    # As GVariant lays them out: two empty strings and where the first ends; then where each pair ends.
    data = b"\0\0\1" * count + array.array("I", range(3, 3 * count + 1, 3)).tobytes()
    many = GLib.Variant.new_from_bytes(GLib.VariantType("a(ss)"), GLib.Bytes(data), True)
    assert many.n_children() == count and many.get_child_value(7).unpack() == ("", "")
    assert "values" in refusal(check(stranger, "a.toml", "", files=many), within=20)  # most of it the bus's


@pytest.mark.loop_alone
def test_more_text_than_the_limit_over_policy_and_settings_together(daemon, stranger):
    text = "#" * 1_000_000
    problems, _ = check(stranger, "a.toml", text, files=GLib.Variant("a(ss)", [
        ("b.toml", text), ("daemon.toml", text), ("x/daemon.toml", text), ("c.toml", "#" * 250_000)]))
    assert [p[4] for p in problems] == ["too large: 4194304 bytes of all files together are the limit"]
    assert "bytes" in refusal(check(stranger, "a.toml", "#" * (30 * MIB)))
    assert "bytes" in refusal(check(stranger, "a.toml", "", files=files(250, text="#" * 30_000)))


def test_a_reply_is_cut_by_bytes_and_says_so(daemon, stranger):
    """Four thousand problems, each with as much of the text as a message quotes."""
    text = mistakes(900, "k" * 100)
    problems, seconds = check(stranger, "n" * 250 + ".toml", text, files=files(8, "{}" + "n" * 240 + ".toml", text))
    size = sum(len(p[0]) + len(p[4]) for p in problems)
    assert MIB // 2 < size <= MIB + 1000
    assert "more problems, this one the first, are not shown" in problems[-1][4]
    assert seconds < 5 * SLOW


@pytest.mark.loop_alone
@pytest.mark.parametrize("depth", [9, 40])
def test_arguments_that_are_nested_deep(daemon, stranger, depth):
    value = GLib.Variant("s", "x")
    for _ in range(depth):
        value = GLib.Variant("v", value)
    for member, signature, first in (("Plan", "(a{sv})", ()), ("CheckPolicy", "(ssa{sv})", ("a.toml", ""))):
        assert "nested too deep" in refusal(ask(stranger, ROOT, f"{NAME}.Manager", member, signature, *first,
                                                {"deep": value}))


@pytest.mark.loop_alone
def test_an_option_of_thirty_megabytes(daemon, stranger):
    """It was echoed whole, and the broker threw the daemon off the bus."""
    for value in ({"k" * (31 * MIB): GLib.Variant("b", True)}, {"k": GLib.Variant("s", "v" * (31 * MIB))},
                  {"k": GLib.Variant("at", [1] * 20_000)}):
        refusal(ask(stranger, ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", value), within=20)  # most of it the bus's


@pytest.mark.loop_alone
@pytest.mark.parametrize("word", ["x" * (31 * MIB), "x" * 256, "org.\x1b[2J", "a b", "\n"],
                         ids=["large", "long", "control", "space", "newline"])
def test_an_interface_or_a_property_that_no_name_can_have(daemon, stranger, word):
    """sd-bus itself repeats what it does not know."""
    for client, member, signature, *arguments in (
            (stranger, "GetAll", "(s)", word), (stranger, "Get", "(ss)", word, "Mode"),
            (stranger, "Get", "(ss)", f"{NAME}.Manager", word),
            (daemon.client, "Set", "(ssv)", word, "Mode", GLib.Variant("s", "x"))):
        refusal(ask(client, ROOT, PROPERTIES, member, signature, *arguments), within=20)


@pytest.mark.loop_alone
@pytest.mark.parametrize("interface, member, arguments", [
    (PROPERTIES, "GetAll", ("(s)", f"{NAME}.Manager")), (f"{NAME}.Manager", "Plan", ("(a{sv})", {})),
    ("org.freedesktop.DBus.Introspectable", "Introspect", ("()",))])
def test_a_path_that_no_object_of_ours_can_have(daemon, stranger, interface, member, arguments):
    refusal(ask(stranger, "/x" * 15_000, interface, member, *arguments))
    stranger.send("/x" * (15 * MIB), interface, member, *arguments)  # sd-bus drops it and says nothing
    daemon.round_trip()


@pytest.mark.loop_alone
def test_a_path_of_thirty_megabytes_to_explain(daemon, stranger):
    refusal(ask(stranger, ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", "/x" * (15 * MIB), {}), within=20)


PATHS = {"Manager": ROOT, "DaxDevice": dax_path("dax0.0"), "Emulator": f"{ROOT}/emulator",
         "Memdev": path_of("memdev", "mem0"), "Region": path_of("region", "region0"), "Node": path_of("node", "node1")}
HOSTILE = "\x1b[2J\x07\u009b\n" + "w" * 3000


def methods():
    for file in sorted((SOURCE / "dbus/interfaces").glob("org.cxlmemd1.*.xml")):
        for interface in ET.parse(file).iter("interface"):
            for method in interface.iter("method"):
                yield (interface.get("name").rpartition(".")[2], method.get("name"),
                       [a.get("type") for a in method.iter("arg") if a.get("direction", "in") == "in"])


def hostile_calls(types):
    """The arguments with one hostile word in each place that takes a word."""
    good = {"s": "", "o": dax_path("dax0.0"), "a{sv}": {}}
    for i, kind in enumerate(types):
        words = {"s": [HOSTILE], "o": [dax_path(HOSTILE[:200])],
                 "a{sv}": [{HOSTILE: GLib.Variant("b", True)}, {"zone": GLib.Variant("s", HOSTILE)},
                           {"name": GLib.Variant("s", HOSTILE)}, {"dax": GLib.Variant("s", HOSTILE)},
                           {"amount": GLib.Variant("s", HOSTILE)}, {"files": GLib.Variant("s", HOSTILE)},
                           {"timeout": GLib.Variant("(" + "a{sv}" * 40 + ")", [{}] * 40)}]}
        for word in words[kind]:
            yield [word if k == i else good[t] for k, t in enumerate(types)]


@pytest.mark.loop_alone
@pytest.mark.parametrize("interface, member, types", list(methods()), ids=lambda v: v if isinstance(v, str) else "")
def test_no_error_repeats_a_callers_word_unbounded_or_raw(daemon, interface, member, types):
    """Each method of each interface, as root: no right stands before the arguments."""
    path = PATHS.get(interface)
    if path is None:
        job = daemon.online("dax1.0", "movable")
        assert daemon.result(job) == "done"
        path = job
    asked = 0
    for arguments in hostile_calls(types):
        answer, _ = ask(daemon.client, path, f"{NAME}.{interface}", member, f"({''.join(types)})", *arguments)
        if not isinstance(answer, BusError):
            assert (interface, member) == ("Manager", "CheckPolicy"), "it has a word of nonsense, and was done"
            continue
        asked += 1
        assert not re.search("[\0-\x1f\x7f-\x9f]", answer.message), ascii(answer.message)
        assert not re.search("w{61}", answer.message), answer.message
        assert len(answer.message.encode()) < 1500, answer.message
    assert asked, "nothing was refused"


@pytest.mark.loop_alone
@pytest.mark.parametrize("key", ["dax", "memdev", "region", "name", "memdevs", "zone", "kind", "operation", "errno",
                                 "mode", "value", "start", "size", "serial", "on", "at"])
def test_no_event_of_the_emulator_repeats_it_either(daemon, key):
    events = daemon.fails("InvalidArgument", daemon.inject, "nothing").partition("there are ")[2].split(", ")
    assert len(events) > 20
    for event in events:
        try:
            daemon.inject(event, **{key: HOSTILE})
        except BusError as error:
            assert not re.search("[\0-\x1f\x7f-\x9f]", error.message), ascii(error.message)
            assert not re.search("w{61}", error.message), error.message


def test_what_is_allowed_still_is(daemon, stranger):
    assert check(stranger, "a.toml", MOVABLE)[0] == []
    many = GLib.Variant("a(ss)", [(f"{i}.toml", "") for i in range(255)])
    assert check(stranger, "a.toml", MOVABLE, files=many)[0] == []
    full = "#" * (MIB - 100)
    four = GLib.Variant("a(ss)", [(f"{i}.toml", full) for i in range(3)])
    assert check(stranger, "a.toml", full, files=four)[0] == []
    assert stranger.call(ROOT, PROPERTIES, "GetAll", "(s)", f"{NAME}.Manager")["Backend"] == "emulator"
    assert stranger.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    with pytest.raises(BusError, match="org.freedesktop.DBus.Error.UnknownInterface"):
        stranger.call(ROOT, PROPERTIES, "GetAll", "(s)", "org.cxlmemd1.Nothing")


# --- texts of strangers, and who they are, are nothing that the loop waits for ---

def test_eight_clients_that_check_policy_hold_nobody_up(daemon):
    """Once 80 s of the loop, and the watchdog's end of the daemon."""
    text = "".join(rule(name=f"r{i}", match=f'dax = "dax{i}.*"', memory='zone = "movable"') for i in range(9000))[:MIB - 9]
    strangers = [Client(daemon.bus.address, uid=NOBODY) for _ in range(8)]
    serials = [client.send(ROOT, f"{NAME}.Manager", "CheckPolicy", "(ssa{sv})", "a.toml", text,
                           options(files=GLib.Variant("a(ss)", [(f"{i}.toml", text) for i in range(3)])))
               for client in strangers]
    other = Client(daemon.bus.address, uid=1)  # "daemon", whom every machine has
    trips = []
    for _ in range(100):
        begin = time.monotonic()
        other.call(ROOT, PROPERTIES, "Get", "(ss)", f"{NAME}.Manager", "State")
        trips.append(time.monotonic() - begin)
    begin = time.monotonic()
    daemon.reload()
    reload = time.monotonic() - begin
    print(f"median {sorted(trips)[50] * 1000:.1f} ms, longest {max(trips) * 1000:.0f} ms, Reload {reload:.2f} s")
    assert sorted(trips)[50] < 0.05 * SLOW
    assert reload < 1 * SLOW
    busy = 0
    for client, serial in zip(strangers, serials, strict=True):
        try:
            client.reply(serial)
        except BusError as error:
            assert error.name in ("Busy", "TimedOut"), error
            busy += 1
        client.close()
    assert busy > 0, "nobody has more than a share"
    # With a sanitizer no check of that size ends within its ten seconds.
    assert busy < 8 or SANITIZED, "some are checked"
    problems, _ = check(other, "a.toml", "x = 1\n")
    assert len(problems) == 1
    other.close()


def test_two_hundred_connections_of_several_users(daemon):
    """Each has to be asked about; nobody waits for that."""
    users = [1, 2, 3, 4, NOBODY]
    strangers = [Client(daemon.bus.address, uid=users[i % len(users)]) for i in range(200)]
    trips, serials = [], []
    for client in strangers:
        serials.append((client, client.send(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})))
        begin = time.monotonic()
        daemon.round_trip()
        trips.append(time.monotonic() - begin)
    for client, serial in serials:
        client.reply(serial)
    for client in strangers:
        client.close()
    assert sorted(trips)[100] < 0.05 * SLOW
    # They have gone, and others come: nothing is left of them.
    for _ in range(3):
        for uid in users:
            client = Client(daemon.bus.address, uid=uid)
            client.call(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})
            client.close()
    daemon.round_trip()


def test_more_callers_than_are_remembered(daemon):
    strangers = [Client(daemon.bus.address, uid=NOBODY) for _ in range(60)]
    others = [Client(daemon.bus.address, uid=uid) for uid in (1, 2, 3, 4) for _ in range(60)]
    for client in (*strangers, *others, *strangers):
        assert client.call(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {}) == []
    for client in (*strangers, *others):
        client.close()


def test_the_log_level_is_roots_and_nobody_waits_for_who_it_is(daemon, stranger):
    path, interface = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"

    def level(client, word):
        return ask(client, path, PROPERTIES, "Set", "(ssv)", interface, "LogLevel", GLib.Variant("s", word))[0]

    assert level(daemon.client, "debug") is None
    assert stranger.call(path, PROPERTIES, "Get", "(ss)", interface, "LogLevel") == "debug"
    assert isinstance(level(stranger, "info"), BusError), "the bus does not let it through"
    error = level(daemon.client, "\x1b" + "w" * 500)
    assert error.name == "InvalidArgument" and len(error.message) < 400 and "\x1b" not in error.message
    assert stranger.call(path, PROPERTIES, "Get", "(ss)", interface, "LogLevel") == "debug"
