# SPDX-License-Identifier: LGPL-2.1-or-later
"""An administrator's machine: the service enabled, policy files in place, access coordinates from the firmware, two
cards whose names nobody knows beforehand. In the order of the file: a later test finds what an earlier one made."""

import re
import time

import pytest

from conftest import SOURCE
from guest import Card
from service import MANAGE, POLICY, SETTINGS, UNIT, path_of, poll, rule

# Card 1 is the application's, card 2 the kernel's; whatever else appears is half in reserve.
POLICY_TEXT = (rule("application", "memdev_serial = 1", 'zone = "movable"') +
               rule("absent", "memdev_serial = 0x99", 'zone = "movable"') +
               rule("kernel", 'memdev_serial = "0x2"', 'zone = "kernel"') +
               rule("rest", 'kind = "cxl-ram"', 'zone = "movable"\namount = "50%"'))


@pytest.fixture(scope="module")
def guest(boot):
    # The cards lie in the slots the other way round than their serials.
    guest = boot(enabled=True, hmat=True, cards=[Card(2, "1G"), Card(1, "1G")],
                 files=[(POLICY_TEXT.encode(), POLICY, 0o644), (MANAGE.encode(), SETTINGS, 0o644)])
    guest.load_modules()
    return guest


@pytest.fixture
def service(guest):
    return guest.service


def coordinates(guest, node):
    """What /sys says of the way from the processors to a node's memory, by the names of D-Bus; 0 if it says nothing."""
    out = {}
    for kernel, ours in (("read_latency", "ReadLatency"), ("write_latency", "WriteLatency"),
                         ("read_bandwidth", "ReadBandwidth"), ("write_bandwidth", "WriteBandwidth")):
        found = guest.run(f"cat /sys/devices/system/node/node{node}/access0/initiators/{kernel}", check=False)
        out[ours] = int(found.stdout or 0)
    return out


def told(properties, like):
    return {key: properties[key] for key in like}


def test_an_enabled_service_is_active_at_boot(guest, service, figures):
    assert guest.system_state == "running", guest.run("systemctl --failed").stdout
    assert service.show("ActiveState", "SubState", "UnitFileState", "Result") == (
        "active", "running", "enabled", "success")
    assert guest.auto_online() == "offline"
    assert service.manager()["PolicyFiles"] == [POLICY, "/usr/lib/cxlmemd/policy.d/90-watch.toml"]
    started, ready = (int(value) / 1e6 for value in
                      service.show("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"))
    figures["kernel's start to READY; of that the daemon's own start"] = f"{ready:.2f} s; {ready - started:.3f} s"
    assert ready - started < 10


def test_memory_waits_before_the_drivers_of_cxl_are_loaded(guest, service):
    """auto_online = "manage", from the file of the administrator: seen to before anything can add memory."""
    early, modules = (guest.run(f"systemctl show -P {what} {unit}").stdout.strip() for what, unit in (
        ("ExecMainExitTimestampMonotonic", "cxlmemd-early"), ("ExecMainStartTimestampMonotonic", "systemd-modules-load")))
    assert guest.run("systemctl show -P Result cxlmemd-early").stdout.strip() == "success"
    assert 0 < int(early) < int(modules)
    assert "auto_online_blocks was online and is offline now" in guest.run("journalctl -b -u cxlmemd-early").stdout
    assert guest.run("cat /run/cxlmemd/auto_online_blocks").stdout.strip() == "online"  # to be put back at stop


def test_the_boot_does_not_wait_for_it(guest, service, figures):
    chain = guest.run("systemd-analyze critical-chain --no-pager multi-user.target").stdout
    assert "cxlmemd.service" not in chain, chain
    began, reached = (int(guest.run(f"systemctl show -P {what} {unit}").stdout) / 1e6 for what, unit in (
        ("ExecMainStartTimestampMonotonic", "cxlmemd"), ("ActiveEnterTimestampMonotonic", "multi-user.target")))
    figures["multi-user.target; the daemon's start before it"] = f"{reached:.2f} s; {reached - began:.3f} s"
    # Its early part, which sysinit.target does wait for: the processor's time for all of it.
    spent = int(guest.run("systemctl show -P CPUUsageNSec cxlmemd-early").stdout)
    figures["processor time of cxlmemd-early, emulated processor"] = f"{spent / 1e6:.0f} ms"


