# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sample of the campaign's matrix (tests/campaign/matrix.py) on a real kernel: kinds of job × ways to be ended in
the middle. Whatever comes of the job, the machine is whole, the bus says what /sys says, and policy goes on."""

import pytest

from guest import Card
from service import MANAGE, UNIT, poll, rule

BLOCKS = 16
LOST = "cannot be hotremoved until the next reboot"
JOBS = {
    "offline": ("Offline", "a{sv}", [1, "hold", "b", "false"]),
    "online": ("Online", "sa{sv}", ["kernel", 1, "hold", "b", "false"]),  # out of ZONE_MOVABLE, block by block
    "set-mode": ("SetMode", "sa{sv}", ["devdax", 1, "hold", "b", "false"]),
}


@pytest.fixture(scope="module")
def machine(boot):
    guest = boot(cards=[Card(1, "2G")])
    guest.load_modules()
    return guest


@pytest.fixture(scope="module")
def dax(machine):
    """One device for all of them: each has to leave it so that the next can begin."""
    machine.service.clean()
    machine.service.start(rule(), MANAGE)
    poll("auto_online_blocks to be offline", lambda: machine.auto_online() == "offline", 30)
    name = machine.dax_of_region(machine.create_region(serials=[1]))
    yield name
    machine.service.clean()


def begin(service, dax, kind):
    method, signature, arguments = JOBS[kind]
    return service.do(dax, method, *arguments, signature=signature)


def all_is_movable_again(guest, service, dax):
    service.settled(dax, Movable=BLOCKS)
    service.idle()
    assert service.dax(dax)["InPolicy"] and not service.dax(dax)["RebootRequired"]
    assert not [kind for kind, _ in service.manager()["Conflicts"] if kind in ("leaked", "unreadable")]
    assert LOST not in guest.run("dmesg").stdout


@pytest.fixture(autouse=True)
def whole(machine, dax):
    all_is_movable_again(machine, machine.service, dax)
    yield
    machine.service.call("/org/cxlmemd1", "Manager", "Apply")
    all_is_movable_again(machine, machine.service, dax)


@pytest.mark.parametrize("kind", JOBS)
def test_canceled(machine, dax, kind):
    service = machine.service
    before = machine.blocks_of_dax(dax)
    job = begin(service, dax, kind)
    service.call(job, "Job", "Cancel")
    done = service.finished(job)
    assert done["Result"] in ("done", "canceled")
    assert done["Result"] == "done" or machine.blocks_of_dax(dax) == before, "a canceled job puts back what it took"


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("kind", JOBS)
def test_the_daemon_is_ended(machine, dax, kind, end):
    service = machine.service
    # In one line, or the job would be over before the signal is on its way.
    method, signature, arguments = JOBS[kind]
    path = f"/org/cxlmemd1/dax/{dax.replace('.', '_2e')}"
    call = " ".join(str(word) for word in ("busctl call org.cxlmemd1", path, "org.cxlmemd1.DaxDevice", method,
                                           f"'{signature}'", *arguments))
    machine.run(f"{call} && kill -s {end} {service.pid()}; systemctl stop {UNIT}; systemctl reset-failed {UNIT}", 120,
                check=False)
    assert service.show("ActiveState") == "inactive"
    assert LOST not in machine.run("dmesg").stdout
    service.start()


def test_a_region_whose_removal_was_cut_short_is_named_and_removed_again(machine, dax):
    """SIGKILL between the disable and the delete leaves a region without a driver."""
    service = machine.service
    region = machine.dax_devices()[dax]["region"]
    # Held, or policy would have it online again when its region goes.
    service.done(service.do(dax, "SetMode", "devdax", 0, signature="sa{sv}"))
    machine.run(f"echo {region} > /sys/bus/cxl/drivers/cxl_region/unbind")
    named = poll("it is named", lambda: [text for kind, text in service.manager()["Conflicts"] if kind == "region"])
    assert f"cxlmemctl remove {region}" in named[0]
    service.restart()
    assert [text for kind, text in service.manager()["Conflicts"] if kind == "region"] == named
    assert service.objects("region")[region]["Enabled"] is False
    assert machine.run(f"cxlmemctl remove {region}").rc == 0
    assert region not in machine.regions()
    assert not [text for kind, text in service.manager()["Conflicts"] if kind == "region"]
    assert machine.dax_of_region(machine.create_region(serials=[1])) == dax
    service.do(dax, "Release")
