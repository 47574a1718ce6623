"""Warm spares, with the pretend git."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.lifecycle.spawn import spawn_for_sling
from polecat.model import Rig
from polecat.ports import Repo, World
from polecat.testing import FakeWorld, fake_world
from polecat.town.find import find_repo
from polecat.upkeep.listing import list_polecats
from polecat.upkeep.reconcile import reconcile_pool
from polecat.upkeep.spares import spare_dirs, warm_spares


@pytest.fixture
def place(tmp_path: Path) -> tuple[Rig, FakeWorld]:
    return fake_world(tmp_path)


def _warm(rig: Rig, world: FakeWorld, count: int) -> int:
    return warm_spares(rig, count, world=World(git=world.git, tmux=world.tmux, beads=world.beads, environ=world.environ)).ready


def test_a_spawn_uses_a_spare(place: tuple[Rig, FakeWorld]) -> None:
    """The spare becomes the polecat's worktree, on the polecat's branch; no checkout is made."""
    rig, world = place
    assert _warm(rig, world, 2) == 2
    world.git.calls.clear()

    cat = spawn_for_sling(rig, world=world)

    assert "check_out" not in world.git.calls
    found = world.git.find_worktree(_repo(rig), cat.clone_path)
    assert found is not None and found.branch == cat.branch and found.head == cat.base_commit
    assert len(spare_dirs(rig)) == 1


def test_a_used_spare_is_thrown_away(place: tuple[Rig, FakeWorld]) -> None:
    """A file that is not the commit's means that somebody was in it; the spawn takes the ordinary way and the file is not in it."""
    rig, world = place
    _warm(rig, world, 1)
    (spare_dirs(rig)[0] / rig.name / "foreign.txt").write_text("x")

    cat = spawn_for_sling(rig, world=world)

    assert not (cat.clone_path / "foreign.txt").exists()
    assert "check_out" in world.git.calls
    assert spare_dirs(rig) == []


def test_a_spare_behind_the_remote_is_brought_to_its_tip(place: tuple[Rig, FakeWorld]) -> None:
    """A polecat out of a spare starts where one without would (T-20)."""
    rig, world = place
    _warm(rig, world, 1)
    world.git.advance_remote(files={"news": "1"})

    cat = spawn_for_sling(rig, world=world)

    assert cat.base_commit == world.git.remote["main"]
    assert (cat.clone_path / "news").read_text() == "1"


def test_a_spare_is_no_polecat(place: tuple[Rig, FakeWorld]) -> None:
    """Lists and reconcile do not see spares, and the cap does not count them."""
    rig, world = place
    _warm(rig, world, 2)
    assert list_polecats(rig, world=world) == []
    assert reconcile_pool(rig, world=world).is_quiet
    assert len(spare_dirs(rig)) == 2


def test_a_spare_somebody_wrote_into_is_kept(place: tuple[Rig, FakeWorld]) -> None:
    """What somebody wrote into a spare is nowhere else: the spare is not used, and its files are kept in the trash."""
    rig, world = place
    _warm(rig, world, 1)
    world.git.edit(spare_dirs(rig)[0] / rig.name, "mine.txt", b"only here")

    cat = spawn_for_sling(rig, world=world)

    kept = [path for path in (rig.polecats_dir / ".trash").glob("*") if path.with_name(f"{path.name}.keep").exists()]
    assert not (cat.clone_path / "mine.txt").exists()
    assert [(path / "mine.txt").read_bytes() for path in kept] == [b"only here"]


def test_fewer_spares_are_wanted(place: tuple[Rig, FakeWorld]) -> None:
    """Asking for fewer throws the rest away, branches included."""
    rig, world = place
    _warm(rig, world, 3)
    assert _warm(rig, world, 1) == 1
    assert len(world.git.branches(_repo(rig), "polecat-spare/")) == 1


def test_what_a_killed_filler_left_is_cleared(place: tuple[Rig, FakeWorld]) -> None:
    """A half-made spare is never used, and the next fill removes it."""
    rig, world = place
    (rig.polecats_dir / ".warming-dead" / rig.name).mkdir(parents=True)
    assert _warm(rig, world, 1) == 1
    assert not (rig.polecats_dir / ".warming-dead").exists()


def _repo(rig: Rig) -> Repo:
    return find_repo(rig)
