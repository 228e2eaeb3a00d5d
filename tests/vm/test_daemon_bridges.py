# SPDX-License-Identifier: LGPL-2.1-or-later
"""A window that interleaves over two host bridges: the order of the cards is the kernel's to refuse, and the plan does
it first."""

import pytest

from guest import Card
from service import MANAGE, poll, rule

GIB = 1 << 30


def wish(serials, more=""):
    listed = ", ".join(f'"{serial:#x}"' for serial in serials)
    return f'[[region]]\nname = "pool0"\nmemdev_serial = [{listed}]\n{more}\n'


@pytest.fixture(scope="module")
def guest(boot):
    # Ports go to the bridges by turns: card 1 is below the first, card 2 below the second.
    machine = boot(cards=[Card(1, "1G"), Card(2, "1G")], spare_ports=0, bridges=2, append="cgroup_disable=memory")
    machine.load_modules()
    yield machine
    machine.service.clean()


def conflicts(service):
    return [message for kind, message in service.manager()["Conflicts"] if kind == "region"]


@pytest.fixture(scope="module")
def orders(guest):
    """The serials in the order that the kernel takes, and the other way round: by /sys alone."""
    first = guest.run("""cd /sys/bus/cxl/devices; for e in endpoint*; do
        echo $(cat $(basename $(readlink $e/uport))/serial) $(basename $(readlink -f $e/../parent_dport)); done
        for t in $(tr , ' ' < decoder0.0/target_list); do basename $(readlink -f root0/dport$t); done
        """).stdout.split("\n")
    bridge_of = dict(reversed(line.split()) for line in first if " " in line)
    right = [int(bridge_of[target], 0) for target in first if target and " " not in target]
    assert sorted(right) == [1, 2]
    return right, right[::-1]


def test_the_wrong_order_is_refused_with_one_that_works(guest, orders):
    service, (right, wrong) = guest.service, orders
    service.start(wish(wrong) + rule(), MANAGE)
    (message,) = poll("the refusal", lambda: conflicts(service))
    assert "position 0 of decoder0.0 has to be below pci" in message
    assert "an order that works: " + ", ".join(f'"{serial:#x}"' for serial in right) in message
    assert service.manager()["State"] == "degraded"
    assert guest.regions() == []


def test_the_named_order_is_made_and_its_memory_comes_online(guest, orders):
    service, (right, _) = guest.service, orders
    service.clean()
    service.start(wish(right) + rule(), MANAGE)
    try:
        region = poll("the region", lambda: next((r for r in guest.regions() if guest.dax_of_region(r)), None), 60)
    except AssertionError as error:
        raise AssertionError(f"{error}: {conflicts(service)}") from None
    service.settled(guest.dax_of_region(region), Movable=16)
    shown = poll("the region on the bus", lambda: service.objects("region").get(region))
    assert (shown["InterleaveWays"], shown["Size"]) == (2, 2 * GIB)
    assert poll("all is well", lambda: service.manager()["State"] == "idle")


def test_the_kernel_refuses_the_wrong_order_with_enxio(guest):
    """What the emulator does in its place: position 0 from below the second target."""
    guest.service.clean()
    out = guest.run("""cd /sys/bus/cxl/devices; R=$(cat decoder0.0/create_ram_region)
    echo $R > decoder0.0/create_ram_region
    IG=$(cat decoder0.0/interleave_granularity); echo $IG > $R/interleave_granularity; echo 2 > $R/interleave_ways
    echo $((2 << 30)) > $R/size
    for e in endpoint*; do d=$(basename $(ls -d $e/decoder*.0)); echo ram > $d/mode; echo $((1 << 30)) > $d/dpa_size
        echo "$(basename $(readlink $e/uport)) $d"; done
    set -- $(for e in endpoint*; do basename $(ls -d $e/decoder*.0); done)
    for order in "$1" "$2"; do (echo $order > $R/target0) 2>&1; cat $R/target0; echo "" > $R/target0 2>/dev/null; done
    for d in $1 $2; do echo 0 > $d/dpa_size; done; echo $R > decoder0.0/delete_region""", check=False).stdout
    assert "No such device or address" in out
