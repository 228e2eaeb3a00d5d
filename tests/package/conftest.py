# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packages of this tree, built once and unpacked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import debs  # noqa: E402


@pytest.fixture(scope="session")
def built():
    try:
        return debs.built()
    except debs.CannotBuild as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def packages(built):
    return debs.debs(built)


@pytest.fixture(scope="session")
def trees(packages, tmp_path_factory):
    """Package → the folder with its files."""
    out = tmp_path_factory.mktemp("trees")
    for name, deb in packages.items():
        subprocess.run(["dpkg-deb", "-x", deb, out / name], check=True)
    return {name: out / name for name in packages}


@pytest.fixture(scope="session")
def installed_environment(trees):
    """For programs that are run as if both packages were installed."""
    path = [f"{tree}/usr/{folder}" for tree in trees.values() for folder in ("bin", "sbin")]
    return {**os.environ, "PATH": ":".join([*path, os.environ["PATH"]])}
