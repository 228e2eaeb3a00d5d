# SPDX-License-Identifier: LGPL-2.1-or-later
"""On Linux 7.3 a dax device appears a moment after its region: the daemon sees a region without one, and waits."""

import pytest

from harness import MOVABLE, path_of
from places import MACHINES

GIB = 1 << 30
WISH = '[[region]]\nname = "pool0"\ntype = "ram"\nmemdev_serial = [0x11]\n'


@pytest.fixture
def late(tmp_path):
    """The ready machine, with so long between the two."""
    def machine(time, auto_online="offline"):
        text = (MACHINES / "two-cards-7-3.toml").read_text()
        assert 'late_dax = "20ms"' in text and 'auto_online = "online"' in text
        file = tmp_path / f"late-{time}.toml"
        file.write_text(text.replace('"20ms"', f'"{time}"')
                        .replace('auto_online = "online"', f'auto_online = "{auto_online}"'))
        return file
    return machine


def region(daemon, name="region2"):
    return daemon.properties(path_of("region", name), "Region")


def test_a_region_that_policy_made_waits_for_its_dax_device(make_daemon, late):
    daemon = make_daemon(machine=late("700ms"), policy=WISH + MOVABLE)
    daemon.inject("add-memdev", serial=0x11, name="mem2")
    daemon.wait(lambda: region(daemon), "the region is there")
    assert region(daemon)["DaxDevices"] == [] and daemon.dax("dax2.0") is None
    assert daemon.manager["Conflicts"] == []
    device = daemon.wait_dax("dax2.0", State="online", Zone="movable", InPolicy=True)
    assert device["BlocksTotal"] == 32 and region(daemon)["DaxDevices"] == [path_of("dax", "dax2.0")]
    assert daemon.log().count("made as region2") == 1, "and once is enough"
    assert "changed by somebody else" not in daemon.log()


def test_a_region_can_be_removed_before_its_dax_device_is_there(make_daemon, late):
    daemon = make_daemon(machine=late("2s"), policy=MOVABLE)
    daemon.inject("add-memdev", serial=0x11, name="mem2")
    daemon.inject("add-region", memdevs="mem2")
    daemon.wait(lambda: region(daemon), "the region is there")
    assert daemon.result(daemon.remove_region("region2")) == "done"
    daemon.wait_gone(path_of("region", "region2"))
    assert daemon.dax("dax2.0") is None
    assert daemon.result(daemon.prepare_remove("mem2")) == "done"


def test_a_card_that_is_pulled_in_between_leaves_nothing_to_wait_for(make_daemon, late):
    daemon = make_daemon(machine=late("300ms"), policy=WISH + MOVABLE)
    daemon.inject("add-memdev", serial=0x11, name="mem2")
    daemon.wait(lambda: region(daemon), "the region is there")
    daemon.inject("remove-memdev", memdev="mem2")
    daemon.wait(lambda: region(daemon) is None or region(daemon)["Memdevs"] == [], "its card is gone")
    daemon.inject("remove-region", region="region2")
    daemon.inject("add-memdev", serial=0x11, name="mem2")
    daemon.wait_dax("dax2.0", State="online", InPolicy=True)
    assert daemon.log().count("made as region2") == 2


def test_what_the_kernel_brings_online_meanwhile_is_put_right_once_it_is_complete(make_daemon, late):
    daemon = make_daemon(machine=late("50ms", "online_movable"), policy=MOVABLE)
    daemon.inject("add-memdev", serial=0x11, name="mem2")
    daemon.inject("add-region", memdevs="mem2")
    device = daemon.wait_dax("dax2.0", State="online", Zone="movable", InPolicy=True)
    assert device["BytesOnline"] == 4 * GIB and daemon.jobs("dax2.0") == []
