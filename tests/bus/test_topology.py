# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl topology and show --blocks on every machine in the tree, and what the picture is made of."""

import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest
from harness import MOVABLE, ONLY_WATCH
from places import CTL, LIMIT, MACHINES

SVG = "{http://www.w3.org/2000/svg}"

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")


def ctl(daemon, *arguments, code=0, locale="C.UTF-8"):
    done = subprocess.run([str(CTL), "--bus", daemon.bus.address, *arguments], timeout=LIMIT, capture_output=True,
                          text=True, encoding="utf-8", env={**os.environ, "LC_ALL": locale})
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("machine", sorted(path.stem for path in MACHINES.glob("*.toml")))
def test_every_object_is_in_the_drawing_which_fits_80_columns(make_daemon, machine):
    daemon = make_daemon(machine=machine, policy=ONLY_WATCH)
    names = [path.rsplit("/", 1)[1] for path in daemon.objects if "/job/" not in path]
    text = ctl(daemon, "topology")
    assert max(map(len, text.splitlines())) <= 80
    ascii_text = ctl(daemon, "topology", "--ascii")
    assert ascii_text.isascii() and ascii_text == ctl(daemon, "topology", locale="C")
    assert ("→" in text) == ("->" in ascii_text)
    parts = json.loads(ctl(daemon, "topology", "--json"))["Parts"]
    found = {part["Name"] for part in parts}
    picture = ET.fromstring(ctl(daemon, "topology", "--svg", "-"))
    drawn = {node.text for node in picture.iter(f"{SVG}text") if node.get("class") == "title"}
    assert drawn == found
    for name in names:
        kernels = re.sub("_([0-9a-f]{2})", lambda hit: chr(int(hit[1], 16)), name)
        if kernels in ("cxlmemd1", "emulator"):
            continue
        assert kernels in found and re.search(rf"(^|\W){re.escape(kernels)}( |$)", text, re.M), kernels


def test_the_picture_needs_nothing_from_elsewhere_and_its_boxes_do_not_overlap(make_daemon):
    daemon = make_daemon(machine="eight-card-pool")
    daemon.wait_dax("dax0.0", State="online", limit=60)
    file = daemon.folder / "picture.svg"
    assert ctl(daemon, "topology", "--svg", str(file)) == ""
    picture = ET.parse(file).getroot()
    assert {node.tag.removeprefix(SVG) for node in picture.iter()} <= {"svg", "title", "style", "rect", "path", "text"}
    assert not any(name.endswith("href") for node in picture.iter() for name in node.keys())
    _, _, wide, high = map(float, picture.get("viewBox").split())
    boxes = [tuple(float(node.get(key)) for key in ("x", "y", "width", "height"))
             for node in picture.iter(f"{SVG}rect") if node.get("class") == "box"]
    for i, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x and x + w <= wide and 0 <= y and y + h <= high
        for x2, y2, w2, h2 in boxes[i + 1:]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, "two boxes overlap"
    for node in picture.iter(f"{SVG}text"):
        assert float(node.get("x")) + 6.7 * len(node.text) <= wide + 1


@pytest.mark.parametrize("machine", ["two-card-server", "eight-card-pool", "hmem-and-pmem", "laptop-with-nothing",
                                     "legacy-plain-ram"])
def test_it_can_be_rendered(make_daemon, machine):
    tool = shutil.which("rsvg-convert")
    if not tool:
        pytest.skip("rsvg-convert is not installed (Debian's package librsvg2-bin)")
    daemon = make_daemon(machine=machine, policy=ONLY_WATCH)
    file = daemon.folder / "picture.png"
    done = subprocess.run([tool, "-o", file], input=ctl(daemon, "topology", "--svg", "-"), text=True, timeout=LIMIT,
                          capture_output=True)
    assert done.returncode == 0 and done.stderr == "" and file.stat().st_size > 1000


def test_blocks_are_as_they_are(make_daemon):
    daemon = make_daemon(policy=MOVABLE)
    device = daemon.wait_dax("dax0.0", State="online")
    daemon.hold("dax0.0")
    daemon.inject("offline-block", dax="dax0.0", nth=2)
    daemon.wait_dax("dax0.0", BlocksOnline=31)
    first = device["Ranges"][0][0] // (128 << 20)
    lines = ctl(daemon, "show", "--blocks", "dax0.0").splitlines()
    assert lines[0] == "dax0.0: 32 blocks of 128 MiB: 31 movable (M), 1 offline (.)"
    number, *groups = lines[2].split()
    assert int(number) == first and len("".join(groups)) == 32 and "".join(groups).count(".") == 1
    runs = json.loads(ctl(daemon, "show", "--blocks", "dax0.0", "--json"))["Runs"]
    assert [run["State"] for run in runs] == ["movable", "offline", "movable"] and runs[0]["First"] == first
    ctl(daemon, "show", "--blocks", "region0", code=1)


def test_blocks_of_several_devices_and_of_one_without(make_daemon):
    daemon = make_daemon(machine="hmem-and-pmem", policy=ONLY_WATCH)
    text = ctl(daemon, "show", "--blocks", "dax0.0", "dax3.0")
    assert "dax0.0: 64 blocks" in text and "dax3.0: 32 blocks" in text and "32 absent (-)" in text
