# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the kernel, and the mode of a policy file, keep for root stays root's on the bus."""

import os
import re
import subprocess

import pytest
from gi.repository import GLib
from harness import MOVABLE, ONLY_WATCH, ROOT, dax_path, path_of, rule
from places import CTL, LIMIT
from polkit import Polkit
from wire import NAME, BusError, Client, options

pytestmark = [pytest.mark.loop_alone, pytest.mark.skipif(os.geteuid() != 0, reason="only root can call as somebody else")]

NOBODY = 65534


@pytest.fixture
def stranger(own_bus):
    clients = []

    def connect():
        clients.append(Client(own_bus.address, uid=NOBODY))
        return clients[-1]
    yield connect
    for client in clients:
        client.close()


def of(client, path, interface):
    return client.call(path, "org.freedesktop.DBus.Properties", "GetAll", "(s)", f"{NAME}.{interface}")


def ctl(bus, *words, uid=0):
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", str(CTL), "--bus",
                           bus.address, *words], capture_output=True, text=True, timeout=LIMIT)


# --- physical addresses ---

def test_the_address_of_cxl_memory_in_use_is_everyones(own_bus, make_daemon, stranger):
    """The kernel shows a region's resource, and the numbers of memory blocks."""
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    device = of(stranger(), dax_path("dax0.0"), "DaxDevice")
    assert device["Resource"] and device["Ranges"][0][0] == device["Resource"]
    assert of(stranger(), path_of("region", "region0"), "Region")["Resource"] == device["Resource"]
    assert daemon.call(dax_path("dax0.0"), "DaxDevice", "Addresses", "(a{sv})", {}) == (device["Resource"],
                                                                                       device["Ranges"])


def test_the_address_of_a_devdax_device_is_roots(own_bus, make_daemon, stranger):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    before = daemon.dax()
    address = (before["Resource"], before["Ranges"])
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    device = daemon.wait_dax(Mode="devdax")
    assert (device["Resource"], device["Ranges"]) == (0, [])
    device = of(stranger(), dax_path("dax0.0"), "DaxDevice")
    assert (device["Resource"], device["Ranges"]) == (0, [])
    assert daemon.call(dax_path("dax0.0"), "DaxDevice", "Addresses", "(a{sv})", {}) == address
    assert daemon.result(daemon.set_mode("dax0.0", "system-ram")) == "done"
    assert daemon.wait_dax(Mode="system-ram", Resource=address[0])


def test_the_address_of_soft_reserved_memory_is_roots_in_every_mode(own_bus, make_daemon, machine_file):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH, machine="hmem-and-pmem")
    hmem = [device["Name"] for device in (daemon.dax(path) for path in names(daemon)) if device["Kind"] == "hmem"]
    assert hmem
    for name in hmem:
        device = daemon.dax(name)
        assert (device["Resource"], device["Ranges"]) == (0, [])
        resource, ranges = daemon.call(dax_path(name), "DaxDevice", "Addresses", "(a{sv})", {})
        assert resource and sum(length for _, length in ranges) == device["Size"]


def names(daemon):
    return [values[f"{NAME}.DaxDevice"]["Name"] for values in daemon.objects.values() if f"{NAME}.DaxDevice" in values]


def test_polkit_may_allow_it(own_bus, make_daemon, stranger):
    make_daemon(bus=own_bus, policy=ONLY_WATCH)
    polkit = Polkit(own_bus.address)
    caller = stranger()
    for path, interface, member, device in ((dax_path("dax0.0"), "DaxDevice", "Addresses", "dax0.0"),
                                            (ROOT, "Manager", "Record", "topology")):
        for allowed in (False, True):
            serial = caller.send(path, f"{NAME}.{interface}", member, "(a{sv})", {})
            question = polkit.question()
            assert question.action == "org.cxlmemd1.read-addresses" and question.details["device"] == device
            question.answer(authorized=allowed)
            if allowed:
                assert caller.reply(serial)
            else:
                with pytest.raises(BusError, match="NotAuthorized"):
                    caller.reply(serial)
    polkit.die()


def test_a_record_is_everyones_without_addresses(own_bus, make_daemon, stranger):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    caller = stranger()
    with pytest.raises(BusError, match="read-addresses"):
        caller.call(ROOT, f"{NAME}.Manager", "Record", "(a{sv})", {})
    with pytest.raises(BusError, match="read-addresses"):
        caller.call(ROOT, f"{NAME}.Manager", "Record", "(a{sv})", options(anonymise=False))
    text = caller.call(ROOT, f"{NAME}.Manager", "Record", "(a{sv})", options(anonymise=True))
    whole = daemon.manager_call("Record")
    assert "0x590000000" in whole or "0x5" in whole
    for address in set(re.findall(r"0x[0-9a-f]{8,}", whole)):
        assert address not in text


