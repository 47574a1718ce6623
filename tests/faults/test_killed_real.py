"""The crash matrix with the real programs: a process is killed with SIGKILL at each of its steps, and one reconcile settles what it left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rigs import FILLED, Planted, RealRig, real_rig
from tests.faults.tables import Tables, sample
from tests.git_fixtures import git, manifest

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1800)]

MATRIX = "Killed with the real programs"
VERBS = ("spawn", "start", "remove", "repair", "reconcile")
PARTS = 4


@pytest.fixture
def rig(tmp_path: Path, template: Path) -> Iterator[RealRig]:
    """A rig with one polecat at work."""
    with real_rig(tmp_path, template) as made:
        yield made


def _bystander(rig: RealRig) -> Mapping[str, Any]:
    return {**rig.seen("nux"), "files": manifest(rig.worktree("nux")), "hidden": None}


def _prepare(rig: RealRig, verb: str, name: str) -> Planted | None:
    """Make what the operation needs; return the work that must not be lost."""
    if verb == "spawn":
        return None
    if verb == "reconcile":
        assert rig.order("spawn", FILLED, name=f"{name}-a", hook_bead=f"gt-{name}-a").point
        rig.must("spawn", name=f"{name}-b", hook_bead=f"gt-{name}-b")
        assert rig.order("remove", "after git.drop_worktree", polecat=f"{name}-b").point
    rig.must("spawn", name=name, hook_bead=f"gt-{name}")
    planted = rig.plant(name)
    if verb == "start":
        rig.must("stop", polecat=name)
    if verb == "reconcile":
        assert rig.order("repair", "after git.drop_worktree", polecat=name).point
    return planted


def _is_whole(rig: RealRig, name: str, seen: Mapping[str, Any]) -> bool:
    """Whether a polecat stands as it should: one home, one branch, one registration, a record, its bead."""
    counts = [len(seen.get(what, ())) for what in ("branches", "registrations", "record", "held")]
    is_plain = set(seen) <= {"home", "branches", "registrations", "record", "held", "agent bead", "session"}
    return is_plain and counts == [1, 1, 1, 1] and git("status", "--porcelain", cwd=rig.worktree(name)) == ""


def _outcome(rig: RealRig, verb: str, name: str, before: Mapping[str, Any], planted: Planted | None) -> str:
    seen = rig.seen(name)
    if seen == before:
        return "as before"
    if verb in ("remove", "repair") and seen == {k: v for k, v in before.items() if k != "session"}:
        return "as before, session ended"
    if verb == "start" and seen == {**before, "session": True}:
        return "done"
    if verb == "remove" and not seen:
        return "done"
    if verb == "spawn" and _is_whole(rig, name, seen) and seen.get("session") and seen["agent bead"] == ("working", f"gt-{name}"):
        return "done"
    if verb in ("repair", "reconcile") and _is_whole(rig, name, seen) and planted and seen["branches"] != [planted.branch]:
        gone = {} if verb == "repair" else {**rig.seen(f"{name}-a"), **rig.seen(f"{name}-b")}
        assert not gone, f"left: {gone}"
        return "done"
    raise AssertionError(f"neither as before nor done: {seen}, before {before}")


def _check_cell(rig: RealRig, verb: str, name: str, before: Mapping[str, Any], planted: Planted | None) -> str:
    assert planted is None or not rig.missing(name, planted), f"missing before the reconcile: {rig.missing(name, planted)}"
    settled = rig.order("reconcile")
    assert not settled.error, settled.error
    outcome = _outcome(rig, verb, name, before, planted)
    assert planted is None or not rig.missing(name, planted), f"missing: {rig.missing(name, planted)}"
    assert not rig.litter(), f"litter: {rig.litter()}"
    return outcome


def _cell(rig: RealRig, verb: str, name: str, point: int | str) -> tuple[str, str]:
    """Kill one operation at one point, reconcile, and say what came of it; then tidy up."""
    planted = _prepare(rig, verb, name)
    before, bystander = rig.seen(name), _bystander(rig)
    asked: dict[str, Any] = (
        {"name": name, "hook_bead": f"gt-{name}"} if verb == "spawn" else {} if verb == "reconcile" else {"polecat": name}
    )
    death = rig.order(verb, point, **asked)
    assert not death.error, death.error
    try:
        outcome = _check_cell(rig, verb, name, before, planted)
        assert _bystander(rig) == bystander, "a bystander was touched"
    except AssertionError as error:
        raise AssertionError(f"{point}, {death.point}: {error}") from error
    finally:
        if rig.worktree(name).parent.exists():
            rig.order("remove", polecat=name)
    return death.point, outcome


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The whole matrix of a verb is in parts, so that several processes share it."""
    parts = PARTS if metafunc.config.getoption("--whole", default=False) else 1
    metafunc.parametrize(("verb", "part", "parts"), [(verb, part, parts) for verb in VERBS for part in range(parts)])


def test_killed_anywhere(verb: str, part: int, parts: int, rig: RealRig, is_whole: bool, tables: Tables) -> None:
    """T-01, T-16, T-24, T-29: after kill -9 at any point one reconcile makes it as before or done; no byte of work is missing."""
    _prepare(rig, verb, "count")
    asked: dict[str, Any] = (
        {"name": "count", "hook_bead": "gt-count"} if verb == "spawn" else {} if verb == "reconcile" else {"polecat": "count"}
    )
    points = rig.order(verb, **asked).points
    failures = []
    for number in sample(len(points), 1, key=verb, is_whole=is_whole)[part::parts]:
        try:
            point, outcome = _cell(rig, verb, f"n{number}", number)
            tables.note(MATRIX, verb, number, point.replace(f"n{number}", "NAME") or "(got through)", outcome)
        except AssertionError as error:
            failures.append(str(error).splitlines()[0][:700])

    assert len(points) > 30
    assert not failures, "\n".join(failures)