def test_both_cards_are_on_the_bus_under_their_names_of_this_boot(guest, service):
    found = guest.memdevs()
    memdevs = poll("both memdevs", lambda: len(seen := service.objects("memdev")) == 2 and seen, 30)
    assert {properties["Serial"]: name for name, properties in memdevs.items()} == found
    assert all(properties["RamSize"] == 1 << 30 for properties in memdevs.values())


def test_R3_coordinates_appear_with_the_first_block_of_a_node(guest, service):
    region = guest.create_region(serials=[1, 2], size="512M", driver=None)
    dax = poll("the dax device", lambda: guest.dax_of_region(region), 60)
    service.settled(dax, Movable=2, offline=2)  # "application" and "kernel" name one memdev each: "rest" has it
    assert service.dax(dax)["Rule"] == "rest"
    node = guest.dax_devices()[dax]["target_node"]

    truth = coordinates(guest, node)
    assert all(truth.values()), truth  # the firmware's tables have reached the kernel
    poll("the coordinates on the node", lambda: told(service.objects("node")[f"node{node}"], truth) == truth, 30)
    poll("the coordinates on the region", lambda: told(service.objects("region")[region], truth) == truth, 30)
    tier = guest.run(f"grep -lx '.*{node}' /sys/devices/virtual/memory_tiering/memory_tier*/nodelist").stdout
    assert service.objects("node")[f"node{node}"]["Tier"] == int(re.search(r"memory_tier(\d+)/", tier)[1])
    guest.remove_region(region)
    poll("the region to leave the bus", lambda: region not in service.objects("region"), 30)


def test_rules_by_serial_pick_their_card_whatever_its_name(guest, service):
    movable, kernel = (guest.dax_of_region(guest.create_region(serials=[serial])) for serial in (1, 2))
    service.settled(movable, Movable=8)
    service.settled(kernel, Normal=8)
    devices = service.objects("dax")
    assert (devices[movable]["Rule"], devices[kernel]["Rule"]) == ("application", "kernel")
    regions = service.objects("region")
    for serial, dax in ((1, movable), (2, kernel)):
        region = guest.dax_devices()[dax]["region"]
        assert regions[region]["Memdevs"] == [path_of("memdev", guest.memdevs()[serial])]
    explained = guest.run(f"cxlmemctl explain {kernel}").stdout
    assert f"kernel ({POLICY}:" in explained
    reply = service.call("/org/cxlmemd1", "Manager", "Explain", "oa{sv}", path_of("dax", kernel), 0)[0]
    assert [(rule, key) for rule, _, _, key, _, _ in reply["rejected"]] == [("application", "memdev_serial"),
                                                                            ("absent", "memdev_serial")]


def test_a_card_that_no_serial_names_falls_to_the_last_rule(guest, service):
    guest.add_card(serial=0x33, size="512M")
    dax = guest.dax_of_region(guest.create_region(serials=[0x33]))
    service.settled(dax, Movable=2, offline=2)
    assert service.dax(dax)["Rule"] == "rest"


def test_a_block_that_somebody_else_changes_is_noticed_while_udev_is_busy(guest, service):
    dax = next(name for name, device in service.objects("dax").items() if device["Rule"] == "application")
    block = max(guest.blocks_of_dax(dax))
    state = f"/sys/devices/system/memory/memory{block}/state"

    def online():
        return service.dax(dax)["BlocksOnline"]

    guest.run("udevadm settle && udevadm control --stop-exec-queue")
    try:
        guest.write(state, "offline")
        poll("the block to be missed", lambda: online() == 7, 20)
        guest.write(state, "online_movable")
        poll("the block to be back", lambda: online() == 8, 20)
    finally:
        guest.run("udevadm control --start-exec-queue")


def test_an_event_that_the_kernel_had_no_room_for_is_made_up_for(guest, service):
    dax = next(name for name, device in service.objects("dax").items() if device["Rule"] == "application")
    folder = f"/sys/devices/system/memory/memory{max(guest.blocks_of_dax(dax))}"
    # Made-up events fill the socket of a daemon that does not read; the one that is true comes last.
    guest.run(f"kill -STOP {service.pid()}; for i in $(seq 3000); do echo online > {folder}/uevent; done; "
              f"echo offline > {folder}/state; kill -CONT {service.pid()}")
    poll("the block to be missed", lambda: service.dax(dax)["BlocksOnline"] == 7, 20)
    guest.write(f"{folder}/state", "online_movable")
    poll("the block to be back", lambda: service.dax(dax)["BlocksOnline"] == 8, 20)


