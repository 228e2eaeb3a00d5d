# SPDX-License-Identifier: LGPL-2.1-or-later
"""What to make of measured seconds: medians, growth, tables, a plot. Pure; no machine is needed.

A result is {"kernel": "6.12", "blocks": 1024, "contender": "cxlmemd", "what": "online", "seconds": [each round]}.
"""

from __future__ import annotations

import math
import statistics
from html import escape

LIMIT, OURS, DAXCTL, AUTO = "bare loop, best order", "cxlmemd", "daxctl", "kernel auto-online"
# The same loop under what cxlmemd works under: right after the bind, while udev is still at the blocks it added.
LIMIT_AT_BIND = "bare loop, from the bind"
BY_QUARTERS = "cxlmemd, by quarters"  # no target: many jobs, each begun by hand
NEWER_DAXCTL = "daxctl "  # its version follows
COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8d6a9f", "#e08e45", "#555555", "#00a6a6", "#7a5c00", "#9aa000"]


def middle(values):
    return statistics.median(values) if values else None


def median_of(results, **wanted):
    """The median of the one result that is as told; None if there is none, or nothing was measured."""
    for result in results:
        if all(result[key] == value for key, value in wanted.items()):
            return middle(result["seconds"])
    return None


def growth(points):
    """The exponent e of seconds = c·blocks^e that fits (blocks, seconds) best, by least squares of the logarithms;
    None for fewer than two numbers of blocks."""
    logs = [(math.log(blocks), math.log(seconds)) for blocks, seconds in points if seconds > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    middle_x = statistics.fmean(x for x, _ in logs)
    middle_y = statistics.fmean(y for _, y in logs)
    return sum((x - middle_x) * (y - middle_y) for x, y in logs) / sum((x - middle_x) ** 2 for x, _ in logs)


def in_order(values):
    return list(dict.fromkeys(values))


def number(value, form):
    return "–" if value is None else format(value, form)


def table(results, kernel, what):
    """Markdown: a row a contender; seconds and, in brackets, times the limit for each number of blocks; growth."""
    mine = [result for result in results if result["kernel"] == kernel and result["what"] == what]
    sizes = sorted({result["blocks"] for result in mine})
    lines = [f"| {kernel}, {what} | " + " | ".join(f"{size} blocks" for size in sizes) + " | growth |",
             "| --- |" + " ---: |" * (len(sizes) + 1)]
    for contender in in_order(result["contender"] for result in mine):
        cells, points = [], []
        for size in sizes:
            seconds = median_of(mine, contender=contender, blocks=size)
            limit = median_of(mine, contender=LIMIT, blocks=size)
            if seconds is None:
                cells.append("–")
                continue
            points.append((size, seconds))
            cells.append(f"{seconds:.3f}" + (f" ({seconds / limit:.2f}×)" if limit else ""))
        lines.append(f"| {contender} | " + " | ".join(cells) + f" | {number(growth(points), '.2f')} |")
    return "\n".join(lines)


def targets(results, shares, kernel):
    """(words, reached or None if it was not measured, holds) for each target of the project, on one kernel. `holds` is
    None too for a ratio that is only told: the target speaks of Debian 12's daxctl."""
    sizes = sorted({result["blocks"] for result in results if result["kernel"] == kernel})
    if not sizes:
        return []
    largest = sizes[-1]

    def seconds(contender, what="online", blocks=largest):
        return median_of(results, kernel=kernel, what=what, blocks=blocks, contender=contender)

    def ratio(a, b):
        return a / b if a is not None and b else None

    def one(words, reached, most):
        return (f"{words} at most {most:g}", reached, None if reached is None else reached <= most)

    exponent = growth([(size, s) for size in sizes if (s := seconds(OURS, blocks=size)) is not None])
    others = [s for name in in_order(result["contender"] for result in results if result["what"] == "offline")
              if name not in (OURS, BY_QUARTERS, LIMIT, LIMIT_AT_BIND) and (s := seconds(name, "offline")) is not None]
    newer = [name for name in in_order(result["contender"] for result in results) if name.startswith(NEWER_DAXCTL)]
    share = shares.get((kernel, largest))
    return [one(f"online at {largest} blocks, of daxctl's time", ratio(seconds(OURS), seconds(DAXCTL)), 0.75),
            *((f"online at {largest} blocks, of {name}'s time", ratio(seconds(OURS), seconds(name)), None)
              for name in newer),
            one(f"online at {largest} blocks, of kernel auto-online's time", ratio(seconds(OURS), seconds(AUTO)), 0.15),
            one(f"online at {largest} blocks, of the limit", ratio(seconds(OURS), seconds(LIMIT)), 1.05),
            one(f"online at {largest} blocks, of the limit from the bind on",
                ratio(seconds(OURS), seconds(LIMIT_AT_BIND)), 1.05),
            one("exponent of growth, online", exponent, 1.1),
            one(f"offline at {largest} blocks, of the fastest other contender's time",
                ratio(seconds(OURS, "offline"), min(others, default=None)), 1.0),
            one(f"the daemon's own share at {largest} blocks", share, 0.03)]


def target_lines(found):
    def verdict(reached, holds):
        if reached is None:
            return "not measured"
        return "no target" if holds is None else "holds" if holds else "MISSED"

    return [f"{verdict(reached, holds):12}  {words}: {number(reached, '.3f')}" for words, reached, holds in found]


# ---- the plot

WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 470, 400, 60, 40, 330, 280


def ticks(low, high):
    """1, 10, 100 … around low to high."""
    return [10.0 ** n for n in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def panel(results, kernel, what, colours, offset_x, offset_y):
    """One log-log diagram: seconds over blocks, a line a contender."""
    lines = {name: sorted((result["blocks"], statistics.median(result["seconds"])) for result in results
                          if (result["kernel"], result["what"], result["contender"]) == (kernel, what, name)
                          and result["seconds"] and statistics.median(result["seconds"]) > 0) for name in colours}
    points = [point for line in lines.values() for point in line]
    if not points:
        return []
    sizes = sorted({blocks for blocks, _ in points})
    marks = ticks(min(seconds for _, seconds in points), max(seconds for _, seconds in points))
    if len(marks) == 1:
        marks.append(marks[0] * 10)

    def x(blocks):
        span = math.log(sizes[-1] / sizes[0]) or 1.0
        return LEFT + PLOT_WIDTH * math.log(blocks / sizes[0]) / span

    def y(seconds):
        return TOP + PLOT_HEIGHT * (1 - math.log(seconds / marks[0]) / math.log(marks[-1] / marks[0]))

    out = [f'<g transform="translate({offset_x},{offset_y})">',
           f'<text x="{LEFT}" y="{TOP - 14}" font-weight="bold">kernel {escape(kernel)}, {escape(what)}</text>']
    for mark in marks:
        out += [f'<line x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" stroke="#ddd"/>',
                f'<text x="{LEFT - 6}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g} s</text>']
    for size in sizes:
        out += [f'<line x1="{x(size):.1f}" x2="{x(size):.1f}" y1="{TOP}" y2="{TOP + PLOT_HEIGHT}" stroke="#ddd"/>',
                f'<text x="{x(size):.1f}" y="{TOP + PLOT_HEIGHT + 18}" text-anchor="middle">{size}</text>']
    out.append(f'<text x="{LEFT + PLOT_WIDTH / 2}" y="{TOP + PLOT_HEIGHT + 36}" text-anchor="middle">blocks</text>')
    for name, line in lines.items():
        path = " ".join(f"{x(blocks):.1f},{y(seconds):.1f}" for blocks, seconds in line)
        if len(line) > 1:
            out.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        out += [f'<circle cx="{x(blocks):.1f}" cy="{y(seconds):.1f}" r="3.5" fill="{colours[name]}">'
                f'<title>{escape(name)}: {blocks} blocks, {seconds:.3f} s</title></circle>' for blocks, seconds in line]
    return out + ["</g>"]


def plot(results, title):
    """An SVG: a column a kernel, online above offline, one legend below."""
    kernels = in_order(result["kernel"] for result in results)
    contenders = in_order(result["contender"] for result in results)
    colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(contenders)}
    width, legend = WIDTH * max(1, len(kernels)), 30 + 2 * HEIGHT
    height = legend + 20 * len(contenders) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
           'font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>']
    for column, kernel in enumerate(kernels):
        for row, what in enumerate(("online", "offline")):
            out += panel(results, kernel, what, colours, column * WIDTH, 30 + row * HEIGHT)
    for at, name in enumerate(contenders):
        y = legend + 20 * at
        out += [f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y}" y2="{y}" stroke="{colours[name]}" stroke-width="2"/>',
                f'<text x="{LEFT + 32}" y="{y + 4}">{escape(name)}</text>']
    return "\n".join(out + ["</svg>"]) + "\n"


# ---- the kernel's trace of one program's writes

def writes_of_trace(text):
    """Seconds inside write(2) of the thread that spent most there, and how many writes, from a trace of
    syscalls:sys_enter_write and sys_exit_write with the clock "mono"."""
    open_since, spent, count = {}, {}, {}
    for line in text.splitlines():
        if ": sys_write" not in line:
            continue
        # "  name-1234  [001] ..... 12.345678: sys_write(fd: c, …)" and "… sys_write -> 0xe"
        head, _, call = line.partition(": sys_write")
        words = head.split()
        thread, when = head.split("[", 1)[0].strip().rsplit("-", 1)[1].split()[0], float(words[-1])
        if call.startswith("("):
            open_since[thread] = when
        elif thread in open_since:
            spent[thread] = spent.get(thread, 0.0) + when - open_since.pop(thread)
            count[thread] = count.get(thread, 0) + 1
    if not spent:
        return 0.0, 0
    most = max(spent, key=spent.get)
    return spent[most], count[most]
