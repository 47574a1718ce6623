"""How many programs a spawn and a reconcile start, counted by shims on PATH."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from polecat import SpawnedPolecat, SpawnOptions, reconcile_pool, spawn_many
from polecat.ports import World
from tests.conftest import ProgramCounts
from tests.git_fixtures import git
from tests.spawn_fixtures import HandTown, start_polecat_session, start_session

pytestmark = pytest.mark.real


def test_a_spawn_of_an_agent_that_is_ready_at_once(town: HandTown, program_counts: ProgramCounts) -> None:
    """At most 6 tmux and 8 git processes for a spawn, in a fresh rig."""
    town.spawn(hook_bead="gt-abc12")
    assert program_counts.count("tmux") <= 6, program_counts.calls("tmux")
    assert program_counts.count("git") <= 8, program_counts.calls("git")


def test_a_spawn_in_a_full_rig_costs_no_more(town: HandTown, program_counts: ProgramCounts) -> None:
    """However many polecats and sessions there are, a spawn starts no more programs, an orphan to be ended included."""
    make_homes(town, 30)
    for name in ("gt-gastown-witness", "gt-other-furiosa"):
        start_session(town.server, name)
    town.settings(max_polecats=50)
    program_counts.reset()
    town.spawn(nudge="hello")
    assert program_counts.count("tmux") <= 6, program_counts.calls("tmux")
    assert program_counts.count("git") <= 8, program_counts.calls("git")


def make_homes(town: HandTown, count: int) -> list[str]:
    """Make polecats as Gas Town makes them: worktrees added by git itself."""
    names = [f"cat-{number}" for number in range(count)]
    for name in names:
        path = town.rig_dir / "polecats" / name / "gastown"
        git("worktree", "add", "-q", "--no-checkout", "-b", f"polecat/{name}", path, "origin/main", cwd=town.repo_dir)
    return names


@pytest.mark.parametrize("count", [3, 40])
def test_a_reconcile(town: HandTown, program_counts: ProgramCounts, count: int) -> None:
    """At most 2 tmux and 3 git processes for a reconcile, with 3 polecats and with 40 (T-51)."""
    names = make_homes(town, count)
    town.server.run(
        *(word for name in names for word in ("new-session", "-d", "-s", f"gt-gastown-{name}", "exec sleep 600", ";"))
    )
    program_counts.reset()
    done = reconcile_pool(town.rig, world=World(tmux=town.server.cli()))
    assert done.in_use == frozenset(names) and done.is_quiet
    assert program_counts.count("tmux") <= 2, program_counts.calls("tmux")
    assert program_counts.count("git") <= 3, program_counts.calls("git")


def test_a_reconcile_with_something_to_do(town: HandTown, program_counts: ProgramCounts) -> None:
    """An orphan session and a worktree whose directory is gone are cleared; each orphan costs one tmux call more."""
    import shutil

    names = make_homes(town, 3)
    start_polecat_session(town, "furiosa")
    start_session(town.server, "gt-gastown-witness")
    shutil.rmtree(town.rig_dir / "polecats" / names[0])
    program_counts.reset()
    done = reconcile_pool(town.rig, world=World(tmux=town.server.cli()))
    assert done.orphans == ("furiosa",)
    assert len(done.stale) == 1
    assert town.sessions() == ["gt-gastown-witness"]
    assert program_counts.count("tmux") <= 3, program_counts.calls("tmux")
    assert program_counts.count("git") <= 3, program_counts.calls("git")
    assert reconcile_pool(town.rig, world=World(tmux=town.server.cli())).is_quiet


def test_several_at_once_share_the_looking(town: HandTown, program_counts: ProgramCounts) -> None:
    """Five polecats at once: one fetch, one listing, names of their own, all in bounded time (T-51)."""
    began_s = time.monotonic()
    results = spawn_many(town.rig, [SpawnOptions()] * 5, world=World(tmux=town.server.cli()))
    took_s = time.monotonic() - began_s
    cats = [cat for cat in results if isinstance(cat, SpawnedPolecat)]
    assert [cat.polecat_name for cat in cats] == ["furiosa", "nux", "slit", "rictus", "dementus"]
    assert sum(" fetch " in f" {call} " for call in program_counts.calls("git")) == 1
    assert took_s < 30.0
    assert {Path(f"/proc/{cat.pid}/cwd").resolve() for cat in cats} == {cat.clone_path for cat in cats}
