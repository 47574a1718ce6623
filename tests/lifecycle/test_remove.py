"""Taking a polecat's place back, in the pretend world."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat import find_town, list_polecats, repair_polecat, work_at_risk
from polecat.adapters.world import full_world
from polecat.errors import (
    BeadsError,
    DiskFullError,
    GitError,
    PolecatNotFoundError,
    RemoveFailedError,
    RescueFailedError,
    WorkAtRiskError,
)
from polecat.lifecycle.remove import remove_polecat
from polecat.lifecycle.rescue import _remedy
from polecat.lifecycle.spawn import spawn_for_sling
from polecat.model import Rig, SpawnOptions
from polecat.ports import Bead, Event
from polecat.testing import FailAt, FakeBeads, FakeWorld, fake_world
from polecat.town.find import find_repo
from polecat.town.homes import list_homes
from polecat.town.records import read_claim
from polecat.upkeep.doctor import check_town
from polecat.upkeep.inspection import inspect
from polecat.upkeep.observation import observe

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return fake_world(tmp_path)


def test_a_removal_hands_the_work_back(place: Place) -> None:
    """T-30: the bead is nobody's again, its labels untouched, before the name is free; another polecat's bead is not."""
    rig, world = place
    world.beads.add(Bead(id="gt-1", labels=("keep-me",)))
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-2"), world=world)

    done = remove_polecat(rig, cat.polecat_name, force=True, world=world)

    freed, other = world.beads.bead("gt-1"), world.beads.bead("gt-2")
    assert done.unassigned == ("gt-1",)
    assert freed is not None and (freed.assignee, freed.status, freed.labels) == ("", "open", ("keep-me",))
    assert other is not None and other.assignee == f"{rig.name}/polecats/nux"


def test_a_hooked_polecat_is_not_removed_by_accident(place: Place) -> None:
    """Work on the hook is a reason to ask first; nothing is touched."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    with pytest.raises(WorkAtRiskError) as caught:
        remove_polecat(rig, cat.polecat_name, world=world)
    assert caught.value.reasons == ("hooked",)
    assert "polecat remove gastown/furiosa --force" in caught.value.hint
    assert "rescue" not in caught.value.hint  # a bead is handed back; nothing is there to be saved
    assert world.tmux.sessions() == [cat.session_name]


@pytest.mark.parametrize("through_link", [False, True])
def test_a_removal_from_inside_is_refused(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through_link: bool
) -> None:
    """T-27: whoever stands in the tree, also by a symlink, is told so before anything happens; nothing lifts that."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    inside = cat.clone_path / "deep"
    inside.mkdir()
    (tmp_path / "link").symlink_to(inside)
    monkeypatch.chdir(tmp_path / "link" if through_link else inside)

    with pytest.raises(WorkAtRiskError) as caught:
        remove_polecat(rig, cat.polecat_name, nuclear=True, world=world)

    assert caught.value.reasons == ("caller-inside",)
    assert world.tmux.sessions() == [cat.session_name] and inside.is_dir()


def test_standing_in_a_neighbour_is_no_obstacle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-27: directories are compared by component, so ``nux2`` is not inside ``nux``."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(name="nux"), world=world)
    neighbour = spawn_for_sling(rig, SpawnOptions(name="nux2"), world=world)
    monkeypatch.chdir(neighbour.clone_path)

    remove_polecat(rig, cat.polecat_name, world=world)

    assert list_homes(rig).dirs == ("nux2",)


def test_a_worktree_that_cannot_be_moved_keeps_its_name(place: Place) -> None:
    """T-19: a removal that cannot be finished says so, and the name stays taken."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    world.git.fail_next("drop_worktree", GitError("cannot rename: Operation not permitted"))

    with pytest.raises(RemoveFailedError, match="not permitted"):
        remove_polecat(rig, cat.polecat_name, world=world)

    assert list_homes(rig).dirs == (cat.polecat_name,)
    assert cat.clone_path.is_dir()


