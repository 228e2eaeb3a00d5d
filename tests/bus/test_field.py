# SPDX-License-Identifier: LGPL-2.1-or-later
"""Kinds of machines that people have reported, each with what must come of it."""

import pytest

from harness import MOVABLE, ONLY_WATCH, QUICK_RETRY, path_of, rule

GIB = 1 << 30

HEAD = """block_size = "128MiB"
[features]
region_create = true
weighted_interleave = true
demotion = true
access_coordinates = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
access = { read_latency = 100, write_latency = 100, read_bandwidth = 200000, write_bandwidth = 200000 }
"""


def card(number, size="1GiB", more=""):
    return (f'[[memdev]]\nname = "mem{number}"\nserial = {0x91 + number}\nhost = "0000:{0x0d + number:02x}:00.0"\n'
            f'ram_size = "{size}"\n{more}\n')


def window(size, more=""):
    return f'[[root_decoder]]\nname = "decoder0.0"\nstart = 0x490000000\nsize = "{size}"\n{more}\n'


@pytest.fixture
def machine(tmp_path):
    def write(text):
        path = tmp_path / "machine.toml"
        path.write_text(text)
        return path

    return write


def conflicts(daemon, kind):
    return [message for each, message in daemon.manager["Conflicts"] if each == kind]


def test_a_tier_that_contradicts_the_coordinates_is_said_and_that_nothing_is_demoted(make_daemon, machine):
    text = HEAD + """[[node]]
id = 1
tier = 4
access = { read_latency = 300, write_latency = 300, read_bandwidth = 25000, write_bandwidth = 25000 }
[[dax]]
name = "dax0.0"
kind = "hmem"
ranges = [{ start = 0x2080000000, size = "4GiB" }]
target_node = 1
"""
    policy = rule(match='kind = "hmem"', memory='zone = "movable"')
    daemon = make_daemon(machine=machine(text), policy=policy, settings='demotion = "on"\n')
    daemon.wait_dax(State="online", InPolicy=True)
    assert daemon.wait(lambda: conflicts(daemon, "tier"), "the tier") == [
        "node 1 is in tier 4, its coordinates give 108: nothing is demoted to it"]
    assert any("nothing is ever demoted" in message
               for message in daemon.wait(lambda: conflicts(daemon, "tuning"), "demotion"))


BRIDGES = HEAD + '[[port]]\nname = "port1"\n[[port]]\nname = "port2"\n' + "".join(
    card(n, more=f'port = "port{1 + n // 2}"') for n in range(4)) + window(
        "16GiB", 'targets = ["port1", "port2"]\ninterleave_granularity = 8192')


def pool(serials, more=""):
    return f'[[region]]\nname = "pool"\nmemdev_serial = {serials}\n{more}\n' + MOVABLE


def test_an_interleave_order_that_the_kernel_refuses_is_refused_with_one_that_works(make_daemon, machine):
    daemon = make_daemon(machine=machine(BRIDGES), policy=pool([0x91, 0x92, 0x93, 0x94]), settings=QUICK_RETRY)
    (message,) = daemon.wait(lambda: conflicts(daemon, "region"), "a conflict")
    assert 'an order that works: "0x91", "0x93", "0x92", "0x94"' in message
    assert daemon.wait(lambda: daemon.manager["State"] == "degraded", "degraded")
    assert "looked at" not in daemon.log()
    daemon.policy_file.write_text(pool([0x91, 0x93, 0x92, 0x94]))
    daemon.reload()
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait(lambda: daemon.manager["State"] == "idle", "all is well")
    assert conflicts(daemon, "region") == []


