# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon that is taken over could still do: a probe stands in its place, under the settings of its own units.

And that what must work does: other tests do all their work inside this sandbox; persistent and soft-reserved memory,
which lie elsewhere in /sys, are here."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import FIGURES
from guest import Card
from service import MANAGE, UNIT, poll, rule

EARLY = "cxlmemd-early.service"
PROBE = "/usr/lib/cxlmemd-vm/sandbox_probe"
# Of [Service]: what says how the daemon is started, watched and started again, not what it may do.
NOT_SANDBOX = re.compile(r"(Type|BusName|Standard\w+|Exec(?!Paths)\w+|WatchdogSec|Restart\w*|RemainAfterExit)=")
# Emulated persistent memory and soft-reserved memory, each 1 GiB, beside a card.
MEMORY = "memmap=1G!0x140000000 memmap=1G%0x180000000-1+0xefffffff"

SHUT = {"EROFS", "EACCES", "EPERM"}
READ_ONLY = {"EROFS"}
REFUSED = {
    "map_pci_bar": READ_ONLY,
    "write_pci_config": READ_ONLY,
    "remove_pci_device": SHUT,
    "rescan_pci": SHUT,
    "offline_processor": READ_ONLY,
    "unbind_pci_driver": READ_ONLY,
    "unbind_platform_driver": READ_ONLY,
    "probe_pci_driver": READ_ONLY,
    "write_kernel_setting": SHUT,
    "write_huge_pages": SHUT,
    "write_cgroup": SHUT,
    "sysrq": SHUT,
    "open_kmsg": SHUT | {"ENOENT"},
    "read_shadow": {"EACCES"},
    "list_logs": {"EACCES"},
    "list_modules": {"EACCES"},
    "write_etc": READ_ONLY,
    "write_usr": READ_ONLY,
    "write_policy": READ_ONLY,
    "change_owner": SHUT,
    "systemd_private_socket": {"EACCES"},
    "run_a_program": {"EACCES"},
    "run_a_shell": {"EACCES"},
    "run_systemd": {"EACCES"},
    "run_by_the_loader": {"ENOEXEC"},  # the loader runs, and may not map the program
    "run_what_it_wrote_to_run": {"EACCES"},
    "run_what_it_wrote_to_var": {"EACCES"},
    "run_what_it_wrote_to_tmp": {"EACCES"},
    "become_another_user": SHUT,
    "write_and_execute": SHUT,
    "internet": {"EAFNOSUPPORT"},
    "packets": {"EAFNOSUPPORT"},
    "bpf": SHUT,
    "init_module": SHUT,
    "io_uring_setup": SHUT,
    "keyctl": SHUT,
    "memfd_create": SHUT,
    "mount": SHUT,
    "process_vm_readv": SHUT,
    "ptrace": SHUT,
    "reboot": SHUT,
    "unshare": SHUT,
    "userfaultfd": SHUT,
}
WORKS = ["write_auto_online", "write_block", "bind_kmem", "bind_region", "make_region", "set_endpoint_decoder",
         "demotion", "interleave_weight", "uevents", "system_bus", "write_state"]
# What needs no mount namespace, which a boot would wait for.
EARLY_REFUSED = ["become_another_user", "write_and_execute", "internet", "packets", "bpf", "init_module",
                 "io_uring_setup", "keyctl", "memfd_create", "mount", "process_vm_readv", "ptrace", "reboot",
                 "unshare", "userfaultfd", "change_owner", "system_bus", "systemd_private_socket"]


@pytest.fixture(scope="module")
def guest(boot, tmp_path_factory):
    program = tmp_path_factory.mktemp("probe") / "sandbox_probe"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", program,
                    Path(__file__).with_name("sandbox_probe.c")], check=True)
    guest = boot(cards=[Card(1, "1G")], memory="8G", append=MEMORY, files=[(program, PROBE, 0o755)])
    guest.load_modules()
    guest.run("modprobe -a nd_e820 nd_pmem dax_pmem dax_hmem && udevadm settle")
    return guest


@pytest.fixture(scope="module")
def service(guest):
    return guest.service


