# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of Region.Remove and of Memdev.PrepareRemove have in common."""

import pytest
from harness import path_of

REGION0 = path_of("region", "region0")

# Two cards. On both of them a region with two dax devices; above it, on the second card, another region.
POOL = """
[features]
region_create = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
[[memdev]]
name = "mem0"
serial = 0x1
host = "0000:0d:00.0"
ram_size = "4GiB"
[[memdev]]
name = "mem1"
serial = 0x2
host = "0000:0e:00.0"
ram_size = "4GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x590000000
size = "64GiB"
[[region]]
name = "region0"
memdevs = ["mem0", "mem1"]
root_decoder = "decoder0.0"
start = 0x590000000
size = "2GiB"
[[region]]
name = "region1"
memdevs = ["mem1"]
root_decoder = "decoder0.0"
start = 0x690000000
size = "1GiB"
[[dax]]
name = "dax0.0"
region = "region0"
target_node = 1
ranges = [{ start = 0x590000000, size = "1GiB" }]
[[dax]]
name = "dax0.1"
region = "region0"
target_node = 1
ranges = [{ start = 0x5d0000000, size = "1GiB" }]
[[dax]]
name = "dax1.0"
region = "region1"
target_node = 2
"""


def online(make_daemon, *devices, **what):
    daemon = make_daemon(**what)
    for device in devices or ("dax0.0", "dax1.0"):
        daemon.wait_dax(device, InPolicy=True, State="online", Zone="movable")
    daemon.wait_idle()
    return daemon


@pytest.fixture
def pool(make_daemon, machine_file):
    """Everything of POOL online by policy."""
    return online(make_daemon, "dax0.0", "dax0.1", "dax1.0", machine=machine_file(POOL))


def hanging(daemon, call, name, nth, **given):
    """A job of which nth - 1 blocks are offline, and the next one hangs."""
    daemon.inject("hang", operation="set_block", nth=nth)
    job = call(name, **given)
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == nth - 1, "the job hangs")
    return job
