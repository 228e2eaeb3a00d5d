# SPDX-License-Identifier: LGPL-2.1-or-later
"""Policy on a real kernel: memory comes online where the file says, and stays there. What is asserted is read from
/sys; then D-Bus has to say the same."""

import fnmatch
import re

import pytest

from guest import Card
from service import LEAVE, MANAGE, POLICY, UNIT, path_of, poll, rule

# Each new memory cgroup (so each service that starts) takes kernel memory on every node that has some in the Normal
# zone, and the block it falls on stays there. What these tests ask of memory that was in Normal needs a machine
# without; test_daemon_stuck_memory.py has one with.
NO_MEMORY_CGROUPS = "cgroup_disable=memory"

HANDLINGS = [pytest.param(MANAGE, id="kernel_told_to_wait"), pytest.param(LEAVE, id="kernel_onlines_first")]


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")], append=NO_MEMORY_CGROUPS)
    guest.load_modules()
    assert guest.auto_online() == "online"  # Debian's default, which nothing here has touched
    return guest


@pytest.fixture
def guest(machine):
    machine.service.clean()
    yield machine
    machine.service.clean()


@pytest.fixture
def service(guest):
    return guest.service


def region_of(guest, serial=1, **options):
    """A region over one card; the name of its dax device."""
    return guest.dax_of_region(guest.create_region(serials=[serial], **options))


def wait_managed(guest):
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)


@pytest.mark.parametrize("handling", HANDLINGS)
def test_a_region_made_later_is_wholly_movable_on_its_node(guest, service, figures, handling):
    service.start(rule(), handling)
    if handling == MANAGE:
        wait_managed(guest)

    uevents = guest.record_uevents()
    dax = region_of(guest)
    blocks = service.settled(dax, Movable=8)
    uevents.stop()

    assert {node for _, _, node in blocks.values()} == {guest.dax_devices()[dax]["target_node"]}
    # Straight into its zone if the kernel waits; else out of the Normal zone and in again. Never more than that.
    assert sorted(uevents.blocks("online")) == sorted([*blocks] * (1 if handling == MANAGE else 2))
    assert sorted(uevents.blocks("offline")) == sorted([*blocks] * (0 if handling == MANAGE else 1))
    told = service.dax(dax)
    assert (told["Rule"], told["InPolicy"], told["Held"], told["LastError"]) == ("expanders", True, False, ["", ""])
    assert service.idle()["State"] == "idle"
    how = "waits for policy" if handling == MANAGE else "onlines first"
    figures[f"1 GiB region, the kernel {how}: first block added to last block movable"] = \
        f"{uevents.seconds('add', 'online'):.3f} s"


@pytest.mark.parametrize("handling", HANDLINGS)
def test_R12_a_region_that_was_there_first_is_wholly_movable_on_its_node(guest, service, handling):
    dax = region_of(guest)
    assert {zone for _, zone, _ in guest.blocks_of_dax(dax).values()} == {"Normal"}

    service.start(rule(), handling)

    blocks = service.settled(dax, Movable=8)
    assert {node for _, _, node in blocks.values()} == {guest.dax_devices()[dax]["target_node"]}
    assert service.dax(dax)["InPolicy"]


def test_a_region_whose_blocks_wait_offline_is_brought_online(guest, service):
    guest.set_auto_online("offline")
    dax = region_of(guest)
    service.start(rule(), LEAVE)
    service.settled(dax, Movable=8)
    assert guest.auto_online() == "offline"


def test_on_conflict_keep_leaves_what_the_kernel_did(guest, service):
    dax = region_of(guest)
    uevents = guest.record_uevents()
    service.start(rule(memory='zone = "movable"\non_conflict = "keep"'), LEAVE)
    service.idle()
    service.settled(dax, Normal=8)
    assert uevents.stop().blocks("offline") == []


def test_half_the_amount_is_exactly_half_the_blocks(guest, service):
    service.start(rule(memory='zone = "movable"\namount = "50%"'), MANAGE)
    dax = region_of(guest)
    service.settled(dax, Movable=4, offline=4)
    assert service.dax(dax)["State"] == "partial"
    assert service.dax(dax)["InPolicy"]


def test_half_the_amount_of_what_the_kernel_onlined_is_exactly_half(guest, service):
    dax = region_of(guest)
    service.start(rule(memory='zone = "movable"\namount = "50%"'), LEAVE)
    service.settled(dax, Movable=4, offline=4)


def test_require_node_elsewhere_leaves_the_memory_alone_and_says_so(guest, service):
    service.start(rule(memory='zone = "movable"\nrequire_node = [7]'), MANAGE)
    dax = region_of(guest)
    service.idle()
    service.settled(dax, offline=8)
    told = service.dax(dax)
    assert not told["InPolicy"] and "require_node" in told["Reason"]


def test_without_a_rule_a_device_is_only_watched(guest, service):
    service.start(settings=LEAVE)  # the vendor's policy
    uevents = guest.record_uevents()
    dax = region_of(guest)
    service.idle()
    service.settled(dax, Normal=8)
    assert uevents.stop().blocks("offline") == []
    assert service.dax(dax)["Rule"] == ""


