# SPDX-License-Identifier: LGPL-2.1-or-later
"""daxX.Y/state of 7.3: what others write to it beside the daemon, and the daemon's own writes (online_by = "state").

The sequences are those that the kernel's own test of the attribute is about (going online and unplugged again and
again, words that are refused, single blocks behind its back, unbinding and binding), with the daemon looking on. Then
that test itself runs beside the daemon; prepare takes it from Debian's source of the kernel.
"""

import errno
import re

import pytest

import paths
from guest import Card, GuestError
from service import MANAGE, path_of, poll, rule

BLOCKS = 8
LOST = "stuck online until reboot"  # how 7.3 says that a device was unbound with memory online
SELFTESTS = "/opt/selftests"
MOVABLE = 'zone = "movable"\n'
ENFORCE = MOVABLE + 'drift = "enforce"\n'
BY_STATE = 'online_by = "state"\n'


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


@pytest.fixture
def write(guest, dax):
    """Writes to `state` as another process; `refused`: the errno it must end with."""
    def to(value, refused=None):
        try:
            guest.write(state_of(guest, dax)[1], value)
        except GuestError as error:
            assert error.errno == refused, f"{value}: {error}"
        else:
            assert refused is None, f"{value} was taken"

    return to


def settled(guest, dax):
    """All of it movable and at rest; what the bus says of the state is what the kernel says."""
    service = guest.service
    service.settled(dax, Movable=BLOCKS)
    service.idle()
    poll("policy to be content", lambda: service.dax(dax)["InPolicy"])
    told = service.dax(dax)
    assert told["HotplugState"] == state_of(guest, dax)[0]
    return told


def test_an_unplugged_device_comes_back_where_the_rule_enforces(guest, dax, write):
    service = guest.service
    service.start(rule(memory=ENFORCE), MANAGE)
    settled(guest, dax)
    write("unplugged")  # comes back when no block is left
    assert settled(guest, dax)["HotplugState"] != "unplugged"
    assert "changed by somebody else" in service.journal() and "suspected" in service.journal()


def test_where_it_is_only_reported_apply_brings_it_back(guest, dax, write):
    service = guest.service
    service.start(rule(), MANAGE)
    settled(guest, dax)
    write("unplugged")
    poll("the state on the bus", lambda: service.dax(dax)["HotplugState"] == "unplugged")
    poll("the drift", lambda: "changed by somebody else" in service.dax(dax)["LastError"][1])
    assert guest.blocks_of_dax(dax) == {}
    service.call("/org/cxlmemd1", "Manager", "Apply")
    settled(guest, dax)


def test_by_state_it_agrees_with_the_blocks_both_ways(guest, dax, figures):
    service = guest.service
    service.start(rule(memory=MOVABLE + BY_STATE), MANAGE)
    told = settled(guest, dax)
    assert (told["HotplugState"], told["HotplugNote"]) == ("online_movable", "")
    assert service.finished(service.do(dax, "Offline"))["Result"] == "done"
    assert (state_of(guest, dax)[0], guest.blocks_of_dax(dax)) == ("unplugged", {})
    assert service.dax(dax)["HotplugState"] == "unplugged"
    job = service.finished(service.do(dax, "Online", '"movable"', 0, signature="sa{sv}"))
    assert job["Result"] == "done", job
    service.settled(dax, Movable=BLOCKS)
    assert state_of(guest, dax)[0] == service.dax(dax)["HotplugState"] == "online_movable"
    assert "Permission" not in service.journal() and "Read-only" not in service.journal()


def test_by_blocks_the_kernel_lets_nothing_make_the_state_agree(guest, dax, write):
    service = guest.service
    service.start(rule(), MANAGE)
    told = settled(guest, dax)
    assert told["HotplugState"] == "offline"
    assert "its state reads 'offline', and 8 of its 8 memory blocks are online" in told["HotplugNote"]
    explained = service.call("/org/cxlmemd1", "Manager", "Explain", "oa{sv}", path_of("dax", dax), 0)[0]
    assert told["HotplugNote"] in explained["reason"]
    # All of its blocks are online as the word says; the kernel goes by what was last written all the same.
    for value in ("online_movable", "online", "online_kernel"):
        write(value, errno.EBUSY)
    write("offline", errno.EINVAL)
    service.settled(dax, Movable=BLOCKS)


