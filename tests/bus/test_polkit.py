# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is neither root nor the daemon's own user: polkit is asked, and nobody else waits for its answer."""

import os
import subprocess
import time

import pytest
from gi.repository import GLib
from harness import BLOCK, ONLY_WATCH, ROOT, dax_path, path_of
from places import CTL, LIMIT, SLOW
from polkit import POLKIT, Polkit
from test_auto_zone import SMALL, card
from wire import NAME, PROPERTIES, BusError, Client, options

pytestmark = [pytest.mark.loop_alone, pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as somebody else")]

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
DAX = dax_path("dax0.0")
REGION, MEMDEV = path_of("region", "region0"), path_of("memdev", "mem0")
MAY_ASK = 4  # the flag ALLOW_INTERACTIVE_AUTHORIZATION of a message
NO_REPLY = 1
MOST_OF_SENDER, MOST_OF_USER, MOST = 8, 32, 128


@pytest.fixture
def daemon(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    yield daemon
    assert daemon.is_alive()


@pytest.fixture
def polkit(daemon):
    polkit = Polkit(daemon.bus.address)
    yield polkit
    polkit.die()


@pytest.fixture
def caller(daemon):
    caller = Client(daemon.bus.address, uid=NOBODY)
    yield caller
    caller.close()


def hold(caller, dax=DAX, **more):
    return caller.send(dax, f"{NAME}.DaxDevice", "Hold", "(a{sv})", {}, **more)


def refusal(caller, serial):
    with pytest.raises(BusError) as refused:
        caller.reply(serial)
    return refused.value


METHODS = [
    (ROOT, "Manager", "Reload", "(a{sv})", ({},), "manage-policy", "policy"),
    (ROOT, "Manager", "Apply", "(a{sv})", ({},), "manage-policy", "policy"),
    (DAX, "DaxDevice", "Online", "(sa{sv})", ("movable", {}), "online", "dax0.0"),
    (DAX, "DaxDevice", "Offline", "(a{sv})", ({},), "offline", "dax0.0"),
    (DAX, "DaxDevice", "SetMode", "(sa{sv})", ("devdax", {}), "set-mode", "dax0.0"),
    (DAX, "DaxDevice", "Hold", "(a{sv})", ({},), "manage-policy", "dax0.0"),
    (DAX, "DaxDevice", "Release", "(a{sv})", ({},), "manage-policy", "dax0.0"),
    (REGION, "Region", "Remove", "(a{sv})", ({},), "provision", "region0"),
    (REGION, "Region", "Release", "(a{sv})", ({},), "manage-policy", "region0"),
    (MEMDEV, "Memdev", "PrepareRemove", "(a{sv})", ({},), "provision", "mem0"),
    (MEMDEV, "Memdev", "Release", "(a{sv})", ({},), "manage-policy", "mem0"),
    (DAX, "DaxDevice", "Addresses", "(a{sv})", ({},), "read-addresses", "dax0.0"),
    (ROOT, "Manager", "Record", "(a{sv})", ({},), "read-addresses", "topology"),
    (f"{ROOT}/emulator", "Emulator", "Inject", "(sa{sv})", ("clear-faults", {}), "provision", "emulator"),
]


@pytest.mark.parametrize("path, interface, member, signature, arguments, action, device", METHODS,
                         ids=[f"{method[1]}-{method[2]}" for method in METHODS])
def test_each_change_asks_for_its_own_action(daemon, polkit, caller, path, interface, member, signature, arguments,
                                             action, device):
    serial = caller.send(path, f"{NAME}.{interface}", member, signature, *arguments)
    question = polkit.question()
    assert (question.kind, question.sender) == ("system-bus-name", caller.unique_name)
    assert question.action == f"org.cxlmemd1.{action}"
    assert question.details == {"device": device, "operation": member}
    assert not question.interactive
    question.answer(authorized=True)
    caller.reply(serial)
    assert polkit.hears_nothing()


def next_action(polkit, authorized=True):
    question = polkit.question()
    question.answer(authorized=authorized)
    return question.action.removeprefix("org.cxlmemd1.")


def test_bringing_online_less_than_is_online_takes_the_right_to_take_offline(daemon, polkit, caller):
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    less = options(amount=BLOCK)
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", less)
    assert next_action(polkit) == "online"
    assert next_action(polkit, authorized=False) == "offline"
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and f"uid {NOBODY} is not authorised for org.cxlmemd1.offline" in error.message
    assert daemon.get_all(DAX, "DaxDevice")["BlocksOnline"] == 32
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", less)
    assert [next_action(polkit), next_action(polkit)] == ["online", "offline"]
    assert daemon.result(caller.reply(serial)) == "done"
    assert daemon.get_all(DAX, "DaxDevice")["BlocksOnline"] == 1


def test_another_zone_takes_the_right_to_take_offline(daemon, polkit, caller):
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "kernel", {})
    assert next_action(polkit) == "online"
    assert next_action(polkit, authorized=False) == "offline"
    assert refusal(caller, serial).name == "NotAuthorized"
    assert daemon.get_all(DAX, "DaxDevice")["Zone"] == "movable"


def test_the_same_zone_again_takes_no_more(daemon, polkit, caller):
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
    assert next_action(polkit) == "online"
    assert daemon.result(caller.reply(serial)) == "done"
    assert polkit.hears_nothing()


def test_a_device_that_has_to_be_bound_takes_the_right_to_set_its_mode(daemon, polkit, caller):
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
    assert next_action(polkit) == "online"
    assert next_action(polkit, authorized=False) == "set-mode"
    assert refusal(caller, serial).name == "NotAuthorized"
    assert daemon.get_all(DAX, "DaxDevice")["Mode"] == "devdax"


def test_a_mode_that_drains_takes_the_right_to_take_offline(daemon, polkit, caller):
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "SetMode", "(sa{sv})", "devdax", {})
    assert next_action(polkit) == "set-mode"
    assert next_action(polkit, authorized=False) == "offline"
    assert refusal(caller, serial).name == "NotAuthorized"
    assert daemon.get_all(DAX, "DaxDevice")["BlocksOnline"] == 32


