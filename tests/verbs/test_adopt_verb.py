"""From a checkout of one's own to an agent at work: every verb without the name of town or rig."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli_fixtures import Run
from tests.git_fixtures import commit, git, make_origin

pytestmark = pytest.mark.real


@pytest.fixture
def checkout(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh clone of some project, an empty HOME, and an agent called claude on PATH."""
    make_origin(tmp_path / "toaster")
    git("clone", "-q", tmp_path / "toaster", tmp_path / "mine", cwd=tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "claude").write_text("#!/bin/sh\necho \"told: $*\"\nprintf '\\342\\235\\257 '\nwhile read -r line; do :; done\n")
    (tools / "claude").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def test_one_command_once_then_one_a_polecat(checkout: Path, home: Path, run: Run) -> None:
    """Adopt, spawn, list, look, attach, remove: inside the checkout nothing else has to be named."""
    adopted = run("adopt")
    spawned = run("spawn", "--prompt", "fix the parser", "--no-wait")
    listed = run("list", "--json").json
    attach = run("attach", "furiosa", "--print")
    status, log = run("status", "furiosa"), run("log", "furiosa", "--print")

    assert run("complete", "polecats").out == "furiosa\n"
    assert adopted.code == 0 and f"town   {home / 'polecat'} (new)" in adopted.out
    assert spawned.out == "toaster/polecats/furiosa\n"
    assert [(cat["polecat_name"], cat["ahead"], cat["behind"], cat["merged"]) for cat in listed] == [("furiosa", 0, 0, True)]
    assert attach.out.endswith(" -t '=gt-toaster-furiosa'\n")
    assert status.code == 0
    assert log.out == f"git -C {home}/polecat/toaster/polecats/furiosa/toaster log origin/main..HEAD\n"
    run("rig", "remove", "toaster").refused("has polecats: furiosa")
    assert run("remove", "furiosa").code == 0
    assert run("list").out == "no polecats\n"
    assert run("rescue", "list").out == "no rescues\n"
    assert run("rig", "remove", "toaster").out == f"removed {home / 'polecat' / 'toaster'}\n"
    run("list").refused("was adopted as rig 'toaster'")


def test_outside_nothing_is_assumed(checkout: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that was not adopted, and a place that is none, say what to do; with ``--town`` the only rig is meant."""
    run("list").refused("not in a town", "polecat adopt")
    run("spawn").refused("polecat adopt")
    town = str(Path(os.environ["HOME"]) / "polecat")
    run("adopt")
    monkeypatch.chdir("/")

    assert run("stale", "--town", town).out == "no polecats\n"
    run("attach", "furiosa").refused("not in a town")


def test_what_a_polecat_did_is_shown_by_git(checkout: Path, home: Path, run: Run) -> None:
    """``diff`` shows committed and uncommitted changes since it left the branch, ``log`` its commits; what others did meanwhile is neither."""
    run("adopt")
    run("spawn", "--no-wait")
    tree = home / "polecat" / "toaster" / "polecats" / "furiosa" / "toaster"
    commit(tree, {"done.txt": "committed\n"}, "what it did")
    (tree / "README.md").write_text("changed\n")
    commit(checkout.parent / "toaster", {"other.txt": "a colleague's\n"})
    git("fetch", "-q", "origin", cwd=tree)

    def shown(*words: str) -> str:
        argv = [sys.executable, "-m", "polecat", *words]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=True, timeout=30, env={**os.environ, "GIT_PAGER": "cat"}
        )
        return done.stdout

    diff, log = shown("diff", "furiosa", "--", "--stat"), shown("log", "furiosa", "--", "--format=%s")

    assert re.findall(r"^ (\S+)", diff, re.MULTILINE)[:2] == ["README.md", "done.txt"] and "other.txt" not in diff
    assert log == "what it did\n"
    (listed,) = run("list", "--json").json
    assert (listed["ahead"], listed["behind"], listed["merged"]) == (1, 1, False)
    assert "against    1 ahead of main, 1 behind, not merged\n" in run("status", "furiosa").out
    run("remove", "furiosa", "--nuclear")
    (rescue,) = run("rescue", "list", "--json").json
    assert rescue["holds"] == "files"
    assert run("rescue", "drop", "--tips").out == run("rescue", "drop", "--older-than", "30").out == "no such rescue\n"
    assert run("rescue", "drop").code == 2
    assert "would drop" in run("rescue", "drop", "furiosa", "--dry-run").out
    assert run("rescue", "drop", "furiosa").out == f"dropped {rescue['ref']} (files)\n"
    assert run("rescue", "list").out == "no rescues\n"