# ---- reload

def test_a_reload_puts_a_new_policy_in_force(guest, service):
    service.start(rule(memory='zone = "movable"\namount = "50%"'), MANAGE)
    dax = region_of(guest)
    service.settled(dax, Movable=4, offline=4)
    service.policy(rule(memory='zone = "movable"\namount = "25%"'))
    service.reload()
    service.settled(dax, Movable=2, offline=6)
    assert service.manager()["PolicyGeneration"] == 2


def online_of(guest, dax):
    """Where in the device its online blocks are."""
    return [place for place, (_, (state, _, _)) in enumerate(sorted(guest.blocks_of_dax(dax).items()))
            if state == "online"]


def test_an_amount_grows_and_shrinks_at_the_low_end_of_the_device(guest, service):
    service.start(rule(memory='zone = "movable"\namount = "50%"'), MANAGE)
    dax = region_of(guest)
    service.settled(dax, Movable=4, offline=4)
    assert online_of(guest, dax) == [4, 5, 6, 7]
    for percent, blocks, action in ((75, [2, 3, 4, 5, 6, 7], "online"), (25, [6, 7], "offline")):
        uevents = guest.record_uevents()
        service.policy(rule(memory=f'zone = "movable"\namount = "{percent}%"'))
        service.reload()
        service.settled(dax, Movable=len(blocks), offline=8 - len(blocks))
        assert online_of(guest, dax) == blocks
        seen = uevents.stop()  # what stays online was not touched on the way
        assert len(seen.blocks(action)) == abs(len(blocks) - (4 if action == "online" else 6))
        assert seen.blocks("offline" if action == "online" else "online") == []


def test_a_reload_with_an_error_fails_with_its_place_and_the_old_policy_stays(guest, service):
    service.start(rule(), MANAGE)
    generation = service.idle()["PolicyGeneration"]
    broken = rule(memory='zone = "moveable"')
    line = broken.splitlines().index('zone = "moveable"') + 1
    cursor = service.cursor()

    service.policy(broken)
    done = service.reload(check=False)

    assert done.rc != 0
    place = rf"{re.escape(POLICY)}:{line}:\d+: error: .*moveable"
    assert re.search(place, service.journal(f"--after-cursor='{cursor}'")), service.journal()
    told = service.manager()
    (file, at, column, severity, message), = told["PolicyProblems"]
    assert (file, at, severity) == (POLICY, line, "error") and column > 0 and "moveable" in message
    assert told["PolicyGeneration"] == generation
    assert service.show("ActiveState", "NRestarts") == ("active", "0")
    assert "error" in service.show("StatusText")

    dax = region_of(guest)  # follows the old policy
    service.settled(dax, Movable=8)

    service.policy(rule())  # mended
    service.reload()
    told = service.manager()
    assert (told["PolicyProblems"], told["PolicyGeneration"]) == ([], generation + 1)


def test_a_broken_policy_at_start_only_watches(guest, service):
    dax = region_of(guest)
    service.start("[[rule]\n", LEAVE)
    assert service.manager()["Mode"] == "observe"
    service.agrees(dax)
    service.policy(rule())
    service.reload()
    service.settled(dax, Movable=8)
    assert service.manager()["Mode"] == "enforce"


# ---- start and stop

@pytest.mark.parametrize(("handling", "value"), [(MANAGE, "offline"), (LEAVE, "online")])
def test_once_it_has_started_the_kernel_waits_if_told_so(guest, service, handling, value):
    """Before it is ready, not soon after: what is ordered after the unit may make a region."""
    service.start(rule(), handling)
    assert guest.auto_online() == value
    if handling == MANAGE:
        told = service.journal("--boot")
        assert told.rindex("auto_online_blocks is offline") < told.rindex("is ready"), told


def test_stopping_changes_no_memory_and_puts_auto_online_back(guest, service):
    service.start(rule(memory='zone = "movable"\namount = "50%"'), MANAGE)
    dax = region_of(guest)
    before = service.settled(dax, Movable=4, offline=4)
    uevents = guest.record_uevents()

    service.stop()

    assert guest.auto_online() == "online"
    assert guest.blocks_of_dax(dax) == before
    assert guest.dax_devices()[dax]["driver"] == "kmem"
    service.start()
    service.idle()
    assert guest.blocks_of_dax(dax) == before
    assert uevents.stop().events == []  # neither stop nor start touched a block


@pytest.mark.parametrize("before", ["online_movable", "online_kernel", "offline"])
def test_auto_online_is_put_back_whatever_it_was(guest, service, before):
    guest.set_auto_online(before)
    service.start(rule(), MANAGE)
    wait_managed(guest)
    service.stop()
    assert guest.auto_online() == before