# ---- the sandbox, after real work

def test_the_sandbox_has_no_capability_and_was_never_in_the_way(guest, service, figures):
    status = guest.read(f"/proc/{service.pid()}/status")
    sets = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("Cap", "NoNewPrivs", "Seccomp:")))
    assert {name: int(sets[name], 16) for name in sets if name.startswith("Cap")} == {
        "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert sets["NoNewPrivs"] == "1" and sets["Seccomp"] == "2"
    assert service.show("CapabilityBoundingSet", "NoNewPrivileges", "ProtectSystem") == ("", "yes", "strict")

    # A node that is drained may be short of memory: the one that drains it must not be the victim.
    assert int(guest.read(f"/proc/{service.pid()}/oom_score_adj")) <= -500

    journal = service.journal()
    assert not re.search(r"(?i)denied|not permitted|read-only file system|EPERM|EACCES|EROFS", journal), journal
    assert not re.search(r"audit.*cxlmemd|cxlmemd.*SIGSYS", guest.dmesg())
    figures["resident memory after this boot's work"] = f"{service.memory() >> 10} KiB"
    assert service.memory() < 11 << 20


def test_its_exposure_is_1_2_or_less(guest, figures):
    # One table, and a line with the sum: "→ Overall exposure level for cxlmemd.service: 1.4 OK".
    said = guest.run(f"systemd-analyze security --no-pager {UNIT}").stdout
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])
    figures["systemd-analyze security, in the guest"] = exposure
    assert exposure <= 1.2, said


def test_memory_comes_before_the_rules_of_udev(guest):
    """Where processors are short, by the weight that the unit asks for."""
    assert guest.read(f"/sys/fs/cgroup/system.slice/{UNIT}/cpu.weight").strip() == "1000"


def test_the_watchdog_is_fed_if_there_is_one(guest, service):
    assert service.show("Result", "NRestarts") == ("success", "0")


# ---- memory as a unit: the example of the documentation, with another program in it

@pytest.fixture(scope="module")
def database(guest):
    example = (SOURCE / "docs/examples/units/database.service").read_text().replace("@db.", "@application.")
    # It keeps how much was online when it was started, and whether it was before it had ended.
    program = ("/bin/sh -c 'cxlmemctl status > /run/seen; exec sleep infinity'\n"
               "ExecStopPost=-/bin/sh -c 'systemctl is-active cxlmemd-wait@application > /run/stopped'")
    guest.put(re.sub("ExecStart=.*", f"ExecStart={program}", example).encode(), "/run/systemd/system/database.service")
    guest.run("systemctl daemon-reload")
    yield lambda: guest.run("systemctl show -P ActiveState database").stdout.strip()
    guest.run("systemctl stop database cxlmemd-online@application.target", 60)


def test_what_requires_the_memory_of_a_rule_starts_with_it(guest, service, database, figures):
    began = time.monotonic()
    guest.run("systemctl start database", 60)
    figures["systemctl start of a unit whose memory is online"] = f"{time.monotonic() - began:.2f} s"
    assert database() == "active"
    for unit in ("cxlmemd-online@application.target", "cxlmemd-wait@application.service"):
        assert guest.run(f"systemctl is-active {unit}").stdout.strip() == "active"
    assert "rule application: 1 GiB online" in guest.run("systemctl status cxlmemd-wait@application").stdout


def test_it_outlives_a_restart_of_the_daemon(guest, service, database):
    before = guest.run("systemctl show -P MainPID database cxlmemd-wait@application").stdout
    service.restart()
    service.idle()
    assert guest.run("systemctl show -P MainPID database cxlmemd-wait@application").stdout == before
    assert database() == "active"


def test_it_is_stopped_by_a_drain_and_starts_when_the_memory_is_back(guest, service, database):
    dax = next(name for name, device in service.objects("dax").items() if device["Rule"] == "application")
    guest.run(f"cxlmemctl offline {dax}", 120)
    poll("the database to be stopped", lambda: database() == "inactive", 30)
    assert "takes" in (log := guest.run("journalctl -b -o cat -u cxlmemd-wait@application").stdout) and "away" in log
    assert guest.run("systemctl show -P Result database cxlmemd-wait@application").stdout.split() == ["success"] * 2

    starting = guest.spawn("systemctl start database")
    poll("the wait", lambda: guest.run("systemctl show -P ActiveState cxlmemd-wait@application"
                                       ).stdout.strip() == "activating", 30)
    waits_for = poll("its reason", lambda: guest.run("systemctl show -P StatusText cxlmemd-wait@application"
                                                     ).stdout.strip(), 30)
    assert f"cxlmemctl release {dax}" in waits_for and database() == "inactive"
    guest.run(f"cxlmemctl release {dax}")
    assert starting.wait(60).rc == 0
    assert database() == "active"
    assert re.search(rf"{dax} .* 8/8 ", guest.run("cat /run/seen").stdout)  # not before all of it was there


