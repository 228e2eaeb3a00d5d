# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus with the limits of Debian's system bus, and what a call on it costs the daemon."""

import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

from harness import PrivateBus
from places import SOURCE

SYSTEM_CONF = pathlib.Path("/usr/share/dbus-1/system.conf")
NOBODY = 65534


def why_not(os):
    if os.geteuid() != 0:
        return "only root can call as somebody else"
    if not SYSTEM_CONF.exists():
        return f"{SYSTEM_CONF} is not there"
    return ""


class LimitedBus(PrivateBus):
    """The default policy and the limits of the system bus, and our own bus policy. What system.conf does not limit has
    the limit that is built into dbus-daemon for a bus of type "system"."""

    def __init__(self, folder):
        folder.chmod(0o755)
        socket = folder / "bus"
        config = folder / "bus.conf"
        root = ElementTree.parse(SYSTEM_CONF).getroot()
        kept = [ElementTree.tostring(part, encoding="unicode") for part in root if part.tag in ("policy", "limit")]
        config.write_text(f"<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>"
                          f"{''.join(kept)}<include>{SOURCE}/units/org.cxlmemd1.conf</include></busconfig>")
        self.address = f"unix:path={socket}"
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                                         "--nosyslog", "--print-address"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout.readline().startswith(self.address)


def peak_bytes(daemon):
    """The most memory that the process ever had."""
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def forget_peak(daemon):
    pathlib.Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")


