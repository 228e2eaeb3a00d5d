# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus is a view: it restarts, it goes, it throws the daemon off, and policy, jobs and settings of the kernel stay
as they are; then everything is there again, under its name."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import new_folder
from harness import KERNEL, MOVABLE, ONLY_WATCH, ROOT, PrivateBus, dax_path
from places import LIMIT
from wire import NAME, Client

WRONG = ("Sanitizer", "runtime error:", "terminate", "what()")


def until(daemon, condition, what):
    """Waits for what can be seen without a bus; the daemon's end is no answer."""
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT:.0f} s: {what}\n{daemon.log()}"
        try:
            daemon.process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the daemon ended with {daemon.process.returncode}\n{daemon.log()}")


def lose(daemon):
    daemon.bus.stop()
    until(daemon, lambda: "policy and jobs go on" in daemon.log(), "the loss is said")


def come_back(daemon):
    daemon.bus.start()
    daemon.meet_again()
    assert not [word for word in WRONG if word in daemon.log()]


def files(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def test_at_rest_everything_is_there_again(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=MOVABLE)
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    for job in daemon.jobs():
        daemon.wait_gone(job)
    before, pid = daemon.managed_objects(), daemon.process.pid
    lose(daemon)
    come_back(daemon)
    assert daemon.managed_objects() == before
    assert daemon.process.pid == pid
    assert daemon.log().count("on the bus again") == 1


def test_work_goes_on_and_its_job_can_still_be_read(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=10000)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 2)
    lose(daemon)
    until(daemon, lambda: "dax0.0: online: done, 32 of 32 blocks" in daemon.log(), "the job ends")
    come_back(daemon)
    assert daemon.dax("dax0.0")["BlocksOnline"] == 32
    seen = daemon.job(job)
    assert (seen["State"], seen["Result"], seen["BlocksDone"]) == ("finished", "done", 32)
    daemon.wait_gone(job)


def test_a_running_job_is_seen_to_its_end(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=100000)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 1)
    lose(daemon)
    come_back(daemon)
    assert daemon.job(job)["State"] == "running"
    daemon.cancel(job)
    assert daemon.result(job) == "canceled"


def test_policy_goes_on(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=MOVABLE, settings="auto_reload = true\n")
    daemon.wait_dax("dax0.0", State="online", Zone="movable")
    daemon.wait_dax("dax1.0", State="online", Zone="movable")
    daemon.wait_idle()
    lose(daemon)
    text = KERNEL.replace("[rule.memory]\n", '[rule.memory]\non_conflict = "rezone"\n')
    daemon.policy_file.write_text(text)
    until(daemon, lambda: daemon.log().count("policy: done, ") == 4, "both devices are rezoned")
    come_back(daemon)
    daemon.wait_dax("dax0.0", State="online", Zone="kernel")
    daemon.wait_dax("dax1.0", State="online", Zone="kernel")
    assert daemon.manager["PolicyGeneration"] == 2


def test_auto_online_is_put_back_at_the_stop_and_not_before(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, machine="auto-online", settings='auto_online = "manage"\n', policy=ONLY_WATCH)
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline")

    def kept():
        return [path.read_text().strip() for path in daemon.runtime.iterdir() if path.is_file()]

    assert kept() == ["online"]
    lose(daemon)
    assert kept() == ["online"]
    come_back(daemon)
    assert daemon.manager["KernelAutoOnline"] == "offline"
    assert kept() == ["online"]
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.ends_by_itself() == 0
    assert kept() == []


