"""The fault matrix with the real programs: the n-th start of git or tmux fails, hangs or answers garbage, for every n."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.faults.exactness import check_exact
from tests.faults.rigs import FILLED, Killed, Planted, RealRig, real_rig
from tests.faults.shims import BREAKS, Shims, install_shims
from tests.faults.tables import WAY, Tables, sample
from tests.git_fixtures import git, manifest
from tests.tmux_fixtures import eventually

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1800)]

MATRIX = "Failing with the real programs"
VERBS = ("spawn", "start", "remove", "repair", "reconcile")
LIMIT_S = 1.5
"""How long a program may take where one hangs: short enough to wait for it a hundred times."""
PLENTY_S = 60.0
"""How long it may take otherwise, on however busy a machine."""

KINDS = {
    "home": "claim",
    "hidden": "claim",
    "record": "claim",
    "launch files": "session",
    "files": "worktree",
    "registrations": "worktree",
    "branches": "branch",
    "session": "session",
    "held": "bead",
    "agent bead": "agent bead",
}


@pytest.fixture
def rig(tmp_path: Path, template: Path) -> Iterator[RealRig]:
    """A rig with one polecat at work."""
    with real_rig(tmp_path, template) as made:
        made.town.settings(fetch_timeout_s=LIMIT_S)
        yield made


@pytest.fixture
def shims(tmp_path: Path) -> Shims:
    """The shims, which break nothing yet."""
    return install_shims(tmp_path / "shims")


def _seen(rig: RealRig, name: str) -> dict[str, Any]:
    tree = rig.worktree(name)
    files = manifest(tree) if tree.exists() else {}
    return {**rig.seen(name), **({"files": files} if files else {})}


def _bystander(rig: RealRig) -> Mapping[str, Any]:
    return {**_seen(rig, "nux"), "hidden": None}


def _prepare(rig: RealRig, verb: str, name: str) -> Planted | None:
    """Make what the operation needs; return the work that must not be lost."""
    if verb == "spawn":
        return None
    if verb == "reconcile":
        assert rig.order("spawn", FILLED, name=f"{name}-a", hook_bead=f"gt-{name}-a").point
    rig.must("spawn", name=name, hook_bead=f"gt-{name}")
    planted = rig.plant(name, commits=False)
    if verb == "start":
        rig.must("stop", polecat=name)
    if verb == "reconcile":
        assert rig.order("repair", "after git.drop_worktree", polecat=name).point
    return planted


def _asked(verb: str, name: str) -> dict[str, Any]:
    if verb == "spawn":
        return {"name": name, "hook_bead": f"gt-{name}"}
    if verb in ("reconcile", "start"):
        return {} if verb == "reconcile" else {"polecat": name}
    return {"polecat": name, "nuclear": False, "force": True}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {KINDS[key] for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


def _is_done(rig: RealRig, verb: str, name: str, now: Mapping[str, Any], planted: Planted | None) -> bool:
    """Whether the operation did what it is for; the branch may stay behind, if the result says so."""
    if verb == "remove":
        return set(now) <= {"branches"}
    if verb == "start":
        return bool(now.get("session"))
    if verb == "reconcile" and rig.seen(f"{name}-a"):
        return False
    is_whole = bool(now.get("registrations")) and git("status", "--porcelain", cwd=rig.worktree(name)) == ""
    if verb == "spawn":
        return is_whole and bool(now.get("session"))
    return is_whole and planted is not None and git("symbolic-ref", "--short", "HEAD", cwd=rig.worktree(name)) != planted.branch


def _check(rig: RealRig, verb: str, name: str, before: Mapping[str, Any], planted: Planted | None, done: Killed) -> str:
    now = _seen(rig, name)
    changed = _changed(before, now)
    assert planted is None or not rig.missing(name, planted), f"missing: {rig.missing(name, planted)}"
    if done.error and verb != "reconcile":
        check_exact(changed, left_behind=done.left_behind, text=f"{done.error} {done.message}")
    outcome = f"error names {', '.join(sorted(changed))}" if done.error and changed else "as before" if not changed else "done"
    settled = rig.order("reconcile")
    assert not settled.error, settled.error
    after = _seen(rig, name)
    is_back = _changed(before, after) <= {"session"}
    assert is_back or _is_done(rig, verb, name, after, planted), f"neither as before ({before}) nor done: {after}"
    assert planted is None or not rig.missing(name, planted), f"missing after the reconcile: {rig.missing(name, planted)}"
    assert not rig.litter(), f"litter: {rig.litter()}"
    return outcome


def _cell(rig: RealRig, shims: Shims, verb: str, name: str, number: int, how: str) -> tuple[str, str]:
    """Let one start of a program break, look, reconcile, look again; then tidy up."""
    planted = _prepare(rig, verb, name)
    before, bystander = _seen(rig, name), _bystander(rig)
    shims.plan(number, how)
    limit_s = LIMIT_S if how.startswith("hangs") else PLENTY_S
    done = rig.order(verb, shims=str(shims.place), limit_s=limit_s, **_asked(verb, name))
    calls = shims.calls()
    call = _plain(calls[number - 1]) if len(calls) >= number else "(got through)"
    try:
        eventually(lambda: not shims.hanging(), f"nothing hangs any more: {shims.hanging()}")
        outcome = _check(rig, verb, name, before, planted, done)
        assert _bystander(rig) == bystander, "a bystander was touched"
    except AssertionError as error:
        raise AssertionError(f"{number}, {call}, {done.error or 'no error'}: {error}") from error
    finally:
        rig.order("reconcile")
        if rig.worktree(name).parent.exists():
            rig.order("remove", polecat=name)
    return call, outcome


def _plain(call: str) -> str:
    """The program and its command."""
    program, *words = call.split()
    if program == "tmux":
        known = ("new-session", "list-sessions", "list-panes", "kill-session", "if-shell", "-V")
        return f"tmux {next((word for word in known if word in words), words[0])}"
    values = {at + 1 for at, word in enumerate(words) if word == "-c"}
    return f"git {next(w for at, w in enumerate(words) if at not in values and re.match('[a-z]', w))}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each way to break; the plain suite tries one start of one of them."""
    ways = [(verb, how) for verb in VERBS for how in BREAKS]
    if not metafunc.config.getoption("--whole", default=False):
        ways = [("spawn", "hangs")]
    metafunc.parametrize(("verb", "how"), ways)


def test_programs_that_break(verb: str, how: str, rig: RealRig, shims: Shims, is_whole: bool, tables: Tables) -> None:
    """T-07, T-25, T-29: whichever start of git or tmux breaks, the rig is as before or the error names what is not; nothing hangs on."""
    _prepare(rig, verb, "count")
    shims.plan()
    whole = rig.order(verb, shims=str(shims.place), limit_s=PLENTY_S, **_asked(verb, "count"))
    count = len(shims.calls())
    failures = []
    for number in sample(count, 1, key=f"{verb} {how}", is_whole=is_whole):
        try:
            call, outcome = _cell(rig, shims, verb, f"n{number}", number, how)
            tables.note(MATRIX, f"{verb}{WAY}{how}", number, call, outcome)
        except AssertionError as error:
            failures.append(str(error).splitlines()[0][:900])

    assert not whole.error
    assert count > 2
    assert not failures, "\n".join(failures)
