# SPDX-License-Identifier: LGPL-2.1-or-later
"""cxlmemctl metrics: the format by Debian's python3-prometheus-client, the examples that are made of the metrics."""

import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from harness import MOVABLE, rule
from places import CTL, LIMIT, MACHINES, SOURCE
from wire import ROOT, BusError

prometheus = pytest.importorskip("prometheus_client", reason="python3-prometheus-client is not installed")
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as older_text  # noqa: E402

EXAMPLES = SOURCE / "docs/examples/monitoring"
GIB = 1 << 30

pytestmark = pytest.mark.skipif(not CTL.exists(), reason=f"{CTL} is not built")


def ctl(daemon, *arguments, code=0):
    done = subprocess.run([str(CTL), "--bus", daemon.bus.address, "metrics", *arguments], timeout=LIMIT,
                          capture_output=True, text=True)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def samples(text):
    """(name, labels as a frozenset) → value, by the parser of OpenMetrics."""
    out = {}
    for family in openmetrics(text):
        assert family.documentation and family.type in ("gauge", "counter"), family
        assert family.samples
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in out, f"{key} twice"
            out[key] = sample.value
    return out


def value(found, name, **labels):
    return found[name, frozenset(labels.items())]


@pytest.fixture
def daemon(make_daemon):
    daemon = make_daemon()
    for name in ("dax0.0", "dax1.0"):
        daemon.wait_dax(name, State="online", InPolicy=True)
    daemon.wait_idle()
    return daemon


def test_what_the_daemon_did_is_counted(make_daemon):
    daemon = make_daemon(policy=rule(memory='zone = "movable"\ndrift = "enforce"'))
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.wait_dax("dax1.0", State="online", InPolicy=True)
    daemon.wait_idle()
    before = samples(ctl(daemon))
    assert value(before, "cxlmemd_jobs_ended_total", operation="policy", result="done") == 2
    assert value(before, "cxlmemd_job_seconds_total", operation="policy", result="done") > 0
    assert value(before, "cxlmemd_drifts_total", answer="enforced") == 0
    assert value(before, "cxlmemd_reloads_total", result="failed") == 0
    assert value(before, "cxlmemd_scans_total", result="done") > 0
    assert value(before, "cxlmemd_process_resident_memory_bytes") > 1 << 20
    assert value(before, "cxlmemd_process_cpu_seconds_total") > 0
    assert abs(value(before, "cxlmemd_process_start_time_seconds") - time.time()) < 600

    daemon.inject("offline-block", dax="dax0.0", count=1)
    daemon.wait(lambda: value(samples(ctl(daemon)), "cxlmemd_drifts_total", answer="enforced") == 1)
    daemon.wait_dax(State="online", InPolicy=True)
    daemon.inject("fail", operation="set_block", errno="EBUSY", dax="dax0.0", count=1)
    assert daemon.result(daemon.offline("dax0.0")) == "done"
    found = samples(ctl(daemon))
    assert value(found, "cxlmemd_kernel_errors_total", error="EBUSY") == 1
    assert value(found, "cxlmemd_jobs_ended_total", operation="offline", result="done") == 1
    daemon.policy_file.write_text("[[rule]]\n")
    with pytest.raises(BusError):
        daemon.reload()
    assert value(samples(ctl(daemon)), "cxlmemd_reloads_total", result="failed") == 1


def test_what_is_printed_is_what_the_bus_says(daemon):
    daemon.hold("dax0.0")
    daemon.inject("offline-block", dax="dax0.0", count=8)
    daemon.wait_dax(BlocksOnline=24, Held=True)
    found = samples(ctl(daemon))
    device, node = daemon.dax(), str(daemon.dax()["TargetNode"])
    assert value(found, "cxlmemd_up") == 1
    assert value(found, "cxlmemd_build_info", version=daemon.manager["Version"], backend="emulator") == 1
    for state, zone, size in (("online", "movable", 3 * GIB), ("online", "kernel", 0), ("offline", "none", GIB)):
        assert value(found, "cxlmemd_device_memory_bytes", device="dax0.0", node=node, state=state, zone=zone) == size
    assert value(found, "cxlmemd_device_size_bytes", device="dax0.0") == device["Size"]
    assert value(found, "cxlmemd_device_held", device="dax0.0") == 1
    assert value(found, "cxlmemd_device_held", device="dax1.0") == 0
    assert value(found, "cxlmemd_device_in_policy", device="dax1.0") == 1
    assert value(found, "cxlmemd_device_info", device="dax1.0", kind="cxl-ram", mode="system-ram", region="region1",
                 rule="expanders", node=str(daemon.dax("dax1.0")["TargetNode"])) == 1
    assert value(found, "cxlmemd_movable_ratio") == pytest.approx(daemon.get_all(ROOT, "Manager")["MovableRatio"])
    assert value(found, "cxlmemd_policy_generation") == daemon.manager["PolicyGeneration"]
    assert value(found, "cxlmemd_policy_problems", files="in_force", severity="error") == 0
    assert value(found, "cxlmemd_node_memory_bytes", node="node" + node, zone="movable") == \
        daemon.node(node)["BytesMovable"]
    kinds = {dict(labels)["kind"]: n for (name, labels), n in found.items() if name == "cxlmemd_conflicts"}
    assert sum(kinds.values()) == len(daemon.manager["Conflicts"])


