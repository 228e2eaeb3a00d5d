#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prints the manual page org.cxlmemd1(5), made of the introspection XML in the folder that is named.

    docs/man/org.cxlmemd1.py dbus/interfaces >org.cxlmemd1.5

A comment before an interface, property, method or signal says "Name:" and then what it is; "@argument: ..." says it of
one argument, and goes on in the lines below that are indented deeper.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree as ET

ORDER = ["Manager", "DaxDevice", "Region", "Memdev", "Node", "Job", "Emulator"]

HEAD = r""".Dd November 2026
.Dt ORG.CXLMEMD1 5
.Os cxlmemd
.Sh NAME
.Nm org.cxlmemd1
.Nd the D-Bus API of cxlmemd
.Sh DESCRIPTION
.Xr cxlmemd 8
owns the name
.Li org.cxlmemd1
on the system bus.
An
.Li org.freedesktop.DBus.ObjectManager
at
.Pa /org/cxlmemd1
tells of all objects below it:
.Bl -column "/org/cxlmemd1/memdev/NAME" -offset indent
.It Pa /org/cxlmemd1 Ta Li Manager
.It Pa /org/cxlmemd1/dax/NAME Ta Li DaxDevice
.It Pa /org/cxlmemd1/region/NAME Ta Li Region
.It Pa /org/cxlmemd1/memdev/NAME Ta Li Memdev
.It Pa /org/cxlmemd1/node/NAME Ta Li Node
.It Pa /org/cxlmemd1/job/ID Ta Li Job
.It Pa /org/cxlmemd1/emulator Ta Li Emulator
.El
.Pp
NAME is escaped as
.Xr sd_bus_path_encode 3
does:
.Li dax0.0
is
.Li dax0_2e0 .
.Pp
Everybody may read.
Who may call a method that changes something is said in
.Xr cxlmemd 8 .
An object is complete when it is announced, and a change is on the bus before the job that made it ends.
The last argument of a method is a dictionary of options; one that the method does not know is an error.
Work that takes time returns a job at once.
"""

TAIL = r""".Sh ERRORS
Each is
.Li org.cxlmemd1.Error.NAME ;
the message names the object, the operation and the kernel's errno, and says what to do next where that is known.
.Bl -tag -width NotAuthorized
.It Li NotAuthorized
The caller may not.
.It Li InvalidArgument
An argument or option is unknown, of the wrong type, or of no use here.
.It Li NotFound
There is no such object.
.It Li Gone
The device went away, or is no longer the one that was meant.
.It Li Busy
Somebody else is at it, or the kernel said so; later it may work.
.It Li Conflict
Something else stands in the way, and waiting does not help.
.It Li Canceled , TimedOut
As the job was told.
.It Li RebootRequired
Memory was lost when somebody unbound it while it was online.
.It Li NotSupported
This kernel, or this kind of device, cannot.
.It Li InvalidPolicy
A policy file has an error.
.It Li Failed
Anything else.
.El
.Sh FILES
.Bl -tag -width Ds
.It Pa /usr/share/dbus-1/interfaces/org.cxlmemd1.*.xml
The interfaces, for generators of bindings.
This page is made from them.
.El
.Sh SEE ALSO
.Xr busctl 1 ,
.Xr cxlmemctl 1 ,
.Xr cxlmemd 8
"""


class Described:
    """An element with the comment before it."""

    def __init__(self, element, comment):
        self.element = element
        self.name = element.get("name")
        lines = comment.strip("\n").splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        lines = [line[indent:].rstrip() for line in lines]
        if lines and lines[0] == f"{self.name}:":
            lines = lines[1:]
        self.arguments, self.text, into = {}, [], None
        for line in lines:
            if found := re.fullmatch(r"@(\w+): (.*)", line):
                into = self.arguments.setdefault(found[1], [found[2]])
            elif into is not None and line.startswith(" "):
                into.append(line.strip())
            else:
                into = None
                self.text.append(line)

    def each(self, tag):
        return [child for child in self.element if child.tag == tag]


def described(parent):
    """The elements below, each with the comment right before it."""
    comment = ""
    for child in parent:
        if child.tag is ET.Comment:
            comment = child.text
        else:
            yield Described(child, comment)
            comment = ""


def plain(text):
    """Text that has no meaning to roff; each sentence on a line of its own."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-")
    text = re.sub(r"([.;:?!]) (?=[A-Z\"])", r"\1\n", text)
    return "\n".join(r"\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def paragraphs(lines):
    """The text, with a .Pp between what empty lines part."""
    return "\n.Pp\n".join(plain(part) for part in "\n".join(lines).split("\n\n") if part.strip())


def property_item(item):
    kind = item.element.get("type")
    emits = [a.get("value") for a in item.each("annotation") if a.get("name").endswith("EmitsChangedSignal")]
    note = {"const": "Never changes.", "false": "Changes are not signalled.",
            "invalidates": "A change is signalled without the value."}.get(emits[0] if emits else "", "")
    body = paragraphs(item.text) or "(not documented)"
    return f'.It Va {item.name} Pq Li "{kind}"\n{body}' + (f"\n{note}" if note else "")


def call_item(item, arrow):
    given, returned = [], []
    for argument in item.each("arg"):
        (returned if argument.get("direction") == "out" else given).append(argument)

    def shown(arguments):
        return ", ".join(f'{a.get("type")} {a.get("name")}' for a in arguments)

    out = f'.It Fn {item.name} "{shown(given)}"' if not arrow or not returned else \
        f'.It Fn {item.name} "{shown(given)}" No \\(-> Pq Li "{shown(returned)}"'
    out += "\n" + (paragraphs(item.text) or "(not documented)")
    if arguments := given + returned:
        out += "\n.Bl -tag -width generation -compact"
        for argument in arguments:
            text = plain(" ".join(item.arguments.get(argument.get("name"), ["(not documented)"])))
            out += f'\n.It Ar {argument.get("name")}\n{text}'
        out += "\n.El"
    return out


def section(interface):
    out = [f".Sh {interface.name.rsplit('.', 1)[1].upper()}", f".Li {interface.name}", ".Pp", paragraphs(interface.text)]
    items = list(described(interface.element))
    for tag, title, show in (("property", "Properties", property_item),
                             ("method", "Methods", lambda item: call_item(item, True)),
                             ("signal", "Signals", lambda item: call_item(item, False))):
        chosen = [item for item in items if item.element.tag == tag]
        if chosen:
            out += [f".Ss {title} of {interface.name.rsplit('.', 1)[1]}", ".Bl -tag -width Ds", *map(show, chosen), ".El"]
    return "\n".join(out)


def page(folder):
    sections = {}
    for file in folder.glob("*.xml"):
        tree = ET.parse(file, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True)))
        for interface in described(tree.getroot()):
            sections[interface.name.rsplit(".", 1)[1]] = section(interface)
    order = sorted(sections, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return HEAD + "\n".join(sections[name] for name in order) + "\n" + TAIL


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(page(pathlib.Path(sys.argv[1])))
