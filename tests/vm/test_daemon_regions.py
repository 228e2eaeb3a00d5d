# SPDX-License-Identifier: LGPL-2.1-or-later
"""Regions that policy makes: at boot, once, and taken back where a daemon was killed half-way. What is asserted is read
from /sys; then D-Bus has to say the same."""

import pytest

from guest import Card
from service import LEAVE, MANAGE, POLICY, UNIT, path_of, poll, rule

GIB = 1 << 30
JOURNAL = "/run/cxlmemd/region-draft"


def wish(serials=(1, 2), more=""):
    listed = ", ".join(f'"{serial:#x}"' for serial in serials)
    return f'[[region]]\nname = "pool0"\ntype = "ram"\nmemdev_serial = [{listed}]\n{more}\n'


BOTH = wish() + rule()


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(enabled=True, cards=[Card(1, "1G"), Card(2, "1G")], append="cgroup_disable=memory",
                 files=[(BOTH.encode(), POLICY, 0o644), (MANAGE.encode(), "/etc/cxlmemd/daemon.toml", 0o644)])
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


def the_region(guest, size):
    """The name of the one region that there is, once it has its dax device."""
    poll("a region", guest.regions, 60)
    region = guest.regions()[0]
    poll("its dax device", lambda: guest.dax_of_region(region), 60)
    assert guest.regions() == [region]
    assert int(guest.read(f"/sys/bus/cxl/devices/{region}/size"), 0) == size
    return region


def held_capacity(guest):
    """Endpoint decoders that hold capacity of a card, with their regions."""
    out = guest.run("cd /sys/bus/cxl/devices; for d in endpoint*/decoder*; do "
                    "[ $(($(cat $d/dpa_size))) = 0 ] || echo ${d##*/} $(cat $d/region); done").stdout
    return dict((line.split() + [""])[:2] for line in out.splitlines())


def conflicts(service):
    return [message for kind, message in service.manager()["Conflicts"] if kind == "region"]


def test_at_boot_it_makes_the_region_and_all_of_it_is_movable(machine):
    """First on this machine, which has booted with the policy and without a region."""
    region = the_region(machine, 2 * GIB)
    serials = {name: serial for serial, name in machine.call("memdevs").items()}
    shown = poll("the region on the bus", lambda: machine.service.objects("region").get(region))
    assert (shown["InterleaveWays"], shown["InterleaveGranularity"]) == (2, 256)
    assert [serials[path.rsplit("/", 1)[1]] for path in shown["Memdevs"]] in ([1, 2], ["1", "2"])
    machine.service.settled(machine.dax_of_region(region), Movable=16)
    assert conflicts(machine.service) == []
    assert not machine.run(f"cat {JOURNAL}", check=False).stdout


def test_a_restart_finds_its_region_and_makes_no_other(guest, service):
    service.start(BOTH, MANAGE)
    region = the_region(guest, 2 * GIB)
    service.settled(guest.dax_of_region(region), Movable=16)
    inode = guest.run(f"stat -L -c %i /sys/bus/cxl/devices/{region}").stdout
    service.restart()
    service.idle()
    assert guest.regions() == [region]
    assert guest.run(f"stat -L -c %i /sys/bus/cxl/devices/{region}").stdout == inode
    assert service.call("/org/cxlmemd1", "Manager", "Plan") == [[]]


@pytest.mark.parametrize("wait", ["", "sleep 0.002", "sleep 0.01", "sleep 0.05"])
def test_killed_while_it_makes_the_region_there_is_one_in_the_end(guest, service, wait):
    service.start(rule(), MANAGE)
    pid = service.pid()
    service.policy(BOTH)
    killer = guest.spawn(f"until [ -e /sys/bus/cxl/devices/region*/commit ]; do :; done; {wait or ':'}; kill -9 {pid}")
    guest.run(f"busctl call org.cxlmemd1 /org/cxlmemd1 org.cxlmemd1.Manager Reload 'a{{sv}}' 0", check=False)
    killer.wait(60)
    poll("a restart by systemd", lambda: service.show("NRestarts", "ActiveState") == ("1", "active"))
    region = poll("a region that is complete", lambda: next(
        (name for name in guest.regions() if guest.dax_of_region(name)), None), 60)
    service.settled(guest.dax_of_region(region), Movable=16)
    assert guest.regions() == [region]
    assert set(held_capacity(guest).values()) == {region}
    assert len(held_capacity(guest)) == 2
    assert not guest.run(f"cat {JOURNAL}", check=False).stdout


