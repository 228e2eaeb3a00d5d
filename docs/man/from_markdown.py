#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a manual page of parts of a document in Markdown, through lowdown(1).

from_markdown.py PAGE SUMMARY FILE [--part HEADING]… [--without HEADING]… [--see PAGE(SECTION)]… [--example FILE]
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

HEADING = re.compile(r"^(#+) (.*)$")


def sections(text):
    """[level, title, lines below it up to the next heading]. Code blocks have no headings."""
    out, fenced = [[0, "", []]], False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        found = not fenced and HEADING.match(line)
        if found:
            out.append([len(found[1]), found[2], []])
        else:
            out[-1][2].append(line)
    return out


def with_children(all_sections, title):
    """The section of that title and those below it."""
    (at,) = [i for i, (_, name, _) in enumerate(all_sections) if name.replace("`", "") == title]
    end = at + 1
    while end < len(all_sections) and all_sections[end][0] > all_sections[at][0]:
        end += 1
    return all_sections[at:end]


def cells_of(row):
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))]


def tables_as_lists(lines):
    """A table is too wide for a page: its first cell becomes a term, and the others what is said of it."""
    out, titles = [], None
    for line in lines:
        if not line.startswith("|"):
            titles = None
            out.append(line)
            continue
        cells = cells_of(line)
        if titles is None:
            titles = cells
        elif not all(set(cell) <= set(":- ") for cell in cells):
            rest = [f"{title}: {cell}" if title and at + 2 < len(cells) else cell
                    for at, (title, cell) in enumerate(zip(titles[1:], cells[1:])) if cell]
            out += [cells[0], "", ": " + "; ".join(rest or ["-"]), ""]
    return out


def page_text(arguments):
    everything = sections(arguments.file.read_text())
    chosen = [one for title in arguments.part for one in with_children(everything, title)] or everything[1:]
    dropped = [one for title in arguments.without for one in with_children(everything, title)]
    chosen = [one for one in chosen if one not in dropped]
    top = min(level for level, title, _ in chosen[1:]) if len(chosen) > 1 else chosen[0][0]
    name = arguments.page.rpartition(".")[0]
    out = ["# NAME", "", f"{name} - {arguments.summary}", ""]
    for level, title, lines in chosen:
        if level < top:
            if not any(lines):
                continue
            title = "Description"
        out += ["#" * max(1, level - top + 1) + " " + (title if level > top else title.upper()), ""]
        out += tables_as_lists(lines)
    if arguments.example:
        out += ["# EXAMPLE", "", "```", *arguments.example.read_text().splitlines(), "```", ""]
    if arguments.see:
        out += ["# SEE ALSO", "", ", ".join(arguments.see), ""]
    # Links into other documents lead nowhere from a page.
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", "\n".join(out))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page")
    parser.add_argument("summary")
    parser.add_argument("file", type=Path)
    for name in ("--part", "--without", "--see"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("--example", type=Path)
    arguments = parser.parse_args()
    made = subprocess.run(["lowdown", "-s", "-tman"], input=page_text(arguments), stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    name, _, section = arguments.page.rpartition(".")
    head = f"'\\\" t\n.TH \"{name.upper()}\" \"{section}\" \"\" \"cxlmemd\"\n"
    body = made[made.index("\n", made.index(".TH")) + 1:]
    # A heading stands on the line below its macro; makewhatis and people want it on the same.
    body = re.sub(r"^\.SH\n(.+)$", r'.SH "\1"', body, flags=re.M)
    sys.stdout.write(head + body)


if __name__ == "__main__":
    main()
