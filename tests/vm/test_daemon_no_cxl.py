# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine without a CXL card: no error, and it says so. And how a daemon that is not running is started."""

import pytest

from service import BUS, ROOT, UNIT, poll


@pytest.fixture(scope="module")
def guest(boot):
    return boot(enabled=True, cards=[], append="modprobe.blacklist=cxl_acpi,cxl_pci,cxl_mem,cxl_port")


@pytest.fixture
def service(guest):
    return guest.service


def test_it_runs_and_says_that_there_is_nothing(guest, service):
    assert guest.system_state == "running", guest.run("systemctl --failed").stdout
    assert service.show("ActiveState", "NRestarts") == ("active", "0")
    assert "no dax devices" in service.show("StatusText").lower()
    assert "no CXL memory" in service.journal()
    assert (service.objects("dax"), service.objects("region"), service.objects("memdev")) == ({}, {}, {})
    told = service.manager()
    assert (told["State"], told["BytesTotal"], told["PolicyProblems"]) == ("idle", 0, [])


def test_cxlmemctl_is_content_with_nothing(guest):
    for command in ("status", "list dax", "list regions", "list memdevs", "plan"):
        assert guest.run(f"cxlmemctl {command}").rc == 0
    assert guest.run("cxlmemctl show dax0.0", check=False).rc == 1


def test_the_nodes_of_the_machine_are_there(guest, service):
    total = int(guest.run("awk '/MemTotal/ {print $4}' /sys/devices/system/node/node0/meminfo").stdout) << 10
    node = service.objects("node")["node0"]
    assert node["HasCpu"] and node["BytesOnline"] >= total


READ = f"get-property {BUS} {ROOT} {BUS}.Manager Backend"
START = f"call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus StartServiceByName su {BUS} 0"


@pytest.mark.parametrize("user", ["nobody", "root"])
@pytest.mark.parametrize("message", [READ, START], ids=["read", "start"])
def test_what_has_been_stopped_is_not_started_by_a_message(guest, service, user, message):
    assert service.show("UnitFileState") == "enabled"
    service.stop()
    try:
        done = service.busctl(message, check=False, user=user)
        assert done.rc != 0 and "dbus-org.cxlmemd1.service not found" in done.stderr, done
        assert service.show("ActiveState") == "inactive"
    finally:
        service.start()


def test_cxlmemctl_says_that_it_has_been_stopped(guest, service):
    service.stop()
    try:
        done = guest.run("cxlmemctl status", check=False)
        assert done.rc == 4 and "systemctl start cxlmemd" in done.stderr, done
        assert service.show("ActiveState") == "inactive"
    finally:
        service.start()


def test_an_administrator_can_have_messages_start_it(guest, service):
    link = "/etc/systemd/system/dbus-org.cxlmemd1.service"
    service.stop()
    guest.run(f"ln -s /lib/systemd/system/{UNIT} {link} && systemctl daemon-reload")
    try:
        assert "linux" in service.busctl(READ, user="nobody").stdout
        assert service.show("ActiveState") == "active"
    finally:
        guest.run(f"rm {link} && systemctl daemon-reload")


def test_a_disabled_service_is_not_started_by_a_call(guest, service):
    guest.run(f"systemctl disable --now {UNIT}")
    try:
        assert service.busctl(f"get-property {BUS} {ROOT} {BUS}.Manager Backend", check=False).rc != 0
        assert service.show("ActiveState") == "inactive"
        assert guest.run("cxlmemctl status", check=False).rc == 4
    finally:
        guest.run(f"systemctl enable --now {UNIT}")
    assert service.show("ActiveState") == "active"


def test_killed_it_comes_back(guest, service):
    pid = service.pid()
    guest.run(f"kill -9 {pid}")
    poll("a restart by systemd", lambda: service.pid() not in (0, pid) and service.show("ActiveState") == "active")
    assert service.manager()["Backend"] == "linux"


def test_check_config_and_plan_need_no_daemon(guest):
    assert guest.run("cxlmemd --check-config").rc == 0
    assert guest.run("cxlmemd --plan").stdout.strip() == "nothing to do"
    guest.put(b"[[rule]]\nname = 7\n", "/run/bad.toml")
    done = guest.run("cxlmemd --check-config /run/bad.toml", check=False)
    assert done.rc == 1 and "/run/bad.toml:2:8: error: " in done.stdout + done.stderr