def whole_sequence(guest, dax, write, after):
    """Each thing that another process may do with `state`; `after` is called after each of them, with what it was and
    how the blocks are to be if nobody touches them, as {"Movable": 8}; None: the memory is new, and policy's."""
    gone, there = {}, {"Movable": BLOCKS}
    kmem = "/sys/bus/dax/drivers/kmem"
    write("unplugged")
    after("unplugged", gone)
    write("online_movable")
    after("online_movable", there)
    write("online_movable")
    write("online_kernel", errno.EBUSY)
    after("another zone is refused", there)
    write("unplugged")
    write("bogus_state", errno.EINVAL)
    write("offline", errno.EINVAL)
    after("unplugged again", gone)
    for _ in range(3):
        write("online_movable")
        write("unplugged")
    after("three times on and off", gone)
    write("online_movable")
    first = min(guest.blocks_of_dax(dax))
    guest.set_blocks(dax, "offline", [first])
    after("a block goes offline behind its back", {"Movable": BLOCKS - 1, "offline": 1})
    write("unplugged")
    after("unplugged with a block offline", gone)
    guest.write(f"{kmem}/unbind", dax)
    after("unbound", gone)
    guest.write(f"{kmem}/bind", dax)
    assert state_of(guest, dax)[0] == "offline"
    after("bound anew", None)
    write("unplugged")
    write("online_movable")
    guest.set_blocks(dax, "offline")
    assert state_of(guest, dax)[0] == "online_movable"  # stale
    guest.write(f"{kmem}/unbind", dax)
    after("unbound with a stale state", gone)
    assert LOST not in guest.dmesg()
    guest.write(f"{kmem}/bind", dax)
    after("bound anew after that", None)


def test_the_kernels_sequences_beside_a_daemon_that_reports(guest, dax, write):
    service = guest.service
    service.start(rule(), MANAGE)
    settled(guest, dax)

    def looks_on(what, blocks):
        if blocks is None:
            return settled(guest, dax)
        guest.wait_blocks(dax, 60, **blocks)
        service.agrees(dax)
        poll(f"the bus to say the state after {what}",
             lambda: service.dax(dax)["HotplugState"] == state_of(guest, dax)[0], 60)
        right = blocks == {"Movable": BLOCKS}
        poll(f"the word on {what}", lambda: service.dax(dax)["InPolicy"] == right, 60)
        if not right:
            poll(f"{what} to be named", lambda: "changed by somebody else" in service.dax(dax)["LastError"][1], 60)
        guest.wait_blocks(dax, 5, **blocks)  # nobody has touched it meanwhile

    whole_sequence(guest, dax, write, looks_on)
    write("unplugged")
    looks_on("unplugged at last", {})
    service.call("/org/cxlmemd1", "Manager", "Apply")
    settled(guest, dax)


@pytest.mark.parametrize("way", ["", BY_STATE], ids=["blocks", "state"])
def test_the_kernels_sequences_beside_a_daemon_that_enforces(guest, dax, write, way):
    service = guest.service
    service.start(rule(memory=ENFORCE + way), MANAGE)
    settled(guest, dax)

    def one_block():
        guest.set_blocks(dax, "offline", [min(guest.blocks_of_dax(dax))])

    # Each is put right, in whatever way it is gone.
    for do in (lambda: write("unplugged"), one_block):
        do()
        told = settled(guest, dax)
        assert told["HotplugNote"] == "" or not way, told
    # Who goes on gets it left, and named: nobody fights for ever.
    write("unplugged")
    poll("the end of the fight", lambda: "stops fighting" in service.dax(dax)["LastError"][1])
    assert (guest.blocks_of_dax(dax), state_of(guest, dax)[0]) == ({}, "unplugged")
    assert service.dax(dax)["HotplugState"] == "unplugged"
    # A whole run of it in one go, the daemon beside it.
    guest.run(f"for word in {'unplugged online_movable bogus ' * 6}; do echo $word > {state_of(guest, dax)[1]}; done "
              "2> /dev/null; true", 120)
    service.agrees(dax)
    service.idle()
    service.call("/org/cxlmemd1", "Manager", "Apply")
    told = settled(guest, dax)
    assert told["HotplugNote"] == "" or not way, told
    # Then it is at rest: there is nothing to do.
    assert service.call("/org/cxlmemd1", "Manager", "Apply") == [[]]


@pytest.fixture(scope="module")
def installed_selftest(guest):
    try:
        home = paths.part("selftest-7.3")
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    for name in ("dax/dax-kmem-hotplug.sh", "kselftest/ktap_helpers.sh"):
        guest.put(home / name, f"{SELFTESTS}/{name}", 0o755)
    return f"{SELFTESTS}/dax/dax-kmem-hotplug.sh"


