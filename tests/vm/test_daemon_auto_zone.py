# SPDX-License-Identifier: LGPL-2.1-or-later
"""zone = "auto" on a real kernel. Memory that the kernel got stays the kernel's, so each test has a machine of its own."""

import re

import pytest

from guest import Card
from service import LEAVE, MANAGE, poll, rule


def kernel_zone_bytes(guest):
    """Present in all zones but Movable, by /proc/zoneinfo."""
    zones = re.findall(r"^Node +\d+, zone +(\w+)$.*?^ +present +(\d+)$", guest.read("/proc/zoneinfo"), re.M | re.S)
    return sum(int(pages) * 4096 for zone, pages in zones if zone not in ("Movable", "Device"))


@pytest.mark.parametrize("handling", [pytest.param(MANAGE, id="kernel_told_to_wait"),
                                      pytest.param(LEAVE, id="kernel_onlines_first")])
def test_a_card_is_split_so_that_the_machine_keeps_to_the_ratio(boot, handling):
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")], append="cgroup_disable=memory")
    guest.load_modules()
    service, kernel, block = guest.service, kernel_zone_bytes(guest), guest.block_size()
    ratio = round(4.5 * block / kernel, 6)  # room for four blocks and a half beside what the machine has by itself
    service.start(rule(memory='zone = "auto"'), f"{handling}\nmax_movable_ratio = {ratio:.6f}\n")
    if handling == MANAGE:
        poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)

    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    blocks = service.settled(dax, Normal=4, Movable=4)
    assert [blocks[index][1] for index in sorted(blocks)] == ["Normal"] * 4 + ["Movable"] * 4
    told = service.dax(dax)
    assert told["InPolicy"] and told["Zone"] == "mixed"
    assert "leaves room for 4 of 8 blocks in ZONE_MOVABLE" in told["Reason"]

    # A card that comes later: half a block of room is left, and what the first one's kernel memory adds to it.
    room = int((ratio * (kernel + 4 * block) - 4 * block) / block)
    later = guest.dax_of_region(guest.create_region(serials=[2]))
    service.settled(later, **{"Normal": 8 - room, **({"Movable": room} if room else {})})
    assert service.settled(dax, Normal=4, Movable=4) == blocks
