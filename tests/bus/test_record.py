# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl record: a second daemon on the record shows what the first one shows, object by object."""

import json
import shutil
import subprocess

import pytest
from conftest import new_folder
from harness import BLOCK, ONLY_WATCH, PrivateBus, dax_path, path_of
from places import CTL, LIMIT, MACHINES
from wire import NAME, ROOT, BusError, options

pytestmark = pytest.mark.loop_alone

# Everything that a daemon can say of a device is compared, so there is a rule about each.
POLICY = """
[[rule]]
name = "cards"
match = { kind = ["cxl-ram", "cxl-pmem"] }
memory = { mode = "system-ram", zone = "movable", amount = "50%" }
[[rule]]
name = "others"
memory = { mode = "system-ram", zone = "auto" }
"""

READY = sorted(file.stem for file in MACHINES.glob("*.toml"))

# What differs by nature, and why. Nothing else may.
BY_NATURE = {("Manager", "Mode"): "the replay only observes"}
ITS_OWN = {("Manager", "Statistics")}  # of each process


def tree(daemon):
    objects = {path: {interface: dict(values) for interface, values in interfaces.items() if interface.startswith(NAME)}
               for path, interfaces in daemon.managed_objects().items() if "/job/" not in path}
    objects[ROOT] = {f"{NAME}.Manager": daemon.get_all(ROOT, "Manager")}
    return objects


def unlike(daemon, copy, by_nature=()):
    """(path, interface, property, here, there) of all that differs."""
    a, b = tree(daemon), tree(copy)
    out = []
    for path in sorted(a.keys() | b.keys()):
        for interface in sorted(a.get(path, {}).keys() | b.get(path, {}).keys()):
            left, right = a.get(path, {}).get(interface, {}), b.get(path, {}).get(interface, {})
            out += [(path, interface, name, left.get(name), right.get(name)) for name in sorted(left.keys() | right.keys())
                    if left.get(name) != right.get(name)
                    and (interface.rsplit(".", 1)[1], name) not in {*by_nature, *ITS_OWN}]
    return out


