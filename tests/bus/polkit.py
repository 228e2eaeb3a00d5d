# SPDX-License-Identifier: LGPL-2.1-or-later
"""A polkit that a test holds by the hand: it sees every question, and answers when and how the test says."""

from gi.repository import Gio, GLib
from wire import Client

POLKIT = "org.freedesktop.PolicyKit1"
INTERACTIVE = 1


class Question:
    def __init__(self, polkit, message):
        (self.kind, subject), self.action, self.details, self.flags, self.cancellation = message.body
        self.sender = subject.get("name")
        self._polkit, self._message = polkit, message

    @property
    def interactive(self):
        return bool(self.flags & INTERACTIVE)

    def answer(self, authorized=False, challenge=False, **details):
        details = {f"polkit.{key}": value for key, value in details.items()}
        self.reply(GLib.Variant("((bba{ss}))", ((authorized, challenge, details),)))

    def reply(self, body):
        self._polkit.client.send_reply(self._message, body)

    def fail(self, name, text):
        self._polkit.client.send_error(self._message, name, text)


class Polkit:
    def __init__(self, address):
        self.client = Client(address)
        self.calls = []
        self.client.watchers.append(self._take)
        self.client.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "(su)", POLKIT, 0,
                         to="org.freedesktop.DBus")

    def _take(self, message):
        if message.type == Gio.DBusMessageType.METHOD_CALL:
            self.calls.append(message)

    def die(self):
        self.client.close()

    def question(self):
        """Waits for the next question."""
        return Question(self, self._next("CheckAuthorization"))

    def canceled(self):
        """Waits for the next cancellation; its id."""
        return self._next("CancelCheckAuthorization").body[0]

    def _next(self, member):
        def found():
            return next((call for call in self.calls if call.member == member), None)
        call = self.client.wait(found, f"polkit hears {member}")
        self.calls.remove(call)
        return call

    def hears_nothing(self):
        """Nothing has reached it that is not taken: whatever was sent to it before now has come by now."""
        self.client.call("/", "org.freedesktop.DBus", "GetId", to="org.freedesktop.DBus")
        return not self.calls
