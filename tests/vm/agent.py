#!/usr/bin/python3 -u
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's end of the command channel. Runs in the guest, as root, from an overlay; channel.py is the other end.

A frame, in both directions, is a length (4 bytes, little-endian) and that many bytes of marshal data: a dict.
Requests carry an `id`, which the answer repeats, and an `op`. Answers come when they are ready, in any order: each
request has a thread of its own. Only Python's own modules of Debian's python3-minimal are used.
"""

import glob
import importlib
import marshal
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback

PORT_NAME = "cxlmemd.agent"
HERE = os.path.dirname(os.path.abspath(__file__))


def open_port(name):
    for path in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(path) as file:
            if file.read().strip() == name:
                return os.open("/dev/" + path.split("/")[-2], os.O_RDWR)
    sys.exit(f"no virtio port called {name}")


class Channel:
    def __init__(self, fd):
        self.fd = fd
        self.sending = threading.Lock()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = os.read(self.fd, size - len(data))
            if not more:  # the host's end is gone, and nobody else can end this machine
                os.system("systemctl poweroff --force --force")
                sys.exit()
            data += more
        return data

    def receive(self):
        (size,) = struct.unpack("<I", self.read(4))
        return marshal.loads(self.read(size))

    def send(self, message):
        data = marshal.dumps(message, 2)
        data = memoryview(struct.pack("<I", len(data)) + data)
        with self.sending:
            while data:
                data = data[os.write(self.fd, data):]


class Agent:
    def __init__(self, channel):
        self.channel = channel
        self.running = {}  # request id → process

    def serve(self):
        self.channel.send({"id": 0, "ok": True})
        while True:
            request = self.channel.receive()
            threading.Thread(target=self.answer, args=(request,), daemon=True).start()

    def answer(self, request):
        op = getattr(self, "do_" + request["op"], None)
        try:
            answer = {"ok": True, "value": op(**request["args"], number=request["id"])}
        except OSError as error:
            answer = {"ok": False, "errno": error.errno or 0, "error": f"{error}"}
        except BaseException as error:
            answer = {"ok": False, "errno": 0, "error": f"{error!r}\n{traceback.format_exc()}"}
        self.channel.send(answer | {"id": request["id"]})

    def do_run(self, command, stdin, timeout, number):
        """Runs a command in a bash of its own. Output goes to files, not pipes: what it leaves in the background
        does not hold up the answer."""
        out, err = os.memfd_create("out"), os.memfd_create("err")
        given = os.memfd_create("in")
        try:
            os.write(given, stdin)
            os.lseek(given, 0, os.SEEK_SET)
            process = subprocess.Popen(["/bin/bash", "-c", command], stdin=given, stdout=out, stderr=err, cwd="/root",
                                       start_new_session=True)
            self.running[number] = process
            late = False
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                late = True
                os.killpg(process.pid, signal.SIGKILL)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    pass  # stuck in the kernel
            return {"rc": process.returncode, "late": late, "stdout": self.contents(out), "stderr": self.contents(err)}
        finally:
            self.running.pop(number, None)
            for fd in (out, err, given):
                os.close(fd)

    @staticmethod
    def contents(fd):
        return os.pread(fd, os.fstat(fd).st_size, 0)

    def do_signal(self, target, which, number):
        """Sends a signal to the process group of a request that still runs."""
        if process := self.running.get(target):
            os.killpg(process.pid, which)
        return process is not None

    def do_put(self, path, data, mode, number):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.put-{number}", "wb") as file:
            file.write(data)
        os.chmod(f"{path}.put-{number}", mode)
        os.replace(f"{path}.put-{number}", path)

    def do_get(self, path, number):
        with open(path, "rb") as file:
            return file.read()

    def do_write(self, path, data, number):
        """One write(2), as a sysfs attribute wants it; the answer is how long it took, in seconds."""
        fd = os.open(path, os.O_WRONLY)
        try:
            start = time.monotonic()
            os.write(fd, data)
            return time.monotonic() - start
        finally:
            os.close(fd)

    def do_call(self, module, function, args, kwargs, number):
        """Calls a function of a module beside this file."""
        return getattr(importlib.import_module(module), function)(*args, **kwargs)


if __name__ == "__main__":
    sys.path.insert(0, HERE)
    Agent(Channel(open_port(PORT_NAME))).serve()