def test_what_it_would_do_is_looked_at_again_when_polkit_has_answered(daemon, polkit, caller):
    """Asked of a device that was offline; when the answer comes it is online in another zone."""
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
    question = polkit.question()
    assert daemon.result(daemon.online("dax0.0", "kernel")) == "done"
    question.answer(authorized=True)
    assert next_action(polkit, authorized=False) == "offline"
    assert refusal(caller, serial).name == "NotAuthorized"
    assert daemon.get_all(DAX, "DaxDevice")["Zone"] == "kernel"


def test_the_scan_before_a_refusal_gives_no_right_that_nobody_gave(own_bus, make_daemon, machine_file):
    """Refused for want of kernel memory; the scan finds memory, and the job would have to bind the device first."""
    small = SMALL.replace('memory = "2GiB"', 'memory = "2GiB"\nused = "1888MiB"')
    machine = machine_file(small + card(0, 'mode = "unbound"') + card(1))
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH, machine=machine)
    polkit, caller = Polkit(daemon.bus.address), Client(daemon.bus.address, uid=NOBODY)
    try:
        daemon.inject("lose-events", count=0)
        daemon.inject("unbind-dax", dax="dax1.0")
        serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "kernel", {})
        assert next_action(polkit) == "online"
        error = refusal(caller, serial)
        assert error.name == "Busy" and "call again" in error.message
        assert daemon.get_all(DAX, "DaxDevice")["Mode"] == "unbound" and daemon.jobs() == []
        serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "kernel", {})
        assert [next_action(polkit), next_action(polkit)] == ["online", "set-mode"]
        assert daemon.result(caller.reply(serial)) == "done"
    finally:
        polkit.die()
        caller.close()


def test_whoever_may_not_bring_online_is_told_nothing_of_the_plan(daemon, polkit, caller):
    assert daemon.result(daemon.online("dax0.0", "movable")) == "done"
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "kernel", {})
    assert next_action(polkit, authorized=False) == "online"
    assert "org.cxlmemd1.online" in refusal(caller, serial).message
    assert polkit.hears_nothing()


def test_a_job_is_its_callers(daemon, polkit, caller):
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
    polkit.question().answer(authorized=True)
    job = caller.reply(serial)
    assert daemon.wait(lambda: daemon.job(job))["StartedBy"] == NOBODY
    assert daemon.result(job) == "done"


def test_root_is_not_asked(daemon, polkit):
    daemon.hold("dax0.0")
    daemon.reload()
    assert polkit.hears_nothing()


