"""The one verdict on work: which facts are a risk, and what lifts each."""

from __future__ import annotations

import itertools

import attrs
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from polecat.core.risk import (
    RiskCode,
    SafetyFacts,
    assess_staleness,
    judge_work,
    precious_among,
    report_allows_removal,
    report_requires_recovery,
)
from polecat.ports import GitFacts

CLEAN = GitFacts(head="a" * 40, branch="polecat/nux", merged="ancestor")


def _of(*, git: GitFacts | None = CLEAN, **facts: object) -> SafetyFacts:
    return SafetyFacts(git=git, **facts)  # type: ignore[arg-type]  # a test names the facts it wants


def _of_git(**changes: object) -> SafetyFacts:
    return _of(git=attrs.evolve(CLEAN, **changes))  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("facts", "code", "lifted_by"),
    [
        (_of_git(modified=("a",)), "uncommitted", "force"),
        (_of_git(staged=("a",)), "uncommitted", "force"),
        (_of_git(renamed=("a",)), "uncommitted", "force"),
        (_of_git(conflicted=("a",)), "uncommitted", "force"),
        (_of_git(hidden=("a",)), "uncommitted", "force"),
        (_of_git(untracked=("a",)), "uncommitted", "force"),
        (_of_git(in_progress=("rebase",)), "in-progress", "force"),
        (_of_git(stashes=("c" * 40,)), "stash", "nuclear"),
        (_of_git(unpushed=1, merged="no"), "unpushed", "nuclear"),
        (_of_git(unpushed=1, merged="unknown"), "unpushed", "nuclear"),
        (_of_git(unpushed=1, merged="no", is_detached=True, branch=None), "unpushed", "nuclear"),
        (_of_git(submodules=("lib: 1 commit",)), "submodule", "nuclear"),
        (_of_git(nested=("other",)), "nested-repository", "nuclear"),
        (_of_git(problems=("status: timeout",)), "unknown", "nuclear"),
        (_of(git=None), "unknown", "nuclear"),
        (_of(problems=("its beads (down)",)), "unknown", "nuclear"),
        (_of(precious=(".env",)), "ignored", "force"),
        (_of(stray=("notes",)), "stray-files", "force"),
        (_of(hooked_bead="gt-1"), "hooked", "force"),
        (_of(active_mr="mr-1"), "merge-request", "nuclear"),
        (_of(inside=("vim (7)",)), "process-inside", "nuclear"),
        (_of(caller_inside=True), "caller-inside", "nothing"),
    ],
)
def test_each_risk_and_what_lifts_it(facts: SafetyFacts, code: RiskCode, lifted_by: str) -> None:
    """T-15: every kind of work at risk has its word; force lifts uncommitted changes and the hook, nuclear all but standing inside."""
    verdict = judge_work(facts)
    assert verdict.reasons == (code,)
    assert verdict.stands(code)
    assert not verdict.is_safe
    assert [risk.lifted_by for risk in verdict.risks] == [lifted_by]
    assert verdict.obstacles() == verdict.risks
    assert verdict.blocking() == (code,)
    assert verdict.blocking(force=True) == (() if lifted_by == "force" else (code,))
    assert verdict.blocking(nuclear=True) == ((code,) if lifted_by == "nothing" else ())


@pytest.mark.parametrize(
    "facts",
    [
        _of(),
        _of_git(ignored=("node_modules/",)),
        _of_git(unpushed=3, merged="same changes"),
        _of_git(unpushed=3, merged="ancestor"),
        _of(cleanup_status="clean"),
        _of(cleanup_status="unknown"),
        _of(cleanup_status=""),
        _of(cleanup_status="has_unpushed"),
    ],
    ids=[
        "clean",
        "ignored noise",
        "merged by squash",
        "merged",
        "says clean",
        "says unknown",
        "says nothing",
        "says what git disproves",
    ],
)
def test_what_is_no_risk(facts: SafetyFacts) -> None:
    """T-15: ignored noise, work that was merged (by squash too), and a report that git disproves keep nobody from removing."""
    verdict = judge_work(facts)
    assert verdict.is_safe
    assert not verdict.stands("unpushed")
    assert str(verdict) == "clean"


@pytest.mark.parametrize(
    ("report", "force_lifts"), [("has_uncommitted", True), ("has_stash", False), ("has_unpushed", False), ("weird", False)]
)
def test_a_self_report_counts_where_git_cannot_disprove_it(report: str, force_lifts: bool) -> None:
    """What an agent said of itself stands when git shows work or could not be asked; a word nobody knows is not clean."""
    verdict = judge_work(SafetyFacts(git=attrs.evolve(CLEAN, problems=("status: timeout",)), cleanup_status=report))

    assert "self-report" in verdict.reasons
    assert ("self-report" in verdict.blocking(force=True)) is not force_lifts
    assert verdict.blocking(nuclear=True) == ()


GIT = st.builds(
    GitFacts,
    head=st.just("a" * 40),
    modified=st.sampled_from([(), ("a",)]),
    untracked=st.sampled_from([(), ("b",)]),
    stashes=st.sampled_from([(), ("c",)]),
    unpushed=st.integers(0, 2),
    merged=st.sampled_from(["ancestor", "same changes", "no", "unknown"]),
    in_progress=st.sampled_from([(), ("merge",)]),
    submodules=st.sampled_from([(), ("s",)]),
    nested=st.sampled_from([(), ("n",)]),
    problems=st.sampled_from([(), ("p",)]),
)
FACTS = st.builds(
    SafetyFacts,
    git=st.none() | GIT,
    inside=st.sampled_from([(), ("vim (7)",)]),
    caller_inside=st.booleans(),
    hooked_bead=st.sampled_from(["", "gt-1"]),
    active_mr=st.sampled_from(["", "mr"]),
    cleanup_status=st.sampled_from(["", "clean", "has_stash", "weird"]),
    problems=st.sampled_from([(), ("its beads",)]),
)


