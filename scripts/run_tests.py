#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests, all or by parts, and adds them up. scripts/test installs what it needs and calls it.

    format   sources are as .clang-format says
    unit     builds with warnings as errors, then ctest: unit, contract, client, recorded /sys, unit file, arrows
    bus      the daemon on the emulator and a private bus
    package  Debian packages: contents, lintian, autopkgtest on the emulator; the RPM spec
    reproducible  the packages compiled a second time, elsewhere, with their tests and without ccache, are the same;
             only if it is asked for: it compiles everything
    asan     unit once more, with the address and undefined-behaviour sanitizers
    tsan     bus once more, with the thread sanitizer, but for what the loop's thread does by itself
    fuzz     libFuzzer on policy text for a minute, on emulator files and Inject for 20 s each, from the corpus in
             the tree; always the same texts, unless CXLMEMD_FUZZ_SEED and CXLMEMD_FUZZ_SECONDS say otherwise
    vm       the installed daemon on a real kernel with emulated CXL cards; the backends' contract, and the scenarios
             that the emulator is held to, on kernels 6.12 and 7.3
    boot     of vm what shows the main job: one boot of 6.12, memory made later wholly online in the movable zone

`quick` stands for format, unit, bus and boot. The virtual machine, which mostly uses one core, runs beside asan, tsan
and fuzz if those are asked for too.
Every part has a time limit; a part that does not finish counts as one failed test. Last come the tests that were
skipped, each with its reason, those that failed, and the sum. Logs and reports: build/test.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
OUT = BUILD / "test"
SOURCES = ["policy", "backends", "dbus", "daemon", "cli", "tests"]
# Enough for a backtrace or a sanitizer's report, and a third less to build.
LINES_ONLY = ["-DCMAKE_CXX_FLAGS_DEBUG=-g1", "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O2 -g1 -DNDEBUG"]
CPUS = str(len(os.sched_getaffinity(0)))


@dataclass
class Results:
    passed: int = 0
    failed: list = field(default_factory=list)   # (test, why)
    skipped: list = field(default_factory=list)  # (test, why)


def say(text):
    print(f"\n== {text}", flush=True)


class Unfinished(RuntimeError):
    """A step that failed or took too long, and that later steps of its part stand on."""


def run(*argv, minutes, env=None, log=None):
    """Runs a command with a time limit; answers its exit status. With `log`, output goes there and is shown if it
    fails."""
    print("$", " ".join(str(arg) for arg in argv), flush=True)
    output = open(log, "wb") if log else None
    child = subprocess.Popen([str(arg) for arg in argv], cwd=ROOT, env=os.environ | (env or {}),
                             stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT if log else None,
                             start_new_session=True)
    try:
        status = child.wait(minutes * 60)
    except subprocess.TimeoutExpired:
        status = f"not finished after {minutes} minutes"
    finally:
        # What it left running goes too: it is a session of its own.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        if output:
            output.close()
    if status and not isinstance(status, str):
        status = f"exit status {status}"
    if status and log:
        print(Path(log).read_text(errors="replace")[-20000:], flush=True)
    return status


def must(*argv, **kwargs):
    if status := run(*argv, **kwargs):
        raise Unfinished(f"{Path(argv[0]).name} {' '.join(map(str, argv[1:2]))} …: {status}")


