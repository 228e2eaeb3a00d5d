# SPDX-License-Identifier: LGPL-2.1-or-later
"""In systemd's place: what the daemon tells it (sd_notify(3))."""

import queue
import socket
import threading
import time

from places import LIMIT


class ServiceManager:
    """Where the daemon's sd_notify() goes. It reads at once, as systemd does: a full socket stops who writes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.told = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        while data := self.socket.recv(4096):
            self.told.put(data.decode().splitlines())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RD)
        self.reader.join()
        self.socket.close()

    def food(self):
        """Waits for the next."""
        self.next("WATCHDOG=1")

    def next(self, what):
        """Waits for the next message that has the line; all of its lines."""
        while what not in (lines := self.told.get(timeout=LIMIT)):
            pass
        return lines

    def drain(self):
        while not self.told.empty():
            self.told.get()

    def gets_no_food(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                assert "WATCHDOG=1" not in self.told.get(timeout=left)
            except queue.Empty:
                return
