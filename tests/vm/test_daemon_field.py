# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nodes of the field's machines on a real kernel: memory that lands on a node with DRAM, automatic weights where a
bandwidth is unknown. Each needs a machine of its own."""

from guest import Card
from service import MANAGE, poll, rule

BLOCKS = 8


def conflicts(service, kind):
    return [message for each, message in service.manager()["Conflicts"] if each == kind]


def weight_of_node_0(guest):
    return guest.run("cat /sys/kernel/mm/mempolicy/weighted_interleave/node0").stdout.strip()


def test_memory_on_a_node_with_dram_is_noted_and_the_weight_left_alone(boot):
    # Without SRAT nobody says on which node the window is: the kernel takes node 0, where processors and DRAM are. One
    # block only: what is online there is any process's, and QEMU is slow to read it and may die of running code in it.
    guest = boot(cards=[Card(1, "1G")], spare_ports=0, append="numa=off cgroup_disable=memory")
    guest.load_modules()
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    assert guest.dax_devices()[dax]["target_node"] == 0
    service, before = guest.service, weight_of_node_0(guest)
    service.start(rule(memory='zone = "movable"\namount = "128MiB"') +
                  '[[node]]\nmatch = { kind = "cxl-ram" }\ninterleave_weight = 3\n', MANAGE)
    blocks = service.settled(dax, Movable=1, offline=BLOCKS - 1)
    assert {node for _, _, node in blocks.values()} == {0}
    (message,) = poll("the note", lambda: conflicts(service, "dram-node"))
    assert f"memory of {dax} is on node 0, which has CPUs and DRAM" in message
    assert any("weight of node 0 is left alone" in text for text in conflicts(service, "tuning"))
    assert weight_of_node_0(guest) == before


def kernel_weights(bandwidths):
    """mm/mempolicy.c of 7.3: a bandwidth that is not known counts as 0, and everybody has 1 at least."""
    weights = [max(32 * each // sum(bandwidths), 1) for each in bandwidths]
    for divisor in range(max(weights), 1, -1):
        if all(weight % divisor == 0 for weight in weights):
            return [weight // divisor for weight in weights]
    return weights


def test_automatic_weights_where_the_bandwidth_of_a_node_is_unknown(boot):
    guest = boot(kernel="7.3", cards=[Card(1, "1G")], hmat=True, dark="512M", append="cgroup_disable=memory")
    guest.load_modules()
    guest.set_auto_online("offline")
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    node = guest.dax_devices()[dax]["target_node"]
    service = guest.service
    nodes = [0, 1, node]  # the dark one is numbered before the window
    service.start(rule() + f'[[node]]\nmatch = {{ id = {nodes} }}\ninterleave_weight = "auto"\n', MANAGE)
    service.settled(dax, Movable=BLOCKS)
    service.idle()
    folder = "/sys/kernel/mm/mempolicy/weighted_interleave"
    poll("the automatic mode", lambda: guest.run(f"cat {folder}/auto").stdout.strip() in ("1", "true", "Y"))
    weights = [int(guest.run(f"cat {folder}/node{each}").stdout) for each in nodes]
    told = [service.objects("node")[f"node{each}"] for each in nodes]
    assert [each["InterleaveWeight"] for each in told] == weights
    known = [min(each["ReadBandwidth"], each["WriteBandwidth"]) for each in told]
    assert known[0] > 0 and known[1] == 0
    assert weights == kernel_weights(known)
    assert any("the kernel knows no bandwidth of node 1" in text and "it reads 1" in text
               for text in conflicts(service, "tuning"))
