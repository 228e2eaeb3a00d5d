# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the host talks to the machine: commands to the agent in the guest, control of QEMU, and what can go wrong."""

from __future__ import annotations

import json
import marshal
import signal
import socket
import struct
import threading
import time
from dataclasses import dataclass


class GuestError(RuntimeError):
    """The machine did not do what it was asked; `errno` is the guest's, 0 if there was none."""

    def __init__(self, text, errno=0):
        super().__init__(text)
        self.errno = errno


class BootFailed(GuestError):
    """The machine did not come up; the message has the console's last lines."""


class GuestTimeout(GuestError):
    """An answer did not come in time."""


class CommandFailed(GuestError):
    """A command ended with a status other than 0; `completed` has it all."""

    def __init__(self, command, completed):
        super().__init__(f"{command!r} ended with {completed.rc}\n{completed.stdout}{completed.stderr}")
        self.completed = completed


@dataclass(frozen=True)
class Completed:
    stdout: str
    stderr: str
    rc: int


class Job:
    """A command that runs in the guest while the test goes on."""

    def __init__(self, guest, number, command):
        self.guest, self.number, self.command = guest, number, command
        self.result = None

    def wait(self, timeout=60.0, check=True) -> Completed:
        if self.result is None:
            self.result = self.guest.channel.wait(self.number, timeout, self.command)
        if self.result["late"]:
            raise GuestTimeout(f"{self.command!r} took too long\n{self.result['stdout'].decode(errors='replace')}"
                               f"{self.result['stderr'].decode(errors='replace')}")
        completed = Completed(*(self.result[key].decode(errors="surrogateescape") for key in ("stdout", "stderr")),
                              self.result["rc"])
        if check and completed.rc:
            raise CommandFailed(self.command, completed)
        return completed

    def running(self) -> bool:
        return self.result is None and not self.guest.channel.has(self.number)

    def kill(self, which=signal.SIGTERM):
        """Signals the command and everything in its session's process group."""
        self.guest.channel.ask("signal", target=self.number, which=int(which))


class Channel:
    """The host's end of the command channel (agent.py has the frame's layout)."""

    def __init__(self, connection: socket.socket, how_it_ended=lambda: "no more is known"):
        self.connection, self.how_it_ended = connection, how_it_ended
        self.answers, self.closed, self.last = {}, False, 0
        self.changed = threading.Condition()
        self.sending = threading.Lock()
        threading.Thread(target=self.read_answers, daemon=True).start()

    def read_answers(self):
        stream = self.connection.makefile("rb")
        try:
            while len(head := stream.read(4)) == 4:
                answer = marshal.loads(stream.read(struct.unpack("<I", head)[0]))
                with self.changed:
                    self.answers[answer["id"]] = answer
                    self.changed.notify_all()
        except (OSError, ValueError, EOFError, TypeError):
            pass
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def send(self, op, **args) -> int:
        with self.sending:
            self.last += 1
            data = marshal.dumps({"id": self.last, "op": op, "args": args}, 2)
            try:
                self.connection.sendall(struct.pack("<I", len(data)) + data)
            except OSError as error:
                raise GuestError(f"the machine is gone ({error}): {self.how_it_ended()}") from None
            return self.last

    def has(self, number):
        with self.changed:
            return number in self.answers

    def wait(self, number, timeout, what):
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers or self.closed, timeout):
                raise GuestTimeout(f"no answer from the guest in {timeout} s: {what!r}")
            if number not in self.answers:
                raise GuestError(f"the machine ended during {what!r}: {self.how_it_ended()}")
            answer = self.answers.pop(number)
        if not answer["ok"]:
            raise GuestError(answer["error"], answer["errno"])
        return answer.get("value")

    def ask(self, op, timeout=60.0, **args):
        return self.wait(self.send(op, **args), timeout, op)


class Qmp:
    """QEMU's control channel."""

    def __init__(self, connection: socket.socket):
        self.connection, self.events, self.received = connection, [], b""

    def next(self, end):
        while b"\n" not in self.received:
            self.connection.settimeout(max(end - time.monotonic(), 0.001))
            try:
                more = self.connection.recv(65536)
            except TimeoutError:
                raise GuestTimeout("nothing more on QEMU's control channel") from None
            if not more:
                raise GuestError("QEMU has ended")
            self.received += more
        line, self.received = self.received.split(b"\n", 1)
        return json.loads(line)

    def start(self, timeout):
        self.next(time.monotonic() + timeout)  # the greeting
        self("qmp_capabilities", timeout)

    def __call__(self, command, timeout=20.0, **args):
        end = time.monotonic() + timeout
        self.connection.sendall(json.dumps({"execute": command, "arguments": args}).encode() + b"\n")
        while True:
            message = self.next(end)
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise GuestError(f"QMP {command}: {message['error']['desc']}")
            else:
                return message["return"]
