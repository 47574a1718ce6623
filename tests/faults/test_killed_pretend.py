"""The crash matrix in the pretend world: a process dies with SIGKILL before and after each outside call, and before each change of a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from polecat import SpawnedPolecat, SpawnOptions, spawn_for_sling
from tests.faults.pretend import SCENES, Picture, Scene, die_at, difference, missing_work, of_bystander, picture
from tests.faults.tables import Tables, sample

MATRIX = "Killed in the pretend world"


def _whole_outcome(name: str, place: Path) -> tuple[int, Picture]:
    """How many points an operation has, and what it makes when nobody kills it."""
    scene = SCENES[name](place)
    death = die_at(scene, 0, place=place)
    scene.reconcile()
    return len(death.points), picture(scene)


def _outcome(scene: Scene, before: Picture, done: Picture, *, may_end_session: bool) -> str:
    now = picture(scene)
    undone, missing = difference(before, now), difference(done, now)
    if not undone:
        return "as before"
    if may_end_session and set(undone) == {f"session gt-gastown-{scene.name}"}:
        return "as before, session ended"
    assert not missing, f"neither as before ({undone}) nor done ({missing})"
    return "done"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", list(SCENES))
def test_killed_anywhere(name: str, tmp_path: Path, is_whole: bool, tables: Tables) -> None:
    """T-01, T-24, T-29: wherever the process is killed, one reconcile makes it as before or done, and no byte of work is missing."""
    points, done = _whole_outcome(name, tmp_path / "whole")
    failures = []
    for number in sample(points, 3, key=name, is_whole=is_whole):
        place = tmp_path / str(number)
        scene = SCENES[name](place)
        before = picture(scene)
        death = die_at(scene, number, place=place)
        try:
            outcome = _check_cell(scene, before, done, name)
            tables.note(MATRIX, name, number, death.point, outcome)
        except AssertionError as error:
            failures.append(f"{number}, {death.point}: {error}")
        shutil.rmtree(place, ignore_errors=True)

    assert points > 30
    assert not failures, "\n".join(failures)


def _check_cell(scene: Scene, before: Picture, done: Picture, name: str) -> str:
    assert not missing_work(scene), f"missing before the reconcile: {missing_work(scene)}"
    scene.reconcile()
    outcome = _outcome(scene, before, done, may_end_session=name.startswith(("remove", "repair")))
    assert not missing_work(scene), f"missing: {missing_work(scene)}"
    assert of_bystander(before) == of_bystander(picture(scene)), "a bystander was touched"
    settled = picture(scene)
    scene.reconcile()
    assert not difference(settled, picture(scene)), "a second reconcile changed something"
    if name == "spawn" and outcome == "as before":
        again = spawn_for_sling(scene.rig, SpawnOptions(name="furiosa", hook_bead="gt-1"), world=scene.world)
        assert isinstance(again, SpawnedPolecat)
    return outcome
