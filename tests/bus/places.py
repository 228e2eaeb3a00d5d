# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is tested, where it lies, and how much time it may take."""

import os
import pathlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CXLMEMD_BUILD", SOURCE / "build/dev"))
DAEMON = BUILD / "daemon/cxlmemd"
CTL = BUILD / "cli/cxlmemctl"
MACHINES = SOURCE / "backends/emulator/machines"

SANITIZED = DAEMON.exists() and any(word in DAEMON.read_bytes() for word in (b"__asan_init", b"__tsan_init"))

# Limits are multiplied by this: for sanitizers, valgrind, a crowded machine.
SLOW = float(os.environ.get("CXLMEMD_TEST_SLOW", "4" if SANITIZED else "1"))
# Of one wait. What takes longer never comes, however slow: a test that waits in vain must not use up the time of all.
LIMIT = 30 * min(SLOW, 4)
