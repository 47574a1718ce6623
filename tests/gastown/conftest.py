"""Gas Town itself is tried by ``nox -s gastown`` only, which says where its programs are, and makes the table of what was seen."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.gastown.places import Neighbour, SharedTown, shared_town

BUILT = os.environ.get("POLECAT_GASTOWN", "")

_NEEDS = {
    "seed": {"gt": "gt-seed", "bd": "bd-0.47.1"},
    "today": {"gt": "gt-1.2.1", "bd": "bd-1.0.0", "dolt": "dolt"},
    "today, no bd": {"gt": "gt-1.2.1"},
}
TOWNS = [
    pytest.param(("seed", "gt"), id="seed-gt"),
    pytest.param(("seed", "polecat"), id="seed-polecat"),
    pytest.param(("today", "gt"), id="today-gt"),
    pytest.param(("today", "polecat"), id="today-polecat"),
    pytest.param(("today, no bd", "polecat"), id="nobd-polecat"),
]


@pytest.fixture(scope="module", params=TOWNS)
def town(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tmux_guard: object) -> Iterator[SharedTown]:
    """A town of each kind, for all tests of a module."""
    if not BUILT:
        pytest.skip("Gas Town is tried by nox -s gastown only, which builds it with Go")
    name, maker = request.param
    programs = {program: Path(BUILT, built) for program, built in _NEEDS[name].items()}
    missing = [path.name for path in programs.values() if not path.exists()]
    if missing:
        pytest.skip(f"could not be built: {', '.join(missing)}")
    neighbour = Neighbour(name=name, programs=programs, prompt=">" if name == "seed" else "❯", has_beads="bd" in programs)
    with shared_town(tmp_path_factory.mktemp("g"), maker, neighbour) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_is_shared(town: SharedTown) -> Iterator[None]:
    """Whatever a test did: no worktree and no name has two agents."""
    yield
    town.check_invariants()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what became of each cell of the table."""
    report = yield
    if BUILT and (report.when == "call" or report.outcome != "passed") and hasattr(item, "callspec"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(getattr(report, "wasxfail", "") or "")
        text = why or (call.excinfo.exconly() if call.excinfo else "")
        row, column = item.function.__doc__, item.callspec.id  # type: ignore[attr-defined]  # each test is a function
        with Path(BUILT, "seen.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps([row, column, report.outcome, text[:2000]]) + "\n")
    return report
