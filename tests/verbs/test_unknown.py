"""What a person reads where something could not be read: *unknown* with the reason, or one clear error; never *none*, *clean* or ``-``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli_fixtures import Answer
from tests.spawn_fixtures import HandTown, shim_directory, with_path

pytestmark = pytest.mark.real

Run = Callable[..., Answer]


def _damage_store(town: HandTown) -> None:
    town.store().path.write_bytes(b"this is no database, and it is longer than a header of one would be" * 20)


def test_a_store_that_cannot_be_read(town: HandTown, run: Run) -> None:
    """List says *unknown* for the hook and why, stale says *no* and why, a hook that is asked for is an error."""
    town.spawn(hook_bead="gt-1")
    _damage_store(town)

    plain, data = run("list", "gastown"), run("list", "gastown", "--json")

    assert plain.code == 0
    assert plain.out.splitlines()[1].split()[:2] == ["furiosa", "working"]
    assert plain.out.splitlines()[1].split()[3] == "unknown"
    assert "is damaged" in plain.err and "polecat doctor" in plain.err
    assert data.json[0]["issue"] is None and "is damaged" in data.json[0]["unknown"]["issue"]
    assert run("stale", "gastown", "--json").json[0]["stale"] is False
    run("hook", "show", "gastown/furiosa").refused("is damaged")
    run("remove", "gastown/furiosa").refused("is damaged")


def test_a_git_that_fails(town: HandTown, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where git cannot count, work is *unknown*; where it cannot list, rescues are an error and not *no rescues*."""
    town.spawn()
    shim = shim_directory(
        tmp_path / "bin", git='test "$1" = --version && exec echo git version 2.39.5\necho "fatal: disk gone" >&2; exit 128'
    )
    monkeypatch.setenv("PATH", with_path(shim)["PATH"])

    listed = run("list", "gastown", "--json").json[0]

    assert listed["clean"] is None and "disk gone" in listed["unknown"]["work"]
    run("rescue", "list", "gastown").refused("disk gone")
    run("remove", "gastown/furiosa").refused("disk gone")
    assert (town.rig_dir / "polecats" / "furiosa" / "gastown" / "README.md").exists()


def test_a_worktree_that_cannot_be_recognised(town: HandTown, run: Run) -> None:
    """A pipe in the place of a registration's file makes branch and work of that polecat unknown, with the reason; none of its neighbour's."""
    cat, _ = town.spawn(), town.spawn()
    gitdir = Path((cat.clone_path / ".git").read_text().removeprefix("gitdir: ").rstrip("\n"), "gitdir")
    gitdir.unlink()
    os.mkfifo(gitdir)

    first, second = run("list", "gastown", "--json").json

    assert "gitdir" in first["unknown"]["branch"] and "gitdir" in first["unknown"]["work"]
    assert (first["branch"], first["clean"], second["unknown"], second["clean"]) == ("", None, {}, True)


def test_a_worktree_that_git_does_not_come_through(town: HandTown, run: Run) -> None:
    """A pipe in one of its directories makes the work of that polecat unknown, with the reason; its neighbour is answered for, and it is kept."""
    cat, _ = town.spawn(), town.spawn()
    pipe = cat.clone_path / "notes" / ".gitignore"
    pipe.parent.mkdir()
    os.mkfifo(pipe)

    first, second = run("list", "gastown", "--json").json

    assert str(pipe) in first["unknown"]["work"]
    assert (first["state"], first["clean"], second["unknown"], second["clean"]) == ("working", None, {}, True)
    run("remove", "gastown/furiosa").refused(str(pipe))
    assert pipe.exists()
    assert run("remove", "gastown/furiosa", "--nuclear").code == 0
    assert list(town.rig_dir.glob("polecats/.trash/*/notes/.gitignore"))


def test_a_record_that_cannot_be_read(town: HandTown, run: Run) -> None:
    """One cut record makes its own polecat unknown, with the reason; the others are as ever."""
    town.spawn()
    town.spawn()
    (town.rig_dir / ".runtime" / "polecats" / "nux.json").write_text('{"instance": "0')

    answer = run("list", "gastown", "--json")
    furiosa, nux = answer.json

    assert (furiosa["state"], furiosa["unknown"]) == ("working", {})
    assert nux["state"] == "unknown"
    assert "nux.json" in nux["unknown"]["state"]
