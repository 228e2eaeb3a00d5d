# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemd in a guest, as an administrator has it: unit, files, journal, bus. What it says is never the only witness."""

from __future__ import annotations

import json
import re
import stat
import time

from guest import GuestTimeout

BUS = "org.cxlmemd1"
ROOT = "/org/cxlmemd1"
UNIT = "cxlmemd.service"
POLICY = "/etc/cxlmemd/policy.d/10-test.toml"
SETTINGS = "/etc/cxlmemd/daemon.toml"
MANAGE = 'auto_online = "manage"\n'
LEAVE = 'auto_online = "leave"\n'
# What `systemctl enable` makes of the units' [Install]; for Guest's overlay.
ENABLED = [(b"/lib/systemd/system/" + unit, f"/etc/systemd/system/{name}", stat.S_IFLNK | 0o777)
           for unit, name in ((b"cxlmemd.service", "multi-user.target.wants/cxlmemd.service"),
                              (b"cxlmemd-early.service", "sysinit.target.wants/cxlmemd-early.service"))]

# Tasks that wait in the kernel and cannot be killed, and for what.
STUCK_TASKS = """for task in /proc/[0-9]*/task/*; do
    grep -qs '^State:.D' $task/status && echo "$task $(cat $task/comm):" && cat $task/stack
done"""


def rule(name="expanders", match='kind = "cxl-ram"', memory='zone = "movable"', drain=""):
    """One rule; each argument may have several lines."""
    text = f'[[rule]]\nname = "{name}"\n[rule.match]\n{match}\n[rule.memory]\nmode = "system-ram"\n{memory}\n'
    return text + (f"[rule.drain]\n{drain}\n" if drain else "")


def path_of(noun, name):
    """The object path of a device, escaped as sd_bus_path_encode does."""
    escaped = re.sub(r"[^A-Za-z0-9]|^[0-9]", lambda found: f"_{ord(found[0]):02x}", name)
    return f"{ROOT}/{noun}/{escaped}"