def record(daemon, *arguments):
    done = subprocess.run([str(CTL), "--bus", daemon.bus.address, "record", *arguments], timeout=LIMIT,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def second_bus():
    path = new_folder()
    bus = PrivateBus(path)
    yield bus
    bus.stop()
    shutil.rmtree(path)


@pytest.fixture
def replay(make_daemon, second_bus, folder):
    """A second daemon, with the first one's policy, on a record of its machine; it only observes."""

    def start(daemon, text):
        file = folder / "recorded.toml"
        file.write_text(text)
        state = folder / "state-of-replay"
        if daemon.state.exists():
            shutil.copytree(daemon.state, state, dirs_exist_ok=True)
        return make_daemon(bus=second_bus, machine=file, policy=None, arguments=["--observe"], state=state,
                           runtime=folder / "run-of-replay")

    return start


def system_ram(daemon):
    devices = [interfaces.get(f"{NAME}.DaxDevice") for interfaces in daemon.objects.values()]
    return sorted(device["Name"] for device in devices if device and device["Mode"] == "system-ram")


def watching(make_daemon, machine, policy=POLICY):
    return make_daemon(machine=machine, policy=policy, arguments=["--observe"])


@pytest.mark.parametrize("machine", READY)
def test_a_ready_machine_is_the_same_in_its_record(make_daemon, replay, machine):
    daemon = watching(make_daemon, machine)
    text = record(daemon)
    assert "otherwise" not in text
    copy = replay(daemon, text)
    assert unlike(daemon, copy) == []
    assert record(copy) == text


@pytest.mark.parametrize("machine", READY)
def test_a_ready_machine_is_the_same_after_blocks_went_on_and_off(make_daemon, replay, machine):
    daemon = watching(make_daemon, machine)
    refused = []
    for name in system_ram(daemon):
        for nth, event, more in ((0, "offline-block", {}), (1, "offline-block", {}),
                                 (0, "online-block", {"zone": "movable"}), (2, "online-block", {"zone": "kernel"}),
                                 (3, "online-block", {"zone": "movable"})):
            try:
                daemon.inject(event, dax=name, nth=nth, **more)
            except BusError as error:
                refused.append(error.message)
    daemon.look_again()
    assert all("already" in message or "unmovable page" in message for message in refused), refused
    copy = replay(daemon, record(daemon))
    assert unlike(daemon, copy) == []
    assert daemon.plan() == copy.plan()


def test_blocks_are_where_they_were(make_daemon, replay):
    """Kernel zone, movable zone, partial, and memory that is lost until reboot."""
    daemon = watching(make_daemon, "two-card-server")
    daemon.inject("online-block", dax="dax0.0", count=3, zone="kernel")
    daemon.inject("online-block", dax="dax0.0", nth=10, count=5, zone="movable")
    daemon.inject("online-block", dax="dax1.0", nth=31, zone="movable")
    daemon.inject("unbind-dax", dax="dax1.0")
    daemon.inject("set-interleave-weight", node=1, weight=7)
    daemon.inject("set-demotion", enabled=True)
    daemon.look_again()
    daemon.wait_dax("dax0.0", BlocksOnline=8, BlocksMovable=5, Zone="mixed")
    daemon.wait_dax("dax1.0", RebootRequired=True)
    copy = replay(daemon, record(daemon))
    assert unlike(daemon, copy) == []
    assert copy.dax("dax0.0")["BytesOnline"] == 8 * BLOCK
    assert copy.dax("dax1.0")["RebootRequired"]
    assert daemon.plan() == copy.plan()
    assert daemon.explain("dax0.0") == copy.explain("dax0.0")


def test_cards_that_came_and_went(make_daemon, replay):
    daemon = watching(make_daemon, "two-card-server")
    daemon.inject("add-memdev", serial=0xFFFFFFFFFFFFFFF0, ram_size="2GiB", pmem_size="1GiB", firmware='2.0"\\ \n[\u202e')
    daemon.inject("add-region", memdevs="mem2", kind="cxl-pmem", size="1GiB", start="64TiB")
    daemon.inject("add-region", memdevs="mem2", size="1GiB")
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait(lambda: daemon.properties(path_of("region", "region3"), "Region"), "both regions are there")
    daemon.wait_gone(path_of("memdev", "mem0"))
    daemon.wait_gone(dax_path("dax0.0"))
    copy = replay(daemon, record(daemon))
    assert unlike(daemon, copy) == []
    region = copy.properties(path_of("region", "region0"), "Region")
    assert (region["InterleaveWays"], region["Memdevs"]) == (1, [])


def test_what_policy_and_an_administrator_did_is_in_it(make_daemon, replay):
    daemon = make_daemon(policy=POLICY)
    daemon.wait_dax("dax0.0", BlocksOnline=16, InPolicy=True)
    daemon.wait_dax("dax1.0", BlocksOnline=16, InPolicy=True)
    assert daemon.result(daemon.online("dax1.0", "movable")) == "done"
    daemon.wait_dax("dax1.0", BlocksOnline=32, Held=True)
    daemon.wait_idle()
    copy = replay(daemon, record(daemon))
    assert unlike(daemon, copy, BY_NATURE) == []
    assert copy.manager["Mode"] == "observe"
    assert copy.dax("dax1.0")["Held"], "holds are no part of a record; the state folder was copied"


def test_serials_and_addresses_can_be_made_up(make_daemon, replay):
    daemon = watching(make_daemon, "sixteen-tib-pool")
    text = record(daemon, "--anonymise")
    assert "# Serial numbers and physical addresses are made up." in text and "0x1001" not in text
    copy = replay(daemon, text)
    unlike_now = unlike(daemon, copy)
    assert {what[2] for what in unlike_now} == {"Serial", "Resource", "Ranges"}
    assert len([what for what in unlike_now if what[2] == "Serial"]) == 8
    for path, interface, name, here, there in unlike_now:
        if name == "Ranges":
            assert [length for _, length in here] == [length for _, length in there], path
    assert copy.properties(path_of("memdev", "mem3"), "Memdev")["Serial"] == 4
    assert record(daemon, "--anonymise") == text


def test_the_head_says_where_it_comes_from(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    first = record(daemon).splitlines()[0]
    assert first == f"# CXL memory of a machine, recorded by cxlmemd {daemon.manager['Version']}, emulator backend."


def test_json(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    assert json.loads(record(daemon, "--json")) == {"topology": record(daemon)}


def test_options_are_checked(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    call = daemon.manager_call
    assert "anonymise" in daemon.fails("InvalidArgument", call, "Record", "(a{sv})", options(flavour=True))
    assert "must be 'b'" in daemon.fails("InvalidArgument", call, "Record", "(a{sv})", options(anonymise="yes"))


def test_what_the_machine_is_now_cannot_be_said_while_it_cannot_be_read(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="scan", errno="EIO", count=0)
    daemon.nudge()
    daemon.wait(lambda: any(kind == "unreadable" for kind, _ in daemon.manager["Conflicts"]), "it is unreadable")
    assert "EIO" in daemon.fails("Failed", daemon.manager_call, "Record")
    daemon.inject("clear-faults")
    daemon.nudge()
    daemon.wait(lambda: not daemon.manager["Conflicts"], "it can be read again")
    assert record(daemon)
