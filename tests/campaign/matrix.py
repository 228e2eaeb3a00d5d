# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every kind of job × every operation of the backend × everything that can befall it, as scripts of the campaign.

The operations come from the emulator itself, so that a new one joins by itself."""

from script import Script

DAX = "dax0.0"
QUICK = '[retry]\ninitial = "5ms"\nmax = "20ms"\nattempts = 2\n'
RULE = '[[rule]]\nname = "r"\n[rule.match]\nkind = "cxl-ram"\n[rule.memory]\nzone = "movable"\n'
REGION = '[[region]]\nname = "made"\nmemdev_serial = ["0x1"]\n'
NO_REGION = """
block_size = 1073741824
[features]
region_create = true
memory_hotremove = true
[[node]]
id = 0
cpus = true
memory = 68719476736
[[memdev]]
name = "mem0"
serial = 1
host = "0000:10:00.0"
ram_size = 4294967296
[[root_decoder]]
name = "decoder0.0"
start = 68719476736
size = 8589934592
"""

UNDO = {"rollback": True}

# name → machine, policy, what has to be there before, the call
JOBS = {
    # It takes nothing from anybody, and leaves what it has brought.
    "online": ("two-card-server", "", [], ("call", "Online", DAX, "movable", {})),
    "offline": ("auto-online", "", [], ("call", "Offline", DAX, 0, UNDO)),
    "rezone": ("auto-online", "", [], ("call", "Online", DAX, "movable", UNDO)),
    "devdax": ("auto-online", "", [], ("call", "SetMode", DAX, "devdax", UNDO)),
    "system-ram": ("two-card-server", "", [("call", "SetMode", DAX, "devdax", {}), ("rest",)],
                   ("call", "SetMode", DAX, "system-ram", UNDO)),
    "remove-region": ("auto-online", "", [], ("call", "RemoveRegion", DAX, 0, UNDO)),
    "prepare-remove": ("auto-online", "", [], ("call", "PrepareRemove", DAX, 0, UNDO)),
    "policy": ("two-card-server", "", [], ("reload", RULE)),
    "create-region": (NO_REGION, "", [], ("reload", RULE + REGION)),
}


FAILS = "fails"


def befallen(operation):
    """What befalls the first call of an operation: name, steps before the job, steps after it began, and whether the
    job, if it was to be undone, can be."""
    yield FAILS, [("inject", "fail", {"operation": operation, "errno": "EIO", "count": 1})], [], True
    yield "fails for long", [("inject", "fail", {"operation": operation, "errno": "EBUSY", "count": 12})], [], False
    yield "hangs", [("inject", "hang", {"operation": operation})], [("nap", 5)], True
    yield "is canceled", [("inject", "hang", {"operation": operation})], [("nap", 5), ("cancel",)], True
    yield "device goes", [("inject", "remove-memdev", {"memdev": "mem0", "on.operation": operation})], [], False
    yield "device goes before", [("inject", "remove-memdev", {"memdev": "mem0", "on.operation": operation,
                                                              "on.moment": "before"})], [], False
    yield "SIGTERM", [("inject", "delay", {"operation": operation, "usec": 20_000, "count": 1})], [("nap", 5), ("term",)], False
    yield "SIGKILL", [("inject", "delay", {"operation": operation, "usec": 20_000, "count": 1})], [("nap", 5), ("kill",)], False


def scripts(job, operation):
    """Of one kind of job and one operation."""
    machine, policy, before, call = JOBS[job]
    for what, fault, after, can_be_undone in befallen(operation):
        yield Script(0, machine, policy, QUICK, [*before, *fault, call, *after], name=f"{job}: {operation} {what}",
                     undone=can_be_undone and call[-1] == UNDO)


def is_struck(log):
    """Whether a fault of `fails` befell anything: an operation that a job does not use needs no more tries."""
    return "it was made to fail" in log


def operations(daemon, error):
    """All that the emulator can be told to let fail. `error`: what its refusals are raised as."""
    try:
        daemon.inject("fail", operation="nothing", errno="EIO")
    except error as refused:
        words = refused.message.rpartition("must be ")[2]
        return sorted({word.strip(" ,.;()'\"") for word in words.replace(" or ", ", ").replace(" and ", ", ").split(", ")})
    raise AssertionError("an operation called 'nothing'")
