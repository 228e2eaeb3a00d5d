# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtual CXL machine for tests: a real kernel and systemd in QEMU, with emulated memory expanders.

    with Guest(cards=[Card(serial=1, size="1G"), Card(serial=2, size="1G")]) as guest:
        guest.load_modules()
        region = guest.create_region(serials=[1])
        print(guest.blocks_of_dax(guest.dax_of_region(region)))
        print(guest.run("cxl list").stdout)

Everything about CXL that is read or done here goes through /sys (cxl_sysfs.py in the guest), never through cxlmemd.
All waits are bounded. The machine ends with the `with` block, whatever happens. Python's standard library only.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import paths  # noqa: E402
from card import Card, to_bytes  # noqa: E402
from channel import BootFailed, Channel, Completed, GuestError, GuestTimeout, Job, Qmp  # noqa: E402
from cpio import Cpio  # noqa: E402

HERE = Path(__file__).resolve().parent
AGENT_HOME = "/usr/lib/cxlmemd-vm"
MODULES = ["cxl_acpi", "cxl_pci", "cxl_mem", "cxl_port", "dax_cxl", "device_dax", "kmem"]


class Uevents:
    """What the kernel said of memory blocks and regions while it recorded; complete after stop()."""

    def __init__(self, guest):
        self.guest, self.events, self.killed_at = guest, None, None

    def stop(self, timeout=60.0) -> Uevents:
        self.events, self.killed_at = self.guest.call("stop", timeout, module="uevents", timeout=timeout + 15)
        return self

    def blocks(self, action) -> list[int]:
        """The block of each event of that kind (online, offline, add, remove), in the kernel's order."""
        return [int(subject[6:]) for what, subject, _ in self.events if what == action and subject.startswith("memory")]

    def seconds(self, first, last) -> float:
        """From the first event of one kind to the last of another, by the guest's clock."""
        times = [(action, when) for action, subject, when in self.events if subject.startswith("memory")]
        return max(t for action, t in times if action == last) - min(t for action, t in times if action == first)


