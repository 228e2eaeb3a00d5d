# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator does by hand, on a real kernel: jobs, holds, modes, cards that come and go."""

import json
import re

import pytest

from guest import Card
from service import MANAGE, ROOT, Signals, path_of, poll, rule

GIVES_UP_SOON = '[retry]\ninitial = "200ms"\nmax = "1s"\nattempts = 3\n'
LOST = "cannot be hotremoved until the next reboot"

# Holds references to page-cache pages, as a device that reads from them would: the kernel can neither move nor free
# them. Lets go when somebody writes to the pipe in the file system.
PIN = """
import os
file = os.open("/run/pin/file", os.O_RDWR | os.O_CREAT)
os.write(file, bytes(1 << 20))
ends = os.pipe()
assert os.splice(file, ends[1], 65536, offset_src=0) > 0
open("/run/pin/ready", "w").close()
open("/run/pin/unpin").read()
"""


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")], spare_ports=1)
    guest.load_modules()
    return guest


@pytest.fixture
def guest(machine):
    machine.service.clean()
    yield machine
    machine.service.clean()


@pytest.fixture
def service(guest):
    return guest.service


@pytest.fixture
def dax(guest, service):
    """A device whose blocks policy has put into ZONE_MOVABLE."""
    service.start(rule(drain='timeout = "15s"\nretries = 2'), MANAGE + GIVES_UP_SOON)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    name = guest.dax_of_region(guest.create_region(serials=[1]))
    service.settled(name, Movable=8)
    service.idle()
    return name


@pytest.fixture
def signals(service):
    recorded = Signals(service.guest)
    yield recorded
    recorded.stop()


@pytest.fixture
def pinned(guest, dax):
    """Holds pages of a device's node until called."""
    node = guest.dax_devices()[dax]["target_node"]
    guest.run(f"mkdir -p /run/pin && mount -t tmpfs -o size=4M,mpol=bind:{node} pin /run/pin && mkfifo /run/pin/unpin")
    job = guest.spawn(f"exec python3 -c '{PIN}'")
    guest.run("until [ -e /run/pin/ready ]; do sleep 0.05; done", 60)

    def let_go():
        guest.run("echo > /run/pin/unpin")
        job.wait(30)
        guest.run("umount /run/pin")
    yield let_go
    if job.result is None:
        let_go()


# ---- Online, Offline, Hold, Release

def test_offline_and_online_move_every_block_and_jobs_report_each(guest, service, dax, signals):
    before = guest.blocks_of_dax(dax)
    uevents = guest.record_uevents()

    offline = service.do(dax, "Offline")
    done = service.finished(offline)
    assert (done["Operation"], done["Object"], done["StartedBy"]) == ("offline", path_of("dax", dax), 0)
    assert (done["Result"], done["BlocksDone"], done["BlocksTotal"], done["Progress"]) == ("done", 8, 8, 1.0)
    assert set(guest.blocks_of_dax(dax).values()) == {("offline", None, next(iter(before.values()))[2])}
    service.agrees(dax)

    online = service.do(dax, "Online", '""', 0, signature="sa{sv}")  # the zone that policy names
    done = service.finished(online)
    assert (done["Result"], done["BlocksDone"], done["BlocksTotal"], done["Progress"]) == ("done", 8, 8, 1.0)
    assert guest.blocks_of_dax(dax) == before
    service.agrees(dax)

    uevents.stop()
    assert sorted(uevents.blocks("offline")) == sorted(uevents.blocks("online")) == sorted(before)
    poll("both JobRemoved signals", lambda: len(signals.of("JobRemoved")) == 2, 30)
    assert [(job, path, result) for _, job, path, result in signals.of("JobRemoved")] == [
        (offline, path_of("dax", dax), "done"), (online, path_of("dax", dax), "done")]
    assert [(job, path) for _, job, path in signals.of("JobNew")] == [
        (offline, path_of("dax", dax)), (online, path_of("dax", dax))]


def test_state_is_on_the_bus_before_the_job_has_ended(guest, service, dax, signals):
    job = service.do(dax, "Offline")
    service.done(job)
    poll("JobRemoved", lambda: signals.of("JobRemoved"), 30)
    order = signals.read()
    removed = next(at for at, (member, _, _) in enumerate(order) if member == "JobRemoved")
    states = [at for at, (member, path, arguments) in enumerate(order) if member == "PropertiesChanged"
              and path == path_of("dax", dax) and arguments[1].get("State") == "offline"]
    assert states and states[0] < removed