@pytest.mark.parametrize("method", ["unassign", "close_agent"])
def test_a_store_that_refuses_leaves_everything_in_its_place(place: Place, method: str) -> None:
    """Until the beads are handed back nothing is gone: after a refusal worktree, branch and name are there, and it can be done again."""

    class Refusing(FakeBeads):
        refuses = ""

        def unassign(self, bead_id: str, *, expected: str) -> bool:
            self._ask("unassign")
            return super().unassign(bead_id, expected=expected)

        def close_agent(self, bead_id: str, *, reason: str) -> bool:
            self._ask("close_agent")
            return super().close_agent(bead_id, reason=reason)

        def _ask(self, what: str) -> None:
            if what == self.refuses:
                raise BeadsError("bd update gt-1 was refused: cannot reassign")

    beads = Refusing()
    rig, world = place[0], evolve(place[1], beads=beads)
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    beads.refuses = method
    with pytest.raises(RemoveFailedError, match="cannot reassign") as caught:
        remove_polecat(rig, cat.polecat_name, force=True, world=world)
    assert cat.clone_path.is_dir() and list_homes(rig).dirs == (cat.polecat_name,) and read_claim(rig, "furiosa") is None
    assert world.git.find_worktree(find_repo(rig), cat.clone_path) is not None
    assert caught.value.step == "beads" and "remove it again" in caught.value.hint
    beads.refuses = ""
    remove_polecat(rig, cat.polecat_name, force=True, world=world)

    assert list_homes(rig).dirs == ()
    bead = beads.bead("gt-1")
    assert bead is not None and (bead.status, bead.assignee) == ("open", "")


def test_another_instance_is_not_removed(place: Place) -> None:
    """T-06: a removal meant for an earlier life of the name leaves the later one alone."""
    rig, world = place
    first = spawn_for_sling(rig, world=world)
    remove_polecat(rig, first.polecat_name, world=world)
    second = spawn_for_sling(rig, world=world)
    assert second.polecat_name == first.polecat_name

    with pytest.raises(PolecatNotFoundError, match="that polecat is gone"):
        remove_polecat(rig, first, world=world)

    assert second.clone_path.is_dir()


def test_what_a_forced_removal_takes_is_saved_first(place: Place) -> None:
    """Uncommitted work is in a rescue ref, named in the result, before the tree goes; a dry run only says so."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    (cat.clone_path / "new.txt").write_text("work")

    planned = remove_polecat(rig, cat.polecat_name, force=True, dry_run=True, world=world)
    assert planned.rescue and cat.clone_path.is_dir()
    done = remove_polecat(rig, cat.polecat_name, force=True, world=world)

    assert evolve(planned.verdict) == done.verdict
    assert done.rescue.startswith("refs/polecat/rescue/furiosa/")
    assert not cat.clone_path.exists()


# ---------------------------------------------------------------------------------------------- one verdict for all

AT_RISK = {
    "uncommitted": ("uncommitted",),
    "unpushed": ("unpushed",),
    "stash": ("stash",),
    "process inside": ("process-inside",),
    "standing inside": ("caller-inside",),
    "git cannot tell": ("unknown",),
    "the store cannot tell": ("unknown",),
}


def _put_at_risk(world: FakeWorld, tree: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring a polecat into a state in which it must not be touched."""
    git = world.git
    if how in ("uncommitted", "stash"):
        git.edit(tree, "new.txt", b"work")
    if how == "stash":
        git.stash(tree)
    elif how == "unpushed":
        git.commit(tree, {"new.txt": b"work"})
    elif how == "process inside":
        world.processes.add(4711, cwd=tree)
    elif how == "standing inside":
        monkeypatch.chdir(tree)
    elif how == "git cannot tell":
        git.set_facts(tree, problems=("status: timeout",))


