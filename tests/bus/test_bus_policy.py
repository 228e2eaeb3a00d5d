# SPDX-License-Identifier: LGPL-2.1-or-later
"""units/org.cxlmemd1.conf on a real dbus-daemon: everyone may ask, the daemon decides, only root owns the name.

The bus has the default policy of Debian's system bus and our file, the daemon runs on the emulator as root, and the
questions are asked by nobody (uid 65534) through busctl. CXLMEMD_BUILD names the build folder.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CXLMEMD_BUILD", SOURCE / "build/dev"))
POLICY = SOURCE / "units/org.cxlmemd1.conf"
SYSTEM_CONF = Path("/usr/share/dbus-1/system.conf")
NAME, ROOT_PATH = "org.cxlmemd1", "/org/cxlmemd1"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

# What the daemon's own table calls `read`; the bus policy has to say the same (below).
PATHS = {"Manager": ROOT_PATH, "DaxDevice": f"{ROOT_PATH}/dax/dax0_2e0", "Emulator": f"{ROOT_PATH}/emulator",
         "Job": f"{ROOT_PATH}/job/1", "Memdev": f"{ROOT_PATH}/memdev/mem0", "Region": f"{ROOT_PATH}/region/region0",
         "Node": f"{ROOT_PATH}/node/node0"}
ARGUMENTS = {"s": "x", "o": f"{ROOT_PATH}/dax/dax0_2e0", "u": "0", "a{sv}": "0"}


def why_not():
    if os.geteuid() != 0:
        return "only root can become another user"
    for tool in ("dbus-daemon", "busctl", "setpriv"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if not SYSTEM_CONF.exists():
        return f"{SYSTEM_CONF} is not there"
    return ""


pytestmark = [pytest.mark.loop_alone, pytest.mark.skipif(bool(why_not()), reason=why_not())]


def bus_configuration(socket):
    """The system bus's own default policy, then ours."""
    policies = ElementTree.parse(SYSTEM_CONF).iter("policy")
    default = [ElementTree.tostring(policy, encoding="unicode") for policy in policies]
    return (f"<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>"
            f"{''.join(default)}<include>{POLICY}</include></busconfig>")


def wait_until(what, holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


class Bus:
    def __init__(self, address):
        self.address = address

    def call(self, who, destination, path, interface, member, *arguments):
        """busctl's exit status and what it said."""
        done = subprocess.run([*who, "busctl", f"--address={self.address}", "--timeout=20", "call", destination, path,
                               interface, member, *arguments], capture_output=True, text=True, timeout=60)
        return done.returncode, (done.stdout + done.stderr).strip()

    def ask(self, who, path, interface, member, *arguments):
        return self.call(who, NAME, path, interface, member, *arguments)


def refused(answer):
    """By the bus, before the daemon has heard of it."""
    status, text = answer
    return status != 0 and bool(re.search(r"Access denied|Rejected send message", text))


@pytest.fixture(scope="module")
def bus():
    folder = Path(tempfile.mkdtemp(prefix="cxlmemd-bus-policy-"))
    folder.chmod(0o755)
    socket, log = folder / "bus", open(folder / "log", "w")
    (folder / "bus.conf").write_text(bus_configuration(socket))
    for name in ("config/policy.d", "state", "run"):
        (folder / name).mkdir(parents=True)
    running = []
    try:
        running.append(subprocess.Popen(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile",
                                         "--nosyslog"], stdout=log, stderr=log))
        wait_until("the bus", socket.exists)
        bus = Bus(f"unix:path={socket}")
        running.append(subprocess.Popen([BUILD / "daemon/cxlmemd", "--backend", "emulator", "--bus", bus.address,
                                         "--config", folder / "config", "--state", folder / "state", "--runtime",
                                         folder / "run"], stdout=log, stderr=log))

        def is_up():
            alive = all(process.poll() is None for process in running)
            assert alive, (folder / "log").read_text()
            answer = bus.call([], "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner", "s", NAME)
            return answer == (0, "b true")
        wait_until("the daemon", is_up)
        yield bus
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.close()
        shutil.rmtree(folder)


