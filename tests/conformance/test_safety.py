"""What the reference decides from a self-report, from staleness, and how it counts work."""

from __future__ import annotations

from typing import Any

from polecat import WorkStatus
from polecat.core.risk import (
    assess_staleness,
    report_allows_removal,
    report_requires_recovery,
)
from tests.vectors import cases


@cases("cleanup_decisions.json")
def test_cleanup_decisions(case: dict[str, Any]) -> None:
    """A self-report allows and forbids what it does in the reference, unless nobody knows the word."""
    status = case["status"]

    assert report_allows_removal(status, force=False) is case["is_safe"]
    assert report_requires_recovery(status) is case["requires_recovery"]
    assert report_allows_removal(status, force=True) is case["can_force_remove"]
    assert report_allows_removal(status, force=case["force"]) is case["allowed"]


@cases("staleness.json")
def test_staleness(case: dict[str, Any]) -> None:
    """A polecat is stale, for the reason given, exactly when the reference says so."""
    facts = {key: case[key] for key in ("uncommitted", "session_active", "agent_state", "commits_behind", "threshold")}

    assert assess_staleness(**facts) == (case["stale"], case["reason"])


@cases("work_status.json")
def test_work_status(case: dict[str, Any]) -> None:
    """Work is counted and put into words as in the reference."""
    counts = {key: case[key] for key in ("modified", "untracked", "stashes", "unpushed", "has_uncommitted")}
    status = WorkStatus(**counts)

    assert status.is_clean is case["clean"]
    assert str(status) == case["text"]