def test_stopping_the_target_stops_it_before_anything_is_drained(guest, service, database):
    guest.run("systemctl stop cxlmemd-online@application.target", 60)
    assert database() == "inactive"
    assert guest.run("systemctl is-active cxlmemd-wait@application", check=False).stdout.strip() == "inactive"
    assert guest.run("cat /run/stopped").stdout.strip() == "active"  # the memory's unit went after it


def test_a_rule_without_memory_is_met_or_not_as_the_unit_says(guest, service, database):
    folder = "/run/systemd/system/cxlmemd-wait@absent.service.d"
    for words, rc in (("--timeout=2s", 1), ("--if-none=met --settle=1s", 0)):
        guest.put(f"[Service]\nEnvironment=\"CXLMEMD_WAIT={words}\"\n".encode(), f"{folder}/test.conf")
        guest.run("systemctl daemon-reload; systemctl reset-failed")
        done = guest.run("systemctl start cxlmemd-online@absent.target", 60, check=False)
        assert done.rc == rc, guest.run("journalctl -b -o cat -u cxlmemd-wait@absent").stdout
    assert "no dax device is decided by rule absent" in guest.run("journalctl -b -o cat -u cxlmemd-wait@absent").stdout
    guest.run("systemctl stop cxlmemd-online@absent.target")


METRICS = "/var/lib/prometheus/node-exporter/cxlmemd.prom"


def test_the_timer_writes_metrics_into_a_folder_that_is_not_roots(guest, service):
    guest.run(f"install -d -o nobody -m 755 {METRICS.rpartition('/')[0]} && systemctl start cxlmemd-metrics.timer")
    text = poll("the metrics", lambda: guest.run(f"cat {METRICS}", check=False).stdout, 60)
    assert "\ncxlmemd_up 1" in text and text.endswith("# EOF\n")
    assert f"cxlmemd_node_memory_bytes{{node=\"node{guest.dax_devices()['dax0.0']['target_node']}\"" in text
    guest.run("systemctl stop cxlmemd-metrics.timer")
    assert guest.run("systemctl show -P Result cxlmemd-metrics.service").stdout.strip() == "success"


def test_a_file_edited_waits_for_the_reload(guest, service):
    movable = next(name for name, device in service.objects("dax").items() if device["Rule"] == "application")
    service.policy(POLICY_TEXT.replace('zone = "movable"\n', 'zone = "movable"\namount = "25%"\n', 1))
    service.idle()
    service.settled(movable, Movable=8)
    service.reload()
    service.settled(movable, Movable=2, offline=6)


def test_stopping_it_leaves_every_block(guest, service):
    before = {dax: guest.blocks_of_dax(dax) for dax in guest.dax_devices()}
    service.stop()
    assert {dax: guest.blocks_of_dax(dax) for dax in guest.dax_devices()} == before
    assert guest.auto_online() == "online"
    guest.run("systemctl start cxlmemd-metrics.service")
    assert "\ncxlmemd_up 0" in guest.run(f"cat {METRICS}").stdout


def test_at_rest_nothing_wakes_it_but_the_watchdog(guest, service):
    """Every wake-up of a thread is a voluntary switch when it goes back to sleep. WatchdogSec is the unit's, and off
    here."""
    guest.put(b"[Service]\nWatchdogSec=0\n", f"/run/systemd/system/{UNIT}.d/no-watchdog.conf")
    guest.run(f"systemctl daemon-reload && systemctl restart {UNIT} && udevadm settle", 120)
    service.idle()
    time.sleep(12)  # what has ended can be read for ten seconds
    counted = f"cat /proc/{service.pid()}/task/*/status | grep ^voluntary"
    before = guest.run(counted).stdout
    assert before.count("voluntary") == 3  # the loop, the worker, and who writes the flight recorder
    time.sleep(60)
    assert guest.run(counted).stdout == before