def test_a_stop_without_a_bus_is_a_stop(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, machine="auto-online", settings='auto_online = "manage"\n', policy=ONLY_WATCH)
    daemon.wait(lambda: daemon.manager["KernelAutoOnline"] == "offline")
    lose(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.ends_by_itself() == 0
    assert not any(daemon.runtime.iterdir())


def test_while_polkit_is_asked(own_bus, make_daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can call as somebody else")
    from polkit import Polkit
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    polkit, caller = Polkit(own_bus.address), Client(own_bus.address, uid=65534)
    caller.send(dax_path("dax0.0"), f"{NAME}.DaxDevice", "Hold", "(a{sv})", {}, flags=4)
    polkit.question()
    lose(daemon)
    come_back(daemon)
    assert not daemon.dax()["Held"]


def test_while_a_call_waits_for_the_worker(own_bus, make_daemon):
    """Its reply has nowhere to go by then."""
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=300000)
    daemon.online("dax0.0", "movable")
    daemon.client.send(ROOT, f"{NAME}.Manager", "Record", "(a{sv})", {})
    lose(daemon)
    come_back(daemon)
    assert daemon.is_alive()


def test_while_much_is_said(own_bus, make_daemon):
    """In the middle of a storm of signals, so that sending fails as well as receiving."""
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=200)
    for _ in range(5):
        daemon.online("dax0.0", "movable")
        job = daemon.online("dax1.0", "kernel")
        daemon.result(job)
        daemon.offline("dax0.0")
        daemon.result(daemon.offline("dax1.0"))
    daemon.online("dax0.0", "movable")
    lose(daemon)
    come_back(daemon)
    daemon.wait_dax("dax0.0", State="online", Zone="movable")


def test_again_and_again_it_keeps_nothing(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    open_files = files(daemon)
    threads = len(os.listdir(f"/proc/{daemon.process.pid}/task"))  # a sanitizer may have one of its own
    for round_number in range(1, 5):
        daemon.bus.stop()
        come_back(daemon)
        until(daemon, lambda: daemon.log().count("on the bus again") == round_number, "it is said")
    # What has ended is kept a moment, for replies on their way.
    until(daemon, lambda: files(daemon) <= open_files, "nothing is left of what has ended")
    assert len(os.listdir(f"/proc/{daemon.process.pid}/task")) <= threads


def test_a_bus_that_lets_in_and_does_not_answer_holds_up_nothing(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    daemon.inject("delay", operation="set_block", usec=20000)
    job = daemon.online("dax0.0", "movable")
    daemon.wait(lambda: daemon.job(job)["BlocksDone"] >= 1)
    daemon.bus.stop()
    daemon.bus.start()
    os.kill(daemon.bus.process.pid, signal.SIGSTOP)
    try:
        until(daemon, lambda: "dax0.0: online: done" in daemon.log(), "the job ends")
    finally:
        os.kill(daemon.bus.process.pid, signal.SIGCONT)
    daemon.meet_again()
    assert daemon.dax("dax0.0")["BlocksOnline"] == 32


@pytest.fixture
def narrow_bus():
    """A bus that throws off whoever sends more than 3 kB at once."""
    folder = new_folder()
    bus = PrivateBus(folder, '<limit name="max_message_size">3000</limit>')
    yield bus
    bus.stop()
    shutil.rmtree(folder)


def test_thrown_off_by_the_broker_it_comes_back(narrow_bus, make_daemon):
    daemon = make_daemon(bus=narrow_bus, policy=ONLY_WATCH, meet=False)
    client = daemon.client
    owner = client.bus_call("GetNameOwner", "(s)", NAME)
    client.send(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    until(daemon, lambda: "on the bus again" in daemon.log(), "it is back")
    assert client.bus_call("GetNameOwner", "(s)", NAME) != owner
    backend = client.call(ROOT, "org.freedesktop.DBus.Properties", "Get", "(ss)", f"{NAME}.Manager", "Backend")
    assert backend == "emulator"


def test_a_start_without_a_bus_does_its_work(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=MOVABLE, start=False)
    client = Client(own_bus.address)
    own_bus.stop()
    with daemon.log_file.open("ab") as log:
        daemon.process = subprocess.Popen(daemon.command(), stderr=log, stdout=log,
                                          env={**os.environ, "JOURNAL_STREAM": ""})
    daemon.client = client
    until(daemon, lambda: daemon.log().count("policy: done, 32 of 32 blocks") == 2, "policy is carried out")
    come_back(daemon)
    assert daemon.dax("dax0.0")["State"] == daemon.dax("dax1.0")["State"] == "online"
