# SPDX-License-Identifier: LGPL-2.1-or-later
# An Ansible connection to a test guest: the test holds the guest's channel, and serves it on a socket
# (test_ansible.py). There is no ssh and no network in a guest.
import base64
import json
import os
import socket

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: guest
short_description: a test guest, through the test that runs it
description: Commands and files go to the socket that CXLMEMD_GUEST_SOCKET names.
options: {}
"""


class Connection(ConnectionBase):
    transport = "guest"
    has_pipelining = True

    def _connect(self):
        self._connected = True
        return self

    def _ask(self, **question):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(os.environ["CXLMEMD_GUEST_SOCKET"])
            with end.makefile("rwb") as stream:
                stream.write(json.dumps(question).encode() + b"\n")
                stream.flush()
                return json.loads(stream.readline())

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        done = self._ask(command=cmd, stdin=base64.b64encode(in_data or b"").decode())
        return done["rc"], done["out"].encode(), done["err"].encode()

    def put_file(self, in_path, out_path):
        self._ask(put=os.path.abspath(in_path), to=out_path)

    def fetch_file(self, in_path, out_path):
        self._ask(fetch=in_path, to=os.path.abspath(out_path))

    def close(self):
        self._connected = False
