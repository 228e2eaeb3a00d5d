# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private bus, and a daemon on it with a machine, a policy and folders of its own."""

import os
import signal
import subprocess
import time

from places import DAEMON, LIMIT, MACHINES
from wire import NAME, OBJECT_MANAGER, PROPERTIES, ROOT, BusError, Client, NotInTime, options

SANITIZERS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")

BLOCK = 128 << 20

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
  <limit name="max_replies_per_connection">50000</limit>
</busconfig>
"""


class PrivateBus:
    """A dbus-daemon that lets everything and everyone through."""

    def __init__(self, folder, limits=""):
        """limits: <limit> elements for the bus's configuration."""
        folder.chmod(0o755)
        socket = folder / "bus"
        self.config = folder / "bus.conf"
        self.config.write_text(BUS_CONFIG.format(socket=socket).replace("</busconfig>", f"{limits}</busconfig>"))
        self.address = f"unix:path={socket}"
        self.start()

    def start(self):
        """At the same address as before, if it has been stopped."""
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={self.config}", "--nofork", "--print-address"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline().startswith(self.address)  # it listens

    def stop(self):
        self.process.kill()
        self.process.wait(LIMIT)
        self.process.stdout.close()


def rule(name="expanders", match='kind = "cxl-ram"', memory="", drain=""):
    """The text of one rule."""
    out = f'[[rule]]\nname = "{name}"\n[rule.match]\n{match}\n[rule.memory]\nmode = "system-ram"\n{memory}\n'
    return out + (f"[rule.drain]\n{drain}\n" if drain else "")


MOVABLE = rule(memory='zone = "movable"')
KERNEL = rule(memory='zone = "kernel"')
ONLY_WATCH = ""

# A daemon that does not wait long before it tries again, so that a loop would show.
QUICK_RETRY = '[retry]\ninitial = "10ms"\nmax = "20ms"\nattempts = 3\n'


def scenario(folder, text, machine="two-card-server"):
    """A scenario file for one of the machines in the tree."""
    path = folder / "scenario.toml"
    path.write_text(f'machine = "{MACHINES}/{machine}.toml"\n{text}')
    return path


def watched(make_daemon, **what):
    """A daemon without a rule: every job is the caller's."""
    return make_daemon(policy=ONLY_WATCH, **what)


def path_of(noun, name):
    """As sd_bus_path_encode."""
    encoded = "".join(c if c.isascii() and c.isalnum() and not (i == 0 and c.isdigit()) else f"_{ord(c):02x}"
                      for i, c in enumerate(str(name)))
    return f"{ROOT}/{noun}/{encoded}"


def dax_path(name):
    return path_of("dax", name)


