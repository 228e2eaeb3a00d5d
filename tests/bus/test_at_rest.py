# SPDX-License-Identifier: LGPL-2.1-or-later
"""At rest means at rest: a daemon that has nothing to do does not wake up. It has been left alone, on a bus of its own,
since the whole run began (conftest.py); these tests come last."""

import os
import pathlib
import time

import pytest
from places import SANITIZED

pytestmark = [pytest.mark.last, pytest.mark.skipif(SANITIZED, reason="the sanitizer's own thread wakes up")]

LEFT_ALONE = 60  # seconds


def test_at_rest_nothing_wakes_it_for_a_minute(resting):
    """Every wake-up of a thread is a voluntary switch when it goes back to sleep."""
    time.sleep(max(0.0, LEFT_ALONE - resting.seconds()))  # only when these tests are run alone
    assert resting.seconds() >= LEFT_ALONE
    assert resting.switches() == resting.switches_then


def test_at_rest_no_timer_is_armed(resting):
    """timerfd of sd-event: it_value is when it goes off."""
    seen = 0
    folder = pathlib.Path(f"/proc/{resting.daemon.process.pid}")
    for link in (folder / "fd").iterdir():
        if os.readlink(link) != "anon_inode:[timerfd]":
            continue
        seen += 1
        info = (folder / "fdinfo" / link.name).read_text()
        assert "it_value: (0, 0)" in info, info
    assert seen, "sd-event keeps its timers in a timerfd"


def test_at_rest_the_loop_waits_without_end(resting):
    """Deadlines are no timerfd: the loop's own wait ends with the next one."""
    pid = resting.daemon.process.pid
    number, *arguments = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()
    assert number in ("22", "232", "281", "441"), "epoll_pwait, epoll_wait, epoll_pwait, epoll_pwait2"
    never = 0 if number == "441" else 0xFFFFFFFF  # no timespec, or -1 milliseconds
    assert int(arguments[3], 16) & 0xFFFFFFFF == never, arguments


def test_at_rest_it_still_answers(resting):
    assert resting.daemon.get_all("/org/cxlmemd1", "Manager")["State"] == "idle"
