# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the signals say is what there is (R6), whatever happens and in whatever order."""

import pathlib
import random

import pytest
from harness import MOVABLE, QUICK_RETRY, dax_path, rule
from wire import NAME, OBJECT_MANAGER, PROPERTIES, ROOT, BusError

NOUNS = {"memdev": "Memdev", "region": "Region", "dax": "DaxDevice", "node": "Node", "job": "Job"}


class Prober:
    """Reads every object at the moment it is announced, and compares the answer with what the signals said
    until that answer arrived. The bus keeps the order of one sender's messages, so they must be equal."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.asked = {}  # serial of GetAll -> (path, interface)
        self.compared = 0
        daemon.client.watchers.append(self.watch)

    def watch(self, message):
        client = self.daemon.client
        if message.member == "InterfacesAdded" and message.interface == OBJECT_MANAGER:
            path, interfaces = message.body
            assert f"{NAME}.{NOUNS[path.split('/')[3]]}" in interfaces
            for interface in interfaces:
                if interface.startswith(NAME):
                    self.asked[client.send(path, PROPERTIES, "GetAll", "(s)", interface)] = (path, interface)
        elif message.reply_to in self.asked:
            path, interface = self.asked.pop(message.reply_to)
            del client.replies[message.reply_to]
            error = message.raw.get_error_name()
            if error:  # removed meanwhile
                assert error.endswith(("UnknownObject", "UnknownInterface")), message.body
                assert path not in client.mirror.objects, f"{path} was not said to be gone"
            else:
                assert client.mirror.objects[path][interface] == message.body[0], path
                self.compared += 1

    def finish(self):
        self.daemon.client.wait(lambda: not self.asked, "all answers")


def assert_mirror_is_true(daemon):
    managed = daemon.managed_objects()
    ours = {path: {name: values for name, values in interfaces.items() if name.startswith(NAME)}
            for path, interfaces in managed.items()}
    mirrored = {path: values for path, values in daemon.objects.items() if path != ROOT}
    assert {path: values for path, values in ours.items() if values} == mirrored
    asked = daemon.get_all(ROOT, "Manager")
    silent = {"Statistics"}  # changes without a signal
    assert {name: value for name, value in asked.items() if name not in silent} == \
        {name: value for name, value in daemon.manager.items() if name not in silent}


def test_every_object_has_all_properties_of_its_interface(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax1.0", InPolicy=True)
    daemon.wait_dax("dax0.0", InPolicy=True)
    seen = set()
    for path, interfaces in daemon.managed_objects().items():
        for interface, values in interfaces.items():
            if interface.startswith(NAME):
                assert values.keys() == daemon.get_all(path, interface.removeprefix(NAME + ".")).keys()
                seen.add(interface.removeprefix(NAME + "."))
    assert seen >= set(NOUNS.values())


def test_R6_what_is_announced_is_complete(make_daemon):
    daemon = make_daemon()
    prober = Prober(daemon)
    for turn in range(10):
        daemon.inject("add-memdev", serial=100 + turn, name="mem9", ram_size="512MiB")
        daemon.inject("add-region", memdevs="mem9", name="region9")
        daemon.wait_dax("dax9.0", State="online")
        daemon.inject("replace-dax", dax="dax9.0")
        daemon.inject("remove-region", region="region9")
        daemon.inject("remove-memdev", memdev="mem9")
        daemon.wait_gone(dax_path("dax9.0"))
    daemon.wait_idle()
    prober.finish()
    assert prober.compared >= 10  # each turn at least the device, which was seen online


def churn(daemon, random, steps, without=()):
    """Whatever an emulated machine can do, as it comes; but for the events of some names."""
    def inject(event, **details):
        if event in without:
            raise BusError("left out", "")
        daemon.inject(event, **details)

    def dax():
        names = [path for path in daemon.objects if "/dax/" in path]
        return daemon.objects[random.choice(names)][f"{NAME}.DaxDevice"]["Name"] if names else "dax0.0"

    serials = iter(range(1000, 100000))
    events = [
        lambda: inject("add-memdev", serial=next(serials), name=f"mem{random.randrange(2, 6)}",
                       ram_size=random.choice(["256MiB", "1GiB"])),
        lambda: inject("remove-memdev", memdev=f"mem{random.randrange(1, 6)}"),
        lambda: inject("add-region", memdevs=f"mem{random.randrange(6)}",
                       mode=random.choice(["system-ram", "devdax"])),
        lambda: inject("remove-region", region=f"region{random.randrange(6)}"),
        lambda: inject("replace-dax", dax=dax()),
        lambda: inject("online-block", dax=dax(), nth=random.randrange(8),
                       zone=random.choice(["movable", "kernel"])),
        lambda: inject("offline-block", dax=dax(), nth=random.randrange(8)),
        lambda: inject("pin-block", dax=dax(), nth=random.randrange(8)),
        lambda: inject("unpin-block", dax=dax(), nth=random.randrange(8)),
        lambda: inject("unbind-dax", dax=dax()),
        lambda: inject("bind-dax", dax=dax()),
        lambda: inject("set-auto-online", value=random.choice(["offline", "online", "online_movable"])),
        lambda: inject("fail", operation=random.choice(["set_block", "set_mode", "scan", "read_blocks"]),
                       errno=random.choice(["EBUSY", "EIO", "ENODEV", "EINTR"]), nth=random.randrange(1, 9)),
        lambda: inject("delay", operation="set_block", usec=random.randrange(3000), count=5),
        lambda: inject("hang", operation=random.choice(["set_block", "set_mode", "scan"]),
                       nth=random.randrange(1, 9)),
        lambda: inject("resume"),
        lambda: inject("events", double=random.randrange(9)),
        lambda: daemon.hold(dax()),
        lambda: daemon.release(dax()),
        lambda: daemon.apply(),
        lambda: daemon.online(dax(), random.choice(["movable", "kernel"]), timeout=2_000_000),
        lambda: daemon.offline(dax(), timeout=2_000_000, rollback=random.random() < 0.5),
        lambda: daemon.set_mode(dax(), random.choice(["devdax", "system-ram"]), timeout=2_000_000),
        lambda: daemon.cancel(random.choice(daemon.jobs() or ["/org/cxlmemd1/job/_31"])),
    ]
    done = 0
    for _ in range(steps):
        try:
            random.choice(events)()
            done += 1
        except BusError:
            pass  # refused, which is an answer
    return done


@pytest.mark.parametrize("seed", range(6))
def test_a_mirror_by_signals_alone_is_true_after_any_churn(make_daemon, seed):
    generator = random.Random(seed)
    half = rule(memory='zone = "movable"\namount = "50%"\ndrift = "enforce"', drain="retries = 1")
    policy = half if seed % 2 else MOVABLE
    daemon = make_daemon(policy=policy, settings=QUICK_RETRY)
    for _ in range(5):
        assert churn(daemon, generator, 60) > 10
        assert_mirror_is_true(daemon)
        assert_states_are_consistent(daemon)
    come_to_rest(daemon)
    assert_mirror_is_true(daemon)
    assert_jobs_were_told_in_order(daemon)
    assert_every_state_is_explained(daemon)


@pytest.mark.parametrize("seed", range(2))
def test_R6_announcements_are_complete_under_churn(make_daemon, seed):
    daemon = make_daemon(settings=QUICK_RETRY)
    prober = Prober(daemon)
    churn(daemon, random.Random(1000 + seed), 500)
    come_to_rest(daemon)
    prober.finish()
    assert prober.compared > 10


def come_to_rest(daemon):
    daemon.inject("clear-faults")
    other = "online_kernel" if daemon.manager["KernelAutoOnline"] != "online_kernel" else "offline"
    daemon.inject("set-auto-online", value=other)
    daemon.nudge()
    # What hangs may be a scan, which is no job.
    daemon.insist(lambda: daemon.inject("resume"),
                  lambda: daemon.manager["KernelAutoOnline"] == other and daemon.manager["State"] != "working", "rest")
    daemon.look_again()


def assert_every_state_is_explained(daemon):
    """At rest: as the rule says, or with the reason why not. A device that may be in the middle of an unbind
    or a bind is looked at once more, a second later, before anything is said of it."""
    def unexplained():
        devices = (interfaces.get(f"{NAME}.DaxDevice") for interfaces in daemon.objects.values())
        return [dict(device) for device in devices
                if device and not device["Held"] and not device["InPolicy"] and not device["LastError"][0]]

    daemon.wait(lambda: not unexplained(), f"every state is explained, but {unexplained()}")


@pytest.mark.parametrize("seed", range(3))
def test_R11_no_churn_makes_the_daemon_lose_memory(make_daemon, seed):
    """Nobody else unbinds anything here, so whatever is lost the daemon has lost."""
    zone = rule(memory='zone = "movable"\ndrift = "enforce"', drain="retries = 1")
    daemon = make_daemon(machine="auto-online", policy=zone, settings=QUICK_RETRY)
    lost = []
    daemon.client.watchers.append(
        lambda _: lost.extend(values for path in daemon.objects
                              if (values := daemon.objects[path].get(f"{NAME}.DaxDevice", {})).get("RebootRequired")))
    churn(daemon, random.Random(3000 + seed), 400, ("unbind-dax", "replace-dax", "remove-region", "remove-memdev"))
    come_to_rest(daemon)
    assert not lost


@pytest.mark.parametrize("seed", range(4))
def test_a_stop_at_any_moment_is_in_order(make_daemon, seed):
    """make_daemon asks for exit code 0."""
    daemon = make_daemon(settings=QUICK_RETRY)
    churn(daemon, random.Random(2000 + seed), 100)
    daemon.stop()


def assert_states_are_consistent(daemon):
    """Facts of one object agree with each other, at any time."""
    for path, interfaces in daemon.objects.items():
        device = interfaces.get(f"{NAME}.DaxDevice")
        if device:
            online, total = device["BlocksOnline"], device["BlocksTotal"]
            assert device["BlocksMovable"] <= online <= total, path
            assert device["State"] == ("offline" if online == 0 else "online" if online == total else "partial"), device
            assert device["Zone"] == ("none" if online == 0 else "movable" if device["BlocksMovable"] == online
                                      else "mixed" if device["BlocksMovable"] else "kernel"), device
            assert not (device["InPolicy"] and device["Held"]), device
            assert not (device["InPolicy"] and device["RebootRequired"] and device["Mode"] == "unbound"), device
        job = interfaces.get(f"{NAME}.Job")
        if job:
            assert job["BlocksDone"] <= job["BlocksTotal"], job
            assert 0 <= job["Progress"] <= 1
            assert (job["State"] == "finished") == (job["Result"] != ""), job
            assert (job["Result"] in ("", "done")) <= (job["Result"] == "" or job["Error"] == ("", "")), job


def assert_jobs_were_told_in_order(daemon):
    """Each: object, JobNew, at most one JobRemoved with the result that the object shows, object gone."""
    order = {}
    for signal in daemon.client.signals:
        if signal.member == "JobNew":
            order.setdefault(signal.body[1], []).append("new")
        elif signal.member == "JobRemoved":
            order.setdefault(signal.body[1], []).append("removed")
        elif signal.member == "InterfacesAdded" and "/job/" in signal.body[0]:
            order.setdefault(signal.body[0], []).append("added")
        elif signal.member == "InterfacesRemoved" and "/job/" in signal.body[0]:
            order.setdefault(signal.body[0], []).append("gone")
    for job, seen in order.items():
        assert seen in (["added", "new", "removed"], ["added", "new", "removed", "gone"]), (job, seen)


def test_idle_means_idle(make_daemon):
    """Nothing is under way: no signal, no wake-up of the process."""
    daemon = make_daemon()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.wait_idle()
    for job in daemon.jobs():
        daemon.wait_gone(job)  # ten seconds; after that there is no timer left

    def switches():
        total = 0
        for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
            status = (task / "status").read_text()
            total += int(status.split("voluntary_ctxt_switches:")[1].split()[0])
        return total

    daemon.round_trip()
    before = switches()
    assert not daemon.client.pump(2.0), "a signal came, though nothing happened"
    assert switches() - before <= 1
