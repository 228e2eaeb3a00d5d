# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one run of the campaign does: a machine, a policy, settings, and a list of things that happen, all from a seed.

A script is plain data, so that it can be printed, run again and made smaller."""

import random
from dataclasses import dataclass, field

GIB = 1 << 30
MIB = 1 << 20
READY = ["two-card-server", "auto-online", "two-cards-7-3", "hmem-and-pmem", "dynamic-capacity", "growing-extents",
         "legacy-plain-ram", "misaligned-device", "negative-target-node", "held-range", "laptop-with-nothing"]
# What a caller or another actor does to a device that has memory online may lose it for good (R11).
LOSING = {"unbind-dax", "remove-memdev", "remove-region", "replace-dax", "release-extent"}
OPERATIONS = ["scan", "read_blocks", "online", "offline", "bind", "unbind", "destroy_region", "set_auto_online",
              "draft_region", "create_region", "clear_region", "set_interleave_weight"]
ERRNOS = ["EBUSY", "EIO", "EINTR", "ENOMEM", "EAGAIN", "ENODEV"]
ZONES = ["movable", "kernel"]


@dataclass
class Script:
    seed: int
    machine: str        # the name of a ready machine, or the text of a topology file
    policy: str
    settings: str
    steps: list = field(default_factory=list)
    undone: bool = False  # a job that does not come to its end leaves everything as it was
    name: str = ""

    def loses_memory(self):
        """Whether somebody other than the daemon may have lost memory by what happens here."""
        return any(step[0] == "inject" and step[1] in LOSING for step in self.steps) or any(
            step[0] == "client" and step[1].startswith("other") for step in self.steps)

    def only_deaths(self):
        """Whether all that happens is that the daemon dies: then the end is as without. Not on machines of which a
        record cannot tell all."""
        if self.machine in ("held-range", "two-cards-7-3") or "kernel_zone_unmovable = true" in self.machine:
            return False
        return all(step[0] in ("nap", "kill", "term") or step[:2] == ("inject", "delay") for step in self.steps)

    def has_calls(self):
        return any(step[0] in ("call", "cancel") for step in self.steps)

    def has_faults(self):
        return any(step[0] == "inject" and step[1] in ("fail", "make-unreadable", "lose-events") for step in self.steps)


class Maker:
    def __init__(self, seed):
        self.seed, self.random = seed, random.Random(seed)
        self.cards = []      # serial numbers
        self.devices = []    # names that there may be
        self.nodes = []

    def make(self):
        machine = self.machine()
        policy = self.policy()
        if self.random.random() < 0.2:
            return Script(self.seed, machine, policy, self.settings(), self.deaths())
        steps = [self.step() for _ in range(self.random.randrange(1, 20))]
        return Script(self.seed, machine, policy, self.settings(), [step for step in steps if step])

    # ---- the machine

    def machine(self):
        if self.random.random() < 0.4:
            self.devices = [f"dax{i}.{k}" for i in range(3) for k in range(2)]
            self.cards, self.nodes = [1, 2, 3], [1, 2, 3]
            return self.random.choice(READY)
        return self.made_machine()

    def made_machine(self):
        pick = self.random
        block = pick.choice([256 * MIB, 512 * MIB, GIB, 2 * GIB])
        size = block * pick.choice([2, 3, 4, 8])
        count = pick.choice([1, 1, 2, 2, 3, 4])
        auto = pick.choice(["offline", "offline", "online", "online_kernel", "online_movable"])
        lines = [f"block_size = {block}", f'auto_online = "{auto}"',
                 f"kernel_zone_unmovable = {word(pick.random() < 0.3)}"]
        lines += ["[features]", *(f"{name} = {word(pick.random() < 0.5)}" for name in (
            "weighted_interleave", "access_coordinates", "demotion", "dax_state")), "region_create = true",
            f"memory_hotremove = {word(pick.random() < 0.9)}"]
        lines += ["[[node]]", "id = 0", "cpus = true", f"memory = {64 * GIB}", f"movable = {pick.choice([0, 32 * GIB])}"]
        for i in range(count):
            self.cards.append(i + 1)
            lines += ["[[memdev]]", f'name = "mem{i}"', f"serial = {i + 1}", f'host = "0000:{i + 0x10:02x}:00.0"',
                      f"ram_size = {size}"]
        start = 0x1000000000
        lines += ["[[root_decoder]]", 'name = "decoder0.0"', f"start = {start}", f"size = {size * (count + 2)}"]
        if pick.random() < 0.2:
            lines += [f"target_node = {pick.randrange(1, 4)}"]
        at, free, region = start, list(range(count)), 0
        while free:
            ways = 2 if len(free) >= 2 and pick.random() < 0.3 else 1
            mine, free = free[:ways], free[ways:]
            if pick.random() < 0.15:
                continue  # a card without a region
            lines += self.region(region, mine, at, size * ways, block)
            at, region = at + size * ways, region + 1
        self.nodes = list(range(1, region + 2))
        return "\n".join(lines) + "\n"

    def region(self, number, cards, at, size, block):
        pick = self.random
        self.devices.append(f"dax{number}.0")
        names = ", ".join(f'"mem{card}"' for card in cards)
        out = ["[[region]]", f'name = "region{number}"', f"start = {at}", f"size = {size}", f"memdevs = [{names}]",
               'root_decoder = "decoder0.0"', f"locked = {word(pick.random() < 0.1)}"]
        out += ["[[dax]]", f'name = "dax{number}.0"', f'region = "region{number}"', f"target_node = {number + 1}",
                f"memmap_on_memory = {word(pick.random() < 0.3)}"]
        mode = pick.choice(["system-ram"] * 4 + ["devdax", "unbound"])
        out.append(f'mode = "{mode}"')
        if mode == "system-ram" and pick.random() < 0.6:
            first, count = at // block, size // block
            parts = {"offline": [], "movable": [], "kernel": []}
            for i in range(count):
                parts[pick.choice(["offline", "movable", "movable", "kernel"])].append(first + i)
            out.append("blocks = { " + ", ".join(f'{zone} = "{",".join(map(str, part))}"'
                                                 for zone, part in parts.items() if part) + " }")
        return out

    # ---- policy and settings

    def policy(self):
        rules = [self.rule(i) for i in range(self.random.choice([0, 1, 1, 1, 2, 3]))]
        if self.random.random() < 0.15:
            rules.append('[[region]]\nname = "made"\nmemdev_serial = ["%#x"]\n' % self.random.choice(self.cards))
        if self.random.random() < 0.15:
            rules.append("[[node]]\nmatch = { kind = \"cxl-ram\" }\ninterleave_weight = %d\n" % self.random.randrange(1, 9))
        return "\n".join(rules)

    def rule(self, number):
        pick = self.random
        match = pick.choice(['kind = "cxl-ram"', 'kind = ["cxl-ram", "hmem"]', 'dax = "dax0.*"', 'dax = "*"',
                             "memdev_serial = \"%#x\"" % pick.choice(self.cards)])
        out = ["[[rule]]", f'name = "r{number}"', "[rule.match]", match]
        kind = pick.random()
        if kind < 0.1:
            return "\n".join([*out, "[rule.memory]", 'mode = "ignore"', ""])
        if kind < 0.25:
            return "\n".join([*out, "[rule.memory]", 'mode = "devdax"', *self.drain(), ""])
        out += ["[rule.memory]", f'zone = "{pick.choice(["movable", "movable", "kernel", "auto"])}"']
        if pick.random() < 0.4:
            out.append('amount = "%s"' % pick.choice(["50%", "1GiB", "2GiB", "100%", "0%"]))
        if pick.random() < 0.5:
            out.append('drift = "%s"' % pick.choice(["enforce", "report", "ignore"]))
        if pick.random() < 0.5:
            out.append('on_conflict = "%s"' % pick.choice(["rezone", "report"]))
        return "\n".join([*out, *self.drain(), ""])

    def drain(self):
        pick = self.random
        if pick.random() < 0.5:
            return []
        return ["[rule.drain]", f"rollback = {word(pick.random() < 0.5)}", f"retries = {pick.randrange(0, 4)}",
                f'timeout = "{pick.choice(["20ms", "300ms", "5s"])}"']

    def settings(self):
        pick = self.random
        return (f'auto_online = "{pick.choice(["leave", "manage"])}"\n'
                + '[retry]\ninitial = "5ms"\nmax = "20ms"\nattempts = %d\n' % pick.randrange(1, 4))

    # ---- what happens

    def step(self):
        kind = self.random.random()
        if kind < 0.30:
            return self.call()
        if kind < 0.50:
            return self.actor()
        if kind < 0.70:
            return self.fault()
        if kind < 0.78:
            return ("reload", self.policy())
        if kind < 0.84:
            return ("cancel",)
        if kind < 0.92:
            return ("settle",)
        if kind < 0.96:
            return ("term",)
        return ("kill",)

    def deaths(self):
        """Nothing happens but that the daemon dies, early and often, at some step of its own work."""
        steps = []
        for _ in range(self.random.randrange(1, 4)):
            operation = self.random.choice(["online", "offline", "bind", "unbind", "scan"])
            steps += [("inject", "delay", {"operation": operation, "usec": 20_000, "nth": self.random.randrange(1, 6),
                                           "count": 1}),
                      ("nap", self.random.choice([0, 1, 3, 10, 30])), (self.random.choice(["kill", "kill", "term"]),)]
        return steps

    def dax(self):
        return self.random.choice(self.devices or ["dax0.0"])

    def call(self):
        pick = self.random
        member = pick.choice(["Online", "Offline", "SetMode", "Hold", "Release", "Apply", "PrepareRemove", "RemoveRegion",
                              "ReleaseCard"])
        flags = {name: pick.random() < 0.5 for name in ("rollback", "hold") if pick.random() < 0.3}
        if pick.random() < 0.2:
            flags["timeout"] = pick.choice([1000, 20_000, 1_000_000])
        if member == "Online":
            if pick.random() < 0.3:
                flags["amount"] = pick.choice([1, 2, 4]) * GIB
            return ("call", member, self.dax(), pick.choice([*ZONES, ""]), flags)
        if member == "SetMode":
            return ("call", member, self.dax(), pick.choice(["devdax", "system-ram"]), flags)
        return ("call", member, self.dax(), pick.randrange(4), flags)

    def actor(self):
        pick = self.random
        dax = self.dax()
        return pick.choice([
            ("inject", "online-block", {"dax": dax, "nth": pick.randrange(4), "zone": pick.choice(ZONES)}),
            ("inject", "offline-block", {"dax": dax, "nth": pick.randrange(4), "count": pick.randrange(1, 4)}),
            ("inject", "set-auto-online", {"value": pick.choice(["offline", "online_movable", "online_kernel"])}),
            ("inject", "bind-dax", {"dax": dax, "mode": pick.choice(["system-ram", "devdax"])}),
            ("inject", "set-interleave-weight", {"node": pick.choice(self.nodes or [0]), "weight": pick.randrange(1, 9)}),
            ("inject", "set-demotion", {"enabled": pick.random() < 0.5}),
            ("inject", "add-memdev", {"serial": pick.randrange(100, 999), "ram_size": 2 * GIB}),
            ("inject", "add-region", {"memdevs": f"mem{pick.randrange(4)}"}),
            ("inject", "remove-memdev", {"memdev": f"mem{pick.randrange(4)}"}),
            ("inject", "remove-region", {"region": f"region{pick.randrange(3)}"}),
            ("inject", "replace-dax", {"dax": dax}),
            ("inject", "unbind-dax", {"dax": dax}),
        ])

    def fault(self):
        pick = self.random
        operation = pick.choice(OPERATIONS)
        times = {"nth": pick.randrange(1, 5), "count": pick.randrange(1, 4)}
        when = {}
        if pick.random() < 0.3:
            when = {"on.operation": pick.choice(OPERATIONS), "on.nth": pick.randrange(1, 4)}
        return pick.choice([
            ("inject", "fail", {"operation": operation, "errno": pick.choice(ERRNOS), **times, **when}),
            ("inject", "fail", {"operation": operation, "errno": pick.choice(ERRNOS), **times, **when}),
            ("inject", "hang", {"operation": operation, **times}),
            ("inject", "delay", {"operation": operation, "usec": pick.choice([1000, 30_000]), **times}),
            ("inject", "pin-block", {"dax": self.dax(), "nth": pick.randrange(4)}),
            ("inject", "unpin-block", {"dax": self.dax(), "nth": pick.randrange(4)}),
            ("inject", "poison-block", {"dax": self.dax(), "nth": pick.randrange(4)}),
            ("inject", "make-unreadable", {"dax": self.dax(), "nth": pick.randrange(4)}),
            ("inject", "lose-events", {"nth": 1, "count": pick.randrange(1, 6)}),
            ("inject", "double-events", {"nth": 1, "count": pick.randrange(1, 6)}),
            ("inject", "delay-events", {"usec": 5000, "nth": 1, "count": 3}),
        ])


def word(value):
    return "true" if value else "false"


def make(seed):
    script = Maker(seed).make()
    script.name = f"seed {seed} (tests/campaign/run --seed {seed})"
    return script