def test_reading_is_not_asked(daemon, polkit, caller):
    caller.call(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})
    caller.call(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", DAX, {})
    assert polkit.hears_nothing()


def test_denied(daemon, polkit, caller):
    serial = hold(caller)
    polkit.question().answer(authorized=False)
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized"
    for part in ("dax0.0", "Hold", f"uid {NOBODY}", "org.cxlmemd1.manage-policy", caller.unique_name, "says no"):
        assert part in error.message
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_a_denied_call_changes_no_hold_and_no_preparation(daemon, polkit, caller):
    daemon.hold("dax1.0")
    assert daemon.result(daemon.prepare_remove("mem0")) == "done"
    before = (daemon.state / "holds").read_text()
    for path, interface, member, signature, arguments, _, device in METHODS:
        if not device.startswith(("dax", "mem", "region")):
            continue
        serial = caller.send(path, f"{NAME}.{interface}", member, signature, *arguments)
        polkit.question().answer(authorized=False)
        assert refusal(caller, serial).name == "NotAuthorized"
    assert (daemon.state / "holds").read_text() == before
    assert daemon.memdev()["Preparation"] == "ready"


@pytest.mark.parametrize("flags", [0, MAY_ASK])
def test_a_challenge_is_no_leave(daemon, polkit, caller, flags):
    serial = hold(caller, flags=flags)
    question = polkit.question()
    assert question.interactive == bool(flags)
    question.answer(challenge=True)
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "wants a password" in error.message
    assert ("allow interactive" in error.message) == (flags == 0)


def test_dismissed(daemon, polkit, caller):
    serial = hold(caller, flags=MAY_ASK)
    polkit.question().answer(dismissed="true")
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "dismissed" in error.message


def test_absent(daemon, caller):
    error = refusal(caller, hold(caller))
    assert error.name == "NotAuthorized"
    assert "no polkit" in error.message and "call it as root" in error.message
    daemon.hold("dax0.0")


def test_polkit_dies_over_the_question(daemon, polkit, caller):
    serial = hold(caller, flags=MAY_ASK)
    polkit.question()
    polkit.die()
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "did not answer" in error.message


def test_polkit_comes_back(daemon, polkit, caller):
    polkit.die()
    assert "no polkit" in refusal(caller, hold(caller)).message
    again = Polkit(daemon.bus.address)
    serial = hold(caller)
    again.question().answer(authorized=True)
    caller.reply(serial)
    assert daemon.get_all(DAX, "DaxDevice")["Held"]
    again.die()


@pytest.mark.parametrize("body", [
    GLib.Variant("(s)", ("yes",)), GLib.Variant("(b)", (True,)), GLib.Variant("()", ()),
    GLib.Variant("((bb))", ((True, False),)), GLib.Variant("((bba{sv}))", ((True, False, {}),)),
    GLib.Variant("(bba{ss})", (True, False, {})), GLib.Variant("((bba{ss})s)", ((True, False, {}), "more")),
], ids=lambda body: body.get_type_string())
def test_an_answer_that_makes_no_sense_is_no_leave(daemon, polkit, caller, body):
    serial = hold(caller)
    polkit.question().reply(body)
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "makes no sense" in error.message
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_an_error_is_no_leave(daemon, polkit, caller):
    serial = hold(caller)
    polkit.question().fail("org.freedesktop.PolicyKit1.Error.Failed", "Action is not registered")
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "Action is not registered" in error.message


def test_a_polkit_that_hangs_is_given_up(daemon, polkit, caller):
    """After ten seconds; a user who types a password has more time than that."""
    patient = hold(caller, flags=MAY_ASK)
    typing = polkit.question()
    begin = time.monotonic()
    serial = hold(caller)
    question = polkit.question()
    error = refusal(caller, serial)
    assert error.name == "NotAuthorized" and "in time" in error.message
    assert time.monotonic() - begin >= 9
    assert polkit.canceled() == question.cancellation
    question.answer(authorized=True)  # too late
    assert daemon.round_trip() < LIMIT
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]
    typing.answer(authorized=True)
    caller.reply(patient)
    assert daemon.get_all(DAX, "DaxDevice")["Held"]


def test_nobody_else_waits(daemon, polkit, caller):
    serial = hold(caller, flags=MAY_ASK)
    question = polkit.question()
    trips = sorted(daemon.round_trip() for _ in range(50))
    assert trips[25] < 0.05 * SLOW
    assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
    question.answer(authorized=True)
    caller.reply(serial)


