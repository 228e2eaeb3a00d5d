# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rows of DESIGN.md's table that have no file of their own. R1 and R7: test_removal.py; R6: test_mirror.py;
R14: test_races.py."""

import pytest
from harness import BLOCK, KERNEL, MOVABLE, ONLY_WATCH, QUICK_RETRY, dax_path, rule
from wire import ROOT

WITH_ACCESS = """
[features]
access_coordinates = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
access = { read_latency = 100, write_latency = 100, read_bandwidth = 256000, write_bandwidth = 256000 }
[[memdev]]
name = "mem0"
serial = 1
host = "0000:0d:00.0"
ram_size = "1GiB"
[[root_decoder]]
name = "decoder0.0"
start = 0x590000000
size = "64GiB"
[[region]]
name = "region0"
memdevs = ["mem0"]
root_decoder = "decoder0.0"
start = 0x590000000
size = "1GiB"
access = { read_latency = 280, write_latency = 300, read_bandwidth = 60000, write_bandwidth = 50000 }
[[dax]]
name = "dax0.0"
region = "region0"
target_node = 1
"""


@pytest.mark.parametrize("fault", [{"operation": "scan"}, {"operation": "read_blocks"}, {"operation": "set_block"},
                                   {"operation": "set_mode"}, {"operation": "set_auto_online"}])
def test_R2_a_step_that_fails_leaves_nothing_half_done(make_daemon, fault):
    """Every operation of the backend fails once; the daemon gets there all the same, and what the bus shows
    is what there is."""
    daemon = make_daemon(policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("fail", errno="EIO", **fault)
    daemon.inject("add-memdev", serial=9, name="mem7")
    daemon.inject("add-region", memdevs="mem7", mode="devdax")
    daemon.policy_file.write_text(MOVABLE)
    (daemon.config / "daemon.toml").write_text(QUICK_RETRY + '[log]\nlevel = "debug"\n')
    daemon.wait_dax("dax2.0")
    daemon.reload()
    for name in ("dax0.0", "dax1.0", "dax2.0"):
        daemon.wait_dax(name, State="online", Zone="movable", InPolicy=True, LastError=("", ""))
    daemon.wait_idle()
    assert daemon.manager["State"] == "idle"


def test_R2_what_was_refused_leaves_no_job_and_no_hold(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH, machine="negative-target-node")
    for _ in range(3):
        daemon.fails("InvalidArgument", daemon.online, "dax0.0", "movable")
    assert not daemon.jobs()
    assert not daemon.dax()["Held"]
    assert daemon.manager["State"] == "idle"


def test_R3_performance_appears_with_the_first_block(make_daemon, machine_file):
    daemon = make_daemon(machine=machine_file(WITH_ACCESS), policy=ONLY_WATCH)
    region = f"{ROOT}/region/region0"
    keys = ("ReadLatency", "WriteLatency", "ReadBandwidth", "WriteBandwidth")
    assert [daemon.properties(region, "Region")[key] for key in keys] == [0, 0, 0, 0]
    job = daemon.online("dax0.0", "movable", amount=BLOCK)
    assert daemon.result(job) == "done"
    assert [daemon.properties(region, "Region")[key] for key in keys] == [280, 300, 60000, 50000]
    assert [daemon.node(1)[key] for key in keys] == [280, 300, 60000, 50000]
    assert daemon.node(1)["Tier"] != daemon.node(0)["Tier"] == 4


def test_R8_a_negative_target_node_is_refused_before_kmem_is_asked(make_daemon):
    daemon = make_daemon(machine="negative-target-node", settings=QUICK_RETRY)
    daemon.inject("fail", operation="set_mode", errno="EIO", count=0)  # it would show if kmem were asked
    device = daemon.wait_dax(InPolicy=False)
    daemon.look_again(3)
    assert not daemon.jobs()
    device = daemon.dax()
    assert (device["TargetNode"], device["Node"], device["Mode"]) == (-1, "/", "unbound")
    assert "invalid node" in device["LastError"][1] and "-1" in device["LastError"][1]
    for call in (lambda: daemon.online("dax0.0", "movable"), lambda: daemon.set_mode("dax0.0", "system-ram")):
        assert "invalid node" in daemon.fails("InvalidArgument", call)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "failed"  # EIO: that one may be asked


def test_R9_what_alignment_costs_is_reported(make_daemon):
    daemon = make_daemon(machine="misaligned-device", policy=rule(match='kind = "hmem"', memory='zone = "movable"'))
    device = daemon.wait_dax("dax0.0", State="online", Zone="movable", InPolicy=True)
    assert (device["BlocksTotal"], device["BytesStranded"]) == (7, BLOCK)
    device = daemon.wait_dax("dax2.0", State="online", Zone="movable", InPolicy=True)
    assert (device["BlocksTotal"], device["BytesStranded"]) == (4, 64 << 20)


def test_R9_nothing_left_after_alignment_is_its_own_error(make_daemon):
    daemon = make_daemon(machine="misaligned-device", policy=rule(match='kind = "hmem"', memory='zone = "movable"'))
    device = daemon.wait_dax("dax1.0", InPolicy=False, BlocksTotal=0)
    daemon.look_again()
    assert not daemon.jobs("dax1.0")
    assert "alignment" in daemon.dax("dax1.0")["LastError"][1]
    assert device["BytesStranded"] == device["Size"]
    assert "alignment" in daemon.fails("InvalidArgument", daemon.online, "dax1.0", "movable")


def test_R10_a_reserved_range_is_reported_with_its_holder(make_daemon):
    daemon = make_daemon(machine="held-range", settings=QUICK_RETRY,
                         policy=rule(match='kind = "hmem"', memory='zone = "movable"', drain="retries = 1"))
    daemon.wait(lambda: "Soft Reserved" in daemon.dax()["LastError"][1])
    assert daemon.dax()["LastError"][0].endswith(".Busy")
    assert daemon.dax()["Mode"] == "unbound"
    assert "EBUSY" in daemon.dax()["LastError"][1]
    # It gives up after the attempts it has, and says so.
    daemon.wait(lambda: len(daemon.jobs()) == 3 and all(daemon.removed(job) for job in daemon.jobs()))
    daemon.look_again(3)
    assert len(daemon.jobs()) == 3
    assert any("given up" in line for line in daemon.explain("dax0.0")["obstacles"])


def block_writes_and_modes(daemon):
    """(mode, blocks online) of dax0.0, each time either changed on the bus."""
    seen = [(daemon.dax()["Mode"], daemon.dax()["BlocksOnline"])]

    def watch(signal):
        device = daemon.dax()
        if device is not None and (device["Mode"], device["BlocksOnline"]) != seen[-1]:
            seen.append((device["Mode"], device["BlocksOnline"]))

    daemon.client.watchers.append(watch)
    return seen


@pytest.mark.parametrize("trouble", [None, "pin", "refuse", "another-actor"])
def test_R11_nothing_is_unbound_while_a_block_is_online(make_daemon, trouble):
    """The emulated kernel would let it happen, and then the memory would be lost."""
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH)
    seen = block_writes_and_modes(daemon)
    if trouble == "pin":
        daemon.inject("pin-block", dax="dax0.0", nth=31)
    elif trouble == "refuse":
        daemon.inject("fail", operation="set_block", errno="EIO", nth=32)
    elif trouble == "another-actor":
        # Drained, and before the driver goes somebody brings a block online again.
        daemon.inject("hang", operation="set_mode")
    job = daemon.set_mode("dax0.0", "devdax", rollback=False)
    if trouble == "another-actor":
        daemon.wait(lambda: daemon.dax()["BlocksOnline"] == 0)
        daemon.inject("pin-block", dax="dax0.0", nth=7)
        daemon.inject("online-block", dax="dax0.0", nth=7, zone="kernel")
        # The hang may begin only now: it must not keep the job.
        daemon.insist(lambda: daemon.inject("resume"), lambda: daemon.removed(job))
    result = daemon.result(job)
    daemon.look_again()
    device = daemon.dax()
    assert not device["RebootRequired"]
    assert "leaked" not in dict(daemon.manager["Conflicts"])
    assert all(mode == "system-ram" or online == 0 for mode, online in seen), seen
    if trouble is None:
        assert (result, device["Mode"]) == ("done", "devdax")
    else:
        assert result in ("failed", "partial")
        assert (device["Mode"], device["BlocksOnline"]) == ("system-ram", 1)


def test_R11_policy_drains_before_it_unbinds(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH, settings=QUICK_RETRY)
    seen = block_writes_and_modes(daemon)
    daemon.inject("pin-block", dax="dax0.0", nth=31)
    daemon.policy_file.write_text('[[rule]]\nname = "app"\n[rule.memory]\nmode = "devdax"\n[rule.drain]\nretries = 0\n')
    daemon.reload()
    daemon.wait_dax("dax1.0", Mode="devdax")
    daemon.wait(lambda: len(daemon.jobs("dax0.0")) == 3 and daemon.removed(daemon.jobs("dax0.0")[2]))
    daemon.look_again(2)
    assert daemon.dax()["Mode"] == "system-ram"
    assert not daemon.dax()["RebootRequired"]
    assert all(mode == "system-ram" for mode, _ in seen)
    assert len(daemon.jobs("dax0.0")) == 3, "it goes on trying"


def test_R11_a_leak_latches_is_explained_and_nothing_retries(make_daemon):
    daemon = make_daemon(settings=QUICK_RETRY)
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    jobs = daemon.jobs()
    daemon.inject("unbind-dax", dax="dax0.0")
    device = daemon.wait_dax(RebootRequired=True, Mode="unbound")
    assert device["LastError"][0].endswith(".RebootRequired")
    assert "reboot" in device["Reason"]
    daemon.wait(lambda: "dax0.0" in dict(daemon.manager["Conflicts"]).get("leaked", ""))
    told = daemon.explain("dax0.0")
    assert told["verdict"] == "blocked" and any("reboot" in line for line in told["obstacles"])
    for call in (lambda: daemon.online("dax0.0", "movable"), lambda: daemon.offline("dax0.0"),
                 lambda: daemon.set_mode("dax0.0", "devdax"), lambda: daemon.set_mode("dax0.0", "system-ram")):
        assert "reboot" in daemon.fails("RebootRequired", call)
    assert daemon.apply() == []
    daemon.reload()
    daemon.look_again(3)
    assert daemon.jobs() == jobs
    assert daemon.dax()["RebootRequired"]
    assert not daemon.dax("dax1.0")["RebootRequired"]


def test_R11_a_leak_in_the_middle_of_a_job_is_explained(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=3)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 2)
    daemon.inject("unbind-dax", dax="dax0.0")
    daemon.inject("resume")
    assert daemon.result(job) == "failed"
    name, message = daemon.error(job)
    assert "dax0.0: dax0.0" not in message
    assert name.endswith(".RebootRequired")
    daemon.wait_dax(RebootRequired=True)
    assert daemon.dax()["LastError"][0].endswith(".RebootRequired")


def test_R12_a_restart_reconciles_from_nothing(make_daemon):
    """The emulated memory is offline again, as after a boot; the state folder is thrown away as well."""
    daemon = make_daemon()
    for _ in range(2):
        daemon.wait_dax("dax0.0", State="online", Zone="movable", InPolicy=True)
        daemon.wait_dax("dax1.0", State="online", Zone="movable", InPolicy=True)
        daemon.kill()
        assert not daemon.state.exists() or not [file for file in daemon.state.iterdir() if not file.name.startswith("recorder")]
        daemon.start()
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)


def test_R13_without_hotremove_offline_is_not_supported_at_once(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH, settings=QUICK_RETRY)
    daemon.inject("set-hotremove", possible=False)
    daemon.nudge()
    daemon.wait(lambda: "memory-hotremove" not in daemon.manager["Features"])
    for call in (lambda: daemon.offline("dax0.0"), lambda: daemon.set_mode("dax0.0", "devdax")):
        daemon.fails("NotSupported", call)
    assert not daemon.jobs()
    assert not daemon.dax()["Held"]
    # And policy never plans it.
    daemon.policy_file.write_text(MOVABLE)
    daemon.reload()
    daemon.look_again(2)
    assert not daemon.jobs()
    assert {entry["action"] for _, entry in daemon.plan()} == {"blocked"}
    assert daemon.dax()["LastError"][0].endswith(".NotSupported")
    # Onlining goes on.
    daemon.policy_file.write_text(KERNEL)
    daemon.reload()
    daemon.wait_dax(InPolicy=True, LastError=("", ""))


def test_R15_a_block_that_is_there_already_is_success(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 1)
    daemon.inject("online-block", dax="dax0.0", nth=0, count=31, zone="movable")
    daemon.inject("resume")
    assert daemon.result(job) == "done"
    assert (daemon.dax()["BlocksMovable"], daemon.error(job)) == (32, ("", ""))
    assert daemon.job(job)["BlocksDone"] == daemon.job(job)["BlocksTotal"] == 32


def test_R15_a_block_online_elsewhere_is_a_conflict_and_not_success(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("hang", operation="set_block", nth=2)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] == 1)
    daemon.inject("online-block", dax="dax0.0", nth=4, zone="kernel")
    daemon.inject("resume")
    result = daemon.result(job)
    # It may be told, or put right; it must not be passed over.
    if daemon.dax()["BlocksMovable"] == 32:
        assert result == "done"
    else:
        assert result == "partial"
        assert daemon.error(job)[0].endswith(".Conflict")
        assert f"memory block {daemon.dax()['Resource'] // BLOCK + 4}" in daemon.error(job)[1]
        assert daemon.dax()["Zone"] == "mixed"


def test_R15_a_block_that_vanished_is_gone(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.inject("fail", operation="set_block", errno="ENODEV", nth=5)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "partial"
    assert daemon.error(job)[0].endswith(".Gone")
    block = daemon.dax()["Resource"] // BLOCK + 27  # highest first: the fifth
    assert f"memory block {block}" in daemon.error(job)[1]
    assert daemon.dax()["BlocksOnline"] == 31


def test_R15_a_block_that_will_not_go_offline_is_named(make_daemon):
    daemon = make_daemon(machine="auto-online", policy=ONLY_WATCH)
    daemon.inject("pin-block", dax="dax0.0", nth=9)
    job = daemon.offline("dax0.0", rollback=False)
    assert daemon.result(job) in ("partial", "failed")
    assert f"memory block {daemon.dax()['Resource'] // BLOCK + 9}" in daemon.error(job)[1]
    assert daemon.dax()["BlocksOnline"] == 1


def test_the_zone_that_the_daemon_says_is_the_zone_that_node_shows(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", State="online", InPolicy=True)
    daemon.look_again()
    node = daemon.node(1)
    assert (node["BytesOnline"], node["BytesMovable"]) == (4 << 30, 4 << 30)
    assert node["DaxDevices"] == [dax_path("dax0.0")]
