"""Shell completion: made from the parser, asked by a real shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import polecat
from polecat.cli import VERBS, main
from polecat.testing.worlds import make_town

BASH = r"""
. "$1"; shift
compopt() { :; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_polecat
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The script for bash."""
    path = tmp_path / "completion.bash"
    assert main(["completion", "bash"]) == 0
    path.write_text(capsys.readouterr().out)
    return path


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A town with two rigs, two polecats and an agent of its own; ``polecat`` on PATH."""
    monkeypatch.setenv("PYTHONPATH", str(Path(polecat.__file__).parents[1]))
    root = make_town(tmp_path / "town", rigs=("gastown", "beads"))
    for name in ("furiosa", "nux"):
        (root / "gastown" / "polecats" / name).mkdir()
    (root / "gastown" / "settings" / "config.json").write_text('{"type": "rig-settings", "agents": {"mine": {"command": "x"}}}')
    shim = tmp_path / "bin" / "polecat"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m polecat "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=os.pathsep)
    return root


def _bash(script: Path, *lines: tuple[str, ...], cwd: Path) -> list[set[str]]:
    """Ask bash what it would offer for the last word of each line."""
    found = []
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", BASH, "bash", str(script), *line], cwd=cwd, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.stderr == ""
        found.append(set(done.stdout.split()))
    return found


@pytest.mark.real
def test_bash_offers_verbs_options_and_names(town: Path, script: Path) -> None:
    """Verbs, actions, options, and the town's own rigs, polecats and agents, each where it belongs."""
    verbs, polecats, rigs, agents, options, actions, shells = _bash(
        script,
        ("polecat", "st"),
        ("polecat", "attach", "gastown/f"),
        ("polecat", "spawn", "--hook", "gt-1", ""),
        ("polecat", "spawn", "gastown", "--agent", "m"),
        ("polecat", "capture", "gastown/nux", "--l"),
        ("polecat", "hook", ""),
        ("polecat", "completion", ""),
        cwd=town,
    )

    assert verbs == {"status", "start", "stop", "stale"}
    assert polecats == {"gastown/furiosa"}
    assert rigs == {"gastown", "beads"}
    assert agents == {"mine"}
    assert options == {"--lines"}
    assert actions == {"show", "set", "clear"}
    assert shells == {"bash", "zsh", "fish"}


@pytest.mark.real
def test_bash_asks_the_town_that_was_named(town: Path, script: Path, tmp_path: Path) -> None:
    """``--town`` counts for completion too; outside every town nothing is offered and nothing is said."""
    named, outside, free = _bash(
        script,
        ("polecat", "list", "--town", str(town), "g"),
        ("polecat", "list", ""),
        ("polecat", "spawn", "gastown", "--hook", ""),
        cwd=tmp_path,
    )

    assert named == {"gastown"}
    assert outside == set()
    assert free == set()


def test_every_verb_of_the_help_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    """Each script knows every verb that the help shows, and none that it hides."""
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        for verb, (_, what) in VERBS.items():
            assert (f" {verb}" in script) == bool(what) or verb == "complete", (shell, verb)
        assert "--env-file" in script or "-l env-file" in script


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the shell is installed, it finds no fault with the script."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    main(["completion", shell])
    script = capsys.readouterr().out

    done = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, timeout=20, check=False)

    assert (done.returncode, done.stderr) == (0, "")


ZSH = r"""
compdef() { :; }
compadd() { print -rl -- "${@:2}"; }
_path_files() { print dirs; }
_files() { print files; }
. "$1"; shift
words=("$@") CURRENT=$#
_polecat
"""


def _ask(shell: str, script: str, line: tuple[str, ...], cwd: Path, tmp_path: Path) -> set[str]:
    """Ask zsh or fish what it would offer for the last word of a line; zsh leaves the choice by its beginning to itself."""
    (tmp_path / f"script.{shell}").write_text(script)
    if shell == "zsh":
        argv = ["zsh", "-f", "-c", ZSH, "zsh", str(tmp_path / "script.zsh"), *line]
    else:
        words = " ".join(word or "''" for word in line[:-1])
        argv = ["fish", "--no-config", "-c", f"source {tmp_path}/script.fish; complete -C '{words} {line[-1]}'"]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return {word.partition("\t")[0] for word in done.stdout.splitlines() if word.startswith(line[-1])}


@pytest.mark.real
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_offer_the_same(town: Path, tmp_path: Path, shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Verbs, actions, options and names of the town, the one that is named too, are offered by zsh and fish as by bash."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    main(["completion", shell])
    script = capsys.readouterr().out
    for line, wanted in {
        ("polecat", "st"): {"stale", "start", "status", "stop"},
        ("polecat", "attach", "gastown/f"): {"gastown/furiosa"},
        ("polecat", "spawn", "gastown", "--agent", "m"): {"mine"},
        ("polecat", "capture", "gastown/nux", "--l"): {"--lines"},
        ("polecat", "hook", "s"): {"show", "set"},
        ("polecat", "completion", "f"): {"fish"},
        ("polecat", "spawn", "g"): {"gastown"},
    }.items():
        assert _ask(shell, script, line, town, tmp_path) == wanted, line
    outside = tmp_path / "outside"
    outside.mkdir()
    assert _ask(shell, script, ("polecat", "list", "--town", str(town), "g"), outside, tmp_path) == {"gastown"}
    assert _ask(shell, script, ("polecat", "list", "g"), outside, tmp_path) == set()


def test_names_are_there_at_once(town: Path) -> None:
    """Completing a name starts no program and loads nothing heavy."""
    heavy = ("sh", "filelock", "structlog", "subprocess", "polecat.adapters", "polecat.lifecycle.spawn")
    code = f"import sys; from polecat.cli import main; main(['complete', 'polecats']); print([m for m in {heavy!r} if m in sys.modules])"
    began_s = time.monotonic()

    done = subprocess.run([sys.executable, "-c", code], cwd=town, capture_output=True, text=True, timeout=20, check=True)

    assert done.stdout.splitlines() == ["gastown/furiosa", "gastown/nux", "[]"]
    assert time.monotonic() - began_s < 10