def build(preset, *targets, minutes=30):
    launcher = {}
    if shutil.which("ccache"):
        # Another clone of the same sources finds what this one has compiled.
        launcher = {"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
    # The prefix is said, for a folder configured before it was the default.
    must("cmake", "--preset", preset, "-DCMAKE_INSTALL_PREFIX=/usr", *LINES_ONLY, minutes=3, env=launcher,
         log=OUT / f"configure-{preset}.log")
    chosen = ["--target", *targets] if targets else []
    must("cmake", "--build", BUILD / preset, "-j", CPUS, *chosen, minutes=minutes, env=launcher,
         log=OUT / f"build-{preset}.log")
    return BUILD / preset


def reason(skipped, output):
    """Why a test was skipped: GoogleTest's message, or the last line that the program said."""
    if match := re.search(r": Skipped\n(.+?)(?:\n\[|\n\n|\Z)", output, re.DOTALL):
        return " ".join(match[1].split())
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else skipped.get("message", "no reason given")


def read_ctest(report, part, results):
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{part}: {case.get('name')}"
        output = case.findtext("system-out") or ""
        skipped = case.find("skipped")
        if case.get("status") == "run":
            results.passed += 1
        elif case.get("status") == "disabled":
            results.skipped.append((name, "disabled"))
        elif skipped is not None and skipped.get("message", "").startswith("SKIP_"):
            results.skipped.append((name, reason(skipped, output)))
        else:
            results.failed.append((name, last_line(output) or "did not run"))


def last_line(text):
    lines = [line for line in (text or "").splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def read_pytest(report, part, results, without=()):
    """`without`: modules that do not count."""
    for case in ElementTree.parse(report).iter("testcase"):
        if case.get("classname").rpartition(".")[2] in without:
            continue
        name = f"{part}: {case.get('classname')}.{case.get('name')}"
        failure = case.find("failure")
        failure = case.find("error") if failure is None else failure
        skipped = case.find("skipped")
        if failure is not None:
            results.failed.append((name, (failure.get("message") or "").split("\n")[0][:200]))
        elif skipped is not None:
            results.skipped.append((name, skipped.get("message") or "no reason given"))
        else:
            results.passed += 1


def ctest(folder, part, results, *options, env=None):
    report = OUT / f"{part}.xml"
    report.unlink(missing_ok=True)
    status = run("ctest", "--test-dir", folder, "-j", CPUS, "--timeout", "120", "--output-on-failure", "--progress",
                 "--no-tests=error", "--output-junit", report, *options, minutes=10, env=env, log=OUT / f"{part}.log")
    collect(report, read_ctest, part, status, results)


def pytest(what, part, results, minutes, env, one_test=300, wrapper=(), more=()):
    """`one_test`: seconds after which a test with its fixtures counts as hung and fails, so that it is named and the
    others go on."""
    report = OUT / f"{part}.xml"
    report.unlink(missing_ok=True)
    options = ["-p", "no:cacheprovider", "-o", "junit_family=xunit1", "-ra", "--durations=5", f"--timeout={one_test}",
               f"--junitxml={report}"]
    paths = what if isinstance(what, list) else [what]
    status = run(*wrapper, "/usr/bin/python3", "-m", "pytest", *options, *more, *paths, minutes=minutes, env=env)
    collect(report, read_pytest, part, status, results)


def collect(report, read, part, status, results):
    before = len(results.failed)
    if report.exists():
        read(report, part, results)
    # A run that ended badly and has no failed test to show for it must not pass.
    if (status or not report.exists()) and len(results.failed) == before:
        results.failed.append((part, status if status else "left no report"))


# ---- the parts

def part_format(results):
    tool = shutil.which("clang-format")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True).stdout if tool else ""
    if not re.search(r"version 14\.", version):
        results.skipped.append(("format", f"the settings are for clang-format 14, here is {version.strip() or 'none'}"))
        return
    files = [path for top in SOURCES for path in sorted((ROOT / top).rglob("*")) if path.suffix in (".cpp", ".h")]
    print("$ clang-format --dry-run -Werror …", flush=True)
    with open(OUT / "format.log", "w") as log:
        status = subprocess.run([tool, "--dry-run", "-Werror", *files], stderr=log).returncode
    if status:
        found = re.findall(rf"^{re.escape(str(ROOT))}/(\S+?):\d+", (OUT / "format.log").read_text(errors="replace"),
                           re.MULTILINE)
        bad = sorted(set(found))
        results.failed.append(("format", f"{len(bad)} files: {' '.join(bad)}"))
    else:
        results.passed += 1


def part_unit(results):
    ctest(build("dev"), "unit", results)


def part_bus(results):
    folder = build("dev")
    pytest(ROOT / "tests/bus", "bus", results, 25, {"CXLMEMD_BUILD": str(folder)})


def part_package(results):
    pytest(ROOT / "tests/package", "package", results, 30, {}, one_test=1500,
           more=[f"--ignore={ROOT}/tests/package/test_reproducible.py"])


def part_reproducible(results):
    pytest(ROOT / "tests/package/test_reproducible.py", "reproducible", results, 60, {}, one_test=3000)


def part_asan(results):
    folder = build("asan")
    options = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    # Tests of files, which the sanitizers have nothing to do with, run once.
    ctest(folder, "asan", results, "-E", r"^(unit\.exposure|includes\.)", env=options)
    pytest(ROOT / "tests/bus/test_raw_messages.py", "asan-raw", results, 5, options | {"CXLMEMD_BUILD": str(folder)})


def part_tsan(results):
    folder = build("tsan", "cxlmemd", "cxlmemctl")
    for old in OUT.glob("tsan-race.*"):
        old.unlink()
    options = {"CXLMEMD_BUILD": str(folder), "TSAN_OPTIONS": f"log_path={OUT}/tsan-race second_deadlock_stack=1",
               "CXLMEMD_TEST_SLOW": "20"}
    idle = "tests/bus/test_mirror.py::test_idle_means_idle"
    results.skipped.append((f"tsan: {idle}", "it counts wake-ups, and the sanitizer's own thread wakes up"))
    # Without address space randomisation, which this sanitizer's runtime of g++ 12 does not stand on new kernels.
    pytest(ROOT / "tests/bus", "tsan", results, 30, options, wrapper=["setarch", "-R"],
           more=["-m", "not loop_alone", f"--deselect={idle}"])
    races = [path for path in sorted(OUT.glob("tsan-race.*")) if path.stat().st_size]
    for path in races:
        print(path.read_text(errors="replace")[:5000], flush=True)
        summary = re.search(r"^SUMMARY: (.*)", path.read_text(errors="replace"), re.MULTILINE)
        results.failed.append(("tsan: no data race (R16)", summary[1] if summary else str(path)))
    if not races:
        results.passed += 1


# What is fuzzed: the program, for how long (the policy's share of CXLMEMD_FUZZ_SECONDS is all of it), with which
# words, from which texts, and how many of them are too few (an input of Inject is a whole life of a machine).
FUZZED = {
    "policy text": ("policy", 1, "policy.dict", ["tests/fuzz/corpus/policy", "docs/examples/policy"], 1000),
    "emulator files": ("emulator_file", 1 / 3, "emulator.dict",
                       ["tests/fuzz/corpus/emulator_file", "backends/emulator/machines", "backends/emulator/scenarios"],
                       500),
    "Inject": ("inject", 1 / 3, "emulator.dict", ["tests/fuzz/corpus/inject"], 50),
}


def part_fuzz(results):
    # A test run tells whether this change broke something; new texts are tried by hand, and longer.
    seed = os.environ.get("CXLMEMD_FUZZ_SEED", "1")
    whole = int(os.environ.get("CXLMEMD_FUZZ_SECONDS", "60"))
    folder = build("fuzz", *(f"{name}_fuzz" for name, *_ in FUZZED.values()))
    shutil.rmtree(OUT / "fuzz", ignore_errors=True)
    for what, (name, share, words, texts, few) in FUZZED.items():
        work = OUT / "fuzz" / name
        (work / "found").mkdir(parents=True)
        log = OUT / f"fuzz-{name}.log"
        seconds = max(1, round(whole * share))
        status = run(folder / f"tests/fuzz/{name}_fuzz", f"-seed={seed}", f"-max_total_time={seconds}", "-max_len=4096",
                     "-timeout=20", "-rss_limit_mb=4096", "-verbosity=0", "-print_final_stats=1",
                     f"-artifact_prefix={work}/", f"-dict={ROOT}/tests/fuzz/{words}", work / "found",
                     *(ROOT / each for each in texts), minutes=seconds / 60 + 4, log=log)
        text = log.read_text(errors="replace")
        tried = re.search(r"stat::number_of_executed_units: (\d+)", text)
        if status or not tried or int(tried[1]) < few:
            kept = " ".join(str(path) for path in work.iterdir() if path.is_file())
            results.failed.append((f"fuzz: {what}", f"{status or 'hardly ran'}; {kept or 'nothing kept'}, see {log}"))
            continue
        print(f"{what}: {tried[1]} texts tried in {seconds} s, no crash", flush=True)
        results.passed += 1


def prepare_vm(part, folder, kernels):
    """The environment of the tests in the virtual machine, and where they leave what the machine said."""
    as_root = ["sudo", "--preserve-env=KERNEL,CXLMEMD_VM_CACHE,CXLMEMD_VM_MIRROR"]
    sudo = [] if os.geteuid() == 0 or prepared() else as_root
    must(*sudo, ROOT / "tests/vm/prepare", minutes=10, env={"KERNEL": kernels})
    logs = OUT / part
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    # The tests of the daemon run on one kernel; traces and the contract on both.
    return logs, {"KERNEL": "6.12", "CXLMEMD_VM_BUILD": str(folder), "CXLMEMD_BUILD": str(folder),
                  "CXLMEMD_VM_LOGS": str(logs)}


def part_boot(results):
    _, env = prepare_vm("boot", build("dev"), "6.12")
    shown = "test_a_region_made_later_is_wholly_movable_on_its_node"
    pytest(ROOT / "tests/vm/test_daemon_policy.py", "boot", results, 10, one_test=400, env=env, more=["-k", shown])


def part_vm(results):
    logs, env = prepare_vm("vm", build("dev"), "6.12 7.3")
    first = Results()
    pytest(ROOT / "tests/vm", "vm", first, 80, one_test=500, env=env)
    again = crashed_modules(logs) if first.failed else []
    if not again:
        add(results, first)
        return
    # A guest that crashes is a failure, and stays one. That the emulator of its processor does is none of ours.
    print(f"QEMU itself crashed in {' '.join(again)}: once more, and that counts", flush=True)
    read_pytest(OUT / "vm.xml", "vm", results, without=again)
    pytest([ROOT / f"tests/vm/{module}.py" for module in again], "vm-again", results, 15, one_test=400, env=env)


def add(results, more):
    results.passed += more.passed
    results.failed += more.failed
    results.skipped += more.skipped


def crashed_modules(logs):
    """Those in which QEMU was ended by a signal that it raised itself (tests/vm/guest.py writes that down)."""
    path = logs / "qemu-crashed"
    return sorted(set(path.read_text().split())) if path.exists() else []


def prepared():
    """Whether tests/vm/prepare, which needs root only to make the guest's root, has that."""
    code = "import paths; paths.part('root')"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tests/vm", capture_output=True).returncode == 0


PARTS = {"format": part_format, "unit": part_unit, "bus": part_bus, "package": part_package,
         "reproducible": part_reproducible, "asan": part_asan, "tsan": part_tsan, "fuzz": part_fuzz, "vm": part_vm,
         "boot": part_boot}
QUICK = ["format", "unit", "bus", "boot"]


class Beside:
    """Parts that run as a process of their own, while others go on here."""

    def __init__(self, *parts):
        self.report, self.log = OUT / f"{parts[0]}.json", OUT / f"{parts[0]}.out"
        self.report.unlink(missing_ok=True)
        self.parts, self.start = parts, time.monotonic()
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([sys.executable, __file__, "--report", self.report, *parts], stdout=log,
                                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def end(self):
        """Ends it if it still runs; it takes along what it has started."""
        if self.child.poll() is None:
            self.child.terminate()
            self.child.wait()

    def join(self, results):
        self.child.wait()
        say(f"{' '.join(self.parts)} (ran beside the others)")
        print(self.log.read_text(errors="replace"), flush=True)
        if not self.report.exists():
            results.failed.append((" ".join(self.parts), f"ended with {self.child.returncode}"))
            return
        found = json.loads(self.report.read_text())
        results.passed += found["passed"]
        results.failed += [tuple(entry) for entry in found["failed"]]
        results.skipped += [tuple(entry) for entry in found["skipped"]]


def run_parts(asked, results, times):
    beside = None
    apart = "vm" in asked and {"asan", "tsan", "fuzz"} & set(asked)
    try:
        for name in [part for part in PARTS if part in asked and not (apart and part == "vm")]:
            if apart and not beside and name in ("asan", "tsan", "fuzz"):
                beside = Beside("vm")
            say(name)
            start = time.monotonic()
            try:
                PARTS[name](results)
            except Unfinished as error:
                results.failed.append((name, str(error)))
            times.append(f"{name} {time.monotonic() - start:.0f} s")
        if beside:
            beside.join(results)
            times.append(f"vm {time.monotonic() - beside.start:.0f} s, beside the others")
    finally:
        if beside:
            beside.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="default: all")
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)  # of a run beside another: for that one to read
    given = parser.parse_args()
    asked = [part for word in given.parts for part in (QUICK if word == "quick" else [word])]
    asked = asked or [part for part in PARTS if part not in ("boot", "reproducible")]  # boot is a part of vm
    if unknown := [name for name in asked if name not in PARTS]:
        parser.error(f"no such part: {' '.join(unknown)}; there are: {' '.join(PARTS)}")
    # Ctrl-C and kill end what runs, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("interrupted"))
    OUT.mkdir(parents=True, exist_ok=True)

    results, times, start = Results(), [], time.monotonic()
    run_parts(asked, results, times)
    if given.report:
        given.report.write_text(json.dumps(vars(results)))
        return

    say("result")
    print(f"time: {', '.join(times)}; all {time.monotonic() - start:.0f} s")
    for test, why in results.failed:
        print(f"failed: {test}: {why}")
    for test, why in results.skipped:
        print(f"skipped: {test}: {why}")
    print(f"{results.passed} passed, {len(results.failed)} failed, {len(results.skipped)} skipped", flush=True)
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
