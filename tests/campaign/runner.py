# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a script against a daemon on the emulator and a bus of its own, and says what is wrong with what came of it."""

import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bus"))

from harness import Daemon, PrivateBus, dax_path  # noqa: E402
from wire import NAME, BusError, NotInTime  # noqa: E402

QUIET = 0.12           # seconds without a signal, several times the longest pause between two tries
IN_DOUBT = 8           # longer than memory may stay in doubt (Service: five seconds)
RESULTS = {"done", "partial", "failed", "canceled", "timeout", "gone"}
WRONG = ("Sanitizer", "runtime error:", "terminate", "what()", "internal error", "uncaught")
COMPARED = {
    "DaxDevice": ["Name", "Kind", "Size", "Mode", "State", "Zone", "BlocksTotal", "BlocksOnline", "BlocksMovable",
                  "BytesStranded", "TargetNode"],
    "Memdev": ["Name", "Serial", "RamSize", "PmemSize"],
    "Region": ["Name", "Size", "Locked"],
    "Node": ["BytesOnline", "Tier"],
}


class Fault(Exception):
    """What must not be."""


class Run:
    def __init__(self, buses, script):
        (self.bus, self.other_bus), self.script = buses, script
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="campaign."))
        self.machine = script.machine
        if "\n" in script.machine:
            self.machine = self.folder / "machine.toml"
            self.machine.write_text(script.machine)
        self.daemon = None
        self.lives = 0
        self.log_text = ""
        self.unreadable = set()
        self.before_call = None
        self.on_quiet = lambda: None

    def daemon_on(self, machine):
        folder = self.folder / f"life{self.lives}"
        folder.mkdir()
        self.lives += 1
        daemon = Daemon(self.bus, folder, machine=machine, policy=self.on_disk, settings=self.script.settings,
                        state=self.folder / "state", runtime=self.folder / "run")
        daemon.start()
        self.in_force = self.on_disk
        return daemon

    def run(self):
        """Raises Fault. Bounded in time."""
        self.on_disk = self.in_force = self.script.policy
        try:
            self.daemon = self.daemon_on(self.machine)
            for step in self.script.steps:
                self.do(step)
            self.make_quiet()
            self.last_devices = self.devices()
            self.on_quiet()
            self.check()
            self.end()
        except (AssertionError, NotInTime, ConnectionError, BusError) as error:
            raise Fault(f"{error}") from error
        finally:
            if self.daemon and self.daemon.process:
                self.daemon.kill()
            self.log_text = self.log()
            shutil.rmtree(self.folder, ignore_errors=True)

    def log(self):
        return "".join((self.folder / f"life{i}/log").read_text(errors="replace") for i in range(self.lives)
                       if (self.folder / f"life{i}/log").exists())

    # ---- steps

    def do(self, step):
        getattr(self, f"do_{step[0]}")(*step[1:])

    def do_inject(self, event, details):
        if event == "make-unreadable" and "dax" in details:
            # By number: what is the device's n-th block by then may be another one.
            number = self.block_number(details)
            if number is None:
                return
            details = {"block": number}
            self.unreadable.add(number)
        self.attempt(lambda: self.daemon.inject(event, **details))

    def block_number(self, details):
        device, size = self.devices().get(details["dax"]), self.daemon.manager["BlockSize"]
        if device is None or not size:
            return None
        told = self.attempt(lambda: self.daemon.call(dax_path(details["dax"]), "DaxDevice", "Addresses", "(a{sv})", {}))
        numbers = [number for start, length in (told or (0, []))[1]
                   for number in range(-(-start // size), (start + length) // size)]
        return numbers[details["nth"]] if details["nth"] < len(numbers) else None

    def attempt(self, what):
        """The answer, or None if it was refused, which is well."""
        try:
            return what()
        except BusError as error:
            if "internal error" in error.message:
                raise Fault(f"{error}") from error
            return None

    def do_call(self, member, dax, what, flags):
        daemon = self.daemon
        calls = {
            "Online": lambda: daemon.online(dax, what, **flags),
            "Offline": lambda: daemon.offline(dax, **flags),
            "SetMode": lambda: daemon.set_mode(dax, what, **flags),
            "Hold": lambda: daemon.hold(dax),
            "Release": lambda: daemon.release(dax),
            "Apply": daemon.apply,
            "PrepareRemove": lambda: daemon.prepare_remove(f"mem{what}", **self.only(flags, "timeout", "rollback")),
            "RemoveRegion": lambda: daemon.remove_region(f"region{what}", **self.only(flags, "timeout", "rollback")),
            "ReleaseCard": lambda: daemon.release_memdev(f"mem{what}"),
        }
        self.before_call = self.devices()
        self.attempt(calls[member])

    @staticmethod
    def only(flags, *names):
        return {name: value for name, value in flags.items() if name in names}

    def do_cancel(self):
        for job in self.daemon.jobs():
            if not self.daemon.removed(job):
                self.attempt(lambda job=job: self.daemon.cancel(job))

    def do_reload(self, policy):
        self.on_disk = policy
        self.daemon.policy_file.parent.mkdir(parents=True, exist_ok=True)
        self.daemon.policy_file.write_text(policy)
        if self.attempt(self.daemon.reload) is not None:
            self.in_force = policy

    def do_settle(self):
        self.daemon.client.pump(0.02)

    def do_nap(self, milliseconds):
        self.daemon.client.pump(milliseconds / 1000)

    def do_rest(self):
        daemon = self.daemon
        daemon.wait(lambda: not [job for job in daemon.jobs() if not daemon.removed(job)], "the job has ended")

    def do_term(self):
        """SIGTERM, which ends jobs properly, and the machine goes on."""
        machine = self.carried_over()
        self.daemon.stop()
        self.daemon = self.daemon_on(machine)

    def do_kill(self):
        machine = self.carried_over()
        self.daemon.kill()
        self.daemon = self.daemon_on(machine)

    def carried_over(self):
        """The machine as the daemon last saw it, as a file. What hangs would hang for ever."""
        self.attempt(lambda: self.daemon.inject("resume"))
        path = self.folder / f"carried{self.lives}.toml"
        for _ in range(500):
            text = self.attempt(lambda: self.daemon.manager_call("Record"))
            if text:
                path.write_text(text)
                return path
            self.daemon.client.pump(0.02)
        raise Fault("the machine cannot be recorded for ten seconds")

    # ---- a quiet point, and what has to be true there

    def make_quiet(self):
        daemon = self.daemon
        for event in ("clear-faults", "resume"):
            daemon.inject(event)
        for number in self.unreadable:
            self.attempt(lambda number=number: daemon.inject("make-unreadable", block=number, ends=True))
        daemon.nudge()  # no event tells that a block can be read again
        end = time.monotonic() + 20
        last = time.monotonic()
        while True:
            if daemon.client.pump(0.02):
                last = time.monotonic()
            if time.monotonic() - last > QUIET and not self.can_be_read():
                last = time.monotonic()  # its next look is due
            open_jobs = [job for job in daemon.jobs() if not daemon.removed(job)]
            if time.monotonic() - last > QUIET and not open_jobs and daemon.manager["State"] != "working":
                if self.nothing_new():
                    return
                last = time.monotonic()
            if time.monotonic() > end:
                raise Fault(f"it does not come to rest: {daemon.manager['State']}, open jobs "
                            f"{[daemon.job(job) for job in open_jobs]}")

    def nothing_new(self):
        """Whether a scan from now on shows what is known: on a busy machine it may be quiet only because it is slow."""
        before = len(self.daemon.client.signals)
        plan = self.daemon.plan()
        return len(self.daemon.client.signals) == before and not any("older scan" in step["reason"] for _, step in plan)

    def can_be_read(self):
        return self.attempt(lambda: self.daemon.manager_call("Record")) is not None

    def check(self):
        self.check_jobs()
        self.check_reasons()
        self.check_degraded()
        self.check_against_fresh()
        self.check_lost()
        if self.script.undone:
            self.check_undone()
        if self.script.only_deaths() and self.script.steps:
            self.check_against_undisturbed()
        log = self.log()
        for word in WRONG:
            if word in log:
                raise Fault(f"the log has {word!r}")

    def check_jobs(self):
        for signal_ in self.daemon.client.signals:
            if signal_.member == "JobRemoved" and signal_.body[3] not in RESULTS:
                raise Fault(f"{signal_.body[1]} ended with {signal_.body[3]!r}")
        news = [s.body[1] for s in self.daemon.client.signals if s.member == "JobNew"]
        ends = [s.body[1] for s in self.daemon.client.signals if s.member == "JobRemoved"]
        if sorted(news) != sorted(ends):
            raise Fault(f"jobs began {news}, and ended {ends}")

    def devices(self):
        return {values[f"{NAME}.DaxDevice"]["Name"]: dict(values[f"{NAME}.DaxDevice"])
                for values in self.daemon.objects.values() if f"{NAME}.DaxDevice" in values}

    def check_reasons(self):
        for name, device in self.devices().items():
            if device["InPolicy"] or device["Held"] or device["LastError"][0] or device["RebootRequired"]:
                continue
            told = self.daemon.explain(name)
            if not told["obstacles"] and told["verdict"] not in ("unmanaged", "ignored", "held"):
                raise Fault(f"{name} is not as policy says, and nobody says why: {told}")

    def check_undone(self):
        """The last job was to be undone if it failed: everything is as before the call, or it says what is not."""
        ended = [s for s in self.daemon.client.signals if s.member == "JobRemoved"]
        if not ended or ended[-1].body[3] in ("done", "partial", "gone"):
            return
        now, error = self.devices(), " ".join(self.daemon.error(ended[-1].body[1]))
        for name, device in self.before_call.items():
            for key in ("Mode", "BlocksOnline", "BlocksMovable", "Held"):
                if name not in now:
                    raise Fault(f"{name} is not there any more after a job that ended as {ended[-1].body[3]!r}: {error}")
                if now[name][key] != device[key]:
                    raise Fault(f"{name} {key} was {device[key]!r} before a job that ended as {ended[-1].body[3]!r}, and "
                                f"is {now[name][key]!r}: {error}")

    def check_degraded(self):
        manager = self.daemon.manager
        if manager["State"] != "degraded" or manager["Conflicts"] or manager["PolicyProblems"]:
            return
        if any(device["LastError"][0] or device["RebootRequired"] for device in self.devices().values()):
            return
        raise Fault("State is degraded, and nothing says why")

    def check_against_undisturbed(self):
        calm = Run((self.bus, self.other_bus), replace(self.script, steps=[]))
        ends = {}
        self.daemon.stop()
        calm.on_quiet = lambda: ends.update(calm.devices())
        calm.run()
        for name, device in self.last_devices.items():
            for key in ("Mode", "BlocksOnline", "BlocksMovable", "Held"):
                if device[key] != ends[name][key]:
                    raise Fault(f"{name} {key} is {device[key]!r}, and {ends[name][key]!r} if the daemon does not die")

    def truth(self):
        text = self.daemon.manager_call("Record")
        path = self.folder / "truth.toml"
        path.write_text(text)
        return text, path

    def check_against_fresh(self):
        """The same objects as of a daemon that never saw what came before."""
        text, path = self.truth()
        objects = self.daemon.managed_objects()
        folder = self.folder / "fresh"
        folder.mkdir()
        other = Daemon(self.other_bus, folder, machine=path, policy=self.in_force, arguments=["--observe"])
        other.start()
        until = time.monotonic() + IN_DOUBT
        try:
            while True:
                try:
                    return self.compare(objects, other)
                except Fault:
                    # Memory of a device that is bound to nothing counts as lost only when it stays: the fresh one
                    # has just begun to wait.
                    if not any(device["RebootRequired"] for device in self.devices().values()):
                        raise
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)
        finally:
            other.stop()

    def compare(self, objects, other):
        fresh = other.managed_objects()
        self.check_decisions(other)
        for kind, properties in COMPARED.items():
            ours, theirs = of_kind(objects, kind), of_kind(fresh, kind)
            if ours.keys() != theirs.keys():
                raise Fault(f"{kind}: there are {sorted(ours)}, a fresh daemon sees {sorted(theirs)}")
            for where, values in ours.items():
                for key in properties:
                    if values.get(key) != theirs[where].get(key):
                        raise Fault(f"{where} {key} is {values.get(key)!r}, a fresh daemon sees {theirs[where].get(key)!r}")

    def check_decisions(self, fresh):
        """What policy says of each device is a matter of the machine alone, and of holds."""
        if any(step[1:2] == ("poison-block",) for step in self.script.steps):
            return  # a fresh daemon learns of poison only when it tries
        for name, device in self.devices().items():
            told, wanted = self.daemon.explain(name), fresh.explain(name)
            if told["verdict"] == "held":
                continue
            for key in ("verdict", "action", "zone", "blocks", "rule"):
                if told[key] != wanted[key]:
                    raise Fault(f"{name} {key} is {told[key]!r}, a fresh daemon says {wanted[key]!r}: {told['reason']} "
                                f"/ {wanted['reason']}")
            if told["verdict"] == "in-policy" and not device["InPolicy"]:
                raise Fault(f"{name} is as policy says, and InPolicy is false")
            if told["verdict"] == "act" and device["InPolicy"]:
                raise Fault(f"{name} is not as policy says, and InPolicy is true: {told}")

    def check_lost(self):
        """Memory is lost only where somebody else did it."""
        machine = tomllib.loads(self.truth()[0])
        lost = [entry for entry in machine.get("memory", []) if entry.get("from") == "dax"]
        if lost and not self.script.loses_memory():
            raise Fault(f"memory was lost, and nobody else could have done it: {lost}")

    def end(self):
        if self.daemon.process:
            self.daemon.stop()
        if re.search(r"^cxlmemd: (<\d>)?terminate", self.log(), re.MULTILINE):
            raise Fault("it ended by an exception")


def of_kind(objects, kind):
    name = f"{NAME}.{kind}"
    return {path: values[name] for path, values in objects.items() if name in values}


class Buses:
    """Two buses for each script that runs at a time, since two daemons want one name; kept for the next one. A
    dbus-daemon takes one of the machine's few inotify instances."""

    def __init__(self):
        self.free, self.lock, self.all = [], threading.Lock(), []

    @contextmanager
    def pair(self):
        with self.lock:
            pair = self.free.pop() if self.free else None
        pair = pair or (self.make(), self.make())
        try:
            yield pair
        finally:
            with self.lock:
                self.free.append(pair)

    def make(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="campaign-bus."))
        bus = PrivateBus(folder)
        with self.lock:
            self.all.append((bus, folder))
        return bus

    def stop(self):
        for bus, folder in self.all:
            bus.stop()
            shutil.rmtree(folder, ignore_errors=True)


def outcome(buses, script):
    """(fault or None, log of the daemon)."""
    with buses.pair() as pair:
        run = Run(pair, script)
        try:
            run.run()
            return None, run.log_text
        except Fault as fault:
            return str(fault), run.log_text


def in_parallel(buses, scripts, at_once=4):
    """(script, fault or None, log) of each, as they end. Most of a run is waiting."""
    with ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(outcome, buses, script): script for script in scripts}
        for done in as_completed(running):
            yield running[done], *done.result()
