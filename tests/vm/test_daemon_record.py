# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl record on a real kernel: a second daemon, on the emulator with the record, shows the same objects."""

import json

import pytest

from guest import Card
from service import BUS, MANAGE, ROOT, plain, poll, rule

REPLAY = "/run/replay"
ADDRESS = f"unix:path={REPLAY}/bus"

BUS_CONFIG = f"""<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>{ADDRESS}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/></policy></busconfig>
"""

# What differs by nature, and why. Nothing else may.
BY_NATURE = {("Manager", "Backend"): "the replay runs on the emulator",
             ("Manager", "Mode"): "the replay only observes",
             ("Manager", "Statistics"): "each process counts for itself"}


def tree(guest, address=None):
    """(path, property) → value, of everything but jobs."""
    to = f"--address={address}" if address else "--system"

    def ask(*words):
        return plain(json.loads(guest.run(f"busctl {to} --json=short call {BUS} {' '.join(words)}").stdout))[0]

    objects = ask(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    objects[ROOT] = {f"{BUS}.Manager": ask(ROOT, "org.freedesktop.DBus.Properties", "GetAll", "s", f"{BUS}.Manager")}
    return {(path, name): value
            for path, interfaces in objects.items() if "/job/" not in path
            for interface, values in interfaces.items() if interface.startswith(BUS)
            for name, value in values.items() if (interface.rsplit(".", 1)[1], name) not in BY_NATURE}


def replay(guest, text):
    """Starts a bus and a daemon on the record, with the policy and the holds of the real one; answers its tree."""
    guest.put(text.encode(), f"{REPLAY}/machine.toml")
    guest.put(BUS_CONFIG.encode(), f"{REPLAY}/bus.conf")
    guest.run(f"mkdir -p {REPLAY}/run && cp -a /var/lib/cxlmemd {REPLAY}/state")
    jobs = [guest.spawn(f"exec dbus-daemon --config-file={REPLAY}/bus.conf --nofork")]
    try:
        poll("the bus", lambda: guest.run(f"test -S {REPLAY}/bus", check=False).rc == 0, 60)
        jobs.insert(0, guest.spawn(f"exec cxlmemd --backend emulator:{REPLAY}/machine.toml --observe --bus {ADDRESS} "
                                   f"--state {REPLAY}/state --runtime {REPLAY}/run"))

        def has_its_name():
            assert jobs[0].running(), jobs[0].wait(check=False).stderr
            return guest.run(f"busctl --address={ADDRESS} status {BUS}", check=False).rc == 0

        poll("the replay to have its name", has_its_name, 60)
        return tree(guest, ADDRESS)
    finally:
        for job in jobs:
            job.kill()
            job.wait(30, check=False)
        guest.run(f"rm -rf {REPLAY}")


def record(guest, *options):
    return guest.run(f"cxlmemctl record {' '.join(options)}").stdout


def unlike(one, other):
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def remarks(text):
    """What the record says that the emulator shows otherwise."""
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if "shows this otherwise" in line), len(lines))
    return [line for line in lines[at + 1:] if line.startswith("# ")]


def assert_replays(guest):
    text = record(guest)
    assert remarks(text) == []
    assert unlike(tree(guest), replay(guest, text)) == {}
    return text


@pytest.fixture(scope="module", params=[False, True], ids=["no_hmat", "hmat"])
def machine(boot, request):
    """Memory in the kernel zone, all of a device movable, and half of one."""
    guest = boot(cards=[Card(0xC001), Card(0xC002), Card(0xC003, kind="pmem")], hmat=request.param,
                 append="cgroup_disable=memory")
    guest.load_modules()
    guest.set_auto_online("offline")
    kernel = guest.dax_of_region(guest.create_region(serials=[0xC001]))
    movable, guest.partial = (guest.dax_of_region(guest.create_region(serials=[0xC002], size="512M")) for _ in range(2))
    service = guest.service
    service.start("".join((rule("kernel", f'dax = "{kernel}"', 'zone = "kernel"'),
                           rule("movable", f'dax = "{movable}"', 'zone = "movable"'),
                           rule("half", f'dax = "{guest.partial}"', 'zone = "movable"\namount = "50%"'))), MANAGE)
    service.settled(kernel, Normal=8)
    service.settled(movable, Movable=4)
    service.settled(guest.partial, Movable=2, offline=2)
    service.idle()
    return guest


def test_the_replay_shows_every_object_as_the_kernel_made_it(machine):
    text = assert_replays(machine)
    release = machine.run("uname -r").stdout.strip()
    version = machine.service.manager()["Version"]
    assert text.startswith(f"# CXL memory of a machine, recorded by cxlmemd {version}, linux backend on Linux {release}.\n")


def test_made_up_serials_and_addresses_are_all_that_differs(machine):
    text = record(machine, "--anonymise")
    assert "# Serial numbers and physical addresses are made up." in text and "0xc00" not in text
    differing = unlike(tree(machine), replay(machine, text))
    assert {name for _, name in differing} == {"Serial", "Resource", "Ranges"}
    assert sorted(made_up for (_, name), (_, made_up) in differing.items() if name == "Serial") == [1, 2, 3]
    assert record(machine, "--anonymise") == text


def test_memory_that_is_lost_until_reboot(machine):
    """The last test of the module: nothing brings that memory back."""
    machine.unbind_kmem(machine.partial)
    poll("the loss to be told", lambda: machine.service.dax(machine.partial)["RebootRequired"], 60)
    machine.service.idle()
    assert 'mode = "unbound"\nblocks = {' in assert_replays(machine)
