# SPDX-License-Identifier: LGPL-2.1-or-later
"""The RPM spec, as far as Debian's tools can try it: there are no macros of another distribution here to build with."""

import re
import shutil
import subprocess
from fnmatch import fnmatchcase

import pytest

import debs
from test_debs import OF_THE_COMMAND_LINE, OF_THE_DAEMON

SPEC = debs.SOURCE / "packaging/rpm/cxlmemd.spec"
# What rpm and systemd-rpm-macros make of these on every distribution.
MACROS = {"_sbindir": "/usr/sbin", "_bindir": "/usr/bin", "_prefix": "/usr", "_datadir": "/usr/share",
          "_mandir": "/usr/share/man", "_docdir": "/usr/share/doc", "_unitdir": "/UNITS",
          "_modulesloaddir": "/usr/lib/modules-load.d", "_journalcatalogdir": "/usr/lib/systemd/catalog",
          "_sysconfdir": "/etc"}


def tool(name):
    if not (path := shutil.which(name)):
        pytest.skip(f"{name} is missing (scripts/setup package)")
    return path


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_rpmlint_accepts_it():
    said = run(tool("rpmlint"), "-r", SPEC.with_suffix(".rpmlintrc"), SPEC)
    assert " 0 errors, 0 warnings" in said, said


def test_rpm_reads_it_and_finds_the_packages_and_the_version():
    said = run(tool("rpmspec"), "--define", "dist %{nil}", "-q", "--queryformat", "%{name} %{version}\n", SPEC)
    upstream = debs.version()[0]
    assert sorted(said.split("\n")[:-1]) == [f"cxlmemctl {upstream}", f"cxlmemd {upstream}"]
    run(tool("rpmspec"), "-P", SPEC)


def listed(package):
    section = re.search(rf"^%files{package}\n(.*?)(?=^%files|^%changelog)", SPEC.read_text(), re.MULTILINE | re.DOTALL)[1]
    paths = [line for line in section.splitlines() if line.startswith("%{")]
    return {re.sub(r"%{(\w+)}", lambda macro: MACROS[macro[1]], path).lstrip("/") for path in paths}


@pytest.mark.parametrize("package, files", [("", OF_THE_DAEMON), (" -n cxlmemctl", OF_THE_COMMAND_LINE)])
def test_it_has_the_files_of_the_debian_package(package, files):
    ours = {name.removesuffix(".gz") for name in files}
    theirs = listed(package)
    covered = {path: {name for name in ours if fnmatchcase(name, f"{path}*" if path.endswith("/") else path)}
               for path in theirs}
    assert ours == set().union(*covered.values())
    assert [path for path, names in covered.items() if not names] == (["usr/share/doc/cxlmemd/"] if not package else [])


def test_the_units_of_each_package_are_seen_to_by_its_scripts():
    text = SPEC.read_text()
    for package, units in (("", "cxlmemd.service cxlmemd-early.service"), (" -n cxlmemctl", "cxlmemd-metrics.timer")):
        assert f"%post{package}\n%systemd_post {units}\n" in text
        assert f"%preun{package}\n%systemd_preun {units}\n" in text