def test_policy_does_not_undo_what_was_done_by_hand_until_release(guest, service, dax):
    service.done(service.do(dax, "Offline"))
    assert service.dax(dax)["Held"]
    uevents = guest.record_uevents()

    # Everything that makes policy look again.
    service.reload()
    assert service.call(ROOT, "Manager", "Apply")[0] == []
    guest.run("udevadm trigger --action=change --subsystem-match=memory --subsystem-match=dax --settle")
    service.restart()
    service.idle()
    assert service.dax(dax)["Held"]  # holds outlive the daemon
    service.settled(dax, offline=8)
    assert uevents.stop().blocks("online") == []

    service.do(dax, "Release")
    service.settled(dax, Movable=8)
    assert not service.dax(dax)["Held"]


def test_without_a_hold_policy_puts_it_back(guest, service, dax):
    job = service.finished(service.do(dax, "Offline", 1, "hold", "b", "false"))
    assert job["Result"] == "done" and not service.dax(dax)["Held"]
    service.call(ROOT, "Manager", "Apply")
    service.settled(dax, Movable=8)


def test_an_amount_of_one_block_moves_one_block(guest, service, dax):
    service.done(service.do(dax, "Offline"))
    one = ("movable", 1, "amount", "t", guest.block_size())
    done = service.finished(service.do(dax, "Online", *one, signature="sa{sv}"))
    assert (done["Result"], done["BlocksDone"], done["BlocksTotal"]) == ("done", 1, 1)
    service.settled(dax, Movable=1, offline=7)


def test_cxlmemctl_does_and_tells_the_same(guest, service, dax):
    assert guest.run(f"cxlmemctl offline {dax}").rc == 0
    service.settled(dax, offline=8)
    assert "held" in guest.run(f"cxlmemctl explain {dax}").stdout.lower()
    assert guest.run(f"cxlmemctl online {dax} --zone movable").rc == 0
    service.settled(dax, Movable=8)
    for command in ("status", "list dax", f"show {dax}", "plan", "list memdevs", "list regions", "list nodes"):
        assert guest.run(f"cxlmemctl {command}").rc == 0
    assert dax in guest.run("cxlmemctl list dax").stdout
    assert guest.run("cxlmemctl offline dax9.9", check=False).rc == 1


def test_the_journal_says_what_of_a_jobs_time_was_the_kernels(guest, service, dax):
    assert guest.run(f"cxlmemctl offline {dax}", 60).rc == 0
    guest.run("journalctl --sync")
    entry = json.loads(guest.run("journalctl -u cxlmemd -o json CXLMEMD_OPERATION=offline "
                                 "CXLMEMD_RESULT=done | tail -n 1").stdout)
    told = re.search(r": done, 8 of 8 blocks in ([0-9.]+) s, ([0-9.]+) s of them in the kernel$", entry["MESSAGE"])
    assert told, entry["MESSAGE"]
    in_all, in_kernel = float(told[1]), float(told[2])
    assert 0 < in_kernel < in_all
    assert abs(int(entry["CXLMEMD_KERNEL_USEC"]) / 1e6 - in_kernel) <= 0.0005 + 1e-9


def test_wrong_calls_are_refused_and_change_nothing(guest, service, dax):
    uevents = guest.record_uevents()
    assert "lunar" in service.refuse(dax, "Online", "lunar", 0, signature="sa{sv}")
    assert "speed" in service.refuse(dax, "Offline", 1, "speed", "t", 7)
    assert "fsdax" in service.refuse(dax, "SetMode", "fsdax", 0, signature="sa{sv}")
    assert "amount" in service.refuse(dax, "Online", "movable", 1, "amount", "t", 1 << 40, signature="sa{sv}")
    assert service.call(path_of("dax", "dax9.9"), "DaxDevice", "Offline", check=False).rc != 0
    service.idle()
    assert uevents.stop().events == []
    assert not service.dax(dax)["Held"]


