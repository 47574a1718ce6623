"""The orchestrator, tested without git, tmux or an agent, in a pretend world."""

from __future__ import annotations

from pathlib import Path

from orchestrator import work_off

from polecat import Polecat, Rig, clear_issue, list_polecats
from polecat.testing import FakeWorld, fake_world


def finish(rig: Rig, cat: Polecat, world: FakeWorld, *, push: bool = True) -> None:
    """Let an agent end well: it commits, pushes, hands its bead back, and exits."""
    world.git.commit(cat.clone_path, {"done.txt": cat.issue or ""})
    if push:
        world.git.push(cat.clone_path)
    clear_issue(rig, cat, world=world)
    world.tmux.crash(cat.session_name, exit_code=0)


def test_every_bead_is_done_and_every_place_taken_back(tmp_path: Path) -> None:
    """Five beads, two polecats at a time, nothing left."""
    rig, world = fake_world(tmp_path)
    crowds = []

    def wait() -> None:
        cats = list_polecats(rig, world=world)
        crowds.append(len(cats))
        finish(rig, cats[0], world)

    beads = [f"gt-{number}" for number in range(1, 6)]
    fates = dict(work_off(rig, beads, at_once=2, wait=wait, world=world))

    assert fates == dict.fromkeys(beads, "done")
    assert max(crowds) == 2
    assert list_polecats(rig, world=world) == []


def test_a_polecat_with_unpushed_work_is_kept(tmp_path: Path) -> None:
    """Nothing is removed that exists nowhere else."""
    rig, world = fake_world(tmp_path)

    def wait() -> None:
        finish(rig, list_polecats(rig, world=world)[0], world, push=False)

    fates = dict(work_off(rig, ["gt-1"], wait=wait, world=world))

    assert fates == {"gt-1": "gastown/polecats/furiosa is kept: 1 unpushed commit(s)"}


def test_an_agent_that_crashes_keeps_its_bead(tmp_path: Path) -> None:
    """A crash is no success: the bead stays on the hook, and the polecat stays."""
    rig, world = fake_world(tmp_path)

    def wait() -> None:
        world.tmux.crash("gt-gastown-furiosa")

    fates = dict(work_off(rig, ["gt-1"], wait=wait, world=world))

    assert fates == {"gt-1": "gastown/polecats/furiosa is kept: bead gt-1 is on its hook"}


def test_a_bead_that_cannot_be_given_stops_no_other(tmp_path: Path) -> None:
    """A bead that somebody else has is reported; the next one is worked on."""
    rig, world = fake_world(tmp_path)
    world.beads.hook("gt-1", assignee="gastown/crew/max")

    def wait() -> None:
        finish(rig, list_polecats(rig, world=world)[0], world)

    fates = dict(work_off(rig, ["gt-1", "gt-2"], wait=wait, world=world))

    assert fates["gt-1"] == "not started: bead 'gt-1' is hooked by gastown/crew/max"
    assert fates["gt-2"] == "done"
