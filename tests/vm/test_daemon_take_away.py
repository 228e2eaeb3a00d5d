# SPDX-License-Identifier: LGPL-2.1-or-later
"""Region.Remove and Memdev.PrepareRemove on a real kernel. What happened is read from /sys."""

import pytest

from guest import Card
from service import MANAGE, path_of, poll, rule

LOST = "cannot be hotremoved until the next reboot"
GIB = 1 << 30
CXL = "/sys/bus/cxl/devices"


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
    service = guest.service
    service.start(rule(drain='timeout = "15s"\nretries = 2'), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    return service


def remove(service, region, *options):
    return service.call(path_of("region", region), "Region", "Remove", "a{sv}", *options)[0]


def prepare(service, memdev, *options):
    return service.call(path_of("memdev", memdev), "Memdev", "PrepareRemove", "a{sv}", *options)[0]


def capacity_in_use(guest):
    """Bytes that endpoint decoders hold: none when nothing leaks."""
    out = guest.run(f"for d in {CXL}/decoder*; do [ -e $d/dpa_size ] && cat $d/dpa_size; done; true").stdout
    return sum(int(line, 0) for line in out.split())


def online_region(guest, service, serials, **more):
    region = guest.create_region(serials=serials, **more)
    dax = guest.dax_of_region(region)
    service.settled(dax, Movable=len(guest.blocks_of_dax(dax)))
    service.idle()
    return region, dax


@pytest.mark.parametrize("serials", [[1], [1, 2]])
def test_a_region_is_taken_away_and_can_be_made_again(guest, service, serials):
    region, dax = online_region(guest, service, serials)
    blocks = guest.blocks_of_dax(dax)
    assert len(blocks) == 8 * len(serials)
    uevents = guest.record_uevents()

    job = service.finished(remove(service, region))
    assert (job["Result"], job["Operation"], job["Object"]) == ("done", "remove", path_of("region", region)), job
    assert (job["BlocksDone"], job["BlocksTotal"]) == (len(blocks), len(blocks))
    assert guest.regions() == [] and guest.dax_devices() == {}
    left = " ".join(f"/sys/devices/system/memory/memory{index}" for index in blocks)
    assert guest.run(f"ls -d {left} 2>/dev/null", check=False).stdout == ""
    assert capacity_in_use(guest) == 0
    assert service.objects("region") == {} and service.objects("dax") == {}
    uevents.stop()
    assert sorted(uevents.blocks("offline")) == sorted(uevents.blocks("remove")) == sorted(blocks)

    again, dax = online_region(guest, service, serials)
    assert guest.dax_devices()[dax]["size"] == GIB * len(serials)
    assert service.finished(remove(service, again))["Result"] == "done"
    assert LOST not in guest.dmesg()


def test_regions_of_one_card_go_from_the_last_down(guest, service):
    first, first_dax = online_region(guest, service, [1], size=GIB // 2)
    second, _ = online_region(guest, service, [1], size=GIB // 2)
    refused = service.call(path_of("region", first), "Region", "Remove", check=False)
    assert refused.rc != 0 and second in refused.stderr and "last decoder" in refused.stderr
    service.settled(first_dax, Movable=4)
    assert service.finished(remove(service, second))["Result"] == "done"
    assert capacity_in_use(guest) == GIB // 2
    service.idle()
    assert service.finished(remove(service, first))["Result"] == "done"
    assert guest.regions() == []
    assert capacity_in_use(guest) == 0
    assert LOST not in guest.dmesg()


def test_R11_pinned_memory_stops_it_and_everything_is_put_back(guest, service):
    region, dax = online_region(guest, service, [1])
    node = guest.dax_devices()[dax]["target_node"]
    guest.run(f"mkdir -p /run/pin && mount -t tmpfs -o size=4M,mpol=bind:{node} pin /run/pin && mkfifo /run/pin/go")
    pin = ('import os; f = os.open("/run/pin/file", os.O_RDWR | os.O_CREAT); os.write(f, bytes(1 << 20)); '
           'e = os.pipe(); assert os.splice(f, e[1], 65536, offset_src=0) > 0; open("/run/pin/ready", "w").close(); '
           'open("/run/pin/go").read()')
    holder = guest.spawn(f"exec python3 -c '{pin}'")
    guest.run("until [ -e /run/pin/ready ]; do sleep 0.05; done", 60)
    try:
        job = service.finished(remove(service, region))
        assert job["Result"] in ("failed", "timeout"), job
        assert guest.regions() == [region]
        assert guest.dax_devices()[dax]["driver"] == "kmem"
        service.settled(dax, Movable=8)
        assert not service.dax(dax)["Held"]
    finally:
        guest.run("echo > /run/pin/go")
        holder.wait(30)
        guest.run("umount /run/pin")
    assert service.finished(remove(service, region))["Result"] == "done"
    assert guest.regions() == []
    assert LOST not in guest.dmesg()


def test_cxlmemctl_removes_a_region(guest, service):
    region, _ = online_region(guest, service, [2])
    assert "done" in guest.run(f"cxlmemctl remove {region}").stdout
    assert guest.regions() == []


def test_a_prepared_card_is_pulled_without_loss_and_is_policys_when_it_is_back(guest, service):
    # The other one first: 6.12 gives the decoders of a host bridge out again only from the last one down.
    _, other = online_region(guest, service, [1])
    memdev = guest.add_card(serial=0x33, size="512M")
    poll("the memdev on the bus", lambda: memdev in service.objects("memdev"), 30)
    region, dax = online_region(guest, service, [0x33])

    job = service.finished(prepare(service, memdev))
    assert (job["Result"], job["BlocksDone"], job["Object"]) == ("done", 4, path_of("memdev", memdev)), job
    assert guest.dax_devices()[dax]["driver"] is None
    assert guest.blocks_of_dax(dax) == {}
    assert guest.regions() and service.dax(dax)["Held"]
    service.reload()
    service.restart()
    service.idle()
    assert guest.dax_devices()[dax]["driver"] is None, "nothing binds it again"

    guest.del_card(serial=0x33)
    poll("the memdev to leave the bus", lambda: memdev not in service.objects("memdev"), 30)
    assert LOST not in guest.dmesg()
    assert dax not in guest.dax_devices()
    service.settled(other, Movable=8)
    # Whether the kernel leaves the empty region or not, nothing of it is in the way.
    if region in guest.regions():
        assert service.finished(remove(service, region))["Result"] == "done"
    assert region not in guest.regions()

    memdev = guest.add_card(serial=0x33, size="512M")
    poll("the memdev on the bus", lambda: memdev in service.objects("memdev"), 30)
    region, dax = online_region(guest, service, [0x33])
    assert not service.dax(dax)["Held"]
    assert service.finished(remove(service, region))["Result"] == "done"
    guest.del_card(serial=0x33)
    poll("the memdev to leave the bus", lambda: memdev not in service.objects("memdev"), 30)
