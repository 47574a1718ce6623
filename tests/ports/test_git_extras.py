"""What happens where a git has what is essential and nothing else: it is said, and nothing is less safe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import evolve, frozen

import polecat
from polecat import Git, GitMoves, Rig, SpawnOptions, UnsupportedError, World
from polecat.adapters import GitCli
from polecat.ports import GIT_EXTRAS, needs, optional
from polecat.testing import FakeGit, FakeWorld, Fault, fake_world
from polecat.town.find import find_repo
from polecat.town.records import Record, publish_claim

ESSENTIAL = frozenset(name for name in vars(Git) if not name.startswith("_"))


class Essential:
    """A git behind a proxy that lets through what `Git` names, and nothing else."""

    def __init__(self, git: FakeGit) -> None:
        self._git = git

    def __getattr__(self, name: str) -> object:
        if name not in ESSENTIAL:
            raise AttributeError(name)
        return getattr(self._git, name)


@frozen
class Place:
    """A rig and two views of one world: the whole one, and the one whose git has only what is essential."""

    rig: Rig
    whole: FakeWorld
    world: World

    def spawn(self, **options: Any) -> polecat.SpawnedPolecat:
        return polecat.spawn_for_sling(self.rig, SpawnOptions(**options), world=self.world)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    rig, whole = fake_world(tmp_path)
    given = {name: getattr(whole, name) for name in ("tmux", "beads", "processes", "clock", "environ")}
    return Place(rig, whole, World(git=cast(Git, Essential(whole.git)), **given))


# ----------------------------------------------------------------------------------------------------- who has what


@pytest.mark.parametrize("extra", GIT_EXTRAS, ids=lambda extra: extra.__name__)
def test_our_own_have_everything(extra: type) -> None:
    """`GitCli` and `FakeGit` have every further protocol, the fake also behind a fault; the essential one has none."""
    for git in (GitCli(), FakeGit()):
        assert isinstance(git, extra)
        assert needs(git, extra, "work") is git
    assert optional(Fault().wrap(FakeGit(), "git"), extra) is not None
    assert optional(cast(Git, Essential(FakeGit())), extra) is None


def test_a_git_is_small() -> None:
    """A git of somebody else's needs a dozen methods; the further protocols repeat none of them."""
    further = {name for extra in GIT_EXTRAS for name in vars(extra) if not name.startswith("_")}

    assert len(ESSENTIAL) == 12
    assert not ESSENTIAL & further


def test_what_is_missing_is_named() -> None:
    """The error says what cannot be done, which methods are missing, which protocol that is, and what to do."""
    with pytest.raises(UnsupportedError) as caught:
        needs(cast(Git, Essential(FakeGit())), GitMoves, "repair a polecat")

    error = caught.value
    assert error.message == "cannot repair a polecat: Essential has no finish_move, move_worktree"
    assert (error.operation, error.protocol) == ("repair a polecat", "GitMoves")
    assert error.hint == "give it the methods of polecat.GitMoves, or use polecat.adapters.GitCli"


# ------------------------------------------------------------------------------------------- what goes, what does not


def test_a_polecat_comes_and_goes(place: Place) -> None:
    """Spawn, list, removal and reconcile need nothing but what is essential, and warn of nothing."""
    cat = place.spawn(hook_bead="gt-1")
    listed = polecat.list_polecats(place.rig, world=place.world)
    reconciled = polecat.reconcile_pool(place.rig, world=place.world)
    removed = polecat.remove_polecat(place.rig, cat, force=True, world=place.world)

    assert (cat.warnings, [one.name for one in listed], reconciled.kept) == ((), [cat.polecat_name], ())
    assert removed.branch_deleted and not cat.clone_path.exists()


@pytest.mark.parametrize("act", [polecat.remove_polecat, polecat.repair_polecat])
def test_what_would_have_to_be_saved_stays(place: Place, act: Callable[..., object]) -> None:
    """Without rescues neither a removal nor a repair touches work, not even the session of who did it; a dry run says so too."""
    cat = place.spawn()
    (cat.clone_path / "done.txt").write_text("work")
    world = evolve(place.world, git=cast(Git, WithMoves(place.whole.git)))

    for dry_run in (True, False):
        with pytest.raises(UnsupportedError) as caught:
            act(place.rig, cat.polecat_name, force=True, dry_run=dry_run, world=world)
        assert caught.value.protocol == "GitRescues"

    assert (cat.clone_path / "done.txt").read_text() == "work"
    assert place.whole.tmux.sessions() == [cat.session_name]