@pytest.fixture
def selftest(guest, installed_selftest, dax):
    """Runs the kernel's own test of `state` to its end. Answers what became of each of its ten parts ("ok", "not ok",
    "skip"), none if it could not begin, and its whole output."""
    def run():
        done = guest.run(f"DAX_KMEM_TEST_DEV={dax} {installed_selftest}", 120, check=False)
        told = done.stdout + done.stderr
        if re.search("^1[.][.]0 # SKIP (no kmem-bound dax device|.* cannot reach 'unplugged' baseline)", told, re.M):
            return [], told
        parts = re.findall(r"^(ok|not ok) (\d+) .*?(# SKIP)?$", told, re.MULTILINE)
        assert [int(number) for _, number, _ in parts] == list(range(1, 11)) and "# Totals: " in told, told
        return ["skip" if skipped else result for result, _, skipped in parts], told

    return run


def test_the_kernels_own_test_passes_beside_a_daemon_that_reports(guest, dax, selftest):
    service = guest.service
    alone, told = selftest()
    assert alone == ["ok"] * 9 + ["skip"], told
    service.start(rule(memory=MOVABLE + 'drift = "report"\n'), MANAGE)
    settled(guest, dax)
    before, cursor = service.show("MainPID", "NRestarts"), service.cursor()
    beside, told = selftest()
    assert beside == alone, told
    # It leaves the memory unplugged: that is named, and left.
    poll("the change to be named", lambda: "were online in" in service.dax(dax)["LastError"][1] and
         "are not there" in service.dax(dax)["LastError"][1])
    service.idle()
    service.agrees(dax)
    device = service.dax(dax)
    assert (guest.blocks_of_dax(dax), device["InPolicy"]) == ({}, False)
    assert device["HotplugState"] == state_of(guest, dax)[0] == "unplugged"
    journal = service.journal(f"--after-cursor='{cursor}'")
    assert "changed by somebody else: " in journal and "put right again" not in journal, journal
    assert service.show("MainPID", "NRestarts") == before
    service.call("/org/cxlmemd1", "Manager", "Apply")
    settled(guest, dax)


# These come last, by blocks at the end: memory may be lost here until the machine's end, there more often.
@pytest.mark.parametrize("way", [BY_STATE, ""], ids=["state", "blocks"])
def test_the_kernels_own_test_beside_a_daemon_that_enforces(guest, dax, selftest, figures, way):
    service = guest.service
    service.start(rule(memory=ENFORCE + way), MANAGE)
    settled(guest, dax)
    before, cursor = service.show("MainPID", "NRestarts"), service.cursor()
    # It may find its memory put right, or being bound anew, where it wants it unplugged; then it does not begin, or
    # parts of it fail. The daemon gives in first.
    runs = 1
    while not (result := selftest())[0]:
        assert runs < 5, result[1]
        runs += 1
        service.idle()
    service.idle()
    ends = {"stops fighting": "left as it is", "its memory is leaked": "leaked"}

    def end():
        device = service.dax(dax)
        told = [end for words, end in ends.items() if words in device["LastError"][1]]
        return "in policy" if device["InPolicy"] else told[0] if told else None

    ended = poll("an end to it", end)
    figures[f"selftest, enforced by {'state' if way else 'blocks'}"] = f"{runs} runs, {result[0]}, {ended}"
    service.agrees(dax)
    poll("the bus to say the state", lambda: service.dax(dax)["HotplugState"] == state_of(guest, dax)[0], 60)
    journal = service.journal(f"--after-cursor='{cursor}'")
    assert 1 <= journal.count("put right again") <= 2, journal
    assert service.show("MainPID", "NRestarts") == before
    # It takes each block offline and unbinds without looking again: one that was put right meanwhile is lost then.
    # Nothing but that may be said to be lost, and that must be.
    kernel = guest.journal(options=f"-k --after-cursor='{cursor}'")
    assert (ended == "leaked") == (LOST in kernel), kernel
    if ended == "leaked":
        assert any(kind == "leaked" for kind, _ in service.manager()["Conflicts"])
        assert "leaked" in service.refuse(dax, "Online", '"movable"', 0, signature="sa{sv}")
        return
    service.call("/org/cxlmemd1", "Manager", "Apply")
    told = settled(guest, dax)
    assert told["HotplugNote"] == "" or not way, told
    assert service.call("/org/cxlmemd1", "Manager", "Apply") == [[]]
