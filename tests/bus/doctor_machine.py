# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine that is well set up, for cxlmemctl doctor: its topology for the emulator, and the files of its system."""

import json
import os
import subprocess

from places import CTL, LIMIT, SOURCE

RELEASE = "6.12.95-amd64"
OPTIONS = ["NUMA", "ACPI_HMAT", "MEMORY_HOTPLUG", "MEMORY_HOTREMOVE", "MIGRATION", "CXL_BUS", "CXL_PCI", "CXL_ACPI",
           "CXL_MEM", "CXL_REGION", "DEV_DAX", "DEV_DAX_CXL", "DEV_DAX_HMEM", "DEV_DAX_KMEM"]
MODULES = ["cxl_acpi", "cxl_pci", "cxl_mem", "cxl_port", "dax_cxl", "device_dax", "kmem"]
CMDLINE = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet -- memhp_default_state=online\n"  # behind --: not the kernel's


def config(without=(), more=""):
    return "".join(f"CONFIG_{name}=y\n" for name in OPTIONS if name not in without) + more


def modules_dep(without=()):
    return "".join(f"kernel/drivers/x/{name}.ko.xz: kernel/drivers/cxl/core/cxl_core.ko.xz\n" for name in MODULES
                   if name not in without)


CONFIG, BUILTIN, DEP = f"boot/config-{RELEASE}", f"lib/modules/{RELEASE}/modules.builtin", \
    f"lib/modules/{RELEASE}/modules.dep"
GOOD = {
    "proc/sys/kernel/osrelease": f"{RELEASE}\n",
    "proc/cmdline": CMDLINE,
    "proc/2/comm": "kthreadd\n",
    "proc/311/comm": "kworker/0:1\n",
    CONFIG: config(),
    BUILTIN: "kernel/drivers/cxl/core/cxl_core.ko\n",
    DEP: modules_dep(),
    **{f"sys/module/{name}/refcnt": "0\n" for name in MODULES},
    "sys/bus/pci/devices/0000:00:02.0/class": "0x030000\n",
    "sys/bus/pci/devices/0000:0d:00.0/class": "0x050210\n",
    "sys/bus/pci/devices/0000:0d:00.0/mem0/serial": "0x91\n",
    "sys/devices/system/memory/auto_online_blocks": "offline\n",
    "sys/module/memory_hotplug/parameters/online_policy": "contig-zones\n",
    "sys/module/memory_hotplug/parameters/memmap_on_memory": "N\n",
    "etc/systemd/system/multi-user.target.wants/cxlmemd.service": "",
    "etc/systemd/system/sysinit.target.wants/cxlmemd-early.service": "",
    "etc/systemd/journald.conf": "[Journal]\n#Storage=none\nRateLimitBurst=10000\nSystemMaxUse=10%\n",
    "usr/lib/udev/rules.d/50-udev-default.rules": 'SUBSYSTEM=="tty", GROUP="tty", MODE="0620"\n',
    "usr/lib/udev/rules.d/40-vendor.rules": 'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="online"\n',
    "etc/udev/rules.d/40-vendor.rules": "",  # masks it
    "etc/tuned/active_profile": "balanced\n",
    "usr/lib/tuned/balanced/tuned.conf": "[main]\nsummary=x\n\n[sysfs]\n# /sys/kernel/mm/numa/demotion_enabled=0\n",
    "etc/daxctl.conf.d/daxctl.example.conf": "# [reconfigure-device unique]\n",
    "etc/modprobe.d/x.conf": "blacklist pcspkr\ninstall floppy /bin/false\noptions cxl_acpi x=1\n",
    "usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service": "[D-BUS Service]\n",
    "usr/share/polkit-1/actions/org.cxlmemd1.policy": (SOURCE / "units/org.cxlmemd1.policy").read_text(),
    "usr/share/dbus-1/system.d/org.cxlmemd1.conf": (SOURCE / "units/org.cxlmemd1.conf").read_text(),
    "usr/share/dbus-1/system.conf": '<busconfig><!-- <limit name="max_message_size">1</limit> --></busconfig>\n',
    "etc/cxlmemd/daemon.toml": 'auto_online = "manage"\n[log]\nlevel = "info"\n',
}

MACHINE = """block_size = "128MiB"
[features]
region_create = true
weighted_interleave = true
demotion = true
access_coordinates = true
[[node]]
id = 0
cpus = true
memory = "16GiB"
access = { read_latency = 100, write_latency = 100, read_bandwidth = 200000, write_bandwidth = 200000 }
[[memdev]]
name = "mem0"
serial = 0x91
host = "0000:0d:00.0"
ram_size = "1GiB"
access = { read_latency = 300, write_latency = 300, read_bandwidth = 25000, write_bandwidth = 25000 }
[[root_decoder]]
name = "decoder0.0"
start = 0x490000000
size = "4GiB"
"""
REGION = """[[region]]
name = "region0"
memdevs = ["mem0"]
root_decoder = "decoder0.0"
start = 0x490000000
size = "1GiB"
"""
DAX = """[[dax]]
name = "dax0.0"
region = "region0"
target_node = 1
"""
WELL = MACHINE + REGION + DAX


def write_root(folder, changes=None):
    """The files of the good machine, with some changed; None: not there."""
    root = folder / "root"
    for name, text in {**GOOD, **(changes or {})}.items():
        if text is None:
            continue
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def doctor(*arguments, bus="unix:path=/nowhere", **more):
    """(exit code, output, errors)"""
    done = subprocess.run([str(CTL), "--bus", bus, "doctor", *map(str, arguments)], timeout=LIMIT, capture_output=True,
                          text=True, encoding="utf-8", env={**os.environ, "NO_COLOR": "1"}, **more)
    return done.returncode, done.stdout, done.stderr


def told(*arguments, **more):
    """(exit code, the JSON), and the text of the same fits 80 columns."""
    code, text, errors = doctor(*arguments, **more)
    assert errors == "" and max(map(len, text.splitlines())) <= 80, (text, errors)
    code_of_json, document, errors = doctor("--json", *arguments, **more)
    assert (code_of_json, errors) == (code, "")
    report = json.loads(document)
    ids = [each["Id"] for each in report["Findings"]]
    assert all(f"[{id}]" in text.replace("\n", " ") for id in ids)
    return code, report


def findings(report):
    return {each["Id"]: each for each in report["Findings"]}
