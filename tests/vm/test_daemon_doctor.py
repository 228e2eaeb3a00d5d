# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl doctor on a real kernel: what it names is what the machine's files read."""

import json

import pytest

from guest import Card
from service import LEAVE, poll, rule

SETTING = "/sys/devices/system/memory/auto_online_blocks"


@pytest.fixture(scope="module")
def guest(boot):
    guest = boot(cards=[Card(1, "1G")], spare_ports=0, append="memhp_default_state=online_movable")
    guest.load_modules()
    guest.service.start(rule(), LEAVE)
    return guest


def doctor(guest, user="root"):
    """(exit code, findings by id, what cannot be told by id, the ids that are fine)"""
    become = "" if user == "root" else f"runuser -u {user} -- "
    done = guest.run(f"{become}cxlmemctl --json doctor", check=False)
    assert done.stderr == "", done
    report = json.loads(done.stdout)
    return (done.rc, {each["Id"]: each["Seen"] for each in report["Findings"]},
            {each["Id"]: each["Unread"] for each in report["CannotTell"]}, set(report["Fine"]))


def test_it_names_the_boot_parameter_and_the_setting_as_they_are(guest):
    assert "memhp_default_state=online_movable" in guest.read("/proc/cmdline")
    assert guest.read(SETTING).strip() == "online_movable"
    rc, found, _, fine = doctor(guest)
    assert rc == 1 and found["boot-default-state"] == ["memhp_default_state=online_movable"]
    assert found["auto-online"] == ["auto_online_blocks reads 'online_movable'",
                                    "set by the boot parameter memhp_default_state=online_movable"]
    assert {"kernel-old", "module-missing", "module-unloaded", "card-no-memdev", "slot-without-window",
            "boot-movable-node", "bus-policy", "daemon-observes", "unreadable"} <= fine
    memdev = next(iter(guest.memdevs().values()))
    assert any(f"{memdev} (" in line and "1 GiB, no region" in line for line in found["card-without-region"])
    assert found["not-enabled"]  # the unit was started by hand


def test_it_looks_anew(guest):
    guest.set_auto_online("offline")
    guest.service.reload()
    poll("the daemon to see it", lambda: guest.service.manager()["KernelAutoOnline"] == "offline")
    assert "auto-online" in doctor(guest)[3]
    guest.run("modprobe -r dax_cxl")
    try:
        assert any("dax_cxl: not loaded" in line for line in doctor(guest)[1]["module-unloaded"])
    finally:
        guest.run("modprobe dax_cxl")
    assert "module-unloaded" in doctor(guest)[3]


def test_nobody_gets_the_same_findings(guest):
    rc, found, unknown, _ = doctor(guest, "nobody")
    _, by_root, unknown_to_root, _ = doctor(guest)
    assert rc == 1 and set(found) | set(unknown) >= set(by_root) and set(found) <= set(by_root)
    for name in set(unknown) - set(unknown_to_root):
        assert all("(EACCES)" in reason or "hidden" in reason for reason in unknown[name]), unknown
    wide = guest.run("runuser -u nobody -- cxlmemctl doctor", check=False).stdout.splitlines()
    assert max(map(len, wide)) <= 80


def test_without_the_daemon_it_ends_with_4_and_says_what_it_left_out(guest):
    guest.service.stop()
    try:
        guest.set_auto_online("online")
        for user in ("root", "nobody"):
            rc, found, unknown, fine = doctor(guest, user)
            assert rc == 4 and "systemctl start cxlmemd" in found["daemon-unreachable"][0]
            assert found["auto-online"][0] == "auto_online_blocks reads 'online'"
            assert "does not answer" in unknown["card-without-region"][0] and "boot-numa" in fine
    finally:
        guest.set_auto_online("offline")
        guest.service.start()
    assert "daemon-unreachable" in doctor(guest)[3]
