# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flight recorder: what happened can be told afterwards, and replayed to the same decisions."""

import itertools
import os
import re
import shutil
import stat
import subprocess

import pytest
from conftest import new_folder
from harness import MOVABLE, ONLY_WATCH, QUICK_RETRY, PrivateBus
from places import CTL, DAEMON, LIMIT, MACHINES
from wire import NotInTime, options

pytestmark = pytest.mark.loop_alone


def ctl(daemon, *arguments):
    return subprocess.run([str(CTL), "--bus", daemon.bus.address, *map(str, arguments)], timeout=LIMIT,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def incident(daemon, *arguments, since="1 hour ago"):
    done = ctl(daemon, "record", "--since", since, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def decisions(text):
    """Of an incident: what was decided of which device, in order."""
    return re.findall(r"^# [0-9.]+ s decision (\S+ .*)$", text, re.MULTILINE)


def policy_of(text):
    """{name: text} of the policy files in an incident, those of the beginning."""
    out, name = {}, None
    for line in text.splitlines():
        if line.startswith("#file "):
            name = os.path.basename(line[6:])
            if name in out:
                break
            out[name] = ""
        elif line.startswith("#| ") and name:
            out[name] += line[3:] + "\n"
    return out


@pytest.fixture(scope="module")
def second_bus():
    path = new_folder()
    bus = PrivateBus(path)
    yield bus
    bus.stop()
    shutil.rmtree(path)


@pytest.fixture
def replay(make_daemon, second_bus, folder):
    """A daemon on an incident, with the policy that is in it."""

    numbers = itertools.count()

    def start(text):
        number = next(numbers)
        file = folder / "incident.toml"
        file.write_text(text)
        files = policy_of(text)
        (rules,) = [body for name, body in files.items() if name != "daemon.toml"]
        return make_daemon(bus=second_bus, machine=file, policy=rules, settings=files.get("daemon.toml", ""),
                           state=folder / f"state-of-replay-{number}",
                           runtime=folder / f"run-of-replay-{number}")

    return start


def replays(daemon, replay):
    """The replay decides as the daemon did, of each device in the same order.

    What happened within milliseconds may be decided in one go where the machine is busy: then it is tried again.
    """
    text = incident(daemon)
    wanted = by_device(decisions(text))
    for attempt in range(1, 4):
        copy = replay(text)
        try:
            copy.wait(lambda: by_device(decisions(incident(copy))) == wanted, "the same decisions",
                      5 if attempt < 3 else LIMIT)
            return text, copy
        except NotInTime:
            if attempt == 3:
                assert by_device(decisions(incident(copy))) == wanted
        copy.stop()


def by_device(lines):
    """Two devices may be decided about the other way round where both were due at once."""
    out = {}
    for line in lines:
        out.setdefault(line.split()[0], []).append(line)
    return out


def test_an_incident_replays_to_the_same_decisions(make_daemon, replay):
    """A card arrives, the kernel refuses a block, somebody offlines another by hand, and the card is to be pulled."""
    daemon = make_daemon(machine="two-card-server", policy=MOVABLE, settings=QUICK_RETRY)
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.inject("add-memdev", name="mem2", serial=3, ram_size="1GiB")
    daemon.inject("add-region", name="region2", memdevs="mem2", root_decoder="decoder0.0", mode="system-ram")
    daemon.wait_dax("dax2.0", State="online", InPolicy=True)
    daemon.inject("offline-block", dax="dax0.0", nth=3)
    daemon.wait_dax("dax0.0", InPolicy=False)
    daemon.inject("fail", operation="offline", errno="EBUSY", count=0, dax="dax2.0", block=first_block(daemon, "dax2.0"))
    job = daemon.prepare_remove("mem2", timeout=300_000)
    result = daemon.result(job)
    assert result != "done"
    text, copy = replays(daemon, replay)
    assert 'event = "add-memdev"' in text and 'event = "add-region"' in text and 'event = "offline-block"' in text
    assert 'event = "ask"' in text and 'method = "prepare-remove"' in text
    assert 'event = "fail"' in text and 'errno = "EBUSY"' in text
    verdicts = [line.split()[:2] for line in decisions(text)]
    assert ["dax2.0", "in-policy"] in verdicts and ["dax0.0", "act"] in verdicts

    def end(daemon):
        return re.findall(r"^# [0-9.]+ s job [0-9]+ prepare-remove mem2: (.+)$", incident(daemon), re.MULTILINE)

    copy.wait(lambda: end(copy), "the drain's end")
    assert end(copy) == end(daemon) and end(daemon)[0].startswith(result)


def first_block(daemon, name):
    """Of a device that is in one piece."""
    return daemon.dax(name)["Resource"] // (128 << 20)


def test_what_the_kernel_refused_is_refused_as_often(make_daemon, replay):
    daemon = make_daemon(machine="two-card-server", policy=MOVABLE, settings=QUICK_RETRY)
    daemon.wait_dax("dax0.0", InPolicy=True)
    first = first_block(daemon, "dax0.0")
    daemon.inject("fail", operation="offline", errno="EBUSY", count=2, dax="dax0.0", block=first + 1)
    job = daemon.offline("dax0.0")
    assert daemon.result(job) == "done"
    text, copy = replays(daemon, replay)
    (fault,) = re.findall(r'event = "fail"\n(?:.+\n)+', text)
    assert f"block = {first + 1}" in fault and "nth = 1" in fault and "count = 2" in fault
    kernel = answers(text)
    copy.wait(lambda: len(answers(incident(copy))) >= len(kernel), "the kernel's answers")
    assert sorted(answers(incident(copy))) == sorted(kernel)


def answers(text):
    """Of an incident: what the kernel was asked for and said, block by block: where a run of blocks ends depends on
    when the recorder fetched them."""
    out = []
    for asked, said in re.findall(r"^# [0-9.]+ s kernel (.*), [0-9]+ us(.*)$", text, re.MULTILINE):
        run = re.search(r"([0-9]+) blocks from ([0-9]+) (up|down)\w*", asked)
        if not run:
            out.append((asked, said))
            continue
        step = 1 if run[3] == "up" else -1
        out += [(asked.replace(run[0], f"block {int(run[2]) + step * i}"), said) for i in range(int(run[1]))]
    return out


def test_a_card_that_is_pulled_is_pulled_again(make_daemon, replay):
    daemon = make_daemon(machine="two-card-server", policy=MOVABLE)
    daemon.wait_dax("dax1.0", InPolicy=True)
    daemon.inject("remove-memdev", memdev="mem0")
    daemon.wait(lambda: dax_gone(daemon), "the device's end")
    _, copy = replays(daemon, replay)
    copy.wait(lambda: dax_gone(copy), "the device's end")


def dax_gone(daemon):
    return not any(path.endswith("dax0_2e0") for path in daemon.managed_objects())


def test_an_anonymous_incident_has_no_serial_address_policy_or_host(make_daemon, folder, replay):
    machine = folder / "named.toml"
    text = (MACHINES / "two-card-server.toml").read_text().replace("serial = 0x1", "serial = 0xabcdef")
    assert "0xabcdef" in text
    machine.write_text(text + '\n[host]\nname = "secret-host"\nmachine_id = "cafe"\n')
    daemon = make_daemon(machine=machine, policy="# of Jo Doe\n" + MOVABLE)
    daemon.wait_dax("dax0.0", InPolicy=True)
    daemon.inject("add-memdev", name="mem2", serial=0xfedcba, ram_size="1GiB")
    daemon.inject("add-region", name="region2", memdevs="mem2", mode="system-ram")
    daemon.wait_dax("dax2.0", InPolicy=True)
    daemon.inject("offline-block", dax="dax2.0")
    daemon.wait_dax("dax2.0", InPolicy=False)
    whole, anonymous = incident(daemon), incident(daemon, "--anonymise")
    for secret in ("0xabcdef", "0xfedcba", "0x590000000", "secret-host", "cafe", "Jo Doe", "50-test.toml"):
        assert secret in whole, secret
        assert secret not in anonymous, secret
    assert re.search(r"^block = 0x", anonymous, re.MULTILINE)
    shape = [line.split(":")[0] for line in decisions(whole)]
    found = [re.sub(r"[0-9]+ blocks? .*", "", line) for line in decisions(anonymous)]
    assert [" ".join(line.split()[:3]) for line in found] == [" ".join(line.split()[:3]) for line in shape]
    (folder / "anonymous.toml").write_text(anonymous)
    done = subprocess.run([str(DAEMON), "--backend", f"emulator:{folder}/anonymous.toml", "--config", str(daemon.config),
                           "--state", str(folder / "s"), "--plan"], timeout=LIMIT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_strangers_get_the_anonymous_one_alone(make_daemon):
    """As of the machine; test_polkit.py and test_secrets.py ask for rights."""
    daemon = make_daemon()
    call = daemon.manager_call
    assert "must be 't'" in daemon.fails("InvalidArgument", call, "Record", "(a{sv})", options(since_usec="yesterday"))


def test_a_time_that_is_none_is_a_usage_error(make_daemon):
    daemon = make_daemon()
    for wrong in ("soon", "2026-02-31", "@"):
        done = ctl(daemon, "record", "--since", wrong)
        assert done.returncode == 2 and "is not a time" in done.stderr, done.stderr


def test_what_lies_behind_the_beginning_is_said(make_daemon):
    daemon = make_daemon()
    assert "# Nothing older is kept." in incident(daemon)
    assert "# Nothing older is kept." not in incident(daemon, since="now")


def test_a_recorder_that_cannot_write_stops_and_the_daemon_goes_on(make_daemon, folder):
    state = folder / "state"
    (state / "recorder").mkdir(parents=True)
    daemon = make_daemon(state=state)
    daemon.wait_dax("dax0.0", InPolicy=True)
    daemon.inject("offline-block", dax="dax0.0")
    daemon.wait_dax("dax0.0", InPolicy=False)
    daemon.wait(lambda: daemon.log().count("the flight recorder stops") == 1, "its log")
    done = ctl(daemon, "record", "--since", "1 hour ago")
    assert done.returncode == 1 and "the flight recorder's file cannot be read (EISDIR)" in done.stderr
    assert ctl(daemon, "record").returncode == 0
    assert daemon.log().count("the flight recorder stops") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device node")
def test_a_full_disk_ends_the_recording_alone(make_daemon, folder):
    state = folder / "state"
    state.mkdir()
    os.mknod(state / "recorder", stat.S_IFCHR | 0o600, os.makedev(1, 7))  # /dev/full
    daemon = make_daemon(state=state)
    daemon.wait_dax("dax0.0", InPolicy=True)
    daemon.wait(lambda: "ENOSPC" in daemon.log(), "its log")
    daemon.hold("dax0.0")  # kept in the same folder
    assert daemon.log().count("the flight recorder stops") == 1


def test_a_crash_is_told_and_costs_a_line(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", InPolicy=True)
    incident(daemon)
    daemon.kill()
    with (daemon.state / "recorder").open("a") as file:
        file.write('{"t":1,"m":2,"wha')
    daemon.start()
    text = incident(daemon)
    assert "lost: a line was cut off" in text and re.search("^# [0-9.]+ s cxlmemd .* was started", text, re.MULTILINE)
    assert "cxlmemd was stopped" not in text


def test_a_stop_is_told(make_daemon):
    daemon = make_daemon()
    daemon.wait_dax("dax0.0", InPolicy=True)
    daemon.stop()
    daemon.start()
    assert "cxlmemd was stopped" in incident(daemon)


def test_the_recording_is_bounded_and_of_root_alone(make_daemon):
    """A storm of events by others, more than the two files hold."""
    daemon = make_daemon(machine="two-card-server", policy=ONLY_WATCH)
    for _ in range(30):
        for _ in range(50):
            daemon.inject("online-block", dax="dax0.0", count=32, zone="movable")
            daemon.inject("offline-block", dax="dax0.0", count=32)
        daemon.look_again()
        incident(daemon, since="now")
    sizes = [file.stat().st_size for file in daemon.state.glob("recorder*")]
    assert sizes and max(sizes) < (1 << 20) + (256 << 10)
    assert all(file.stat().st_mode & 0o77 == 0 for file in daemon.state.glob("recorder*"))


def test_a_policy_in_force_and_its_successors_are_in_it(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    daemon.policy_file.write_text("# the new one\n" + MOVABLE)
    daemon.reload()
    daemon.wait_dax("dax0.0", InPolicy=True)
    text = incident(daemon)
    assert "# Policy generation 1:" in text and "# Policy generation 2:" in text and "#+ # the new one" in text
    assert re.search("^# [0-9.]+ s policy generation 2", text, re.MULTILINE) and 'method = "reload"' in text