class Guest:
    def __init__(self, kernel="6.12", cards=(Card(1), Card(2)), memory="4G", overlay=(), install_tree=None, append="",
                 hmat=False, name="guest", window="64G", spare_ports=1, smp=2, boot_timeout=180.0, log_root=None,
                 interactive=False, bridges=1, dark=None):
        """overlay: (host path or bytes, guest path, mode) for files that are there at boot; with S_IFLNK in the mode
        the bytes are a link's target. install_tree: a DESTDIR
        folder laid over the root. hmat: real access coordinates from the firmware tables. window: size of the
        CXL fixed memory window. spare_ports: root ports left free for add_card(). bridges: host bridges, all of them
        targets of the window, with the root ports below them by turns. dark: with hmat, so much of the memory is on a
        node without processors of which the firmware says nothing."""
        self.kernel, self.memory, self.append, self.hmat, self.name = kernel, memory, append, hmat, name
        self.overlay, self.install_tree, self.window, self.smp = overlay, install_tree, window, smp
        self.boot_timeout, self.interactive, self.bridges, self.dark = boot_timeout, interactive, bridges, dark
        self.log_root = log_root or os.environ.get("CXLMEMD_VM_LOGS")
        self.ports = {f"rp{number}": None for number in range(len(cards) + spare_ports)}
        for port, card in zip(self.ports, cards):
            self.ports[port] = card
        self.process = self.channel = self.control = self.boot_seconds = None
        self.keep_logs, self.plugged = False, 0

    # ---- life

    def __enter__(self):
        for part in ("qemu", "root", f"kernel-{self.kernel}"):
            paths.part(part)  # NotPrepared before anything is made
        if self.log_root:
            Path(self.log_root).mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=f"cxlmemd-vm-{self.name}-", dir=self.log_root))
        try:
            self.boot()
        except BaseException:
            self.stop(keep_logs=True)
            raise
        return self

    def __exit__(self, kind, error, trace):
        self.stop(keep_logs=kind is not None)

    def boot(self):
        start = time.monotonic()
        self.write_initrd(self.folder / "initrd")
        agent, agent_far = socket.socketpair()
        control, control_far = socket.socketpair()
        argv = self.command_line(agent_far.fileno(), control_far.fileno())
        (self.folder / "command").write_text("\n".join(argv) + "\n")
        with open(self.folder / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(
                argv, pass_fds=(agent_far.fileno(), control_far.fileno()), preexec_fn=die_with_parent(),
                stdin=None if self.interactive else subprocess.DEVNULL,
                stdout=None if self.interactive else log, stderr=None if self.interactive else log)
        agent_far.close()
        control_far.close()
        self.control, self.channel = Qmp(control), Channel(agent, self.how_it_ended)
        try:
            self.control.start(30)
            (self.folder / "initrd").unlink()  # QEMU has read it
            if self.interactive:
                return
            self.channel.wait(0, self.boot_timeout, "boot")
            self.boot_seconds = time.monotonic() - start
            self.system_state = self.run("systemctl is-system-running --wait", self.boot_timeout, False).stdout.strip()
            self.system_seconds = time.monotonic() - start
        except GuestError as error:
            raise BootFailed(f"{self.name}: {error}; logs in {self.folder}\n{self.last_words()}") from None

    def stop(self, keep_logs=False):
        """Ends the machine and waits for its end. Harmless if it has ended."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        for end in (self.channel, self.control):
            if end:
                end.connection.close()
        (self.folder / "initrd").unlink(missing_ok=True)
        if keep_logs or self.keep_logs:
            if not self.interactive:
                print(f"{self.name}: logs kept in {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def how_it_ended(self) -> str:
        """QEMU's exit status and the last lines of its logs; for a machine that ended by itself."""
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            return "QEMU is still running"
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        if -status in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL):
            self.write_down_crash()
        return f"QEMU ended {how}\n{self.last_words()}"

    def write_down_crash(self):
        """For scripts/run_tests.py, which then runs the module again: the emulator crashed, not what it emulates."""
        module = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
        if self.log_root and module:
            with open(Path(self.log_root) / "qemu-crashed", "a") as crashed:
                crashed.write(f"{Path(module).stem}\n")

    def last_words(self, lines=25):
        text = ""
        for name in ("console.log", "qemu.log"):
            path = self.folder / name
            if path.exists():
                tail = path.read_text(errors="replace").splitlines()[-lines:]
                text += "".join(f"{name}: {line}\n" for line in tail)
        return text

    def write_initrd(self, path: Path):
        root, kernel = paths.part("root"), paths.part(f"kernel-{self.kernel}")
        overlay = Cpio(root / "root.index")
        for name in ("agent.py", "cxl_sysfs.py", "uevents.py"):
            overlay.add(f"{AGENT_HOME}/{name}", 0o100755, (HERE / name).read_bytes())
        overlay.add("/etc/systemd/system/cxlmemd-vm-agent.service", 0o100644, (HERE / "agent.service").read_bytes())
        overlay.add("/etc/systemd/system/sysinit.target.wants/cxlmemd-vm-agent.service", 0o120777,
                    b"../cxlmemd-vm-agent.service")
        overlay.add("/etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf", 0o100644,
                    b"[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I linux\n")
        if self.install_tree:
            overlay.add_tree(Path(self.install_tree))
        for source, name, mode in self.overlay:
            data = source if isinstance(source, bytes) else Path(source).read_bytes()
            overlay.add(name, mode if stat.S_IFMT(mode) else stat.S_IFREG | mode, data)
        with open(path, "wb") as out:
            for part in (root / "root.cpio", kernel / "modules.cpio"):
                with open(part, "rb") as source:
                    shutil.copyfileobj(source, out, 1 << 20)
                out.write(bytes(-out.tell() % 4))
            out.write(overlay.finish())

    def command_line(self, agent_fd, control_fd):
        def options(values):
            return ",".join(f"{key}={'on' if value is True else value}" for key, value in values.items())

        machine = "q35,cxl=on" + (",hmat=on" if self.hmat else "")
        argv = [str(paths.part("qemu") / "qemu"), "-name", f"cxlmemd-{self.name}", "-accel", "tcg,thread=multi",
                "-cpu", "max,-hypervisor", "-smp", str(self.smp), "-machine", machine,
                "-m", f"{self.memory},maxmem=256G,slots=4", "-nodefaults", "-display", "none", "-no-reboot",
                "-net", "none",
                "-M", ",".join([f"cxl-fmw.0.targets.{n}=cxl.{n + 1}" for n in range(self.bridges)] +
                               [f"cxl-fmw.0.size={self.window}"]),
                "-chardev", f"socket,id=control,fd={control_fd}", "-mon", "chardev=control,mode=control",
                "-chardev", f"socket,id=agent,fd={agent_fd}", "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=agent,name=cxlmemd.agent",
                "-serial", "mon:stdio" if self.interactive else f"file:{self.folder / 'console.log'}",
                ]
        # A bus number is the host bridge's own; those of its ports follow it.
        for number in range(self.bridges):
            argv += ["-device", f"pxb-cxl,bus_nr={12 + 64 * number},bus=pcie.0,id=cxl.{number + 1}"]
        for number, (port, card) in enumerate(self.ports.items()):
            bridge, below = number % self.bridges, number // self.bridges
            argv += ["-device", f"cxl-rp,port={below},bus=cxl.{bridge + 1},id={port},chassis={bridge},"
                                f"slot={number + 2}"]
        for port, card in self.ports.items():
            if card:
                for backend in card.backends(port):
                    argv += ["-object", options(backend)]
                argv += ["-device", options(card.device(port, port))]
        if self.hmat:
            argv += hmat_arguments(self.memory, self.smp, self.dark)
        kernel = paths.part(f"kernel-{self.kernel}")
        quiet = "" if self.interactive else " systemd.mask=serial-getty@ttyS0.service"
        return argv + ["-kernel", str(kernel / "vmlinuz"), "-initrd", str(self.folder / "initrd"), "-append",
                       "console=ttyS0 panic=-1 quiet loglevel=4 systemd.show_status=0 mitigations=off"
                       f" random.trust_cpu=on{quiet} {self.append}"]

    # ---- commands and files

    def spawn(self, command, timeout=3600.0, stdin=b"") -> Job:
        """Starts a command in a bash of its own and goes on. It is killed in the guest after `timeout`."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        return Job(self, self.channel.send("run", command=command, stdin=stdin, timeout=float(timeout)), command)

    def run(self, command, timeout=60.0, check=True, stdin=b"") -> Completed:
        """Runs a command in a bash of its own. Bytes that are no UTF-8 come as surrogate escapes. What the command
        leaves in the background goes on running."""
        return self.spawn(command, timeout, stdin).wait(timeout + 15, check)

    def put(self, source, path, mode=0o644):
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        self.channel.ask("put", path=path, data=data, mode=mode)

    def get(self, path) -> bytes:
        return self.channel.ask("get", path=path)

    def read(self, path) -> str:
        """A small file, as text without surrounding white space."""
        return self.get(path).decode().strip()

    def write(self, path, value, timeout=60.0) -> float:
        """One write(2) to a sysfs attribute; GuestError.errno if it is refused. Answers how long it took, in s."""
        data = value if isinstance(value, bytes) else str(value).encode()
        return self.channel.ask("write", timeout, path=path, data=data)

    def dmesg(self) -> str:
        return self.run("dmesg").stdout

    def journal(self, unit=None, options="") -> str:
        return self.run(f"journalctl --no-pager -o short-monotonic {options} {f'-u {unit}' if unit else ''}").stdout

    def call(self, function, *args, timeout=60.0, module="cxl_sysfs", **kwargs):
        """Calls a function of cxl_sysfs.py (or another module beside agent.py) in the guest."""
        return self.channel.ask("call", timeout, module=module, function=function, args=args, kwargs=kwargs)

    def record_uevents(self, kill_pid=0, kill_after=0) -> Uevents:
        """Counts what happens to memory blocks from here on. With a pid, that process gets SIGKILL as soon as
        `kill_after` blocks have come online."""
        self.call("start", kill_pid, kill_after, module="uevents")
        return Uevents(self)

    # ---- the machine

    def qmp(self, command, **args):
        return self.control(command, **args)

    def add_card(self, serial, size="1G", kind="ram", wait=True, timeout=60.0):
        """Plugs a card into the first free root port; answers its memdev's name (None without `wait`)."""
        card = Card(serial, size, kind)
        port = next((port for port, there in self.ports.items() if there is None), None)
        if port is None:
            raise GuestError("no free root port: ask for more spare_ports")
        self.plugged += 1
        tag = f"{port}-{self.plugged}"
        for backend in card.backends(tag):
            self.qmp("object-add", **backend)
        self.qmp("device_add", **card.device(tag, port))
        self.ports[port] = card
        if wait:
            self.call("wait_ready", [serial], timeout, timeout=timeout + 15)
            return self.memdev_by_serial(serial)
        return None

    def del_card(self, serial, wait=True, timeout=60.0):
        """Presses the card's attention button: the kernel unbinds it five seconds later and powers it off."""
        port, card = next((port, card) for port, card in self.ports.items() if card and card.serial == serial)
        self.qmp("device_del", id=card.name)
        if wait:
            end = time.monotonic() + timeout
            # QEMU 10.0 keeps a reference to the card, so that DEVICE_DELETED never comes: look whether it is there.
            while any(there["name"] == card.name for there in self.qmp("qom-list", path="/machine/peripheral")):
                if time.monotonic() > end:
                    raise GuestTimeout(f"{card.name} was not powered off in {timeout} s")
                time.sleep(0.1)
            self.ports[port] = None

    # ---- CXL, from /sys

    def load_modules(self):
        self.run(f"modprobe -a {' '.join(MODULES)} && udevadm settle --timeout=60", 90)
        self.call("wait_ready", [card.serial for card in self.ports.values() if card], 60.0, timeout=90)

    def memdev_by_serial(self, serial, timeout=30.0) -> str:
        return self.call("memdev_by_serial", serial, timeout, timeout=timeout + 15)

    def memdevs(self) -> dict[int, str]:
        return self.call("memdevs")

    def create_region(self, serials, size=None, granularity=256, root=None, driver="kmem", timeout=120.0) -> str:
        """Makes a volatile region over the cards in this order; `size` is the whole region's. Comes back when its dax
        device is bound to `driver`, so that its blocks exist; None does not wait for that."""
        return self.call("create_region", list(serials), None if size is None else to_bytes(size), granularity, root,
                         driver, timeout, timeout=timeout * 2 + 15)

    def remove_region(self, region, offline=True, timeout=300.0):
        """Offlines (unless told not to), unbinds, decommits and deletes a region. Refuses if a block is online."""
        self.call("remove_region", region, offline, timeout=timeout)

    def regions(self) -> list[str]:
        return self.call("regions")

    def dax_of_region(self, region) -> str | None:
        return self.call("dax_of_region", region)

    def dax_devices(self) -> dict[str, dict]:
        return self.call("dax_devices")

    def block_size(self) -> int:
        return self.call("block_size")

    def blocks_of_dax(self, dax) -> dict[int, tuple[str, str | None, int | None]]:
        """Block index → (state, zone if online, node) for every whole block of the device that exists."""
        return {index: tuple(block) for index, block in self.call("blocks_of_dax", dax).items()}

    def wait_blocks(self, dax, timeout=120.0, **wanted) -> dict[int, tuple[str, str | None, int | None]]:
        """Waits until the device's blocks are as told, for instance Movable=4, offline=4 (zones stand for online
        blocks); with nothing told, until there is no block. Answers the blocks."""
        blocks = self.call("wait_blocks", dax, wanted, timeout, timeout=timeout + 15)
        return {index: tuple(block) for index, block in blocks.items()}

    def set_blocks(self, dax, state, indexes=None, timeout=300.0):
        self.call("set_blocks", dax, state, indexes, timeout=timeout)

    def auto_online(self) -> str:
        return self.call("auto_online")

    def set_auto_online(self, value):
        self.call("set_auto_online", value)

    def set_dax_driver(self, dax, driver, timeout=300.0):
        """kmem, device_dax or None. As the kernel does it: unbinding with blocks online loses them until reboot."""
        self.call("set_dax_driver", dax, driver, timeout=timeout)

    def unbind_kmem(self, dax):
        self.set_dax_driver(dax, None)

    def bind_kmem(self, dax):
        self.set_dax_driver(dax, "kmem")

    def rebind_kmem(self, dax):
        self.unbind_kmem(dax)
        self.bind_kmem(dax)


