# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bounded part of the campaign (tests/campaign), and its matrix."""

import sys

import pytest
from harness import ONLY_WATCH
from places import SANITIZED, SOURCE
from wire import BusError

sys.path.insert(0, str(SOURCE / "tests/campaign"))
import matrix  # noqa: E402
import runner  # noqa: E402
import script as scripts  # noqa: E402

SEEDS = 30 if SANITIZED else 120


@pytest.fixture(scope="module")
def buses():
    buses = runner.Buses()
    yield buses
    buses.stop()


def faults(buses, tried):
    return [f"{script.name}: {fault}\n{script}" for script, fault, _ in runner.in_parallel(buses, tried) if fault]


def test_seeds(buses):
    found = faults(buses, [scripts.make(seed) for seed in range(1, SEEDS + 1)])
    assert not found, "\n\n".join(found)


@pytest.fixture
def operations(make_daemon):
    found = matrix.operations(make_daemon(policy=ONLY_WATCH), BusError)
    assert len(found) > 12 and "set_block" in found, found
    return found


@pytest.mark.skipif(SANITIZED, reason="the seeds run with the sanitizer; this is many times as much")
@pytest.mark.parametrize("job", matrix.JOBS)
def test_every_operation_of_a_job_may_fail_hang_be_canceled_lose_its_device_and_die(buses, operations, job):
    found, used = [], []
    first = {next(matrix.scripts(job, operation)).name: operation for operation in operations}
    for script, fault, log in runner.in_parallel(buses, [next(matrix.scripts(job, each)) for each in operations]):
        if matrix.is_struck(log) or first[script.name] == "scan":  # one that fails is simply made again
            used.append(first[script.name])
        if fault:
            found.append(f"{script.name}: {fault}\n{script}")
    assert len(used) > 1, used
    found += faults(buses, [script for each in used for script in list(matrix.scripts(job, each))[1:]])
    assert not found, "\n\n".join(found)
