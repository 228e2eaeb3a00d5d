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


def test_a_call_on_the_bus_starts_a_stopped_service(guest, service):
    service.stop()
    assert service.show("ActiveState") == "inactive"
    done = service.busctl(f"get-property {BUS} {ROOT} {BUS}.Manager Backend")
    assert "linux" in done.stdout
    assert service.show("ActiveState") == "active"


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