@pytest.mark.parametrize("how", list(AT_RISK))
def test_all_go_by_one_verdict(place: Place, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """T-15: removal, repair, their dry runs and whoever only asks name the same risks, and nothing was touched."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    [listed] = list_polecats(rig, world=world)
    _put_at_risk(world, cat.clone_path, how, monkeypatch)
    if how == "the store cannot tell":
        world = evolve(world, beads=FailAt(1, and_after=True).wrap(world.beads, "beads"))
    before = work_at_risk(rig, listed, world=world).reasons

    for act in (remove_polecat, repair_polecat):
        for dry_run in (True, False):
            with pytest.raises(WorkAtRiskError) as refused:
                act(rig, cat.polecat_name, dry_run=dry_run, world=world)
            assert refused.value.reasons == before == AT_RISK[how]
    assert world.tmux.sessions() == [cat.session_name]
    assert cat.clone_path.is_dir()


def test_what_cannot_be_saved_is_not_removed(place: Place) -> None:
    """If the rescue cannot be written nothing is removed; nuclear takes the name back and keeps the tree itself."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    world.git.edit(cat.clone_path, "new.txt", b"work")
    for _ in range(2):
        world.git.fail_next("rescue", RescueFailedError("no room"))

    with pytest.raises(RescueFailedError, match="no room"):
        remove_polecat(rig, cat.polecat_name, force=True, world=world)
    assert (cat.clone_path / "new.txt").read_bytes() == b"work"
    done = remove_polecat(rig, cat.polecat_name, nuclear=True, world=world)

    assert done.kept is not None and done.unsaved == "no room"
    assert (done.kept / "new.txt").read_bytes() == b"work"
    assert done.kept.with_name(f"{done.kept.name}.keep").exists()
    assert list_homes(rig).dirs == ()


def test_the_event_names_the_rescue(place: Place) -> None:
    """Whoever listens, and whoever reads the feed, learns where the work is."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    world.git.edit(cat.clone_path, "new.txt", b"work")
    heard: list[Event] = []

    done = remove_polecat(rig, cat.polecat_name, force=True, world=evolve(world, on_event=heard.append))

    assert [event.facts["rescue"] for event in heard if event.name == "polecat_removed"] == [done.rescue]
    assert f'"rescue":"{done.rescue}"' in (rig.town_root / ".events.jsonl").read_text()


def test_what_only_an_unmount_lifts_is_not_answered_with_nuclear(place: Place) -> None:
    """A refusal names what really goes on: nothing lifts a mount, and where git could not look the cause comes first."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    seen = inspect(full_world(rig, world), observe(full_world(rig, world), rig), cat.polecat_name, agent=None)

    hint = _remedy("remove", "gastown/furiosa", seen, ("unpushed", "mount"))
    assert "unmount" in hint and "--nuclear" not in hint
    assert "polecat doctor" in _remedy("remove", "gastown/furiosa", seen, ("unknown",)).split("\n")[0]


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A directory on another file system than the tests' own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second file system")
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


def test_a_place_on_another_disk_is_refused_before_anything_is_touched(place: Place, other_disk: Path) -> None:
    """What could not be renamed into the trash is neither spawned nor removed nor repaired, and the doctor says why."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    shutil.move(rig.polecats_dir, other_disk / "polecats")
    rig.polecats_dir.symlink_to(other_disk / "polecats")
    before = sorted(other_disk.rglob("*"))

    for act in (
        lambda: spawn_for_sling(rig, world=world),
        lambda: remove_polecat(rig, cat, nuclear=True, world=world),
        lambda: repair_polecat(rig, cat.polecat_name, nuclear=True, world=world),
    ):
        with pytest.raises(DiskFullError, match="another file system"):
            act()
    assert world.tmux.sessions() == [cat.session_name]
    assert sorted(other_disk.rglob("*")) == before
    assert [one for one in check_town(find_town(rig.path), world=world).wrong if "another file system" in one.text]