def test_failures_jobs_and_problems(make_daemon):
    daemon = make_daemon(settings='[retry]\ninitial = "10ms"\nmax = "20ms"\nattempts = 2\n')
    daemon.wait_dax("dax0.0", State="online")
    daemon.wait_dax("dax1.0", State="online")
    daemon.wait_idle()
    daemon.inject("fail", operation="set_block", errno="EIO", dax="dax0.0", count=0)
    daemon.inject("offline-block", dax="dax0.0", count=1)
    daemon.wait(lambda: daemon.dax()["LastError"][0])
    daemon.policy_file.write_text("[[rule]]\n")
    daemon.wait(lambda: daemon.manager["PolicyProblems"])
    found = samples(ctl(daemon))
    assert value(found, "cxlmemd_device_failing", device="dax0.0") == 1
    assert value(found, "cxlmemd_device_failing", device="dax1.0") == 0
    assert value(found, "cxlmemd_policy_problems", files="last_read", severity="error") >= 1
    assert value(found, "cxlmemd_policy_problems", files="in_force", severity="error") == 0
    assert value(found, "cxlmemd_state", state="degraded") == 1
    daemon.policy_file.write_text(MOVABLE)
    daemon.inject("hang", operation="set_block")
    job = daemon.offline("dax1.0")
    daemon.wait(lambda: daemon.job(job)["State"] == "running")
    assert value(samples(ctl(daemon)), "cxlmemd_jobs", operation="offline", state="running") == 1
    daemon.cancel(job)


def test_node_exporter_reads_it_too(daemon):
    """Its textfile collector takes the older format alone, whose parser knows neither info nor stateset."""
    text = ctl(daemon)
    assert set(re.findall(r"^# TYPE \S+ (\S+)$", text, re.M)) == {"gauge", "counter"}
    older = {(s.name, frozenset(s.labels.items())): s.value for family in older_text(text) for s in family.samples}
    assert older == samples(text)


@pytest.mark.parametrize("machine", sorted(path.stem for path in MACHINES.glob("*.toml")))
def test_every_machine_in_the_tree_has_good_metrics(make_daemon, machine):
    daemon = make_daemon(machine=machine, policy="")
    assert value(samples(ctl(daemon)), "cxlmemd_up") == 1


def test_strange_words_are_quoted(make_daemon, machine_file):
    text = (MACHINES / "two-card-server.toml").read_text()
    assert 'firmware = ' in text
    strange = re.sub(r'firmware = ".*?"', r'firmware = "a\\"b\\\\c\\u001b[31m"', text, count=1)
    daemon = make_daemon(machine=machine_file(strange), policy=rule('a\\"b'))
    daemon.wait_dax("dax0.0", State="online")
    printed = ctl(daemon)
    assert "\x1b" not in printed
    found = samples(printed)
    told = [dict(labels) for name, labels in found if name == "cxlmemd_memdev_info"]
    assert any(labels["firmware"].startswith('a"b\\c') for labels in told), told
    assert any(dict(labels).get("rule") == 'a"b' for name, labels in found if name == "cxlmemd_device_info")


def test_a_file_is_replaced_whole(daemon):
    file = daemon.folder / "cxlmemd.prom"
    file.write_text("old")
    assert ctl(daemon, "--output", str(file)) == ""
    assert value(samples(file.read_text()), "cxlmemd_up") == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in daemon.folder.glob("cxlmemd.prom*")] == ["cxlmemd.prom"]
    ctl(daemon, "--output", str(daemon.folder / "nowhere/x.prom"), code=1)


def test_a_daemon_that_is_not_there_is_a_metric(make_daemon):
    daemon = make_daemon(start=False)
    assert samples(ctl(daemon, code=4)) == {("cxlmemd_up", frozenset()): 0}
    file = daemon.folder / "cxlmemd.prom"
    ctl(daemon, "--output", str(file), code=4)
    assert value(samples(file.read_text()), "cxlmemd_up") == 0


