# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands on a card, on a real kernel: memory of its window as hmem, and memory that lost its region.

What PrepareRemove says is compared with /sys, and after "done" the card is pulled: the kernel must not complain.
"""

import pytest

from guest import Card
from service import MANAGE, path_of, poll, rule

LOST = "cannot be hotremoved until the next reboot"
CXL = "/sys/bus/cxl/devices"


def prepare(service, memdev, check=True):
    return service.call(path_of("memdev", memdev), "Memdev", "PrepareRemove", check=check)


def explain(service, noun, name):
    answer = service.call("/org/cxlmemd1", "Manager", "Explain", "oa{sv}", path_of(noun, name), "0", check=False)
    assert answer.rc == 0, answer.stderr
    return answer.stdout


def leaked(service):
    return [message for kind, message in service.manager()["Conflicts"] if kind == "leaked"]


def window_of(guest):
    """The first CXL window: its start and size, as root reads them."""
    start, size = guest.run(f"cat {CXL}/decoder0.0/start {CXL}/decoder0.0/size").stdout.split()
    return int(start, 0), int(size, 0)


@pytest.fixture(scope="module")
def window(boot):
    """Where QEMU puts the window of a machine like the one below."""
    guest = boot(cards=[Card(1, "1G")])
    guest.load_modules()
    return window_of(guest)


def test_memory_of_a_cards_window_as_hmem_is_drained_along_with_the_card(boot, window):
    start, _ = window
    # What a firmware does that maps the card and calls it specific-purpose memory. dax_hmem comes before cxl_acpi, which
    # it would leave the range to: insmod, for modprobe loads cxl_acpi first. Nothing of it is brought online: no decoder
    # of the card is committed, so that nothing is behind these addresses.
    guest = boot(cards=[Card(1, "1G")],
                 append=f"memmap=1G%{start:#x}+0xefffffff modprobe.blacklist=cxl_acpi,dax_hmem,cxl_mem,cxl_pci")
    guest.set_auto_online("offline")
    guest.run("modprobe device_dax; modprobe kmem; insmod $(modinfo -n dax_hmem); udevadm settle", 60)
    (dax,) = guest.dax_devices()
    guest.run("modprobe cxl_acpi; modprobe cxl_pci; modprobe cxl_mem; modprobe cxl_port; udevadm settle", 60)
    poll("the card's endpoint", lambda: "endpoint" in guest.run(f"ls {CXL}").stdout, 60)
    service = guest.service
    service.start("", MANAGE)
    memdev = guest.memdev_by_serial(1)
    poll("the device", lambda: dax in service.objects("dax"), 60)
    service.idle()
    assert {state for state, _, _ in guest.blocks_of_dax(dax).values()} == {"offline"}
    assert service.dax(dax)["Kind"] == "hmem" and service.dax(dax)["Mode"] == "system-ram"
    assert dax in explain(service, "memdev", memdev)

    job = service.finished(prepare(service, memdev)[0])
    assert job["Result"] == "done", job
    assert guest.blocks_of_dax(dax) == {}
    assert guest.dax_devices()[dax]["driver"] is None
    guest.del_card(serial=1)
    assert LOST not in guest.dmesg()


def test_a_region_destroyed_with_memory_online_is_leaked_until_the_reboot(boot):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")])
    guest.load_modules()
    service = guest.service
    service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    region = guest.create_region(serials=[1])
    dax = guest.dax_of_region(region)
    blocks = service.settled(dax, Movable=8)
    node = guest.dax_devices()[dax]["target_node"]
    service.idle()
    # By hand, in the wrong order, as a careless script does.
    guest.run(f"echo {region} > /sys/bus/cxl/drivers/cxl_region/unbind; "
              f"echo {region} > {CXL}/root0/decoder0.0/delete_region", 120)
    assert LOST in guest.dmesg()
    poll("the region to leave the bus", lambda: not service.objects("region") and not service.objects("dax"), 60)
    (message,) = poll("the conflict", lambda: leaked(service), 60)
    assert dax in message and f"1 GiB on node {node}" in message and f"{min(blocks)}-{max(blocks)}" in message
    assert service.manager()["State"] == "degraded"
    warning = [line for line in guest.journal("cxlmemd").splitlines() if "leaked" in line]
    assert any(dax in line and f"node {node}" in line for line in warning), warning

    first, second = guest.memdev_by_serial(1), guest.memdev_by_serial(2)
    refused = prepare(service, first, check=False)
    assert refused.rc != 0 and "leaked" in refused.stderr and "before a reboot" in refused.stderr
    # The other card carries nothing, and what is known of the leak says so.
    assert service.finished(prepare(service, second)[0])["Result"] == "done"
    # A new daemon knows it, too.
    service.restart()
    (message,) = poll("the conflict", lambda: leaked(service), 60)
    assert dax in message
    assert prepare(service, first, check=False).rc != 0
    present = guest.run(f"ls -d /sys/devices/system/memory/memory{min(blocks)}", check=False)
    assert present.rc == 0, "the kernel still has the block"


def test_a_card_without_a_region_and_a_window_are_explained(boot, window):
    guest = boot(cards=[Card(1, "1G")])
    guest.load_modules()
    service = guest.service
    service.start(rule(), MANAGE)
    memdev = guest.memdev_by_serial(1)
    poll("the card", lambda: memdev in service.objects("memdev"), 60)
    said = explain(service, "memdev", memdev)
    assert "1 GiB, no region" in said and "memdev_serial" in said and "decoder0.0" in said
    decoder = service.objects("decoder")["decoder0.0"]
    assert (decoder["Size"], decoder["Free"], decoder["Start"]) == (window[1], window[1], 0)
    assert len(decoder["Targets"]) == 1 and decoder["Memdevs"] == [path_of("memdev", memdev)]
    assert f"{memdev}: 1 GiB, no region" in guest.run("cxlmemctl status").stdout
    assert "no region" in guest.run(f"cxlmemctl explain {memdev}").stdout
    assert service.finished(prepare(service, memdev)[0])["Result"] == "done"
    guest.del_card(serial=1)
    assert LOST not in guest.dmesg()