def plain(value):
    """busctl's JSON without its type tags."""
    if isinstance(value, dict):
        if set(value) == {"type", "data"}:
            return plain(value["data"])
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def poll(what, look, seconds=120.0):
    """Asks until the answer is true; each look is a round trip through the machine, which is pause enough."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
    return seen


class Signals:
    """What cxlmemd sends while it is recorded."""

    def __init__(self, guest):
        self.guest = guest
        self.job = guest.spawn(f"exec busctl monitor {BUS} --json=short --match=\"type='signal'\" "
                               ">/run/signals 2>/run/signals.err")
        guest.run("until grep -q onitoring /run/signals.err; do sleep 0.1; done", timeout=60)

    def read(self):
        """(member, path, arguments) of each signal until now."""
        out = []
        for line in self.guest.get("/run/signals").decode().splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # the last line may be half written
            if message.get("type") == "signal":
                out.append((message["member"], message["path"], plain(message.get("payload", {}))))
        return out

    def of(self, member):
        return [arguments for name, _, arguments in self.read() if name == member]

    def stop(self):
        self.job.kill()
        self.job.wait(30, check=False)


class Service:
    def __init__(self, guest):
        self.guest = guest
        self.locked_up = None

    # ---- files

    def policy(self, text, path=POLICY):
        self.guest.put(text.encode(), path)

    def settings(self, text):
        self.guest.put(text.encode(), SETTINGS)

    # ---- systemd

    def start(self, policy=None, settings=None):
        if policy is not None:
            self.policy(policy)
        if settings is not None:
            self.settings(settings)
        self.guest.run(f"systemctl start {UNIT}", 150)

    def stop(self):
        self.guest.run(f"systemctl stop {UNIT}", 150)

    def restart(self):
        self.guest.run(f"systemctl restart {UNIT}", 150)

    def reload(self, check=True):
        return self.guest.run(f"systemctl reload {UNIT}", 150, check)

    def show(self, *names):
        """Properties of the unit; one value for one name."""
        lines = self.guest.run(f"systemctl show {UNIT} -p {','.join(names)}").stdout.splitlines()
        values = dict(line.split("=", 1) for line in lines)
        return values[names[0]] if len(names) == 1 else tuple(values[name] for name in names)

    def pid(self):
        return int(self.show("MainPID"))

    def memory(self):
        """Resident bytes of the daemon."""
        status = self.guest.read(f"/proc/{self.pid()}/status")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:"))

    def journal(self, options=""):
        return self.guest.run(f"journalctl --sync; journalctl --no-pager -o cat -u {UNIT} {options}").stdout

    def cursor(self):
        """For journal(f"--after-cursor='{cursor}'"): from now on."""
        out = self.guest.run("journalctl --sync; journalctl -n 1 --show-cursor -o cat").stdout
        return out.rsplit("-- cursor: ", 1)[1].strip()

    # ---- D-Bus

    def busctl(self, arguments, timeout=60.0, check=True, user="root"):
        become = "" if user == "root" else f"runuser -u {user} -- "
        return self.guest.run(f"{become}busctl --json=short {arguments}", timeout, check)

    def call(self, path, interface, method, signature="a{sv}", *arguments, check=True, user="root"):
        """Calls a method; `arguments` as busctl takes them, none: empty options. Answers the
        reply's values, or with check=False the Completed."""
        words = " ".join(str(argument) for argument in arguments) or "0"
        command = f"call {BUS} {path} {BUS}.{interface} {method} '{signature}' {words}"
        done = self.busctl(command, check=check, user=user)
        if not check:
            return done
        return plain(json.loads(done.stdout)) if done.stdout.strip() else []

    def objects(self, noun=None):
        """Name ("dax0.0", "node1") → properties of every object of that noun; of all objects by path without one."""
        done = self.busctl(f"call {BUS} {ROOT} org.freedesktop.DBus.ObjectManager GetManagedObjects")
        tree = plain(json.loads(done.stdout))[0]
        flat = {path: {key: value for interface, values in interfaces.items() if interface.startswith(BUS)
                       for key, value in values.items()} for path, interfaces in tree.items()}
        if noun is None:
            return flat
        inside = {path: values for path, values in flat.items() if path.startswith(f"{ROOT}/{noun}/")}
        return {values.get("Name", path.rsplit("/", 1)[1]): values for path, values in inside.items()}

    def manager(self):
        done = self.busctl(f"call {BUS} {ROOT} org.freedesktop.DBus.Properties GetAll s {BUS}.Manager")
        return plain(json.loads(done.stdout))[0]

    def dax(self, name):
        return self.objects("dax")[name]

    def do(self, dax, method, *arguments, signature="a{sv}"):
        """Calls a method of a dax device; answers the job's path if it has one."""
        reply = self.call(path_of("dax", dax), "DaxDevice", method, signature, *arguments)
        return reply[0] if reply else None

    def refuse(self, dax, method, *arguments, signature="a{sv}", user="root"):
        """The same for a call that must fail: what busctl said of it."""
        done = self.call(path_of("dax", dax), "DaxDevice", method, signature, *arguments, check=False, user=user)
        assert done.rc != 0, f"{method} on {dax} was not refused: {done.stdout}"
        return done.stderr.strip()

    def job(self, path):
        """A job's properties; it stays readable for ten seconds after its end."""
        return self.objects()[path]

    def finished(self, path, seconds=120.0):
        """Waits for the end of a job; its properties then."""
        return poll(f"the end of {path}", lambda: (job := self.job(path))["State"] == "finished" and job, seconds)

    def done(self, path, seconds=120.0):
        """Waits for the end of a job, which has to be a good one; its properties then."""
        job = self.finished(path, seconds)
        assert job["Result"] == "done", job
        return job

    def idle(self, seconds=120.0):
        """Waits until no job is under way; the manager's properties then."""
        return poll("cxlmemd to be idle", lambda: (all_of := self.manager())["State"] != "working" and all_of, seconds)

    # ---- both

    def clean(self):
        """Back to a machine with the daemon installed, never started and without regions. A kernel that has locked up
        is found once and said at once from then on."""
        assert not self.locked_up, f"the machine has locked up before: {self.locked_up}"
        try:
            self.guest.run(f"systemctl stop {UNIT}; systemctl reset-failed", 100)
            self.guest.run("rm -rf /etc/cxlmemd/policy.d/* /etc/cxlmemd/daemon.toml /var/lib/cxlmemd /run/cxlmemd")
            for region in self.guest.regions():
                self.guest.remove_region(region, timeout=60)
            self.guest.set_auto_online("online")  # Debian's default
        except GuestTimeout as error:
            self.locked_up = f"{error}\n{self.guest.run(STUCK_TASKS, check=False).stdout}"
            raise GuestTimeout(self.locked_up) from None

    def settled(self, dax, timeout=120.0, **wanted):
        """Waits until the blocks are as wanted, by /sys; then checks that D-Bus says the same. Answers the blocks."""
        blocks = self.guest.wait_blocks(dax, timeout, **wanted)
        self.agrees(dax)
        return blocks

    def agrees(self, dax):
        """Fails unless D-Bus comes to say of a device what /sys does."""
        end = time.monotonic() + 30
        while (difference := self.difference(dax)) and time.monotonic() < end:
            pass
        assert difference == {}, f"D-Bus and /sys do not agree about {dax}: (told, true) {difference}"

    def difference(self, dax):
        """Property → (on the bus, by /sys), where they are not the same."""
        blocks, size = self.guest.blocks_of_dax(dax), self.guest.block_size()
        device = self.guest.dax_devices()[dax]
        zones = [zone for state, zone, _ in blocks.values() if state == "online"]
        movable, total = zones.count("Movable"), device["size"] // size
        truth = {
            "Mode": {"kmem": "system-ram", "device_dax": "devdax", None: "unbound"}[device["driver"]],
            "TargetNode": device["target_node"],
            "Size": device["size"],
            "BlocksTotal": total,
            "BlocksOnline": len(zones),
            "BlocksMovable": movable,
            "BytesOnline": len(zones) * size,
            "State": "offline" if not zones else "online" if len(zones) == total else "partial",
            "Zone": "none" if not zones else "movable" if movable == len(zones) else "mixed" if movable else "kernel",
            "Region": path_of("region", device["region"]),
        }
        told = self.dax(dax)
        # Addresses that the kernel keeps for root are not told to everyone.
        is_public = told["Kind"] == "cxl-ram" and device["driver"] in ("kmem", None)
        truth["Ranges"] = [[start, end + 1 - start] for start, end in device["ranges"]] if is_public else []
        return {key: (told[key], value) for key, value in truth.items() if told[key] != value}