def test_answers_may_come_in_any_order(daemon, polkit, caller):
    first, second = hold(caller), hold(caller, dax_path("dax1.0"))
    one, two = polkit.question(), polkit.question()
    two.answer(authorized=True)
    caller.reply(second)
    assert daemon.get_all(dax_path("dax1.0"), "DaxDevice")["Held"]
    one.answer(authorized=False)
    assert refusal(caller, first).name == "NotAuthorized"
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_a_caller_that_leaves_takes_its_question_along(daemon, polkit):
    caller = Client(daemon.bus.address, uid=NOBODY)
    hold(caller, flags=MAY_ASK)
    question = polkit.question()
    caller.close()
    assert polkit.canceled() == question.cancellation
    question.answer(authorized=True)
    daemon.round_trip()
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_a_caller_that_is_gone_before_its_question_is_put(daemon, polkit):
    """Even if polkit says yes to somebody who is no longer there."""
    for _ in range(20):
        caller = Client(daemon.bus.address, uid=NOBODY)
        hold(caller, flags=NO_REPLY)
        caller.close()
    daemon.round_trip()
    while not polkit.hears_nothing():
        if polkit.calls[0].member == "CheckAuthorization":
            polkit.question().answer(authorized=True)
        else:
            polkit.canceled()
    daemon.round_trip()
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_a_device_that_goes_while_polkit_is_asked(daemon, polkit, caller):
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "movable", {})
    question = polkit.question()
    daemon.inject("remove-region", region="region0")
    daemon.wait_gone(DAX)
    question.answer(authorized=True)
    error = refusal(caller, serial)
    assert error.name == "Gone" and "dax0.0" in error.message
    assert not daemon.jobs("dax0.0")


def test_a_device_that_took_the_name_is_not_touched(daemon, polkit, caller):
    serial = hold(caller)
    question = polkit.question()
    before = daemon.dax()["Resource"]
    daemon.inject("replace-dax", dax="dax0.0", start=0xA00000000)
    daemon.wait(lambda: daemon.dax() is not None and daemon.dax()["Resource"] != before, "it is another device")
    question.answer(authorized=True)
    assert refusal(caller, serial).name == "Gone"
    assert not daemon.get_all(DAX, "DaxDevice")["Held"]


def test_arguments_are_looked_at_once_it_is_allowed(daemon, polkit, caller):
    serial = caller.send(DAX, f"{NAME}.DaxDevice", "Online", "(sa{sv})", "nowhere", {})
    polkit.question().answer(authorized=True)
    assert refusal(caller, serial).name == "InvalidArgument"


def test_another_user_may_cancel_only_with_leave(daemon, polkit, caller):
    daemon.inject("hang", operation="set_block")
    job = daemon.online("dax0.0", "movable")
    for allowed in (False, True):
        serial = caller.send(job, f"{NAME}.Job", "Cancel", "(a{sv})", {})
        question = polkit.question()
        assert question.action == "org.cxlmemd1.manage-policy"
        assert question.details["device"] == f"job {job.rpartition('/')[2].removeprefix('_3')}"
        question.answer(authorized=allowed)
        if allowed:
            caller.reply(serial)
        else:
            assert refusal(caller, serial).name == "NotAuthorized"
    assert daemon.result(job) == "canceled"


def test_a_call_that_wants_no_reply_gets_none(daemon, polkit, caller):
    hold(caller, flags=NO_REPLY)
    polkit.question().answer(authorized=True)
    daemon.insist(daemon.round_trip, lambda: daemon.dax()["Held"])
    hold(caller, flags=NO_REPLY)
    polkit.question().answer(authorized=False)
    daemon.round_trip()
    caller.call(ROOT, PROPERTIES, "Get", "(ss)", f"{NAME}.Manager", "State")
    assert not caller.replies


def test_a_thousand_questions_at_once(daemon, polkit, caller):
    """A few are open, the rest is told so at once; nothing piles up, and others are answered."""
    serials = [hold(caller, flags=MAY_ASK) for _ in range(1000)]
    questions = [polkit.question() for _ in range(MOST_OF_SENDER)]
    for serial in serials[MOST_OF_SENDER:]:
        assert refusal(caller, serial).name == "Busy"
    assert polkit.hears_nothing()
    trips = sorted(daemon.round_trip() for _ in range(20))
    assert trips[10] < 0.05 * SLOW
    for question in questions:
        question.answer(authorized=False)
    for serial in serials[:MOST_OF_SENDER]:
        assert refusal(caller, serial).name == "NotAuthorized"
    serial = hold(caller)  # there is room again
    polkit.question().answer(authorized=True)
    caller.reply(serial)