def test_cxlmemctl_shows_addresses_to_whom_may_see_them(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    resource = daemon.dax()["Resource"]
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    shown = ctl(own_bus, "show", "dax0.0")
    assert f"{resource:#x}" in shown.stdout, shown.stderr
    shown = ctl(own_bus, "show", "dax0.0", uid=NOBODY)
    assert shown.returncode == 0 and f"{resource:#x}" not in shown.stdout and "not shown" in shown.stdout
    assert ctl(own_bus, "record", "--anonymise", uid=NOBODY).returncode == 0
    refused = ctl(own_bus, "--no-ask-password", "record", uid=NOBODY)
    assert refused.returncode == 5 and "read-addresses" in refused.stderr


def test_no_error_on_the_bus_has_an_address(own_bus, make_daemon):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH)
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    resource, ranges = daemon.call(dax_path("dax0.0"), "DaxDevice", "Addresses", "(a{sv})", {})
    daemon.inject("reserve-range", start=GLib.Variant("t", resource), size=GLib.Variant("t", ranges[0][1]), holder="BIOS")
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "failed"
    name, message = daemon.error(job)
    assert name and "BIOS" in message and f"{resource:#x}" not in message and "(addresses)" in message


# --- policy text ---

REGION = """
[[region]]
name = "pool9"
memdev_serial = ["0xfeedc0de"]
"""

SECRET = rule(name="tenants", match='kind = "cxl-ram"\nmemdev_serial = ["0x1", "0xdeadbeef"]',
              memory='zone = "movable"\namount = "37%"\nrequire_node = [971]')
OPEN = rule(name="others", memory='zone = "movable"\namount = "50%"')
WORDS = ("37%", "deadbeef", "node 971", "0x1 or")


def with_files(make_daemon, bus, folder, secret=SECRET, mode=0o600):
    policies = folder / "config/policy.d"
    policies.mkdir(parents=True)
    (policies / "40-tenants.toml").write_text(secret)
    (policies / "40-tenants.toml").chmod(mode)
    (policies / "50-others.toml").write_text(OPEN)
    return make_daemon(bus=bus, policy=None, arguments=["--observe"])