def hmat_arguments(memory, smp, dark=None):
    """Node 0: processors and DRAM; node 1: what the CXL host bridge's port is described by; node 2: so much DRAM that
    nothing is said of."""
    own = to_bytes(memory) - (to_bytes(dark) if dark else 0)
    argv = ["-object", f"memory-backend-ram,id=m0,size={own}",
            "-numa", f"node,nodeid=0,cpus=0-{smp - 1},memdev=m0,initiator=0", "-numa", "node,nodeid=1,initiator=0",
            "-object", "acpi-generic-port,id=gp0,pci-bus=cxl.1,node=1"]
    for target, latency, bandwidth in ((0, 100, "64G"), (1, 200, "16G")):
        there = f"hmat-lb,initiator=0,target={target},hierarchy=memory"
        argv += ["-numa", f"{there},data-type=access-latency,latency={latency}",
                 "-numa", f"{there},data-type=access-bandwidth,bandwidth={bandwidth}"]
    if dark:
        argv += ["-object", f"memory-backend-ram,id=m2,size={to_bytes(dark)}",
                 "-numa", "node,nodeid=2,memdev=m2,initiator=0"]
    return argv


def die_with_parent():
    """For the child: SIGKILL when this process ends, however it ends. The kernel means the thread that started it,
    so that this is for the main thread only; elsewhere the agent notices that its host is gone."""
    if threading.current_thread() is not threading.main_thread():
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def arrange():
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    return arrange