def test_other_users_cannot_use_up_a_users_share(daemon, polkit):
    """Four users with all that each may ask: a fifth is asked about all the same."""
    users = [1, 2, 3, 4]  # daemon, bin, sys, sync: whom every machine has
    callers = [Client(daemon.bus.address, uid=uid) for uid in users for _ in range(4)]
    for caller in callers:
        for _ in range(MOST_OF_SENDER):
            hold(caller, flags=MAY_ASK)
    for _ in range(MOST):
        polkit.question()
    other = Client(daemon.bus.address, uid=NOBODY)
    serials = [hold(other) for _ in range(5)]
    error = refusal(other, serials[4])
    assert error.name == "Busy" and f"4 of them of uid {NOBODY}" in error.message
    polkit.question().answer(authorized=True)
    other.reply(serials[0])
    for client in (*callers, other):
        client.close()


def test_one_user_cannot_use_up_all_questions(daemon, polkit):
    callers = [Client(daemon.bus.address, uid=NOBODY) for _ in range(10)]
    other = Client(daemon.bus.address, uid=1)  # "daemon", whom every machine has
    for caller in callers:
        for _ in range(MOST_OF_SENDER):
            hold(caller, flags=MAY_ASK)
        caller.call(ROOT, PROPERTIES, "Get", "(ss)", f"{NAME}.Manager", "State")
    for _ in range(MOST_OF_USER):
        polkit.question()
    assert polkit.hears_nothing()
    serial = hold(other)
    polkit.question().answer(authorized=True)
    other.reply(serial)
    for client in (*callers, other):
        client.close()


def test_a_daemon_that_stops_with_questions_open(daemon, polkit, caller):
    serial = hold(caller, flags=MAY_ASK)
    question = polkit.question()
    daemon.process.terminate()
    error = refusal(caller, serial)
    assert error.name == "Canceled" and "stops" in error.message
    assert polkit.canceled() == question.cancellation
    process, daemon.process = daemon.process, None
    assert process.wait(LIMIT) == 0
    daemon.client.close()
    daemon.is_alive = lambda: True


def busctl(daemon, *arguments):
    return subprocess.Popen([*AS_NOBODY, "busctl", f"--address={daemon.bus.address}", *arguments, "call", NAME, DAX,
                             f"{NAME}.DaxDevice", "Hold", "a{sv}", "0"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("word", ["yes", "no"])
def test_busctl_says_whether_polkit_may_ask(daemon, polkit, word):
    process = busctl(daemon, f"--allow-interactive-authorization={word}")
    question = polkit.question()
    assert question.interactive == (word == "yes")
    question.answer(authorized=True)
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, out + err
    assert daemon.get_all(DAX, "DaxDevice")["Held"]


@pytest.mark.parametrize("arguments, interactive", [([], True), (["--no-ask-password"], False)])
def test_cxlmemctl_lets_polkit_ask_unless_told_not_to(daemon, polkit, arguments, interactive):
    process = subprocess.Popen([*AS_NOBODY, str(CTL), "--bus", daemon.bus.address, *arguments, "hold", "dax0.0"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    question = polkit.question()
    assert question.interactive == interactive
    question.answer(challenge=not interactive)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 5, err
    assert "org.cxlmemd1.manage-policy" in err


def test_the_polkit_that_python_dbusmock_plays(daemon, caller):
    """Not ours: its own idea of what a polkit answers."""
    mock = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--session", "--template", "polkitd"],
                            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": daemon.bus.address},
                            stdout=subprocess.DEVNULL)
    try:
        broker = "org.freedesktop.DBus"
        daemon.insist(lambda: None, lambda: daemon.client.call("/", broker, "NameHasOwner", "(s)", POLKIT, to=broker))
        assert refusal(caller, hold(caller)).name == "NotAuthorized"
        daemon.client.call("/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.DBus.Mock", "SetAllowed", "(as)",
                           ["org.cxlmemd1.manage-policy"], to=POLKIT)
        caller.reply(hold(caller))
        assert daemon.get_all(DAX, "DaxDevice")["Held"]
        serial = caller.send(DAX, f"{NAME}.DaxDevice", "Offline", "(a{sv})", {})
        assert refusal(caller, serial).name == "NotAuthorized"
    finally:
        mock.kill()
        mock.wait()