def test_json_says_the_same(daemon):
    told = {(family["Name"], frozenset(sample["Labels"].items())): sample["Value"]
            for family in json.loads(ctl(daemon, "--json")) for sample in family["Samples"]}
    now = samples(ctl(daemon))
    assert set(told) == set(now)
    own = "cxlmemd_process_"  # goes on while it is asked
    assert {key: n for key, n in told.items() if not key[0].startswith(own)} == \
        {key: n for key, n in now.items() if not key[0].startswith(own)}


# ---- the examples

def names_in(expression):
    return set(re.findall(r"\bcxlmemd_\w+", expression))


def label_matchers(expression):
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", inside)))
            for name, inside in re.findall(r"\b(cxlmemd_\w+)\{([^}]*)\}", expression)]


def labels_of(found):
    out = {}
    for name, labels in found:
        out.setdefault(name, set()).update(key for key, _ in labels)
    return out


def check_expression(expression, known):
    assert names_in(expression) <= set(known), names_in(expression) - set(known)
    for name, labels in label_matchers(expression):
        assert labels - {"instance"} <= known[name], (name, labels)


def test_the_alerts_are_about_metrics_that_exist(daemon):
    known = labels_of(samples(ctl(daemon)))
    text = (EXAMPLES / "cxlmemd.rules.yml").read_text()
    expressions = re.findall(r"^ +expr: (.*)$", text, re.M)
    assert len(expressions) == text.count("- alert: ") > 5
    for expression in expressions:
        check_expression(expression, known)
    for command in re.findall(r"cxlmemctl (\w+)", text):
        assert f"\n.It Cm {command}" in (SOURCE / "docs/man/cxlmemctl.1").read_text(), command


@pytest.fixture(scope="module")
def promtool():
    """Debian's package also brings a server, which nobody wants started for this: the one file out of it."""
    found = os.environ.get("PROMTOOL") or shutil.which("promtool")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "cxlmemd/promtool"
    tool = cache / "usr/bin/promtool"
    if not found and not tool.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            got = subprocess.run(["apt-get", "-q", "download", "prometheus"], cwd=folder, timeout=120, text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if got.returncode:
                pytest.skip(f"promtool is not installed, and cannot be had: {got.stdout.strip().splitlines()[-1]}")
            (package,) = Path(folder).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
            tool.parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(folder) / "usr/bin/promtool", tool)
    return found or str(tool)


def test_promtool_takes_the_alerts(promtool):
    rules = EXAMPLES / "cxlmemd.rules.yml"
    text = rules.read_text()
    done = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0 and f"{text.count('- alert: ')} rules found" in done.stdout, done.stdout + done.stderr


def test_promtool_takes_the_metrics(daemon, promtool):
    """It reads the older format, in which a counter of OpenMetrics has another name than its TYPE and HELP lines."""
    done = subprocess.run([promtool, "check", "metrics"], input=ctl(daemon), capture_output=True, text=True,
                          timeout=LIMIT)
    other = [line for line in (done.stdout + done.stderr).splitlines()
             if not re.fullmatch(r"cxlmemd_\w+_total no help text", line)]
    assert done.returncode in (0, 3) and not other, done.stdout + done.stderr


def test_the_dashboard_is_one_and_its_panels_do_not_overlap(daemon):
    board = json.loads((EXAMPLES / "cxlmemd-dashboard.json").read_text())
    assert isinstance(board["title"], str) and board["schemaVersion"] >= 30 and board["uid"] == "cxlmemd"
    variables = {one["name"]: one["type"] for one in board["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query"}
    known = labels_of(samples(ctl(daemon)))
    ids, taken = set(), set()
    for panel in board["panels"]:
        assert panel["id"] not in ids and panel["type"] in ("stat", "timeseries", "table") and panel["title"]
        ids.add(panel["id"])
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24 and not cells & taken
        taken |= cells
        assert panel["targets"] and len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            check_expression(target["expr"], known)
            legend = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            allowed = set().union(*(known[name] for name in names_in(target["expr"])), {"instance"})
            assert legend <= allowed and "$instance" in target["expr"]


def test_the_page_has_every_metric(make_daemon):
    """And no other."""
    known = {}
    for machine in ("two-card-server", "two-cards-7-3"):
        daemon = make_daemon(machine=machine)
        daemon.wait_dax("dax0.0", State="online")
        for name, labels in labels_of(samples(ctl(daemon))).items():
            known.setdefault(name, set()).update(labels)
        daemon.stop()
    page = (EXAMPLES / "README.md").read_text()
    documented = set(re.findall(r"^\| `(cxlmemd_\w+)", page, re.M))
    assert documented == set(known)
    for name, labels in known.items():
        (row,) = re.findall(rf"^\| `{name}(?:\{{(.*?)\}})?`", page, re.M)
        assert set(filter(None, row.split(","))) == labels, name
