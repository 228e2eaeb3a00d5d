# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages on a machine whose memory is in use: installed, upgraded while a drain runs, removed, purged. No
block moves by any of that. In the order of the file: each test goes on where the one before it ended."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "package"))
import debs  # noqa: E402
import paths  # noqa: E402
from guest import Card  # noqa: E402
from service import MANAGE, POLICY, UNIT, poll, rule  # noqa: E402
from test_daemon_jobs import PIN  # noqa: E402

HOME = "/root/debs"
# What dpkg and systemd write for themselves, and what is mounted there.
NOT_LOOKED_AT = ("/proc", "/sys", "/run", "/dev", "/tmp", "/root", "/usr/lib/cxlmemd-vm", "/var/lib/dpkg", "/var/log",
                 "/var/tmp", "/var/lib/systemd/timers", "/var/lib/systemd/catalog")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Which version → its packages by name: "whole", from before there were two; "now"; "next"."""
    try:
        now = debs.debs(debs.built())
    except debs.CannotBuild as error:
        pytest.skip(str(error))
    work = tmp_path_factory.mktemp("debs")
    after = {name: debs.repacked(deb, work, f"{debs.version()[1]}+next1") for name, deb in now.items()}
    return {"whole": {"cxlmemd": whole(now, work)}, "now": now, "next": after}


def whole(now, work):
    """One package with everything, of the version and with the dependencies that the first one had."""
    tree = work / "whole"
    for deb in now.values():
        subprocess.run(["dpkg-deb", "-x", deb, tree], check=True)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: cxlmemd\nVersion: {debs.version()[0]}\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\n"
        "Depends: default-dbus-system-bus | dbus-system-bus\nDescription: all of it\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, work / "cxlmemd_whole.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    return work / "cxlmemd_whole.deb"


@pytest.fixture(scope="module")
def guest(boot, packages):
    try:
        perl = paths.part("perl")
    except paths.NotPrepared as error:
        pytest.skip(str(error))
    guest = boot(cards=[Card(1, "1G"), Card(2, "1G")], install_tree=perl)
    guest.load_modules()
    guest.run(f"mkdir -p /var/lib/dpkg/info {HOME}")  # the lists of what is installed are not in the guest
    for debs_of in packages.values():
        for deb in debs_of.values():
            guest.put(deb, f"{HOME}/{deb.name}")
    return guest


@pytest.fixture(scope="module")
def service(guest):
    return guest.service


@pytest.fixture(scope="module")
def files_before(guest):
    return files(guest)


@pytest.fixture(scope="module")
def by_the_kernel(guest):
    """A device that the kernel has onlined before anything of ours was there."""
    return guest.dax_of_region(guest.create_region(serials=[2]))


def files(guest):
    pruned = " -o ".join(f"-path {path}" for path in NOT_LOOKED_AT)
    return set(guest.run(f"find / \\( {pruned} \\) -prune -o -print", 120).stdout.splitlines())


def install(guest, packages, version):
    names = " ".join(f"{HOME}/{deb.name}" for deb in packages[version].values())
    return guest.run(f"DEBIAN_FRONTEND=noninteractive dpkg --auto-deconfigure -i {names}", 240)  # as apt calls it


def installed(guest, package):
    done = guest.run(f"dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {package}", check=False)
    return tuple(done.stdout.split())


def every_block(guest):
    return {dax: guest.blocks_of_dax(dax) for dax in guest.dax_devices()}


def stuck_block(guest, dax):
    """Waits until the kernel has tried to take the same block offline for some seconds."""
    seen = [None, 0.0]

    def look():
        block = next((index for index, (state, _, _) in guest.blocks_of_dax(dax).items() if state == "going-offline"),
                     None)
        if block is None or block != seen[0]:
            seen[:] = block, time.monotonic()
        return block if block is not None and time.monotonic() - seen[1] > 5 else None
    return poll("a block that cannot be taken offline", look)


def test_the_two_take_over_from_the_one_before_them(guest, packages, files_before, by_the_kernel):
    """And a command line alone leaves no old daemon whose files it has taken."""
    before = every_block(guest)
    install(guest, packages, "whole")
    alone = guest.run(f"dpkg -i {HOME}/{packages['now']['cxlmemctl'].name}", 120, check=False)
    assert alone.rc != 0 and "cxlmemd" in alone.stderr, alone
    install(guest, packages, "now")
    assert installed(guest, "cxlmemd") == installed(guest, "cxlmemctl") == ("installed", debs.version()[1])
    guest.run("dpkg --purge cxlmemd cxlmemctl", 120)
    assert every_block(guest) == before


def test_an_installation_watches(guest, service, packages, by_the_kernel):
    before = every_block(guest)
    assert {state for state, _, _ in before[by_the_kernel].values()} == {"online"}
    install(guest, packages, "now")
    assert service.show("ActiveState", "UnitFileState") == ("active", "enabled")
    assert guest.run("systemctl is-enabled cxlmemd-early").stdout.strip() == "enabled"
    assert guest.run("systemctl is-enabled cxlmemd-metrics.timer", check=False).stdout.strip() == "disabled"
    assert service.idle()["PolicyFiles"] == ["/usr/lib/cxlmemd/policy.d/90-watch.toml"]
    assert guest.auto_online() == "online"
    assert every_block(guest) == before


def test_what_autopkgtest_runs_on_a_machine_of_its_own(guest, by_the_kernel):
    guest.put(debs.SOURCE / "debian/tests/service", "/root/service", 0o755)
    said = guest.run("/root/service 2>&1", 120, check=False)
    assert said.rc == 0 and "no block moved" in said.stdout, said.stdout


def test_an_upgrade_while_a_drain_runs_moves_no_block(guest, service, packages, by_the_kernel):
    service.policy(rule(match="memdev_serial = 1", drain='timeout = "10min"\nretries = 1000'))
    service.settings(MANAGE)
    service.reload()
    poll("auto_online_blocks to be offline", lambda: guest.auto_online() == "offline", 30)
    dax = guest.dax_of_region(guest.create_region(serials=[1]))
    service.settled(dax, Movable=8)

    # One block cannot be emptied: the kernel goes on trying, and the drain with it.
    node = guest.dax_devices()[dax]["target_node"]
    guest.run(f"mkdir -p /run/pin && mount -t tmpfs -o size=4M,mpol=bind:{node} pin /run/pin && mkfifo /run/pin/unpin")
    pin = guest.spawn(f"exec python3 -c '{PIN}'")
    guest.run("until [ -e /run/pin/ready ]; do sleep 0.05; done", 60)
    service.idle()
    drain = service.do(dax, "Offline")
    stuck = stuck_block(guest, dax)
    assert service.job(drain)["State"] == "running"
    before, old = every_block(guest), service.pid()
    before[dax][stuck] = ("online", "Movable", node)  # the one at hand: given up

    uevents = guest.record_uevents()
    said = install(guest, packages, "next")
    service.idle()
    uevents.stop()
    assert not uevents.blocks("online") and not uevents.blocks("offline"), said.stdout
    assert every_block(guest) == before
    assert installed(guest, "cxlmemd") == installed(guest, "cxlmemctl") == ("installed", f"{debs.version()[1]}+next1")
    assert service.show("ActiveState", "UnitFileState", "NRestarts") == ("active", "enabled", "0")
    assert service.pid() != old
    assert guest.auto_online() == "offline"  # of the settings, not of the package

    # What the drain has taken is held, and asking again ends it.
    assert service.dax(dax)["Held"] and drain not in service.objects()
    guest.run("echo > /run/pin/unpin")
    pin.wait(30)
    guest.run("umount /run/pin")
    service.done(service.do(dax, "Offline"))
    guest.wait_blocks(dax, offline=8)
    service.do(dax, "Release")
    service.settled(dax, Movable=8)


def test_an_upgrade_does_not_start_what_was_stopped_and_disabled(guest, service, packages):
    guest.run(f"systemctl disable --now {UNIT}", 60)
    before = every_block(guest)
    install(guest, packages, "now")  # the other way round: dpkg sees no difference
    assert service.show("ActiveState", "UnitFileState") == ("inactive", "disabled")
    assert every_block(guest) == before
    guest.run(f"systemctl enable --now {UNIT}", 60)
    service.idle()


def test_a_removal_leaves_the_memory_and_the_configuration(guest, service, by_the_kernel):
    before = every_block(guest)
    assert {state for blocks in before.values() for state, _, _ in blocks.values()} == {"online"}
    uevents = guest.record_uevents()
    guest.run("dpkg --remove cxlmemd", 120)
    uevents.stop()
    assert not uevents.blocks("online") and not uevents.blocks("offline")
    assert every_block(guest) == before
    assert guest.auto_online() == "online"  # what it was before the service
    assert not guest.run("pidof cxlmemd", check=False).stdout
    assert guest.run("test -e /usr/sbin/cxlmemd", check=False).rc != 0
    assert guest.run(f"test -e {POLICY} && test -d /var/lib/cxlmemd", check=False).rc == 0
    assert guest.run("cxlmemctl status", check=False).rc == 4  # for --host it is as good as ever


def test_a_purge_leaves_what_the_administrator_wrote_and_nothing_else(guest, files_before, by_the_kernel):
    before = every_block(guest)
    guest.run("dpkg --remove cxlmemctl && dpkg --purge cxlmemd cxlmemctl", 120)
    assert installed(guest, "cxlmemd") == installed(guest, "cxlmemctl") == ()
    left = files(guest) - files_before
    assert left == {"/etc/cxlmemd", "/etc/cxlmemd/policy.d", "/etc/cxlmemd/daemon.toml", POLICY}, left
    assert guest.run("test -e /run/cxlmemd", check=False).rc != 0
    ours = "'cxlmemd.*' 'cxlmemd-early.*' 'cxlmemd-metrics.*'"
    assert guest.run(f"systemctl list-units --all --plain --no-legend {ours}").stdout.strip() == ""
    assert guest.run("busctl status org.cxlmemd1", check=False).rc != 0
    assert every_block(guest) == before