def test_nobody_but_root_changes_anything(guest, service, dax):
    """There is no polkit in the guest, so root alone may; reading is everybody's."""
    uevents = guest.record_uevents()
    for method, arguments, signature in (("Offline", (0,), "a{sv}"), ("Online", ("movable", 0), "sa{sv}"),
                                         ("SetMode", ("devdax", 0), "sa{sv}"), ("Hold", (0,), "a{sv}"),
                                         ("Release", (0,), "a{sv}")):
        assert "is not authorised" in service.refuse(dax, method, *arguments, signature=signature, user="nobody")
    for method in ("Reload", "Apply"):
        assert service.call(ROOT, "Manager", method, check=False, user="nobody").rc != 0
    assert service.call(ROOT, "Manager", "Plan", check=False, user="nobody").rc == 0
    assert service.busctl(f"get-property org.cxlmemd1 {path_of('dax', dax)} org.cxlmemd1.DaxDevice State",
                          user="nobody").rc == 0
    assert guest.run("runuser -u nobody -- cxlmemctl status").rc == 0
    assert guest.run("runuser -u nobody -- busctl call org.freedesktop.DBus / org.freedesktop.DBus RequestName su "
                     "org.cxlmemd1 0", check=False).rc != 0
    service.idle()
    assert uevents.stop().events == []


# ---- R11: nothing is unbound while a block of it is online

def test_R11_set_mode_drains_first(guest, service, dax):
    uevents = guest.record_uevents()
    job = service.finished(service.do(dax, "SetMode", "devdax", 0, signature="sa{sv}"))
    assert job["Result"] == "done"
    assert guest.dax_devices()[dax]["driver"] == "device_dax"
    assert guest.blocks_of_dax(dax) == {}
    service.agrees(dax)
    assert sorted(uevents.stop().blocks("offline")) == sorted(uevents.blocks("remove"))
    assert LOST not in guest.dmesg()

    service.do(dax, "Release")  # policy wants system-ram
    service.settled(dax, Movable=8)
    assert guest.dax_devices()[dax]["driver"] == "kmem"


def test_R11_a_pinned_block_keeps_the_device_bound_and_is_put_back(guest, service, dax, pinned):
    job = service.finished(service.do(dax, "SetMode", "devdax", 0, signature="sa{sv}"))
    assert job["Result"] in ("failed", "timeout")
    assert guest.dax_devices()[dax]["driver"] == "kmem"
    service.settled(dax, Movable=8)  # rollback
    assert not service.dax(dax)["RebootRequired"]
    assert LOST not in guest.dmesg()

    pinned()
    job = service.finished(service.do(dax, "SetMode", "devdax", 0, signature="sa{sv}"))
    assert job["Result"] == "done"
    assert guest.blocks_of_dax(dax) == {}
    service.agrees(dax)


def test_R15_a_block_that_stays_is_named(guest, service, dax, pinned):
    job = service.finished(service.do(dax, "Offline", 1, "rollback", "b", "false"))
    assert job["Result"] in ("failed", "timeout", "partial")
    stay = [index for index, (state, _, _) in guest.blocks_of_dax(dax).items() if state == "online"]
    assert stay
    service.agrees(dax)
    assert any(f"memory block {index}" in job["Error"][1] for index in stay), job
    assert job["BlocksDone"] == 8 - len(stay) and job["BlocksTotal"] == 8
    pinned()
    assert service.finished(service.do(dax, "Offline"))["Result"] == "done"
    service.settled(dax, offline=8)


def test_R14_the_bus_answers_while_the_kernel_does_not(guest, service, dax, pinned):
    job = service.do(dax, "Offline", 2, "timeout", "t", 6_000_000, "rollback", "b", "true")
    answers = 0
    while service.job(job)["State"] != "finished":
        state = service.manager()["State"]
        # A write that not even its interruption ends soon is said to hang. The job may end between two questions.
        assert state in ("working", "degraded") or service.job(job)["State"] == "finished", state
        answers += 1
    assert answers > 1
    assert service.job(job)["Result"] in ("failed", "timeout")
    service.settled(dax, Movable=8)


def test_R14_a_hanging_offline_can_be_canceled(guest, service, dax, pinned):
    job = service.do(dax, "Offline", 1, "timeout", "t", 600_000_000)
    poll("a block to hang", lambda: service.job(job)["State"] == "running", 30)
    service.call(job, "Job", "Cancel")
    assert service.finished(job, 30)["Result"] == "canceled"
    service.settled(dax, Movable=8)


def test_a_stop_while_the_kernel_hangs_is_quick_and_loses_nothing(guest, service, dax, pinned):
    job = service.do(dax, "Offline", 1, "timeout", "t", 600_000_000)
    poll("a block to hang", lambda: service.job(job)["State"] == "running", 30)
    service.stop()
    assert service.show("Result") == "success"
    assert set(state for state, _, _ in guest.blocks_of_dax(dax).values()) <= {"online", "offline"}
    assert guest.auto_online() == "online"


# ---- others who work on the same memory