STAGES = ["create", "size", "capacity", "target0", "target1", "commit"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_killed_daemon_left_half_made_is_taken_back(guest, service, stage):
    """The same, stage by stage: made by hand as far as the stage, with the journal that the daemon would have kept."""
    names = {serial: name for name, serial in ((n, int(s)) for s, n in guest.call("memdevs").items())}
    commands = f"""set -e; cd /sys/bus/cxl/devices; R=$(cat decoder0.0/create_ram_region)
    for e in endpoint*; do case $(basename $(readlink $e/uport)) in
        {names[1]}) A=$(basename $(ls -d $e/decoder*.0));; {names[2]}) B=$(basename $(ls -d $e/decoder*.0));; esac; done
    mkdir -p /run/cxlmemd; echo $R decoder0.0 $A $B > {JOURNAL}"""
    steps = {"create": "echo $R > decoder0.0/create_ram_region",
             "size": f"echo 256 > $R/interleave_granularity; echo 2 > $R/interleave_ways; echo {2 * GIB} > $R/size",
             "capacity": f"for d in $A $B; do echo ram > $d/mode; echo {GIB} > $d/dpa_size; done",
             "target0": "echo $A > $R/target0", "target1": "echo $B > $R/target1", "commit": "echo 1 > $R/commit"}
    for name in STAGES[:STAGES.index(stage) + 1]:
        commands += "\n" + steps[name]
    guest.run(f"bash -c '{commands}'")
    left = guest.regions()
    assert len(left) == 1

    service.start(BOTH, MANAGE)

    region = poll("a region that is complete", lambda: next(
        (name for name in guest.regions() if guest.dax_of_region(name)), None), 60)
    service.settled(guest.dax_of_region(region), Movable=16)
    assert guest.regions() == [region]
    assert set(held_capacity(guest).values()) == {region}


def test_a_half_made_region_that_is_not_its_own_is_left_alone(guest, service):
    guest.run("cd /sys/bus/cxl/devices; R=$(cat decoder0.0/create_ram_region); echo $R > decoder0.0/create_ram_region")
    theirs = guest.regions()
    service.start(BOTH, MANAGE)
    poll("a second region", lambda: len(guest.regions()) == 2, 60)
    assert theirs[0] in guest.regions()


def test_a_missing_card_and_too_large_a_size_are_said_and_nothing_is_made(guest, service):
    service.start(wish([1, 3]) + rule(), LEAVE)
    assert "no memdev has it" in poll("a conflict", lambda: conflicts(service))[0]
    assert "0x3" in conflicts(service)[0]
    service.policy(wish(more='size = "8GiB"') + rule())
    service.reload()
    assert "only 1GiB free" in poll("another conflict", lambda: conflicts(service))[0]
    assert guest.regions() == []
    entry = service.call("/org/cxlmemd1", "Manager", "Plan")[0][0]
    assert entry[0] == "/org/cxlmemd1" and entry[1]["action"] == "blocked" and entry[1]["rule"] == "pool0"
    assert held_capacity(guest) == {}


def test_another_region_on_its_cards_is_said_and_never_destroyed(guest, service):
    region = guest.create_region(serials=[1], size=GIB // 2)
    service.start(wish([1], 'size = "1GiB"') + rule(), LEAVE)
    assert "512MiB, not 1GiB" in poll("a conflict", lambda: conflicts(service))[0]
    service.idle()
    assert guest.regions() == [region]


def test_what_the_kernel_refuses_is_undone_and_tried_again_with_pauses(guest, service):
    """Somebody holds a card's capacity without a region: the kernel has no room, which only shows when it is tried."""
    names = {int(serial): name for serial, name in guest.call("memdevs").items()}
    guest.run(f"cd /sys/bus/cxl/devices; for e in endpoint*; do [ $(basename $(readlink $e/uport)) = {names[2]} ] && "
              f"D=$(ls -d $e/decoder*.0); done; echo ram > $D/mode; echo {GIB} > $D/dpa_size; echo $D > /run/taken")
    service.start(BOTH, '[retry]\ninitial = "200ms"\nmax = "400ms"\n')
    assert "ENOSPC" in poll("a conflict", lambda: conflicts(service))[0]
    assert service.manager()["State"] in ("idle", "working", "degraded")
    guest.run("echo 0 > /sys/bus/cxl/devices/$(cat /run/taken)/dpa_size")
    region = poll("a region that is complete", lambda: next(
        (name for name in guest.regions() if guest.dax_of_region(name)), None), 60)
    service.settled(guest.dax_of_region(region), Movable=16)
    assert guest.regions() == [region]
    poll("no conflict", lambda: conflicts(service) == [])


def test_weights_and_demotion_are_written_from_inside_the_sandbox(guest, service):
    demotion = "/sys/kernel/mm/numa/demotion_enabled"
    guest.run(f"echo 0 > {demotion}")
    service.start(wish([1]) + rule() + '[[node]]\nmatch = { kind = "cxl-ram" }\ninterleave_weight = 7\n',
                  MANAGE + 'demotion = "on"\n')
    region = the_region(guest, GIB)
    blocks = service.settled(guest.dax_of_region(region), Movable=8)
    node = next(iter(blocks.values()))[2]
    weight = f"/sys/kernel/mm/mempolicy/weighted_interleave/node{node}"
    poll("the weight", lambda: guest.read(weight).strip() == "7", 30)
    assert guest.read(demotion).strip() == "true"
    poll("it on the bus", lambda: service.objects("node")[f"node{node}"]["InterleaveWeight"] == 7, 30)
    exposure = guest.run(f"systemd-analyze security {UNIT}", check=False).stdout.splitlines()[-1]
    assert float(exposure.split(":")[1].split()[0]) <= 2.0, exposure
    assert guest.run(f"grep CapEff /proc/{service.pid()}/status").stdout.split()[1] == "0" * 16
    guest.run(f"echo 0 > {demotion}")


def test_a_card_that_comes_back_gets_its_region_again(guest, service):
    """Its memory waits offline, so that nothing is lost when the card is pulled."""
    guest.set_auto_online("offline")
    service.start(wish([2]), LEAVE)
    first = poll("a region that is complete", lambda: next(
        (name for name in guest.regions() if guest.dax_of_region(name)), None), 60)
    service.idle()
    guest.del_card(2)

    def is_missed():  # beside what is said of the region that the card has left without a driver
        return any("no memdev has it" in each for each in conflicts(service))

    poll("its absence to be said", is_missed)
    guest.add_card(2)
    second = poll("a region that is complete", lambda: next(
        (name for name in guest.regions() if guest.dax_of_region(name)), None), 60)
    poll("no conflict about the card", lambda: not is_missed())
    complete = [name for name in guest.regions() if guest.dax_of_region(name)]
    assert complete == [second], (first, second)