class Daemon:
    """A running cxlmemd, and a client that saw everything it said from the beginning."""

    def __init__(self, bus, folder, machine="two-card-server", policy=MOVABLE, settings="", arguments=(),
                 state=None, runtime=None):
        self.bus = bus
        self.folder = folder
        self.config = folder / "config"
        self.policy_file = self.config / "policy.d/50-test.toml"
        self.state = state or folder / "state"
        self.runtime = runtime or folder / "run"
        self.log_file = folder / "log"
        self.machine = machine
        self.arguments = list(arguments)
        self.exit_code = 0  # what its end is expected to be
        self.resumed = False  # what hangs was told to go on
        self.process = None
        self.client = None
        if policy is not None:
            self.policy_file.parent.mkdir(parents=True, exist_ok=True)
            self.policy_file.write_text(policy)
        if settings:
            self.config.mkdir(exist_ok=True)
            (self.config / "daemon.toml").write_text(settings)

    # --- life ---

    def command(self):
        machine = self.machine
        if isinstance(machine, str):
            machine = MACHINES / f"{machine}.toml"
        return [str(DAEMON), "--backend", f"emulator:{machine}", "--config", str(self.config), "--state",
                str(self.state), "--runtime", str(self.runtime), "--bus", self.bus.address, *self.arguments]

    def start(self, meet=True):
        """meet=False: nothing is asked of it yet."""
        client = Client(self.bus.address)
        client.match(f"type='signal',path_namespace='{ROOT}'")
        client.match(f"type='signal',member='NameOwnerChanged',arg0='{NAME}'")
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log, stdout=log,
                                            env={**os.environ, "JOURNAL_STREAM": ""})
        self.client = client
        self.exit_code = 0
        until = time.monotonic() + LIMIT
        while not self._is_named(client):
            client.pump(0.1)  # at most so long; the death of the process is no message
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"the daemon did not start (exit code {self.process.poll()})")
        if meet:
            self.mirror_anew()
        return self

    def meet_again(self, limit=LIMIT):
        """A new client, for a bus that was lost and is there again: sees the daemon as soon as it has its name."""
        self.client.close()
        self.client = client = Client(self.bus.address)
        client.match(f"type='signal',path_namespace='{ROOT}'")
        client.match(f"type='signal',member='NameOwnerChanged',arg0='{NAME}'")
        until = time.monotonic() + limit
        while not self._is_named(client) and not client.bus_call("NameHasOwner", "(s)", NAME):
            client.pump(0.1)
            assert self.is_alive() and time.monotonic() < until, f"not on the bus again: {self.log()}"
        self.mirror_anew()

    @staticmethod
    def _is_named(client):
        return any(s.member == "NameOwnerChanged" and s.body[2] for s in client.signals)

    def mirror_anew(self):
        # GetManagedObjects tells of what is below the root, not of the root.
        self.client.mirror.replace(self.managed_objects())
        self.client.mirror.objects[ROOT] = {f"{NAME}.Manager": self.get_all(ROOT, "Manager")}

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM, and the end that it should have."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the daemon did not stop within {LIMIT:.0f} s of SIGTERM") from None
        finally:
            self.client.close()
        reports = [word for word in SANITIZERS if word in self.log()]
        assert not reports, f"the log has {reports}"
        assert code == self.exit_code, f"the daemon ended with {code}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        self.client.close()

    def ends_by_itself(self, limit=LIMIT):
        """Its exit code."""
        process, self.process = self.process, None
        try:
            return process.wait(limit)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self.client.close()

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    # --- the API ---

    def call(self, path, interface, member, *rest, **more):
        return self.client.call(path, f"{NAME}.{interface}", member, *rest, **more)

    def manager_call(self, member, signature="(a{sv})", *arguments):
        return self.call(ROOT, "Manager", member, signature, *arguments, *([] if arguments else [{}]))

    def plan(self):
        return self.manager_call("Plan")

    def apply(self):
        return self.manager_call("Apply")

    def reload(self):
        return self.manager_call("Reload")

    def explain(self, dax):
        return self.manager_call("Explain", "(oa{sv})", dax_path(dax), {})

    def check_policy(self, text, name="x.toml"):
        return self.manager_call("CheckPolicy", "(ssa{sv})", name, text, {})

    def online(self, dax, zone="", **given):
        return self.call(dax_path(dax), "DaxDevice", "Online", "(sa{sv})", zone, options(**given))

    def offline(self, dax, **given):
        return self.call(dax_path(dax), "DaxDevice", "Offline", "(a{sv})", options(**given))

    def set_mode(self, dax, mode, **given):
        return self.call(dax_path(dax), "DaxDevice", "SetMode", "(sa{sv})", mode, options(**given))

    def remove_region(self, region, **given):
        return self.call(path_of("region", region), "Region", "Remove", "(a{sv})", options(**given))

    def prepare_remove(self, memdev, **given):
        return self.call(path_of("memdev", memdev), "Memdev", "PrepareRemove", "(a{sv})", options(**given))

    def hold(self, dax):
        return self.call(dax_path(dax), "DaxDevice", "Hold", "(a{sv})", {})

    def release(self, dax):
        return self.call(dax_path(dax), "DaxDevice", "Release", "(a{sv})", {})

    def release_memdev(self, memdev):
        return self.call(path_of("memdev", memdev), "Memdev", "Release", "(a{sv})", {})

    def release_region(self, region):
        return self.call(path_of("region", region), "Region", "Release", "(a{sv})", {})

    def cancel(self, job):
        return self.call(job, "Job", "Cancel", "(a{sv})", {})

    def inject(self, event, **details):
        if event in ("hang", "resume"):
            self.resumed = event == "resume" and not details
        return self.call(f"{ROOT}/emulator", "Emulator", "Inject", "(sa{sv})", event, options(**details))

    def managed_objects(self):
        return self.client.call(ROOT, OBJECT_MANAGER, "GetManagedObjects")

    def get_all(self, path, interface):
        return self.client.call(path, PROPERTIES, "GetAll", "(s)", f"{NAME}.{interface}")

    # --- what the client knows by signals ---

    @property
    def objects(self):
        return self.client.mirror.objects

    def properties(self, path, interface):
        return self.objects.get(path, {}).get(f"{NAME}.{interface}")

    def dax(self, name="dax0.0"):
        return self.properties(dax_path(name), "DaxDevice")

    def memdev(self, name="mem0"):
        return self.properties(path_of("memdev", name), "Memdev")

    def conflicts(self, kind):
        return [message for what, message in self.manager["Conflicts"] if what == kind]

    def node(self, number):
        return self.properties(path_of("node", f"node{number}"), "Node")

    @property
    def manager(self):
        return self.properties(ROOT, "Manager")

    def job(self, path):
        return self.properties(path, "Job")

    def jobs(self, dax=None):
        """Paths of all jobs that were announced, oldest first."""
        return [s.body[1] for s in self.client.signals
                if s.member == "JobNew" and (dax is None or s.body[2] == dax_path(dax))]

    # --- waiting ---

    def wait(self, condition, what="", limit=LIMIT):
        """What was resumed and begins to hang only then, on a slow machine, is resumed again."""
        until = time.monotonic() + limit
        while True:
            left = until - time.monotonic()
            try:
                return self.client.wait(condition, what, min(1, left) if self.resumed else left)
            except NotInTime as late:
                if not self.resumed or left <= 1:
                    raise NotInTime(f"not within {limit:.0f} s: {what}") from late
                self.inject("resume")
            except ConnectionError:
                raise AssertionError("the bus hung up") from None

    def insist(self, action, condition, what="", limit=LIMIT):
        """Does it again and again, a round trip each, until the condition holds."""
        until = time.monotonic() + limit
        while True:
            action()
            if value := condition():
                return value
            if time.monotonic() > until:
                raise AssertionError(f"not within {limit:.0f} s: {what}")

    def wait_dax(self, name="dax0.0", limit=LIMIT, **wanted):
        def seen():
            device = self.dax(name)
            return device is not None and all(device[key] == value for key, value in wanted.items())
        try:
            self.wait(seen, f"{name} is {wanted}", limit)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.dax(name)}") from None
        return self.dax(name)

    def wait_gone(self, path):
        self.wait(lambda: path not in self.objects, f"{path} is gone")

    def removed(self, job):
        """The JobRemoved signal of a job, or None."""
        return next((s for s in self.client.signals if s.member == "JobRemoved" and s.body[1] == job), None)

    def result(self, job, limit=LIMIT):
        """Waits for the end of a job, which has a word for it."""
        self.wait(lambda: self.removed(job), f"{job} ends; it is {self.job(job)}", limit)
        return self.removed(job).body[3]

    def error(self, job):
        return self.job(job)["Error"]

    def wait_new_job(self, dax, after=()):
        return self.wait(lambda: next((j for j in self.jobs(dax) if j not in after), None), f"a job for {dax}")

    def wait_idle(self):
        self.wait(lambda: self.manager["State"] != "working", "no job is under way")

    def look_again(self, times=1):
        """The daemon scans the machine, decides anew and publishes; then this returns. What policy
        would do about the machine as it is, it has begun by then."""
        for _ in range(times):
            now = self.manager["KernelAutoOnline"]
            other = "online_movable" if now != "online_movable" else "online_kernel"
            for value in (other, now):
                self.inject("set-auto-online", value=value)
                # Another scan may have swallowed the change; the emulator raises no event for it.
                self.nudge()
                self.wait(lambda value=value: self.manager["KernelAutoOnline"] == value, f"a scan sees {value}")
        # That scan may have been between the two events of the nudge.
        self.wait(lambda: path_of("memdev", "nudge") not in self.objects, "the card that nudged is gone")

    def nudge(self):
        """An event that changes nothing that matters: a card comes and goes."""
        self._nudges = getattr(self, "_nudges", 0) + 1
        serial = 0xBEEF0000 + self._nudges
        self.inject("add-memdev", serial=serial, name="nudge", host="0000:ff:00.0")
        self.inject("remove-memdev", memdev="nudge")

    def round_trip(self):
        """Seconds for one Get."""
        begin = time.monotonic()
        self.client.call(ROOT, PROPERTIES, "Get", "(ss)", f"{NAME}.Manager", "State")
        return time.monotonic() - begin

    def fails(self, error, call, *arguments, **more):
        """The message of the named error."""
        try:
            value = call(*arguments, **more)
        except BusError as seen:
            assert seen.name == error, str(seen)
            return seen.message
        raise AssertionError(f"{error} was expected, the call returned {value!r}")
