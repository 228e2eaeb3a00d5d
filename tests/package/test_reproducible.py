# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same source makes the same packages: compiled a second time, elsewhere, under another name, by another locale,
time zone and umask, and with the quick tests, which the first build leaves out. Takes minutes: nothing comes from the compiler's cache."""

import hashlib

import pytest

import debs

OTHERWISE = {"LC_ALL": "C", "LANG": "C", "TZ": "Etc/GMT-14", "HOME": "/nonexistent", "USER": "builder"}


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.iterdir()) if path.suffix in (".deb", ".xz", ".dsc")}


def test_built_twice_the_packages_are_the_same(built, tmp_path):
    again = tmp_path / "a-longer-way" / "again"
    try:
        debs.build(again, folder="another-name-of-the-folder", environment=OTHERWISE, umask=0o002, ccache=False)
    except debs.BuildFailed as error:
        pytest.fail(f"the second build failed:\n{error}", pytrace=False)
    first, second = hashes(built), hashes(again)
    assert sum(name.endswith(".deb") for name in first) == 4, first  # two, and the debugging symbols of each
    assert first == second
