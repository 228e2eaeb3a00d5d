# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory expanders as QEMU has them."""

import re
from dataclasses import dataclass

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def to_bytes(size) -> int:
    """'1G', '256M' or a number, in bytes."""
    if isinstance(size, int):
        return size
    match = re.fullmatch(r"(\d+)([KMGT]?)(?:i?B)?", size)
    if not match:
        raise ValueError(f"not a size: {size!r}")
    return int(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Card:
    """A memory expander. kind: "ram" (volatile) or "pmem"."""
    serial: int
    size: str | int = "1G"
    kind: str = "ram"

    @property
    def name(self):
        return f"card{self.serial:x}"

    def backends(self, tag):
        """The QEMU objects of the memory behind the card. The tag makes their names unique: QEMU 10.0 never lets go of
        the memory of a card that was pulled."""
        sizes = {"vmem": to_bytes(self.size)} | ({"lsa": 1 << 20} if self.kind == "pmem" else {})
        return [{"qom-type": "memory-backend-ram", "id": f"{kind}-{tag}", "share": True, "size": size}
                for kind, size in sizes.items()]

    def device(self, tag, port):
        options = {"driver": "cxl-type3", "id": self.name, "bus": port, "sn": self.serial}
        if self.kind == "pmem":
            return options | {"persistent-memdev": f"vmem-{tag}", "lsa": f"lsa-{tag}"}
        return options | {"volatile-memdev": f"vmem-{tag}"}