def settings_of(guest, unit):
    """The lines of a unit's [Service] that say what it may do."""
    text = guest.run(f"systemctl cat {unit}").stdout
    section = re.search(r"^\[Service\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)[1]
    return [line for line in section.splitlines() if line and line[0] != "#" and not NOT_SANDBOX.match(line)]


def probe(guest, unit, what):
    """The probe's answer under the settings of a unit, or how systemd says that it ended."""
    settings = settings_of(guest, unit)
    assert any(line.startswith("SystemCallFilter=") for line in settings), settings
    if any(line.startswith("NoExecPaths=") for line in settings):
        settings.append(f"ExecPaths={PROBE}")
    body = ["[Unit]", "DefaultDependencies=no", "[Service]", "Type=oneshot", "StandardOutput=file:/run/probe.out",
            "StandardError=journal", f"ExecStart={PROBE} {what}", *settings]
    guest.run("rm -f /run/probe.out")
    guest.put("\n".join([*body, ""]).encode(), "/run/systemd/system/sandbox-probe.service")
    done = guest.run("systemctl daemon-reload && systemctl start sandbox-probe", 120, check=False)
    if done.rc != 0:
        return guest.run("systemctl show -P Result sandbox-probe; journalctl -o cat -n 20 -u sandbox-probe").stdout
    return dict(line.split() for line in guest.read("/run/probe.out").splitlines())


@pytest.fixture(scope="module")
def found(guest):
    guest.create_region(serials=[1])
    found = probe(guest, UNIT, "all")
    assert isinstance(found, dict), found
    FIGURES["the probe in the daemon's place"] = " ".join(f"{name}={outcome}" for name, outcome in found.items())
    for unit in (UNIT, EARLY):
        said = guest.run(f"systemd-analyze security --no-pager {unit}").stdout
        FIGURES[f"systemd-analyze security {unit}"] = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1]
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_refused_to_the_daemon(found, name):
    assert found[name] in REFUSED[name]


@pytest.mark.parametrize("name", WORKS)
def test_open_to_the_daemon(found, name):
    assert found[name] == "allowed"


def test_every_attempt_of_the_probe_is_judged(found):
    assert set(found) == {*REFUSED, *WORKS}


def test_refused_to_its_early_part(guest, found):
    early = probe(guest, EARLY, "all")
    assert isinstance(early, dict), early
    FIGURES["the probe in the early part's place"] = " ".join(f"{name}={outcome}" for name, outcome in early.items())
    assert {name: early[name] for name in EARLY_REFUSED if early[name] not in SHUT | {"EAFNOSUPPORT"}} == {}
    assert early["write_auto_online"] == "allowed"


def test_what_eats_memory_there_dies_alone(guest, service):
    said = probe(guest, UNIT, f"eat {300 << 20}")
    assert isinstance(said, str) and said.startswith("oom-kill"), said
    assert "sandbox_probe" not in guest.run("ps -eo args").stdout
    failed = guest.run("systemctl --failed --plain --no-legend").stdout.splitlines()
    assert [line.split()[0] for line in failed] == ["sandbox-probe.service"]
    assert probe(guest, UNIT, f"eat {200 << 20}") == {"eaten": str(200 << 20)}


def test_files_and_tasks_are_counted(guest, service):
    assert probe(guest, UNIT, "files") == {"files": "4096", "refused": "EMFILE"}
    assert probe(guest, UNIT, "tasks") == {"tasks": "16", "refused": "EAGAIN"}


# ---- memory that lies elsewhere in /sys

def mode_and_blocks(guest, dax):
    """Driver, and zones of the blocks that are online."""
    blocks = guest.blocks_of_dax(dax)
    return guest.dax_devices()[dax]["driver"], [zone for state, zone, _ in blocks.values() if state == "online"]


def goes_and_comes_back(guest, service, dax, blocks):
    """system-ram by policy, offline, devdax and system-ram again by hand, all inside the sandbox."""
    poll(f"{dax} to be movable", lambda: mode_and_blocks(guest, dax) == ("kmem", ["Movable"] * blocks), 60)
    job = service.finished(service.do(dax, "SetMode", "devdax", 0, signature="sa{sv}"))
    assert job["Result"] == "done", job
    assert mode_and_blocks(guest, dax) == ("device_dax", [])
    job = service.finished(service.do(dax, "SetMode", "system-ram", 0, signature="sa{sv}"))
    assert job["Result"] == "done", job
    guest.run(f"cxlmemctl online {dax} --zone movable")
    assert mode_and_blocks(guest, dax) == ("kmem", ["Movable"] * blocks)
    guest.run(f"cxlmemctl offline {dax}")
    assert mode_and_blocks(guest, dax) == ("kmem", [])


def dax_of_kind(service, kind):
    return poll(f"a device of kind {kind}", lambda: next(
        (name for name, device in service.objects("dax").items() if device["Kind"] == kind), None), 30)


def test_soft_reserved_memory_goes_and_comes_back(guest, service):
    service.start(rule("soft-reserved", 'kind = "hmem"'), MANAGE)
    dax = dax_of_kind(service, "hmem")
    goes_and_comes_back(guest, service, dax, 8)


def test_persistent_memory_goes_and_comes_back(guest, service):
    service.stop()
    guest.run("ndctl create-namespace --force --mode=devdax --map=mem "
              "--reconfig=$(basename /sys/bus/nd/devices/namespace*) && udevadm settle", 120)
    service.start(rule("persistent", 'kind = "pmem"'), MANAGE)
    dax = dax_of_kind(service, "pmem")
    blocks = service.dax(dax)["BlocksTotal"]
    assert blocks >= 6
    goes_and_comes_back(guest, service, dax, blocks)


def test_the_sandbox_was_never_in_the_way(guest, service):
    journal = service.journal()
    assert not re.search(r"(?i)denied|not permitted|read-only file system|EPERM|EACCES|EROFS", journal), journal