def methods():
    """(interface, method, signature, arguments) of every method in the introspection XML."""
    for file in sorted((SOURCE / "dbus/interfaces").glob("*.xml")):
        for interface in ElementTree.parse(file).iter("interface"):
            for method in interface.iter("method"):
                types = [arg.get("type") for arg in method.iter("arg") if arg.get("direction", "in") == "in"]
                yield (interface.get("name"), method.get("name"), "".join(types), [ARGUMENTS[kind] for kind in types])


def rights():
    """{(interface, method): right} of the daemon's own table."""
    text = (SOURCE / "dbus/authorize.cpp").read_text()
    return {(interface, method): right for interface, method, right
            in re.findall(r'\{"(org\.cxlmemd1\.\w+)",\s*"(\w+)",\s*Right::(\w+)\}', text)}


METHODS = list(methods())


def test_the_daemons_table_lists_every_method_of_the_interfaces():
    assert set(rights()) == {(interface, method) for interface, method, _, _ in METHODS}


@pytest.mark.parametrize("interface,method,signature,arguments", METHODS,
                         ids=[f"{interface.rpartition('.')[2]}.{method}" for interface, method, _, _ in METHODS])
def test_nobody_gets_through_to_every_method_and_the_daemon_refuses_what_changes(bus, interface, method, signature,
                                                                                arguments):
    path = PATHS[interface.rpartition(".")[2]]
    answer = bus.ask(NOBODY, path, interface, method, signature, *arguments)
    assert not refused(answer), answer
    changes = rights()[interface, method] != "read"
    asks = changes or method == "Record"  # by its options
    if asks and method != "Cancel":  # there is no job
        assert "uid 65534 is not authorised for org.cxlmemd1." in answer[1], answer
    # The same for root never ends at the bus, whatever the daemon makes of it.
    if not changes or method in ("Reload", "Hold", "Release", "Inject"):
        assert not refused(bus.ask([], path, interface, method, signature, *arguments))


def polkit_actions():
    root = ElementTree.parse(SOURCE / "units/org.cxlmemd1.policy").getroot()
    return {action.get("id"): action for action in root.iter("action")}


def test_every_right_that_changes_has_a_polkit_action_and_no_other_has():
    changing = {right for right in rights().values() if right != "read"}
    header = (SOURCE / "dbus/authorize.h").read_text()
    declared = re.findall(r"^    (\w+),", header[header.index("enum class Right"):header.index("struct MethodRight")],
                          re.MULTILINE)
    assert changing <= set(declared)
    wanted = {"org.cxlmemd1." + right.replace("_", "-") for right in declared if right != "read"}
    assert set(polkit_actions()) == wanted


def test_polkit_actions_want_an_administrator():
    for action in polkit_actions().values():
        allowed = {child.tag: child.text for child in action.find("defaults")}
        assert allowed == {"allow_any": "auth_admin", "allow_inactive": "auth_admin", "allow_active": "auth_admin_keep"}
        assert action.findtext("description") and action.findtext("message")
        # A message may use only the details that the daemon gives.
        assert set(re.findall(r"\$\((\w+)\)", action.findtext("message"))) <= {"device", "operation"}


# These read, and what they answer depends on who asks.
DEPENDS_ON_THE_CALLER = {"CheckPolicy", "EffectivePolicy", "Plan", "Explain", "Record"}


