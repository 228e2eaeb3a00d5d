#!/usr/bin/python3
"""Prints every change of cxlmemd's tree, by signals alone: one line an object that comes or goes, one a property.

    apt install python3-gi
    ./watch.py                # until Ctrl-C
    ./watch.py --snapshot     # what there is now, then the changes

Reading needs no right. The tree is org.freedesktop.DBus.ObjectManager at /org/cxlmemd1; what came with a signal is
what a later GetManagedObjects would say, so that nothing has to be asked again.
"""

import sys

from gi.repository import Gio, GLib

NAME = "org.cxlmemd1"
ROOT = "/org/cxlmemd1"


def say(*words):
    print(*words, flush=True)


def is_ours(interface):
    return interface.startswith(NAME + ".")


def on_signal(_bus, _sender, path, _interface, signal, arguments):
    if signal == "InterfacesAdded":
        added, interfaces = arguments.unpack()
        say("+", added, *filter(is_ours, interfaces))
    elif signal == "InterfacesRemoved":
        removed, interfaces = arguments.unpack()
        say("-", removed, *filter(is_ours, interfaces))
    elif signal == "PropertiesChanged":
        interface, changed, _invalidated = arguments.unpack()
        for key, value in changed.items() if is_ours(interface) else ():
            say("~", path, f"{key} = {value!r}")
    elif signal in ("JobNew", "JobRemoved"):
        say("*", signal, *arguments.unpack()[1:])


def show_all(bus):
    reply = bus.call_sync(NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", None,
                          GLib.VariantType("(a{oa{sa{sv}}})"), Gio.DBusCallFlags.NO_AUTO_START, -1, None)
    for path, interfaces in sorted(reply.unpack()[0].items()):
        say("=", path, *filter(is_ours, interfaces))


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    # Everything the daemon sends, from the root and from below it. No name is needed: it may come later.
    for path, flags in ((ROOT, Gio.DBusSignalFlags.NONE), (None, Gio.DBusSignalFlags.NONE)):
        interface = None if path else "org.freedesktop.DBus.Properties"
        bus.signal_subscribe(NAME, interface, None, path, None, flags,
                             lambda *what, root=path: on_signal(*what) if root or what[2] != ROOT else None)
    Gio.bus_watch_name_on_connection(bus, NAME, Gio.BusNameWatcherFlags.NONE,
                                     lambda *_: say("! cxlmemd is there"), lambda *_: say("! cxlmemd has gone"))
    if "--snapshot" in sys.argv[1:]:
        show_all(bus)
    try:
        GLib.MainLoop().run()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