def test_R14_blocks_moved_by_hand_do_not_lock_up_the_kernel(guest, service, dax):
    """Who reads a memory tier's nodelist while the last block of the tier goes offline is deadlocked with it by kernel
    6.12, and memory hotplug with them for ever; each event makes the daemon look again."""
    service.do(dax, "Hold")
    for _ in range(12):
        for state in ("offline", "online_movable"):
            guest.set_blocks(dax, state, timeout=30)
    service.settled(dax, Movable=8)


def test_R14_regions_that_come_and_go_quickly_are_each_brought_online(guest, service):
    """Who reads valid_zones of a block that the kernel has not put on a node yet is killed by kernel 6.12."""
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    for _ in range(10):
        region = guest.create_region(serials=[1])
        guest.wait_blocks(guest.dax_of_region(region), 30, Movable=8)
        service.idle()  # a job that is not at its end yet would bring back what is taken offline here
        guest.remove_region(region, timeout=30)
    assert len(guest.run(f"ls /proc/{service.pid()}/task").stdout.split()) >= 2  # loop and worker
    region = guest.create_region(serials=[2])
    service.settled(guest.dax_of_region(region), 30, Movable=8)


def test_R11_a_proper_removal_raises_no_false_alarm(guest, service, dax, signals):
    region = guest.dax_devices()[dax]["region"]
    cursor = service.cursor()
    for _ in range(4):
        service.idle()
        guest.remove_region(region, timeout=30)
        region = guest.create_region(serials=[1])
        dax = guest.dax_of_region(region)
        guest.wait_blocks(dax, 30, Movable=8)
    service.agrees(dax)
    assert "until the next reboot" not in service.journal(f"--after-cursor='{cursor}'")
    assert not any(arguments[1].get("RebootRequired") for arguments in signals.of("PropertiesChanged"))


# ---- cards that come and go

def test_R7_a_third_card_is_plugged_in_used_drained_and_pulled(guest, service, dax):
    pid = service.pid()
    memdev = guest.add_card(serial=0x33, size="512M")
    poll("the memdev on the bus", lambda: service.objects("memdev").get(memdev, {}).get("Serial") == 0x33, 30)

    region = guest.create_region(serials=[0x33])
    third = guest.dax_of_region(region)
    service.settled(third, Movable=4)
    assert service.objects("region")[region]["Memdevs"] == [path_of("memdev", memdev)]
    assert service.objects("memdev")[memdev]["Regions"] == [path_of("region", region)]

    assert service.finished(service.do(third, "Offline"))["Result"] == "done"
    guest.remove_region(region, offline=False)
    poll("the region to leave the bus", lambda: region not in service.objects("region"), 30)
    assert third not in service.objects("dax")
    guest.del_card(serial=0x33)
    poll("the memdev to leave the bus", lambda: memdev not in service.objects("memdev"), 30)

    service.settled(dax, Movable=8)  # the other card noticed nothing
    assert service.pid() == pid
    assert LOST not in guest.dmesg()


def test_R7_a_successor_of_the_same_name_follows_policy_anew(guest, service, dax):
    region = guest.dax_devices()[dax]["region"]
    service.done(service.do(dax, "Offline"))  # and hold: of the region on card 1
    guest.remove_region(region, offline=False)
    again = guest.dax_of_region(guest.create_region(serials=[2]))
    service.settled(again, Movable=8)
    assert not service.dax(again)["Held"]


def test_many_regions_one_after_the_other_leave_nothing_behind(guest, service, figures):
    service.start(rule(), MANAGE)
    pid, first = service.pid(), service.memory()
    for turn in range(3):
        region = guest.create_region(serials=[1 + turn % 2])
        service.settled(guest.dax_of_region(region), Movable=8)
        guest.remove_region(region)
    poll("all regions to leave the bus", lambda: not service.objects("region") and not service.objects("dax"), 30)
    assert service.pid() == pid
    last = service.memory()
    figures["resident memory: started; after three regions"] = f"{first >> 10} KiB; {last >> 10} KiB"
    assert last < first + (8 << 20)


def test_drift_is_reported_and_apply_puts_it_right(guest, service, dax):
    guest.set_blocks(dax, "offline", [min(guest.blocks_of_dax(dax))])
    poll("the drift to be told", lambda: "somebody else" in service.dax(dax)["LastError"][1], 30)
    service.settled(dax, Movable=7, offline=1)
    service.call(ROOT, "Manager", "Apply")
    service.settled(dax, Movable=8)
    poll("the error to be gone", lambda: service.dax(dax)["LastError"] == ["", ""], 30)
