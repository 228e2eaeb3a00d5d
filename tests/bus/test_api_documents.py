# SPDX-License-Identifier: LGPL-2.1-or-later
"""The introspection XML is the source: what the daemon shows, and the manual page, say the same."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from harness import ONLY_WATCH, dax_path, path_of
from places import BUILD, LIMIT, SOURCE
from wire import EMITS, NAME, ROOT, options

pytestmark = pytest.mark.loop_alone

INTERFACES = {file.stem: file for file in sorted((SOURCE / "dbus/interfaces").glob("*.xml"))}


def members(interface):
    """(kind, name) → what a client can tell of it."""
    out = {}
    for member in interface:
        if member.tag == "property":
            emits = {a.get("name"): a.get("value") for a in member.iter("annotation")}.get(EMITS, "true")
            out[member.tag, member.get("name")] = (member.get("type"), member.get("access"), emits)
        elif member.tag in ("method", "signal"):
            usual = "in" if member.tag == "method" else None
            out[member.tag, member.get("name")] = [
                (a.get("name"), a.get("type"), a.get("direction", usual) if usual else None)
                for a in member.iter("arg")]
    return out


def in_xml(interface):
    return members(ET.parse(INTERFACES[interface]).getroot().find("interface"))


@pytest.fixture(scope="module")
def page():
    done = subprocess.run(["/usr/bin/python3", SOURCE / "docs/man/org.cxlmemd1.py", SOURCE / "dbus/interfaces"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_live_introspection_is_the_xml(make_daemon):
    daemon = make_daemon(policy=ONLY_WATCH)
    job = daemon.online("dax0.0", "movable")
    assert daemon.result(job) == "done"
    paths = {"Manager": ROOT, "DaxDevice": dax_path("dax0.0"), "Region": path_of("region", "region0"),
             "Memdev": path_of("memdev", "mem0"), "RootDecoder": path_of("decoder", "decoder0.0"),
             "Node": path_of("node", "node1"), "Job": job,
             "Emulator": f"{ROOT}/emulator"}
    paths = {f"{NAME}.{name}": path for name, path in paths.items()}
    paths["org.freedesktop.LogControl1"] = "/org/freedesktop/LogControl1"
    assert set(paths) == set(INTERFACES)
    for name, path in paths.items():
        text = daemon.client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect")
        live = {i.get("name"): members(i) for i in ET.fromstring(text).iter("interface")}
        assert {interface for interface in live if interface in INTERFACES} == {name}
        assert live[name] == in_xml(name)


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_member_and_argument_is_in_the_manual_page(page, interface):
    lines = page.splitlines()
    begin = lines.index(f".Sh {interface.rsplit('.', 1)[1].upper()}")
    end = next(i for i in range(begin + 1, len(lines)) if lines[i].startswith(".Sh "))
    section = lines[begin:end]
    for (kind, name), what in in_xml(interface).items():
        macro = ".It Va " if kind == "property" else ".It Fn "
        at = [i for i, line in enumerate(section) if line.split(" ")[:3] == f"{macro}{name}".split(" ")]
        assert len(at) == 1, f"{interface}.{name}: {len(at)} times"
        assert what[0] in section[at[0]] if kind == "property" else True
        body = section[at[0] + 1:next((i for i in range(at[0] + 1, len(section)) if section[i].startswith(
            (".It Va", ".It Fn", ".Ss"))), len(section))]
        assert body and len(body[0]) > 3 and "(not documented)" not in body, f"{interface}.{name} is not documented"
        for argument in what if kind != "property" else ():
            described = body.index(f".It Ar {argument[0]}") + 1
            assert len(body[described]) > 3, f"{interface}.{name}: {argument[0]}"
            assert f"{argument[1]} {argument[0]}" in section[at[0]]
    shown = [line.split(" ")[2] for line in section if line.startswith((".It Va", ".It Fn"))]
    assert sorted(shown) == sorted(name for _, name in in_xml(interface)), "the page has what the XML has not"


def test_every_option_that_a_method_takes_is_documented(make_daemon, page):
    """A method says which options it takes when it is given one that it does not know."""
    daemon = make_daemon(policy=ONLY_WATCH)
    device, region, memdev = dax_path("dax0.0"), path_of("region", "region0"), path_of("memdev", "mem0")
    job = daemon.online("dax1.0", "movable")
    assert daemon.result(job) == "done"
    unknown = options(flavour=True)
    for path, interface, method, signature, *first in (
            (device, "DaxDevice", "Online", "(sa{sv})", "movable"), (device, "DaxDevice", "Offline", "(a{sv})"),
            (device, "DaxDevice", "SetMode", "(sa{sv})", "devdax"), (device, "DaxDevice", "Hold", "(a{sv})"),
            (device, "DaxDevice", "Release", "(a{sv})"),
            (device, "DaxDevice", "Addresses", "(a{sv})"), (region, "Region", "Remove", "(a{sv})"),
            (region, "Region", "Release", "(a{sv})"), (memdev, "Memdev", "PrepareRemove", "(a{sv})"),
            (memdev, "Memdev", "Release", "(a{sv})"), (ROOT, "Manager", "Reload", "(a{sv})"),
            (ROOT, "Manager", "CheckPolicy", "(ssa{sv})", "x.toml", ""),
            (ROOT, "Manager", "EffectivePolicy", "(a{sv})"), (ROOT, "Manager", "Plan", "(a{sv})"),
            (ROOT, "Manager", "Record", "(a{sv})"),
            (ROOT, "Manager", "Apply", "(a{sv})"), (ROOT, "Manager", "Explain", "(oa{sv})", device),
            (job, "Job", "Cancel", "(a{sv})")):
        message = daemon.fails("InvalidArgument", daemon.call, path, interface, method, signature, *first, unknown)
        taken = message.split("this method takes ")[1].split("; ")[0].split(", ")
        section = page[page.index(f".It Fn {method} "):]
        documented = section[section.index(".It Ar options"):section.index(".El")].split(".It Ar")[1]
        assert re.findall(r'"(\w+)" [a-z()]+,', documented) == [name for name in taken if name != "none"], method
        assert ("none are known" in documented) == (taken == ["none"]), method


MADE = ["cxlmemd.policy.5", "cxlmemd.toml.5", "cxlmemd-emulator.5"]  # of Markdown, by the build


@pytest.mark.parametrize("name", ["org.cxlmemd1.5", "docs/man/cxlmemd.8", "docs/man/cxlmemctl.1", *MADE])
def test_the_manual_pages_have_no_fault(page, tmp_path, name):
    if not shutil.which("man"):
        pytest.skip("there is no man")
    file = SOURCE / name
    if name == "org.cxlmemd1.5":
        file = tmp_path / name
        file.write_text(page)
    if name in MADE:
        file = BUILD / "docs" / name
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", file], capture_output=True, text=True,
                          timeout=LIMIT, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "MANPAGER": "cat"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert len(done.stdout.splitlines()) > 40
    assert not re.search(r"^\s*\|", done.stdout, re.M), "a table of Markdown is left"


def test_the_policy_page_has_every_key_of_a_match():
    table = (SOURCE / "policy/match_keys.h").read_text()
    keys = re.findall(r'^ {4,8}(?:\w+(?:<\w+::\w+>)?\()?"([a-z_]+)", ', table, re.M)
    page = (BUILD / "docs/cxlmemd.policy.5").read_text().replace("\\", "")
    assert len(keys) > 15
    for key in keys:
        assert key in page, key