def test_a_region_that_the_kernel_refuses_makes_the_state_degraded(make_daemon, machine):
    text = HEAD + card(0) + window("4GiB")
    daemon = make_daemon(machine=machine(text), policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("fail", operation="create_region", errno="ENXIO", count=0)
    daemon.policy_file.write_text(pool([0x91]))
    daemon.reload()
    daemon.wait(lambda: "given up" in daemon.log(), "it gives up")
    daemon.wait(lambda: daemon.manager["State"] == "degraded", "degraded")
    assert "its interrupted creation was looked at" not in daemon.log()


def test_what_a_window_leaves_of_a_card_is_said(make_daemon, machine):
    daemon = make_daemon(machine=machine(HEAD + card(0, "16GiB") + window("4GiB")), policy=pool([0x91], 'size = "max"'))
    daemon.wait_dax(State="online", InPolicy=True)
    assert "12GiB of the card stay unused: decoder0.0 has nothing left in one piece" in daemon.log()


def test_memory_on_a_node_with_dram_is_noted_and_its_weight_left_alone(make_daemon, machine):
    text = HEAD + card(0) + window("4GiB", "target_node = 0") + (
        '[[region]]\nname = "region0"\nmemdevs = ["mem0"]\nroot_decoder = "decoder0.0"\nstart = 0x490000000\n'
        'size = "1GiB"\n[[dax]]\nname = "dax0.0"\nregion = "region0"\ntarget_node = 0\n')
    policy = MOVABLE + '[[node]]\nmatch = { kind = "cxl-ram" }\ninterleave_weight = 3\n'
    daemon = make_daemon(machine=machine(text), policy=policy)
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_idle()
    (message,) = conflicts(daemon, "dram-node")
    assert "memory of dax0.0 is on node 0, which has CPUs and DRAM" in message
    assert any("weight of node 0 is left alone" in text for text in conflicts(daemon, "tuning"))
    assert "interleave weight of node 0: 3" not in daemon.log()


def test_a_poisoned_block_is_left_out_said_once_and_others_take_its_place(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("poison-block", dax="dax0.0", nth=30)
    daemon.policy_file.write_text(rule(match='dax = "dax0.0"', memory='zone = "movable"\namount = "2GiB"'))
    daemon.reload()
    daemon.wait_dax(BlocksOnline=16, InPolicy=True)
    daemon.wait_idle()
    assert daemon.log().count("a page of it is poisoned") == 1
    # All of it cannot be: 31 are, and nobody tries again.
    daemon.policy_file.write_text(rule(match='dax = "dax0.0"', memory='zone = "movable"'))
    daemon.reload()
    device = daemon.wait_dax(BlocksOnline=31, InPolicy=False)
    daemon.wait_idle()
    jobs = daemon.jobs()
    daemon.look_again(2)
    assert daemon.jobs() == jobs
    assert "a page of it is poisoned (EHWPOISON)" in daemon.dax()["Reason"]
    assert "given up" not in daemon.log()


NEWER = HEAD.replace("region_create = true", "region_create = true\ndax_state = true") + "[kernel]\nfamfs = true\n" + (
    card(0) + window("4GiB") + '[[region]]\nname = "region0"\nmemdevs = ["mem0"]\nroot_decoder = "decoder0.0"\n'
    'start = 0x490000000\nsize = "1GiB"\n[[dax]]\nname = "dax0.0"\nregion = "region0"\ntarget_node = 1\n')


def test_an_unplugged_device_is_brought_back(make_daemon, machine):
    daemon = make_daemon(machine=machine(NEWER), policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("write-dax-state", dax="dax0.0", value="unplugged")
    daemon.wait(lambda: "its state reads 'unplugged'" in daemon.log(), "it is seen")
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True)
    assert daemon.dax()["HotplugState"] != "unplugged"


def test_drift_of_an_unplugged_device_is_reported_and_apply_brings_it_back(make_daemon, machine):
    daemon = make_daemon(machine=machine(NEWER), policy=MOVABLE)
    daemon.wait_dax(State="online", Zone="movable", InPolicy=True)
    daemon.wait_idle()
    daemon.inject("write-dax-state", dax="dax0.0", value="unplugged")
    device = daemon.wait_dax(BlocksOnline=0, HotplugState="unplugged", InPolicy=False)
    daemon.wait(lambda: "changed by somebody else" in daemon.dax()["LastError"][1], "the drift")
    (job,) = daemon.apply()
    assert daemon.result(job) == "done"
    daemon.wait_dax(State="online", InPolicy=True)


FAMFS = '[[rule]]\nname = "f"\nmatch.dax = "dax0.0"\nmemory.mode = "famfs"\n'


def test_famfs_where_the_kernel_has_it(make_daemon, machine):
    daemon = make_daemon(machine=machine(NEWER), policy=FAMFS)
    daemon.wait_dax(Mode="famfs", InPolicy=True)
    assert "famfs" in daemon.manager["Features"]


def test_famfs_without_its_driver_is_said(make_daemon):
    daemon = make_daemon(policy=FAMFS)
    assert "no driver for famfs here" in daemon.wait_dax(InPolicy=False)["Reason"]
    assert "famfs" not in daemon.manager["Features"]
    assert "fsdev_dax" in daemon.fails("NotSupported", daemon.set_mode, "dax1.0", "famfs")


def test_a_rule_asks_which_machine_it_is(make_daemon, machine):
    text = HEAD + """[host]
name = "guest7"
virtualization = "kvm"
kernel_version = "6.12.95"
[[dax]]
name = "dax0.0"
kind = "hmem"
ranges = [{ start = 0x2080000000, size = "1GiB" }]
target_node = 1
"""
    policy = rule("bare", 'virtualization = "no"', 'zone = "movable"') + rule("guests", 'virtualization = "vm"',
                                                                               'zone = "kernel"')
    daemon = make_daemon(machine=machine(text), policy=policy)
    daemon.wait_dax(State="online", Zone="kernel", InPolicy=True, Rule="guests")
    ((name, _, _, key, want, seen),) = daemon.explain("dax0.0")["rejected"]
    assert (name, key, want, seen) == ("bare", "virtualization", "no", "kvm")


HMEM = HEAD + card(0, "4GiB") + window("4GiB") + """[[dax]]
name = "dax1.0"
kind = "hmem"
ranges = [{ start = 0x490000000, size = "1GiB" }]
target_node = 1
"""


def test_a_check_warns_of_the_other_name_of_the_machine_s_memory(make_daemon, machine):
    daemon = make_daemon(machine=machine(HMEM), policy=ONLY_WATCH)
    ((_, line, _, severity, message),) = daemon.check_policy(MOVABLE)
    assert (line, severity) == (1, "warning")
    assert 'no rule is about kind "hmem", which dax1.0 is on this kernel' in message
    assert daemon.check_policy(rule(match='backed_by = "cxl"', memory='zone = "movable"')) == []


def test_an_hmem_device_is_its_card_s(make_daemon, machine):
    policy = rule("serial", 'memdev_serial = "0x91"\nroot_decoder = "decoder0.0"', 'zone = "movable"')
    daemon = make_daemon(machine=machine(HMEM), policy=policy)
    device = daemon.wait_dax("dax1.0", State="online", Zone="movable", Rule="serial")
    # On the bus it stands where the rule finds it.
    assert (device["RootDecoder"], device["Region"]) == ("decoder0.0", "/")
    assert device["Memdevs"] == [path_of("memdev", "mem0")]


def test_an_hmem_device_in_a_region_is_the_region_s(make_daemon, machine):
    region = ('[[region]]\nname = "region0"\nmemdevs = ["mem0"]\nroot_decoder = "decoder0.0"\nstart = 0x490000000\n'
              'size = "1GiB"\n')
    text = HMEM.replace("[[dax]]", region + "[[dax]]")
    daemon = make_daemon(machine=machine(text), policy=rule("region", 'region = "region0"\nmemdev_serial = "0x91"',
                                                            'zone = "movable"'))
    device = daemon.wait_dax("dax1.0", State="online", Rule="region")
    assert (device["Region"], device["RootDecoder"], device["Memdevs"]) == (
        path_of("region", "region0"), "decoder0.0", [path_of("memdev", "mem0")])
    region = daemon.properties(path_of("region", "region0"), "Region")
    assert (region["DaxDevices"], region["TargetNode"]) == ([path_of("dax", "dax1.0")], 1)


def test_a_cxl_device_names_its_cards_and_window(make_daemon):
    device = make_daemon(policy=ONLY_WATCH).dax("dax0.0")
    assert (device["RootDecoder"], device["Memdevs"]) == ("decoder0.0", [path_of("memdev", "mem0")])


def test_one_rule_from_one_file_is_said_in_the_singular(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    daemon.reload()
    assert "policy reloaded: 1 rule from 1 file\n" in daemon.log()
    daemon.policy_file.with_name("90-more.toml").write_text(rule("second", 'kind = "hmem"', 'zone = "movable"'))
    daemon.reload()
    assert "policy reloaded: 2 rules from 2 files\n" in daemon.log()


def test_an_hmem_device_on_one_of_two_cards_is_on_neither_for_certain(make_daemon, machine):
    two = HMEM.replace(window("4GiB"), card(1, "4GiB") + window("4GiB"))
    daemon = make_daemon(machine=machine(two), policy=rule("serial", 'memdev_serial = ["0x91", "0x92"]',
                                                           'zone = "movable"'))
    daemon.wait_dax("dax1.0", Rule="")
    ((*_, key, _, seen),) = daemon.explain("dax1.0")["rejected"]
    assert key == "memdev_serial"
    device = daemon.dax("dax1.0")
    assert (device["RootDecoder"], device["Memdevs"], device["Region"]) == ("decoder0.0", [], "/")
    assert "it may be on any of mem0, mem1" in seen and "phys_range" in seen
