#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program with a recorded /sys laid over the real one, and compares what it sees.

    recorded_sysfs.py PROGRAM           all checks, with PROGRAM = dump_topology
    recorded_sysfs.py PROGRAM --show    what it prints on the tree as it was recorded

libcxl and libdaxctl read /sys and stat /dev, wherever the backend is told to look: so the program runs in a mount
namespace of its own, in which both are folders. Exits with 77, and says why, where that is not allowed.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDING = HERE / "sysfs-6.12-one-region.tar.gz"
EXPECTED = HERE / "one-region.expected"
REGION = "devices/platform/ACPI0017:00/root0/decoder0.0/region0"
DAX = f"{REGION}/dax_region0/dax0.0"
MEMORY = "devices/system/memory"
NODE = "devices/system/node/node1"
SKIPPED = 77


class Machine:
    """A copy of the recording, which a test may spoil."""

    def __init__(self, program):
        self.program = program
        in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # two thousand small files
        self.folder = Path(tempfile.mkdtemp(prefix="cxlmemd-sysfs-", dir=in_memory))
        self.sys, self.dev = self.folder / "sys", self.folder / "dev"
        self.sys.mkdir()
        with tarfile.open(RECORDING) as archive:
            archive.extractall(self.sys)
        for name in (self.sys / "bus/cxl/devices").glob("mem*"):
            self.put(self.dev / "cxl" / name.name)
        for name in (self.sys / "bus/dax/devices").iterdir():
            self.put(self.dev / name.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    @staticmethod
    def put(path, text=""):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def write(self, path, text):
        (self.sys / path).write_bytes(text if isinstance(text, bytes) else text.encode())

    def remove(self, path):
        path = self.sys / path
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def run(self):
        """What the program prints, as lines; the machine's own /proc/zoneinfo, which is not recorded, left out."""
        done = subprocess.run([*namespace(), "sh", "-c", 'mount --bind "$1" /sys && mount --bind "$2" /dev && exec "$3"',
                               "sh", self.sys, self.dev, self.program], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise AssertionError(f"{self.program} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return [re.sub(r" kernel=\d+ movable=\d+", "", line) for line in done.stdout.splitlines()]


def namespace():
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


def why_not():
    if not shutil.which("unshare"):
        return "unshare is not installed (util-linux)"
    done = subprocess.run([*namespace(), "mount", "--bind", "/tmp", "/sys"], capture_output=True, text=True)
    return f"no mount namespace of one's own here: {done.stderr.strip()}" if done.returncode else None


class RecordedSysfs(unittest.TestCase):
    program = None

    def setUp(self):
        self.machine = self.enterContext(Machine(self.program))

    def lines(self, kind):
        return [line for line in self.machine.run() if line.startswith(kind + " ")]

    def line(self, kind):
        found = self.lines(kind)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def test_one_region_is_seen_whole(self):
        self.assertEqual(self.machine.run(), EXPECTED.read_text().splitlines())

    def test_a_machine_without_cxl_and_dax_is_empty(self):
        for bus in ("cxl", "dax"):
            self.machine.remove(f"bus/{bus}")
        kinds = {line.split()[0] for line in self.machine.run()}
        self.assertEqual(kinds, {"block_size", "auto_online", "features", "node"})

    def test_a_machine_without_anything_is_empty(self):
        for entry in self.machine.sys.iterdir():
            shutil.rmtree(entry)
        self.assertIn("block_size 0", self.machine.run())

    def test_a_device_without_mappings_is_resource_and_size(self):
        before = self.line("dax")
        self.machine.remove(f"{DAX}/mapping0")
        self.assertEqual(self.line("dax"), before)

    def test_two_mappings_are_two_ranges(self):
        self.machine.write(f"{DAX}/mapping0/end", "0x979fffffff\n")
        shutil.copytree(self.machine.sys / DAX / "mapping0", self.machine.sys / DAX / "mapping1")
        self.machine.write(f"{DAX}/mapping1/start", "0x97b0000000\n")
        self.machine.write(f"{DAX}/mapping1/end", "0x97b7ffffff\n")
        self.assertIn("ranges=0x9790000000-0x979fffffff,0x97b0000000-0x97b7ffffff", self.line("dax"))
        # Those that no range of the device has are the region's all the same.
        self.assertEqual([line.split()[1] for line in self.lines("block")], [str(i) for i in range(4850, 4858)])

    def test_a_region_without_its_memdev_refers_to_none(self):
        self.machine.remove("bus/cxl/devices/mem0")
        self.assertIn("memdevs= ", self.line("region"))
        self.assertIn("serials= ", self.line("dax"))
        self.assertEqual(len(self.lines("memdev")), 1)

    def test_a_target_that_points_out_of_the_bus_is_no_memdev(self):
        self.machine.write(f"{REGION}/target0", "../../../../../../../../../etc\n")
        self.assertIn("memdevs= ", self.line("region"))

    def test_a_pmem_region_makes_a_cxl_pmem_device(self):
        self.machine.write(f"{REGION}/mode", "pmem\n")
        self.assertIn("type=pmem", self.line("region"))
        self.assertIn("kind=cxl-pmem region=region0", self.line("dax"))

    def test_an_hmem_device_has_no_region(self):
        place = self.machine.sys / "devices/platform/hmem.0"
        place.mkdir()
        os.rename(self.machine.sys / DAX, place / "dax0.0")
        for link, target in ((f"bus/dax/devices/dax0.0", "../../../devices/platform/hmem.0/dax0.0"),
                             (f"devices/platform/hmem.0/dax0.0/driver", "../../../../bus/dax/drivers/kmem")):
            (self.machine.sys / link).unlink()
            (self.machine.sys / link).symlink_to(target)
        self.assertIn("kind=hmem region=- serials= target_node=1", self.line("dax"))

    def test_a_device_without_memory_is_left_out(self):
        self.machine.remove(f"{DAX}/mapping0")
        self.machine.write(f"{DAX}/size", "0\n")
        self.assertEqual(self.lines("dax"), [])
        self.assertEqual(len(self.lines("block")), 8)  # the region has them, and nobody else

    def test_what_cannot_be_read_is_told_of(self):
        state = "devices/system/memory/memory4853/state"
        self.machine.write(state, "going-online\n")
        self.assertIn("unreadable memory block 4853: state makes no sense where=0x97a8000000-0x97afffffff memdev=-",
                      self.lines("unreadable"))
        self.assertEqual(len(self.lines("block")), 7)
        self.machine.write(f"{DAX}/mapping0/end", "\n")
        self.assertIn("unreadable dax0.0: mapping0/end makes no sense where=0x9790000000-0x97cfffffff memdev=-",
                      self.lines("unreadable"))
        self.assertEqual(self.lines("dax"), [])

    def test_coordinates_of_the_region_come_before_its_nodes(self):
        for name, value in (("read_latency", 250), ("write_latency", 260)):
            path = self.machine.sys / NODE / "access0/initiators" / name
            self.machine.put(path, f"{value}\n")
        self.assertIn("read_latency=250 write_latency=260 read_bandwidth=- write_bandwidth=-", self.line("region"))
        self.machine.write(f"{REGION}/access0/read_latency", "300\n")
        self.assertIn("read_latency=300 write_latency=- ", self.line("region"))

    def test_features_are_files(self):
        self.machine.write(f"{DAX}/state", "online_movable\n")
        self.machine.write("kernel/mm/mempolicy/weighted_interleave/__auto_type", "false\n")
        self.machine.remove("kernel/mm/numa/demotion_enabled")
        self.assertEqual(self.line("features"), "features dax_state=true weighted_interleave=true "
                         "weighted_interleave_auto=true access_coordinates=true region_create=true "
                         "memory_hotremove=true demotion=false")

    def test_damage_anywhere_is_survived(self):
        """Attributes emptied, cut, made huge or binary, links and folders missing: never a crash, and no refusal but
        for what the kernel did not say."""
        chance = random.Random(20)
        garbage = [b"", b"\n", b"-1\n", b"0x\n", b"18446744073709551615\n", b"99999999999999999999999\n", b"\xff\xfe\0\n",
                   b"A" * 4096, b"0x9790000000\n", b"/\n", b"region0\n"]
        for _ in range(4):
            with Machine(self.program) as machine:
                paths = sorted(path for path in machine.sys.rglob("*")
                               if re.search("cxl|CXL|dax|region|memory|node", str(path)))
                for _ in range(8):  # ever more of it
                    for path in chance.sample(paths, 30):
                        if path.is_symlink():
                            if chance.random() < 0.3:
                                path.unlink()
                        elif path.is_file():
                            path.write_bytes(chance.choice(garbage))
                        elif path.is_dir() and chance.random() < 0.05:
                            shutil.rmtree(path, ignore_errors=True)
                    try:
                        machine.run()
                    except AssertionError as refused:
                        self.assertRegex(str(refused), "the kernel's answer makes no sense|the kernel did not say")


def main():
    program, *options = sys.argv[1:]
    program = os.path.abspath(program)
    if reason := why_not():
        print(f"SKIPPED: recorded_sysfs: {reason}")
        return SKIPPED
    if options == ["--show"]:
        with Machine(program) as machine:
            print("\n".join(machine.run()))
        return 0
    RecordedSysfs.program = program
    return 0 if unittest.main(argv=[sys.argv[0], *options], exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