def everything(client):
    """All that is told about policy, as one text."""
    out = [client.call(ROOT, f"{NAME}.Manager", "EffectivePolicy", "(a{sv})", options(in_force=in_force))
           for in_force in (False, True)]
    out += [client.call(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", dax_path(name), {})
            for name in ("dax0.0", "dax1.0")]
    out.append(client.call(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {}))
    out.append(client.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"))
    out.append(of(client, ROOT, "Manager"))
    return repr(out)


def test_the_text_of_a_file_that_only_root_may_read_is_shown_to_root_alone(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder)
    daemon.wait(lambda: daemon.dax()["Rule"] == "tenants", "a rule decides")
    caller = stranger()
    text = everything(caller)
    for word in WORDS:
        assert word not in text, f"{word} in {text}"
    rules, _, _ = caller.call(ROOT, f"{NAME}.Manager", "EffectivePolicy", "(a{sv})", {})
    assert [(os.path.basename(file), line, name) for file, line, name, _, _ in rules] == [
        ("40-tenants.toml", 1, "tenants"), ("50-others.toml", 1, "others")]
    assert "amount 50%" in rules[1][4], "the other file is open"
    explained = caller.call(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", dax_path("dax1.0"), {})
    assert [rejected[:3] for rejected in explained["rejected"]][0][0] == "tenants"
    whole = everything(daemon.client)
    assert "37%" in whole and "deadbeef" in whole
    for signal in daemon.client.signals:
        assert not [word for word in WORDS if word in repr(signal.body)], signal


def test_problems_of_such_a_file_are_told_without_its_text(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder, secret='[[rule]]\nname = "tenants"\nhidden_key = "hunter2"\n')
    problems = of(stranger(), ROOT, "Manager")["PolicyProblems"]
    assert [(os.path.basename(p[0]), p[1], p[3]) for p in problems] == [("40-tenants.toml", 1, "error"), ("40-tenants.toml", 3, "error")]
    assert "hidden_key" not in everything(stranger())
    assert "hidden_key" in repr(daemon.manager_call("EffectivePolicy"))


def test_a_mode_that_changes_is_seen(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder, mode=0o644)
    daemon.wait(lambda: daemon.dax()["Rule"] == "tenants", "a rule decides")
    caller = stranger()
    assert "37%" in everything(caller)
    file = folder / "config/policy.d/40-tenants.toml"
    for mode, is_shown in ((0o600, False), (0o644, True)):
        file.chmod(mode)
        daemon.insist(lambda: daemon.client.pump(0.1),
                      lambda is_shown=is_shown: ("37%" in everything(caller)) == is_shown, f"{mode:o} is seen")


def test_a_folder_that_is_closed_closes_its_files(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder, mode=0o644)
    (folder / "config").chmod(0o700)
    daemon.reload()
    text = everything(stranger())
    for word in (*WORDS, "50%"):
        assert word not in text


def test_a_region_of_such_a_file_is_told_by_name_and_line(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder, secret=REGION)
    daemon.wait(lambda: daemon.manager["Conflicts"], "the region cannot be made")
    text = everything(stranger())
    assert "pool9" in text and "feedc0de" not in text
    assert "feedc0de" in repr(daemon.manager_call("Plan"))


def test_a_reload_that_polkit_allows_does_not_quote_such_a_file(own_bus, make_daemon, folder, stranger):
    daemon = with_files(make_daemon, own_bus, folder)
    polkit = Polkit(own_bus.address)
    (folder / "config/policy.d/40-tenants.toml").write_text(f'hidden_key = "hunter2"\n{SECRET}')
    caller = stranger()
    serial = caller.send(ROOT, f"{NAME}.Manager", "Reload", "(a{sv})", {})
    polkit.question().answer(authorized=True)
    with pytest.raises(BusError, match="InvalidPolicy") as refused:
        caller.reply(serial)
    assert "40-tenants.toml" in refused.value.message and "only root may read" in refused.value.message
    assert "hidden_key" not in refused.value.message and "hunter2" not in refused.value.message
    with pytest.raises(BusError, match="InvalidPolicy.*hidden_key"):
        daemon.reload()
    polkit.die()


# --- addresses, once more ---

def test_nothing_that_is_explained_to_a_stranger_has_an_address(own_bus, make_daemon, stranger):
    daemon = make_daemon(bus=own_bus, policy=MOVABLE)
    daemon.wait_dax("dax0.0", InPolicy=True, State="online")
    assert daemon.result(daemon.set_mode("dax0.0", "devdax")) == "done"
    resource, ranges = daemon.call(dax_path("dax0.0"), "DaxDevice", "Addresses", "(a{sv})", {})
    daemon.inject("reserve-range", start=GLib.Variant("t", resource), size=GLib.Variant("t", ranges[0][1]), holder="BIOS")
    assert daemon.result(daemon.online("dax0.0", "movable")) == "failed"
    paths = [dax_path("dax0.0"), path_of("memdev", "mem0"), path_of("region", "region0"), path_of("decoder", "decoder0.0"),
             path_of("node", "node0")]
    caller = stranger()

    def told(client):
        return [client.call(ROOT, f"{NAME}.Manager", "Explain", "(oa{sv})", path, {}) for path in paths] + [
            client.call(ROOT, f"{NAME}.Manager", "Plan", "(a{sv})", {})]
    assert f"{resource:#x}-" in repr(told(daemon.client)), "root is told"
    assert not re.findall(r"0x[0-9a-f]{8,}", repr(told(caller)))


def test_an_error_that_a_method_returns_has_an_address_for_root_alone(own_bus, make_daemon, machine_file, stranger):
    daemon = make_daemon(bus=own_bus, policy=ONLY_WATCH, machine="legacy-plain-ram")
    polkit = Polkit(own_bus.address)
    caller = stranger()
    with pytest.raises(BusError) as of_root:
        daemon.prepare_remove("mem0")
    serial = caller.send(path_of("memdev", "mem0"), f"{NAME}.Memdev", "PrepareRemove", "(a{sv})", {})
    polkit.question().answer(authorized=True)
    with pytest.raises(BusError) as of_stranger:
        caller.reply(serial)
    assert of_stranger.value.name == of_root.value.name
    assert not re.findall(r"0x[0-9a-f]{8,}-", of_stranger.value.message)
    polkit.die()
