# SPDX-License-Identifier: LGPL-2.1-or-later
"""R6 and R7 under stress: objects that come and go as fast as they can, and calls that race with their removal."""

import itertools

from gi.repository import Gio, GLib
from harness import MOVABLE, dax_path, path_of
from places import SANITIZED
from wire import NAME, ROOT, BusError, Client, options

# A round is one call that may meet its device, its successor of the same name, or nothing.
ROUNDS = 5_000 if SANITIZED else 100_000
BURST = 200

# What may come of a call that races with a removal. UnknownObject is what the bus library says of a path at which
# nothing is: NotFound in D-Bus's own words.
NOT_THERE = {f"{NAME}.Error.Gone", f"{NAME}.Error.NotFound", "org.freedesktop.DBus.Error.UnknownObject"}
# Another call of the same burst was first and holds the device, or has drained it.
NOT_NOW = {f"{NAME}.Error.Busy"}


class Burst:
    """Sends calls in one go and sorts their replies; far quicker than one after the other."""

    def __init__(self, client):
        self.client = client
        self.seen = {}  # error name, or "" → how many

    def blob(self, path, interface, member, signature, *arguments):
        message = Gio.DBusMessage.new_method_call(NAME, path, interface, member)
        message.set_body(GLib.Variant(signature, arguments))
        message.set_serial(1)
        return message.to_blob(Gio.DBusCapabilityFlags.NONE)

    def send(self, blobs):
        serials, out = set(), bytearray()
        for blob in blobs:
            self.client.serial += 1
            serials.add(self.client.serial)
            out += blob[:8] + self.client.serial.to_bytes(4, "little") + blob[12:]
        self.client.socket.sendall(out)
        return serials

    def collect(self, serials):
        client = self.client
        client.wait(lambda: serials <= client.replies.keys(), "every call's reply")
        for serial in serials:
            name = client.replies.pop(serial).raw.get_error_name() or ""
            self.seen[name] = self.seen.get(name, 0) + 1


def is_there(daemon, path):
    try:
        return daemon.get_all(path, "DaxDevice")
    except BusError:
        return None


def test_R7_calls_that_race_with_removal_find_the_device_or_say_that_it_is_gone(make_daemon, record_property):
    daemon = make_daemon(policy="")
    client = Client(daemon.bus.address)
    burst = Burst(client)
    path, device = dax_path("dax0.0"), f"{NAME}.DaxDevice"
    emulator = f"{ROOT}/emulator", f"{NAME}.Emulator", "Inject", "(sa{sv})"
    away = burst.blob(*emulator, "remove-region", options(region="region0"))
    back = burst.blob(*emulator, "add-region", options(memdevs="mem0", name="region0"))
    calls = [burst.blob(path, device, "Release", "(a{sv})", {}),
             burst.blob(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", path, {}),
             burst.blob(path, device, "Offline", "(a{sv})", options(hold=False))]
    # No memory comes online: what is pulled with a block online is lost, and that is another story. Mostly cheap
    # calls; each burst has some that start jobs, and the device goes away, or comes back as another one of the same
    # name, in its middle.
    mix = list(itertools.islice(itertools.cycle(calls[:2] * 12 + calls[2:]), BURST))
    rounds = 0
    for change in itertools.cycle([away, back]):
        if rounds >= ROUNDS:
            break
        burst.collect(burst.send(mix[:BURST // 2] + [change] + mix[BURST // 2:]))
        rounds += BURST
        assert daemon.process.poll() is None
        # What was seen of signals is not needed here.
        client.signals.clear()
        daemon.client.signals.clear()
        # Now and then the device is there when the next burst takes it away, however slow the machine.
        if change is back and rounds % (8 * BURST) == 0:
            daemon.insist(lambda: None, lambda: is_there(daemon, path), "the device is back")

    assert set(burst.seen) <= {""} | NOT_THERE | NOT_NOW, burst.seen
    missed = sum(burst.seen.get(name, 0) for name in NOT_THERE)
    assert burst.seen[""] > ROUNDS / 100 and missed > ROUNDS / 1000, f"no race was run: {burst.seen}"
    record_property("calls racing with removal", str(burst.seen))
    daemon.wait_idle()
    assert daemon.manager["State"] == "idle"
    client.close()


def test_R6_a_client_that_reads_what_is_announced_at_once_sees_it_complete(make_daemon, record_property):
    """Regions, their dax devices and nodes come and go in bursts; nothing that can be read is half there."""
    daemon = make_daemon(policy=MOVABLE)
    daemon.wait_dax("dax1.0", InPolicy=True)
    daemon.wait_dax("dax0.0", InPolicy=True)
    interfaces = {name: set(values) for objects in daemon.managed_objects().values()
                  for name, values in objects.items() if name.startswith(NAME)}
    reader = Client(daemon.bus.address)
    reader.match(f"type='signal',sender='{NAME}',member='InterfacesAdded'")
    asked, complete, gone = {}, 0, 0

    def watch(message):
        nonlocal complete, gone
        if message.member == "InterfacesAdded":
            path, announced = message.body
            for name in announced:
                if name.startswith(NAME):
                    assert set(announced[name]) == interfaces.setdefault(name, set(announced[name])), path
                    asked[reader.send(path, "org.freedesktop.DBus.Properties", "GetAll", "(s)", name)] = (path, name)
        elif message.reply_to in asked:
            path, name = asked.pop(message.reply_to)
            del reader.replies[message.reply_to]
            error = message.raw.get_error_name()
            if error:
                assert error in NOT_THERE | {"org.freedesktop.DBus.Error.UnknownInterface"}, error
                gone += 1
                return
            values = message.body[0]
            assert set(values) == interfaces[name], path
            if name.endswith(".DaxDevice"):
                assert values["BlocksTotal"] == 32 and values["Size"] == 4 << 30 and values["Ranges"], values
            complete += 1

    reader.watchers.append(watch)
    # Where it was: told nothing, a region lies beside the memory that those before it have lost, and there is no
    # room for so many.
    start = daemon.get_all(path_of("region", "region1"), "Region")["Resource"]
    wanted = ROUNDS // 50
    until_daemon_settles = 0
    while complete < wanted:
        daemon.inject("replace-dax", dax="dax0.0")
        daemon.inject("remove-region", region="region1")
        daemon.inject("add-region", memdevs="mem1", start=start)
        while reader.pump(0.02):
            pass
        reader.signals.clear()
        daemon.client.signals.clear()
        until_daemon_settles += 1
        assert until_daemon_settles < 10 * wanted, "objects are no longer announced"
    reader.wait(lambda: not asked, "all answers")
    record_property("objects read when announced", f"{complete} complete, {gone} gone by then")
    reader.close()
