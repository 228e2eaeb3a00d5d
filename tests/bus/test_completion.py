# SPDX-License-Identifier: LGPL-2.1-or-later
"""Completion in bash, zsh and fish: what another machine calls its devices is completed, and never run."""

import os
import pty
import select
import shutil
import signal
import subprocess
import time

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


# ---- fish and zsh: the shells themselves, with the same names

FISH = shutil.which("fish")
ZSH = shutil.which("zsh")
FISH_SCRIPT = SOURCE / "cli/completion/cxlmemctl.fish"
ZSH_SCRIPT = SOURCE / "cli/completion/cxlmemctl.zsh"

# A zsh in which compadd says what it is given, and a key says that all before it is done.
ZSHRC = r"""
PS1='ready> '
fpath=($FUNCTIONS $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
    if [[ " $* " == *' '-[OAD]' '* ]]; then builtin compadd "$@"; return; fi
    local -a offered
    builtin compadd -O offered "$@"
    print -rl -- $offered >>$FOUND
    builtin compadd "$@"
}
say_done() { print -r -- '=end=' >>$FOUND }
zle -N say_done
bindkey '^X^E' say_done
"""


def on_a_terminal(command, environment, folder, typed, done):
    """Types as soon as there is a prompt; returns when it is done, and ends the program."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(command[0], command, environment)
    shown, until = b"", time.monotonic() + LIMIT
    try:
        while not done():
            assert time.monotonic() < until, shown
            if select.select([terminal], [], [], 0.05)[0]:
                shown += os.read(terminal, 4096)
            if typed and b"ready> " in shown:
                os.write(terminal, typed)
                typed = b""
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


@pytest.fixture
def fish(complete, tmp_path):
    if FISH is None:
        pytest.skip("fish is not installed")

    def run(typed, known=GOOD):
        (tmp_path / "names").write_text("".join(f"{line}\n" for line in ["NAME KIND", *(f"{n} x" for n in known)]))
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run([FISH, "--no-config", "-c", "source $SCRIPT; complete -C $TYPED"], cwd=complete.folder,
                              timeout=LIMIT, capture_output=True, text=True,
                              env={"HOME": str(home), "TERM": "dumb", "SCRIPT": str(FISH_SCRIPT), "TYPED": typed,
                                   "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    run.folder, run.calls = complete.folder, complete.calls
    return run


@pytest.mark.parametrize("words", ["online", "offline", "hold", "release", "show", "remove", "explain", "mode",
                                   "cancel", "--host mallory online", "--bus x show", "wait --device"])
def test_fish_offers_names_and_runs_none(fish, words):
    assert sorted(set(fish(f"cxlmemctl {words} ", [*HOSTILE, *GOOD]))) == GOOD
    assert list(fish.folder.iterdir()) == []


def test_fish_asks_the_daemon_that_is_meant(fish):
    assert fish("cxlmemctl --host '$(>ran)' online dax1") == ["dax1.0"]
    assert "--host $(>ran) list dax" in fish.calls.read_text()
    fish("cxlmemctl --bus=unix:path=/x online ")
    assert "--bus=unix:path=/x list dax" in fish.calls.read_text()
    assert list(fish.folder.iterdir()) == []


def test_fish_offers_what_fits(fish):
    assert fish("cxlmemctl re") == ["record", "release", "reload", "remove"]
    assert fish("cxlmemctl --bus session re") == ["record", "release", "reload", "remove"]
    assert fish("cxlmemctl mode dax0.0 ") == ["devdax", "famfs", "system-ram"]
    assert fish("cxlmemctl online dax0.0 --zone m") == ["movable"]
    assert fish("cxlmemctl wait --if-none m") == ["met"]
    assert fish("cxlmemctl record --an") == ["--anonymise"]
    assert fish("cxlmemctl list ") == ["dax", "decoders", "jobs", "memdevs", "nodes", "regions"]
    assert fish("cxlmemctl list dax ") == []
    (fish.folder / "two words.toml").touch()
    assert fish("cxlmemctl check tw") == ["two words.toml"]


@pytest.fixture
def zsh(complete, tmp_path):
    if ZSH is None:
        pytest.skip("zsh is not installed")
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_cxlmemctl").write_text(ZSH_SCRIPT.read_text())

    def run(typed, known=GOOD):
        (tmp_path / "names").write_text("".join(f"{line}\n" for line in ["NAME KIND", *(f"{n} x" for n in known)]))
        found = tmp_path / "found"
        found.write_text("")
        (tmp_path / ".zshrc").write_text(ZSHRC)
        on_a_terminal([ZSH, "-i"], {"HOME": str(tmp_path), "TERM": "vt100", "FOUND": str(found),
                                    "FUNCTIONS": str(functions), "ZDOTDIR": str(tmp_path), "LC_ALL": "C.UTF-8",
                                    "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
                      complete.folder, typed.encode() + b"\t\x18\x05",
                      lambda: "=end=" in found.read_text(errors="replace"))
        lines = found.read_text(errors="replace").splitlines()
        return sorted({line for line in lines if line not in ("", "=end=")})

    run.folder, run.calls = complete.folder, complete.calls
    return run


@pytest.mark.parametrize("words", ["online", "release", "show", "remove", "explain", "mode", "cancel",
                                   "--host mallory online", "wait --device"])
def test_zsh_offers_names_and_runs_none(zsh, words):
    assert zsh(f"cxlmemctl {words} d", [*HOSTILE, *GOOD]) == GOOD
    assert list(zsh.folder.iterdir()) == []


def test_zsh_asks_the_daemon_that_is_meant(zsh):
    assert zsh("cxlmemctl --bus=unix:path=/x online dax1") == ["dax1.0"]
    assert "--bus=unix:path=/x list dax" in zsh.calls.read_text()
    assert list(zsh.folder.iterdir()) == []


def test_zsh_offers_what_fits(zsh):
    assert zsh("cxlmemctl mode dax0.0 ") == ["devdax", "famfs", "system-ram"]
    assert zsh("cxlmemctl list d") == ["dax", "decoders"]