class WithMoves(Essential):
    """Enough for a repair of what needs no rescue."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._git, name) if name in vars(GitMoves) else super().__getattr__(name)


def test_a_nuclear_removal_keeps_what_it_cannot_save(place: Place) -> None:
    """It goes on, as when a rescue fails: the files stay in the trash for good."""
    cat = place.spawn()
    (cat.clone_path / "draft.txt").write_text("work")

    removed = polecat.remove_polecat(place.rig, cat, nuclear=True, world=place.world)

    assert removed.kept is not None and (removed.kept / "draft.txt").read_text() == "work"
    assert removed.kept.with_name(f"{removed.kept.name}.keep").exists()


def test_a_repair_needs_no_rescue_where_there_is_nothing_to_save(place: Place) -> None:
    """Moving is enough for it."""
    cat = place.spawn()
    place.whole.clock.sleep(1)

    repaired = polecat.repair_polecat(place.rig, cat, world=evolve(place.world, git=cast(Git, WithMoves(place.whole.git))))

    assert repaired.polecat.branch != cat.branch


@pytest.mark.parametrize(
    ("act", "protocol"),
    [
        pytest.param(lambda place: polecat.repair_polecat(place.rig, "furiosa", world=place.world), "GitMoves", id="repair"),
        pytest.param(lambda place: polecat.warm_spares(place.rig, 1, world=place.world), "GitSpares", id="warm"),
        pytest.param(lambda place: polecat.clean_branches(place.rig, world=place.world), "GitBranches", id="branches"),
        pytest.param(lambda place: polecat.detect_stale(place.rig, world=place.world), "GitBranches", id="stale"),
        pytest.param(
            lambda place: polecat.add_rig(polecat.find_town(place.rig.town_root), "other", "https://x/y.git", world=place.world),
            "GitClones",
            id="rig add",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(place: Place, act: Callable[[Place], object], protocol: str) -> None:
    """Whatever needs more says what it needs before it touches anything."""
    cat = place.spawn()
    before = sorted(os.listdir(place.rig.town_root))

    with pytest.raises(UnsupportedError) as caught:
        act(place)

    assert caught.value.protocol == protocol
    assert sorted(os.listdir(place.rig.town_root)) == before
    assert polecat.get_polecat(place.rig, cat.polecat_name, world=place.world).branch == cat.branch


def test_a_killed_spawn_that_made_nothing_is_taken_back(place: Place) -> None:
    """Where nothing stands there is nothing to clear; half a worktree waits for a git that can clear it, and it is said why."""
    for name in ("nux", "slit"):
        publish_claim(place.rig, Record(instance=name, polecat=name, rig=place.rig.name))
    half_made = place.rig.home_dir("slit") / place.rig.name
    half_made.mkdir()

    done = polecat.reconcile_pool(place.rig, world=place.world)

    assert done.recovered == ("nux",)
    assert done.kept == (
        f"claim of slit: cannot clear what is left at {half_made}: Essential has no clear_half_made, drop_stale, stale_registrations",
    )
    assert polecat.reconcile_pool(place.rig, world=place.whole).recovered == ("slit",)


def test_spares_are_left_alone(place: Place) -> None:
    """A spawn with a git that cannot use them makes a worktree as always; the spares stay for one that can."""
    assert polecat.warm_spares(place.rig, 1, world=place.whole).ready == 1

    cat = place.spawn()

    assert cat.clone_path.is_dir() and cat.warnings == ()
    assert len(list(place.rig.polecats_dir.glob(".spare-*"))) == 1


def test_stale_registrations_stay(place: Place) -> None:
    """A reconcile drops none with a git that cannot tell which are stale."""
    cat = place.spawn()
    cat.clone_path.rename(cat.clone_path.with_name("hidden"))

    done = polecat.reconcile_pool(place.rig, world=place.world)

    assert done.stale == ()
    assert len(place.whole.git.stale_registrations(find_repo(place.rig))) == 1


def test_a_project_that_needs_more_is_told(tmp_path: Path) -> None:
    """Submodules and listed files that cannot be brought are a warning each, and the spawn goes on."""
    rig, whole = fake_world(tmp_path)
    git = FakeGit(files={".gitmodules": "[submodule]\n", ".worktreeinclude": ".env\n"})
    (rig.path / "mayor" / "rig").mkdir(parents=True)
    world = evolve(whole, git=cast(FakeGit, Essential(git)))

    cat = polecat.spawn_for_sling(rig, world=world)

    submodules, ignored = cat.warnings
    assert submodules == "submodules were left out: cannot fill submodules: Essential has no fill_submodules"
    assert ignored.startswith("ignored files of ") and ignored.endswith("Essential has no ignored_files")