def test_methods_that_ask_who_the_caller_is_answer_later():
    """Whoever may be asked about must not block the loop: those methods have the annotation, no other needs it."""
    for file in sorted((SOURCE / "dbus/interfaces").glob("*.xml")):
        for interface in ElementTree.parse(file).iter("interface"):
            for method in interface.iter("method"):
                notes = {note.get("name"): note.get("value") for note in method.iter("annotation")}
                later = notes.get("org.freedesktop.DBus.Method.Async") == "server"
                changes = rights()[interface.get("name"), method.get("name")] != "read"
                assert later == (changes or method.get("name") in DEPENDS_ON_THE_CALLER), method.get("name")


@pytest.mark.parametrize("path,interface,method,arguments", [
    (ROOT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", []),
    (ROOT_PATH, "org.freedesktop.DBus.Introspectable", "Introspect", []),
    (ROOT_PATH, "org.freedesktop.DBus.Peer", "Ping", []),
    (ROOT_PATH, "org.freedesktop.DBus.Properties", "GetAll", ["s", f"{NAME}.Manager"]),
    (PATHS["DaxDevice"], "org.freedesktop.DBus.Properties", "Get", ["ss", f"{NAME}.DaxDevice", "Reason"]),
    (ROOT_PATH, f"{NAME}.Manager", "Plan", ["a{sv}", "0"]),
    (ROOT_PATH, f"{NAME}.Manager", "CheckPolicy", ["ssa{sv}", "x.toml", "", "0"]),
    (ROOT_PATH, f"{NAME}.Manager", "Explain", ["oa{sv}", PATHS["DaxDevice"], "0"]),
], ids=lambda value: value.rpartition(".")[2] if isinstance(value, str) else "")
def test_nobody_may_read(bus, path, interface, method, arguments):
    status, text = bus.ask(NOBODY, path, interface, method, *arguments)
    assert status == 0, text


@pytest.mark.parametrize("interface,method,arguments", [
    ("org.freedesktop.DBus.Properties", "Set", ["ssv", f"{NAME}.Manager", "Mode", "s", "observe"]),
    ("org.freedesktop.LogControl1", "Whatever", []),
    (f"{NAME}.Manager", "NotThereYet", []),
], ids=lambda value: value.rpartition(".")[2] if isinstance(value, str) else "")
def test_what_is_not_listed_is_denied(bus, interface, method, arguments):
    assert refused(bus.ask(NOBODY, ROOT_PATH, interface, method, *arguments))


def test_nobody_may_not_own_the_name(bus):
    status, text = bus.call(NOBODY, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                            "RequestName", "su", NAME, "0")
    assert status != 0 and re.search("Access denied|not allowed to own", text), text


def test_root_may_change(bus):
    status, text = bus.ask([], ROOT_PATH, f"{NAME}.Manager", "Reload", "a{sv}", "0")
    assert status == 0, text


LISTENER = """
import sys
from gi.repository import Gio, GLib
flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
bus = Gio.DBusConnection.new_for_address_sync(sys.argv[1], flags, None, None)
loop = GLib.MainLoop()

def heard(_bus, _sender, path, _interface, signal, _parameters):
    print(signal, path, flush=True)
    loop.quit()

bus.signal_subscribe("org.cxlmemd1", None, "InterfacesAdded", None, None, Gio.DBusSignalFlags.NONE, heard)
bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId", None, None, 0, -1, None)
print("listening", flush=True)
GLib.timeout_add_seconds(60, loop.quit)
loop.run()
"""


def test_everybody_hears_the_signals(bus):
    pytest.importorskip("gi", reason="python3-gi is not installed")
    process = subprocess.Popen([*NOBODY, "/usr/bin/python3", "-c", LISTENER, bus.address], stdout=subprocess.PIPE,
                               text=True)
    try:
        assert process.stdout.readline() == "listening\n"
        status, text = bus.ask([], PATHS["Emulator"], f"{NAME}.Emulator", "Inject", "sa{sv}", "add-memdev", "1",
                               "serial", "t", "3")
        assert status == 0, text
        assert process.stdout.readline() == f"InterfacesAdded {ROOT_PATH}\n"
    finally:
        process.kill()
        process.wait()
