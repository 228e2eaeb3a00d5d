#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the emulator to the traces of real kernels, and knows where they lie (docs/emulator.md).

    traces.py compare TRACE_EMULATOR KERNEL SCENARIO     the emulator does as the kernel did, but for differences.toml
    traces.py check                                      traces, scenarios and differences belong together
"""

import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNELS = ("6.12", "7.3")
TABLE = HERE / "differences.toml"
KEYS = {"scenario", "kernels", "step", "nth", "kernel", "emulator", "why"}


def scenario_files():
    return sorted((HERE / "scenarios").glob("*.scenario"))


def trace_file(kernel, name):
    return HERE / "traces" / kernel / f"{name}.trace"


def in_order():
    """The scenarios' names, as they run on one machine: those that keep what they did come last, in their order."""
    heads = {}
    for path in scenario_files():
        words = [line.split("#")[0].split() for line in path.read_text().splitlines()]
        after = next((line[1] for line in words if line[:1] == ["after"]), None)
        heads[path.stem] = (["keep"] in words, after)

    def rank(name):
        keeps, after = heads[name]
        return (keeps, rank(after)[1] + 1 if after else 0)

    return sorted(heads, key=lambda name: (rank(name), name))


def steps(text):
    """[(step, its lines)] of a trace."""
    out = []
    for line in text.splitlines():
        if line.startswith("> "):
            out.append((line[2:], []))
        elif out:
            out[-1][1].append(line.strip())
    return out


def differences():
    return tomllib.loads(TABLE.read_text()).get("difference", []) if TABLE.exists() else []


def compare(kernel, name, kernel_text, emulator_text, table):
    """What is wrong, in lines. Every difference must be in the table, with the lines of both; an entry that is not
    needed any more is wrong, too."""
    wrong = []
    theirs, ours = steps(kernel_text), steps(emulator_text)
    if [step for step, _ in theirs] != [step for step, _ in ours]:
        return [f"{name}: the steps are not those of the kept trace: take it anew (CXLMEMD_TRACES=write)"]
    entries = [entry for entry in table if entry["scenario"] == name and kernel in entry["kernels"]]
    used, seen = set(), {}
    for (step, kernel_lines), (_, emulator_lines) in zip(theirs, ours):
        seen[step] = seen.get(step, 0) + 1
        entry = next((i for i, entry in enumerate(entries)
                      if entry["step"] == step and entry.get("nth", 1) == seen[step]), None)
        if entry is not None:
            used.add(entry)
            if kernel_lines == entries[entry]["kernel"] and emulator_lines == entries[entry]["emulator"] != kernel_lines:
                continue
            wrong.append(f"{name}, step '{step}': differences.toml says otherwise")
        if entry is not None or kernel_lines != emulator_lines:
            wrong += [f"> {step} (number {seen[step]} of its kind)", f"  kernel {kernel}:"]
            wrong += [f"    {line}" for line in kernel_lines] + ["  emulator:"] + [f"    {line}" for line in emulator_lines]
    wrong += [f"{name}: differences.toml names step '{entry['step']}', and there is none"
              for i, entry in enumerate(entries) if i not in used]
    return wrong


def check():
    names = set(in_order())
    wrong = []
    for kernel in KERNELS:
        kept = {path.stem for path in (HERE / "traces" / kernel).glob("*.trace")}
        wrong += [f"{name}: there is no trace of kernel {kernel}" for name in sorted(names - kept)]
        wrong += [f"traces/{kernel}/{name}.trace: there is no such scenario" for name in sorted(kept - names)]
    for number, entry in enumerate(differences(), 1):
        missing = KEYS - {"nth"} - entry.keys()
        if missing or entry.keys() - KEYS:
            wrong.append(f"difference {number}: missing or unknown: {', '.join(sorted(missing | entry.keys() - KEYS))}")
            continue
        if entry["scenario"] not in names or not set(entry["kernels"]) <= set(KERNELS) or not entry["kernels"]:
            wrong.append(f"difference {number}: there is no such scenario or kernel")
        if len(entry["why"]) < 20:
            wrong.append(f"difference {number}: it wants a reason")
    return wrong


def main():
    if sys.argv[1:] == ["check"]:
        wrong = check()
    elif len(sys.argv) == 5 and sys.argv[1] == "compare":
        program, kernel, name = sys.argv[2:]
        done = subprocess.run([program, HERE / "machines" / f"{kernel}.toml", HERE / "scenarios" / f"{name}.scenario"],
                              capture_output=True, text=True)
        wrong = [done.stderr] if done.returncode else compare(
            kernel, name, trace_file(kernel, name).read_text(), done.stdout, differences())
    else:
        sys.exit(__doc__)
    print("\n".join(wrong))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