def test_auto_online_is_put_back_after_a_kill_and_a_stop(guest, service):
    service.start(rule(), MANAGE)
    wait_managed(guest)
    guest.run(f"systemctl kill -s KILL {UNIT}")
    poll("a restart by systemd", lambda: service.show("NRestarts", "ActiveState") == ("1", "active"))
    assert guest.auto_online() == "offline"
    service.stop()
    assert guest.auto_online() == "online"


def test_auto_online_is_put_back_after_a_kill_and_no_restart(guest, service):
    """What a dead daemon left behind is put right by the next one, however that was started."""
    service.start(rule(), MANAGE)
    wait_managed(guest)
    guest.run(f"kill -9 {service.pid()}; systemctl stop {UNIT}")
    service.start()
    service.stop()
    assert guest.auto_online() == "online"


def test_manage_gives_way_to_leave_at_a_reload(guest, service):
    service.start(rule(), MANAGE)
    wait_managed(guest)
    service.settings(LEAVE)
    service.reload()
    poll("auto_online_blocks to be put back", lambda: guest.auto_online() == "online", 30)


def test_a_rule_asks_which_machine_it_is(guest, service):
    guest.set_auto_online("offline")
    dax = region_of(guest)
    facts = dict(line.split("=", 1) for line in guest.run(
        "echo virtualization=$(systemd-detect-virt); echo host=$(hostname); echo kernel=$(uname -r);"
        "cd /sys/class/dmi/id; echo vendor=$(cat bios_vendor); echo product=$(cat product_name)").stdout.splitlines())
    assert facts["virtualization"] == "qemu" and fnmatch.fnmatch(facts["product"], "Standard PC (Q35*")
    major = facts["kernel"].split(".")[0]
    wrong = [("virtualization", '"no"', "no", facts["virtualization"]),
             ("kernel_version", f'"< {major}"', f"< {major}", facts["kernel"]),
             ("host", '"elsewhere"', "elsewhere", facts["host"]),
             ("firmware_vendor", '"Dell*"', "Dell*", facts["vendor"]),
             ("product", '"standard*"', "standard*", facts["product"]),
             ("virtualization", '"kvm"', "kvm", facts["virtualization"]),
             ("virtualization", '"container"', "container", facts["virtualization"])]
    elsewhere = "".join(rule(f"wrong{n}", f"{key} = {text}") for n, (key, text, _, _) in enumerate(wrong))
    here = rule("here", f'virtualization = ["{facts["virtualization"]}", "no"]\nhost = "{facts["host"][:3]}*"\n'
                        f'kernel_version = ">= {major}"\nfirmware_vendor = "{facts["vendor"][:4]}*"\n'
                        'product = "Standard PC (Q35*"', 'zone = "movable"\namount = "50%"')
    vm = rule("vm", 'virtualization = "vm"')
    service.start(elsewhere + here + vm, MANAGE)
    service.settled(dax, Movable=4, offline=4)
    told = service.dax(dax)
    assert (told["Rule"], told["InPolicy"]) == ("here", True)
    explained = service.call("/org/cxlmemd1", "Manager", "Explain", "oa{sv}", path_of("dax", dax), 0)[0]
    assert [tuple(each[3:]) for each in explained["rejected"]] == [(key, want, seen) for key, _, want, seen in wrong]
    # "vm" is any of them.
    service.policy(vm)
    service.restart()
    service.settled(dax, Movable=8)


def test_a_poisoned_block_is_left_out_said_once_and_others_take_its_place(guest, service):
    guest.set_auto_online("offline")
    dax = region_of(guest)
    service.start(rule(), MANAGE)
    service.settled(dax, Movable=8)
    service.idle()
    blocks = sorted(guest.blocks_of_dax(dax))
    poisoned = blocks[-2]
    address = poisoned * guest.block_size() + 0x10000
    guest.write("/sys/devices/system/memory/hard_offline_page", hex(address))
    assert "Memory failure: " in guest.dmesg()

    assert service.finished(service.do(dax, "Offline"))["Result"] == "done"  # its pages are free: that one goes too
    job = service.finished(service.do(dax, "Online", '"movable"', 0, signature="sa{sv}"))
    assert job["Result"] == "partial", job
    assert "EHWPOISON" in str(job["Error"]), job
    service.settled(dax, Movable=7, offline=1)
    assert guest.blocks_of_dax(dax)[poisoned][0] == "offline"
    assert service.journal().count("a page of it is poisoned, it stays offline") == 1
    # Policy neither tries again nor gives up on the rest.
    service.do(dax, "Release")
    service.idle()
    told = service.dax(dax)
    assert f"block {poisoned} cannot come online: a page of it is poisoned (EHWPOISON)" in told["Reason"]
    assert not told["InPolicy"]
    # Where fewer are wanted, others are there.
    service.policy(rule(memory='zone = "movable"\namount = "75%"'))
    service.reload()
    service.settled(dax, Movable=6, offline=2)
    service.idle()
    poll("policy to be content", lambda: service.dax(dax)["InPolicy"])
    assert service.journal().count("a page of it is poisoned, it stays offline") == 1
    assert "given up" not in service.journal()
