"""bash completion: what another machine calls its devices is completed, and never run."""

import os
import shutil
import subprocess

import pytest

from places import LIMIT, SOURCE

pytestmark = pytest.mark.loop_alone

SCRIPT = SOURCE / "cli/completion/cxlmemctl.bash"
BASH = shutil.which("bash")

# Completes the words in "$@", of which the last is being typed; prints what bash is offered, a line each.
COMPLETE = """source "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _cxlmemctl
(( ${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "${COMPREPLY[@]}" """

HOSTILE = ["$(touch$IFS'ran')", "`touch${IFS}ran`", "${x:=$(>ran)}", ";>ran;", "dax0.0;>ran", "a$(>ran)", "&>ran",
           "|ran", "-rf", "--bus=x", "dax*", "[a]", "~root", "'dax", '"dax', "\\dax", "dax\x1b[31m", "dé0"]
GOOD = ["dax0.0", "dax0.1", "dax1.0"]


@pytest.fixture
def complete(tmp_path):
    """Completion with a cxlmemctl that lists these names, whatever it is asked for."""
    if BASH is None:
        pytest.skip("no bash")
    names, calls = tmp_path / "names", tmp_path / "calls"
    fake = tmp_path / "bin/cxlmemctl"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>"{calls}"\ncat "{names}"\n')
    fake.chmod(0o755)
    here = tmp_path / "here"
    here.mkdir()

    def run(*words, known=GOOD):
        names.write_text("".join(f"{line}\n" for line in ["NAME KIND", *(f"{name} x" for name in known)]))
        done = subprocess.run([BASH, "--norc", "--noprofile", "-c", COMPLETE, "bash", *words], cwd=here, timeout=LIMIT,
                              env={**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}", "SCRIPT": str(SCRIPT)},
                              capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.splitlines()

    run.folder, run.calls = here, calls
    return run


@pytest.mark.parametrize("words", [["online"], ["offline"], ["hold"], ["release"], ["show"], ["remove"], ["explain"],
                                   ["mode"], ["cancel"], ["--host", "mallory", "online"], ["--bus", "x", "show"]],
                         ids=" ".join)
def test_a_hostile_name_is_neither_run_nor_offered(complete, words):
    offered = complete("cxlmemctl", *words, "", known=[*HOSTILE, *GOOD])
    assert sorted(set(offered)) == GOOD
    assert list(complete.folder.iterdir()) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_alone_is_neither_run_nor_offered(complete, name):
    assert complete("cxlmemctl", "online", "", known=[name]) == []
    assert list(complete.folder.iterdir()) == []


def test_what_is_typed_is_not_run(complete):
    assert complete("cxlmemctl", "online", "$(>ran)") == []
    assert complete("cxlmemctl", "--host", "$(>ran)", "online", "") == GOOD
    assert list(complete.folder.iterdir()) == []
    assert "--host $(>ran) list dax" in complete.calls.read_text()


def test_names_are_offered_by_what_has_been_typed(complete):
    assert complete("cxlmemctl", "online", "dax0") == ["dax0.0", "dax0.1"]
    assert complete("cxlmemctl", "online", "dax*") == []
    assert complete("cxlmemctl", "mode", "dax0.0", "") == ["system-ram", "devdax", "famfs"]
    assert complete("cxlmemctl", "online", "dax0.0", "--zone", "m") == ["movable"]
    assert complete("cxlmemctl", "re") == ["release", "remove", "reload", "record"]
    assert complete("cxlmemctl", "record", "--an") == ["--anonymise"]


def test_files_are_offered_by_their_whole_names(complete):
    (complete.folder / "two words.toml").touch()
    assert complete("cxlmemctl", "check", "tw") == ["two words.toml"]