@given(FACTS)
def test_force_lifts_less_than_nuclear_and_nothing_lifts_standing_inside(facts: SafetyFacts) -> None:
    """What stands against nuclear stands against force, and that against a plain removal; unknown is never clean."""
    verdict = judge_work(facts)

    assert set(verdict.blocking(nuclear=True)) <= set(verdict.blocking(force=True)) <= set(verdict.blocking())
    assert verdict.is_safe is (verdict.blocking() == ())
    assert ("caller-inside" in verdict.blocking(nuclear=True)) is facts.caller_inside
    if facts.problems or facts.git is None or facts.git.problems:
        assert "unknown" in verdict.blocking(force=True)


@given(FACTS)
def test_a_safe_verdict_means_git_is_clean_or_merged(facts: SafetyFacts) -> None:
    """T-15: nothing is called safe unless git proved that no work is only here."""
    if judge_work(facts).is_safe:
        assert facts.git is not None
        assert facts.git.is_clean or facts.git.merged in ("ancestor", "same changes")
        assert not (facts.git.changed or facts.git.untracked or facts.git.stashes or facts.git.problems)


def test_precious_files_are_found_by_name_and_by_path() -> None:
    """A pattern of files that matter matches the whole path or the name alone, directories too."""
    ignored = (".env", "config/.env", "data/db.sqlite", "cache/")

    assert precious_among(ignored, [".env"]) == (".env", "config/.env")
    assert precious_among(ignored, ["data/*"]) == ("data/db.sqlite",)
    assert precious_among(ignored, ["cache"]) == ("cache/",)
    assert precious_among(["data/cacheX/"], ["cacheX"]) == ("data/cacheX/",)
    assert precious_among(ignored, []) == ()


def test_every_combination_of_two_risks_keeps_both_words() -> None:
    """One risk never hides another."""
    risks: dict[str, dict[str, object]] = {
        "hooked": {"hooked_bead": "gt-1"},
        "merge-request": {"active_mr": "m"},
        "process-inside": {"inside": ("vim (7)",)},
    }
    for (one, first), (two, second) in itertools.combinations(risks.items(), 2):
        assert set(judge_work(SafetyFacts(git=CLEAN, **first, **second)).reasons) == {one, two}  # type: ignore[arg-type]  # as above


def test_the_work_is_counted_only_where_git_could_tell() -> None:
    """A verdict carries the count of the work; none where there is no worktree or a check failed."""
    changed = attrs.evolve(CLEAN, modified=("a",), untracked=("b",))

    assert judge_work(SafetyFacts(git=changed)).work == changed.status()
    assert judge_work(SafetyFacts(git=attrs.evolve(changed, problems=("status: timeout",)))).work is None
    assert judge_work(SafetyFacts()).work is None


def test_no_report_is_not_a_bad_report() -> None:
    """Where git shows work, an agent that said nothing, or that it was clean, adds no risk of its own."""
    for report in ("", "unknown", "clean"):
        assert judge_work(SafetyFacts(git=attrs.evolve(CLEAN, untracked=("a",)), cleanup_status=report)).reasons == (
            "uncommitted",
        )


def test_what_a_self_report_alone_allows() -> None:
    """Only clean allows a removal, force lifts uncommitted changes too, and a word nobody knows allows nothing."""
    reports = ("clean", "has_uncommitted", "has_stash", "has_unpushed", "weird", "")

    assert [report_allows_removal(report, force=False) for report in reports] == [True, False, False, False, False, False]
    assert [report_allows_removal(report, force=True) for report in reports] == [True, True, False, False, False, False]
    assert [report_requires_recovery(report) for report in reports] == [False, True, True, True, False, False]
    for force in (False, True):
        allowed = [report_allows_removal(report, force=force) for report in reports]
        assert allowed == [True, force, False, False, False, False]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"uncommitted": True}, (False, "has uncommitted work")),
        ({"session_active": True}, (False, "session active")),
        ({"agent_state": "stuck"}, (False, "agent_state=stuck (intentional pause)")),
        ({"agent_state": "awaiting-gate"}, (False, "agent_state=awaiting-gate (intentional pause)")),
        ({"commits_behind": 19}, (True, "no active session")),
        ({"commits_behind": 20}, (True, "20 commits behind main, no active session")),
        ({"agent_state": ""}, (True, "no agent bead, no active session")),
        ({}, (True, "no active session")),
    ],
)
def test_who_is_stale_and_why(change: dict[str, object], expected: tuple[bool, str]) -> None:
    """Work and a session keep a polecat from being stale, a pause it asked for too; the rest is stale, with the reason."""
    facts: dict[str, object] = {
        "uncommitted": False, "session_active": False, "agent_state": "working", "commits_behind": 0, "threshold": 20,
    }  # fmt: skip

    assert assess_staleness(**{**facts, **change}) == expected  # type: ignore[arg-type]  # a test names the facts it wants


def test_a_mount_is_lifted_by_nothing_and_a_lock_by_nuclear_alone() -> None:
    """What lies behind a mount is somebody else's; a lock is a person's word that the worktree stays."""
    mounted = judge_work(SafetyFacts(git=CLEAN, mounts=("/t/gas/polecats/nux/gas/data",)))
    locked = judge_work(SafetyFacts(git=evolve(CLEAN, locked="mine")))

    assert mounted.blocking(nuclear=True) == ("mount",)
    assert (locked.blocking(force=True), locked.blocking(nuclear=True)) == (("locked",), ())
