# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes down the kernel's uevents of memory blocks and CXL regions: who counts them knows how often each block was
touched, and by nobody's word but the kernel's.

Runs in the guest, within agent.py; guest.py calls these functions. One recording at a time.
"""

import os
import signal
import socket
import threading
import time

NETLINK_KOBJECT_UEVENT = 15
SO_RCVBUFFORCE = 33
BARRIER = "/sys/devices/system/memory/memory0/uevent"


class Recorder(threading.Thread):
    """Keeps (action, subject, monotonic seconds). Ends when it hears of its barrier for the last time."""

    def __init__(self, kill_pid, kill_after):
        super().__init__(daemon=True)
        self.kill_pid, self.kill_after = kill_pid, kill_after
        self.events, self.killed_at, self.error = [], None, None
        self.reached = threading.Event()
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((0, 1))  # group 1: as the kernel sends them, before udev

    def run(self):
        try:
            while self.take(self.socket.recv(16384)):
                pass
        except OSError as error:  # ENOBUFS: something was lost, and a count would lie
            self.error = error
        finally:
            self.socket.close()
            self.reached.set()

    def take(self, message):
        head = message.split(b"\0", 1)[0].decode(errors="replace")
        action, _, path = head.partition("@")
        subject = path.rsplit("/", 1)[-1]
        if path.startswith("/devices/system/memory/memory"):
            if action == "change" and subject == "memory0":
                return False
            self.note(action, subject)
        elif b"\0DEVTYPE=cxl_region\0" in message:
            self.note(action, subject)
        return True

    def note(self, action, subject):
        self.events.append((action, subject, time.monotonic()))
        if self.kill_pid and action == "online":
            self.kill_after -= 1
            if self.kill_after == 0:
                os.kill(self.kill_pid, signal.SIGKILL)
                self.killed_at = len(self.events)


recorder = None


def start(kill_pid, kill_after):
    """With a pid: that process gets SIGKILL as soon as `kill_after` blocks have come online."""
    global recorder
    recorder = Recorder(kill_pid, kill_after)
    recorder.start()


def stop(timeout):
    """Answers every event until now, and after how many of them the process was killed (None: it was not)."""
    with open(BARRIER, "w") as file:
        file.write("change")
    if not recorder.reached.wait(timeout):
        raise TimeoutError(f"the barrier did not come in {timeout} s")
    if recorder.error:
        raise OSError(recorder.error.errno, f"uevents were lost: {recorder.error}")
    return recorder.events, recorder.killed_at
