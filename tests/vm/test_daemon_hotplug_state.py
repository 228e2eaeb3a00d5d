"""daxX.Y/state of 7.3: another process takes a device's memory away with it, and the daemon brings it back."""

import pytest

from guest import Card
from service import MANAGE, poll, rule


@pytest.fixture(scope="module")
def guest(boot):
    machine = boot(kernel="7.3", cards=[Card(1, "1G")], append="cgroup_disable=memory")
    machine.load_modules()
    yield machine
    machine.service.clean()


def state_of(guest, dax):
    path = f"/sys/bus/dax/devices/{dax}/state"
    return guest.run(f"cat {path}", check=False).stdout.strip(), path


@pytest.fixture
def dax(guest):
    # Memory that this kernel has brought online in the Normal zone stays there.
    guest.set_auto_online("offline")
    name = guest.dax_of_region(guest.create_region(serials=[1]))
    assert state_of(guest, name)[0]
    yield name
    guest.service.clean()


def test_an_unplugged_device_comes_back_where_the_rule_enforces(guest, dax):
    service = guest.service
    service.start(rule(memory='zone = "movable"\ndrift = "enforce"'), MANAGE)
    service.settled(dax, Movable=8)
    service.idle()
    state, path = state_of(guest, dax)
    assert service.dax(dax)["HotplugState"] == state
    guest.write(path, "unplugged")  # comes back when no block is left
    service.settled(dax, Movable=8)
    assert service.dax(dax)["HotplugState"] == state_of(guest, dax)[0] != "unplugged"
    assert "changed by somebody else" in service.journal() and "suspected" in service.journal()


def test_where_it_is_only_reported_apply_brings_it_back(guest, dax):
    service = guest.service
    service.start(rule(), MANAGE)
    service.settled(dax, Movable=8)
    service.idle()
    guest.write(state_of(guest, dax)[1], "unplugged")
    poll("the state on the bus", lambda: service.dax(dax)["HotplugState"] == "unplugged")
    poll("the drift", lambda: "changed by somebody else" in service.dax(dax)["LastError"][1])
    assert guest.blocks_of_dax(dax) == {}
    service.call("/org/cxlmemd1", "Manager", "Apply")
    service.settled(dax, Movable=8)
