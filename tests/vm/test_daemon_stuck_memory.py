# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory that nobody can help: what the kernel will not let go, and what somebody else has lost until the next reboot
(R11). It is said, explained, and left alone. In the order of the file, as nothing here can be undone."""

import pytest

from guest import Card
from service import LEAVE, MANAGE, poll, rule

SOON = '[retry]\ninitial = "100ms"\nmax = "200ms"\nattempts = 4\n'


@pytest.fixture(scope="module")
def guest(boot):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")])
    guest.load_modules()
    return guest


@pytest.fixture
def service(guest):
    return guest.service


def test_R15_what_the_kernel_keeps_in_its_zone_is_named_and_the_rest_moved(guest, service):
    """The daemon's own memory cgroup takes kernel memory on the node, as any service does that starts while the node
    has memory in the Normal zone: one block or two can never go offline again."""
    dax = guest.dax_of_region(guest.create_region(serials=[2]))
    assert {zone for _, zone, _ in guest.blocks_of_dax(dax).values()} == {"Normal"}
    service.start(rule(), LEAVE + SOON)

    poll("policy to give up", lambda: "given up" in service.journal(), 60)
    service.agrees(dax)
    stay = [index for index, (_, zone, _) in guest.blocks_of_dax(dax).items() if zone != "Movable"]
    assert 1 <= len(stay) <= 2
    told = service.dax(dax)
    assert (told["State"], told["Zone"], told["InPolicy"]) == ("online", "mixed", False)
    assert any(f"memory block {index}" in told["LastError"][1] for index in stay), told["LastError"]
    assert service.manager()["State"] == "degraded"
    explained = guest.run(f"cxlmemctl explain {dax}").stdout
    assert any(f"memory block {index}" in explained for index in stay), explained
    service.stop()


@pytest.fixture(scope="module")
def dax(guest):
    service = guest.service
    service.start(rule(), MANAGE + SOON)
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    name = guest.dax_of_region(guest.create_region(serials=[1]))
    service.settled(name, Movable=8)
    service.idle()
    return name


def test_R11_kmem_unbound_by_hand_with_blocks_online_latches_and_nothing_is_tried(guest, service, dax):
    # The other device, with its stuck block, has tries of its own meanwhile: jobs and lines of this one count.
    cursor = service.cursor()
    uevents = guest.record_uevents()

    guest.unbind_kmem(dax)
    assert "cannot be hotremoved until the next reboot" in guest.dmesg()

    poll("RebootRequired", lambda: service.dax(dax)["RebootRequired"], 30)
    guest.run("sleep 5")  # dozens of retries, if there were any
    told = service.dax(dax)
    assert told["RebootRequired"] and not told["InPolicy"]
    assert "reboot" in (told["Reason"] + told["LastError"][1]).lower()
    poll("State to be degraded", lambda: service.manager()["State"] == "degraded", 60)
    assert any(kind == "leaked" for kind, _ in service.manager()["Conflicts"])
    lines = [line for line in service.journal(f"--after-cursor='{cursor}'").splitlines() if f"{dax}: " in line]
    assert not any("policy: " in line for line in lines), lines  # no job of it has ended, so none was begun
    assert len(lines) <= 5, lines
    assert [event for event in uevents.stop().events if event[0] in ("online", "offline")] == []


def test_R11_it_is_explained(guest, service, dax):
    explained = guest.run(f"cxlmemctl explain {dax}").stdout
    assert "reboot" in explained.lower() and "unbound" in explained
    assert "reboot" in guest.run(f"cxlmemctl show {dax}").stdout.lower()


def test_R11_calls_are_refused_with_that_reason(guest, service, dax):
    for method, arguments, signature in (("Online", ("movable", 0), "sa{sv}"), ("Offline", (0,), "a{sv}"),
                                         ("SetMode", ("system-ram", 0), "sa{sv}"),
                                         ("SetMode", ("devdax", 0), "sa{sv}")):
        assert "reboot" in service.refuse(dax, method, *arguments, signature=signature).lower(), method
    assert guest.dax_devices()[dax]["driver"] is None
    assert not service.dax(dax)["Held"]
    assert guest.run(f"cxlmemctl online {dax} --zone movable", check=False).rc == 1


def test_R11_it_stays_so_over_a_reload_and_a_restart(guest, service, dax):
    service.reload()
    service.restart()
    poll("RebootRequired", lambda: service.dax(dax)["RebootRequired"], 30)
    service.idle()
    assert guest.dax_devices()[dax]["driver"] is None
    assert service.show("ActiveState") == "active"


def test_R10_a_bind_by_hand_that_the_kernel_refuses_changes_nothing(guest, service, dax):
    refused = guest.run(f"echo {dax} > /sys/bus/dax/drivers/kmem/bind", check=False)
    assert refused.rc != 0
    service.idle()
    assert service.dax(dax)["RebootRequired"]
