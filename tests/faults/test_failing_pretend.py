"""The fault matrix in the pretend world: the n-th outside call fails, hangs or answers garbage, for every n."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from polecat import PolecatError
from polecat.errors import StepFailedError
from polecat.lifecycle.remove import Removed
from polecat.lifecycle.repair import Repaired
from polecat.testing import FailAt, Fault, GarbageAt, HangAt
from tests.faults.exactness import check_exact
from tests.faults.pretend import SCENES, Picture, Scene, difference, is_rescued, missing_work, of_bystander, picture
from tests.faults.tables import WAY, Tables, sample

MATRIX = "Failing in the pretend world"

FAULTS: Mapping[str, Callable[[int], Fault]] = {
    "fails": FailAt,
    "hangs": HangAt,
    "hangs, having done it": lambda number: HangAt(number, takes_effect=True),
    "answers garbage": GarbageAt,
    "fails, and all after it": lambda number: FailAt(number, and_after=True),
}


def _run(scene: Scene, fault: Fault) -> object:
    """What it returned, or the error it raised."""
    try:
        return scene.run(fault)
    except Exception as error:  # noqa: BLE001  which kinds are fine is what the tests say
        return error


def _tolerated(result: object) -> set[str]:
    """What may differ after a success, because the result says so."""
    kinds = {"agent bead"} if getattr(result, "warnings", ()) else set()
    if isinstance(result, Removed) and result.branch_deleted is not True:
        kinds.add("branch")
    if isinstance(result, Repaired) and result.old_branch_deleted is not True:  # what a broken adapter said may be garbage
        kinds.add("branch")
    return kinds


def _kind(key: str) -> str:
    """Which kind of thing a line of a picture is about."""
    words = key.split(" ")
    if words[0] in ("session", "branch", "bead"):
        return words[0]
    if words[0] == "agent":
        return "agent bead"
    if words[0] == "upstream":
        return "branch"
    if words[0] == "registration" or "/gastown" in key.removeprefix("file gastown/polecats/"):
        return "worktree"
    return "claim"


def _check_cell(name: str, scene: Scene, before: Picture, done: Picture, result: object, *, is_lied_to: bool) -> str:
    now = picture(scene)
    changed = {_kind(key) for key in difference(before, now)}
    outcome = (
        "done"
        if not isinstance(result, Exception)
        else "as before"
        if not changed
        else f"error names {', '.join(sorted(changed))}"
    )
    if isinstance(result, PolecatError):
        left = result.left_behind if isinstance(result, StepFailedError) else None
        check_exact(changed, left_behind=left, text=f"{result!r} {result}")
    assert not missing_work(scene), f"missing: {missing_work(scene)}"
    scene.reconcile()
    after = picture(scene)
    if is_lied_to:  # whoever is told that nothing is there where something is cannot know better
        assert of_bystander(before) == of_bystander(after)
        return outcome
    undone, missing = difference(before, after), difference(done, after)
    tolerated = _tolerated(result) | (set() if is_rescued(scene) else {"branch"})  # then the branch holds what is nowhere else
    missing = {key: value for key, value in missing.items() if _kind(key) not in tolerated}
    begun = {f"session gt-gastown-{scene.name}"}
    if name.startswith("remove"):  # it hands the bead back before it takes anything away, and can be gone on with
        begun |= {"bead gt-1", "agent bead gt-gastown-polecat-furiosa"}
    assert not missing or set(undone) <= begun, f"neither as before ({undone}) nor done ({missing})"
    if name.startswith("remove") and missing and undone:
        scene.world.clock.sleep(60)
        tolerated |= _tolerated(scene.run())
        rest = difference(done, picture(scene))
        assert {_kind(key) for key in rest} <= tolerated, f"a second time does not end it: {rest}"
    assert of_bystander(before) == of_bystander(after), "a bystander was touched"
    assert not missing_work(scene), f"missing after the reconcile: {missing_work(scene)}"
    return outcome


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", list(FAULTS))
@pytest.mark.parametrize("name", list(SCENES))
def test_faults_anywhere(name: str, how: str, tmp_path: Path, is_whole: bool, tables: Tables) -> None:
    """T-07, T-25, T-29: whichever call breaks, the state equals the start, or the error names what does not; a reconcile settles it."""
    reference = SCENES[name](tmp_path / "whole")
    count = Fault()
    reference.run(count)
    reference.reconcile()
    done = picture(reference)
    failures = []
    for number in sample(len(count.calls), 1, key=f"{name} {how}", is_whole=is_whole):
        place = tmp_path / str(number)
        scene, fault = SCENES[name](place), FAULTS[how](number)
        before = picture(scene)
        try:
            result = _run(scene, fault)
            is_lied_to = (name, how) == ("reconcile", "answers garbage")
            outcome = _check_cell(name, scene, before, done, result, is_lied_to=is_lied_to)
            tables.note(MATRIX, f"{name}{WAY}{how}", number, str(fault.struck), outcome)
        except AssertionError as failed:
            failures.append(f"{number}, {fault.struck}: {str(failed).splitlines()[0][:400]}")
        shutil.rmtree(place, ignore_errors=True)

    assert len(count.calls) > 10
    assert not failures, "\n".join(failures)
