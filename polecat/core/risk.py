"""May this work be touched? One verdict for remove, repair, reuse and reconcile, for the dry run and the real one. Pure.

A risk is named by a word that programs can test, and says what would lift it. ``force`` lifts what is saved to a rescue ref or
handed back before it is touched: uncommitted changes and the hook. ``nuclear`` lifts everything but a caller whose working directory is
in the tree, and a mount, behind which the files are somebody else's. A check that failed is a risk, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Literal

from attrs import field, frozen

from polecat.core.states import PAUSED_STATES
from polecat.errors import publish
from polecat.model import WorkStatus
from polecat.ports import GitFacts

RiskCode = Literal[
    "uncommitted",
    "ignored",
    "stash",
    "unpushed",
    "submodule",
    "nested-repository",
    "in-progress",
    "process-inside",
    "caller-inside",
    "hooked",
    "merge-request",
    "self-report",
    "stray-files",
    "mount",
    "locked",
    "unknown",
]
Lift = Literal["force", "nuclear", "nothing"]


@publish
@frozen(kw_only=True)
class Risk:
    """One reason not to touch a polecat's work.

    Attributes:
        code: the reason, for programs.
        text: the reason, for people.
        lifted_by: what makes it no obstacle.
    """

    code: RiskCode
    text: str
    lifted_by: Lift


@frozen(kw_only=True)
class SafetyFacts:
    """Everything the verdict is drawn from.

    Attributes:
        git: the worktree's facts; None when there is no worktree to look at.
        precious: ignored files that match the rig's patterns.
        inside: who has a working directory in the tree, for people.
        caller_inside: we ourselves have ours there.
        hooked_bead: the bead on its hook; empty for none.
        active_mr: its open merge request; empty for none.
        cleanup_status: what it said of itself last; empty when it said nothing.
        stray: files in its home that are not in the worktree.
        mounts: what is mounted in its home.
        problems: what could not be found out.
    """

    git: GitFacts | None = None
    precious: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    caller_inside: bool = False
    hooked_bead: str = ""
    active_mr: str = ""
    cleanup_status: str = ""
    stray: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@publish
@frozen(kw_only=True)
class Verdict:
    """The risks of touching one polecat's work.

    Attributes:
        risks: every risk, the gravest last.
        work: the work, counted; None when it could not be.

    Examples:
        >>> verdict = judge_work(SafetyFacts(git=GitFacts(unpushed=1)))
        >>> verdict.is_safe, verdict.reasons, str(verdict)
        (False, ('unpushed',), '1 unpushed commit(s)')
        >>> verdict.blocking(force=True), verdict.blocking(nuclear=True)
        (('unpushed',), ())
    """

    risks: tuple[Risk, ...] = ()
    work: WorkStatus | None = field(default=None)

    @property
    def is_safe(self) -> bool:
        """Nothing would be lost, and no process would lose its directory."""
        return not self.risks

    @property
    def reasons(self) -> tuple[str, ...]:
        """The risks' codes."""
        return tuple(risk.code for risk in self.risks)

    def stands(self, code: RiskCode) -> bool:
        """Say whether this risk is among them."""
        return code in self.reasons

    def blocking(self, *, force: bool = False, nuclear: bool = False) -> tuple[str, ...]:
        """The codes of the risks that stand even so."""
        return tuple(risk.code for risk in self.obstacles(force=force, nuclear=nuclear))

    def obstacles(self, *, force: bool = False, nuclear: bool = False) -> tuple[Risk, ...]:
        """The risks that stand even so."""
        lifted = ("force", "nuclear") if nuclear else ("force",) if force else ()
        return tuple(risk for risk in self.risks if risk.lifted_by not in lifted)

    def __str__(self) -> str:
        return "; ".join(risk.text for risk in self.risks) or "clean"


def judge_work(facts: SafetyFacts) -> Verdict:
    """Draw the verdict from the facts.

    Args:
        facts: what was found out, and what could not be.

    Source:
        Contract §7.3; design §6, deviations 7 to 9; incident T-15.
    """
    git = facts.git
    risks = [*_git_risks(git)] if git is not None else []
    if facts.precious:
        risks.append(_risk("ignored", f"{len(facts.precious)} ignored file(s) that matter ({_some(facts.precious)})", "force"))
    if facts.stray:
        risks.append(_risk("stray-files", f"files beside the worktree ({_some(facts.stray)})", "force"))
    if facts.mounts:
        risks.append(_risk("mount", f"something is mounted in it ({_some(facts.mounts)}); unmount it first", "nothing"))
    if facts.hooked_bead:
        risks.append(_risk("hooked", f"bead {facts.hooked_bead} is on its hook", "force"))
    if facts.active_mr:
        risks.append(_risk("merge-request", f"merge request {facts.active_mr} is open", "nuclear"))
    risks += _report_risks(facts)
    risks += _presence_risks(facts)
    risks += [_risk("unknown", f"could not be checked: {problem}", "nuclear") for problem in _problems(facts)]
    return Verdict(risks=tuple(risks), work=git.status() if git is not None and not git.problems else None)


def _git_risks(git: GitFacts) -> Iterable[Risk]:
    status = git.status()
    if git.changed or git.untracked:
        count = len(git.changed) + len(git.untracked)
        yield _risk("uncommitted", f"{count} uncommitted change(s)", "force")
    if git.in_progress:
        yield _risk("in-progress", f"{', '.join(git.in_progress)} in progress", "force")
    if status.stashes:
        yield _risk("stash", f"{status.stashes} stash(es)", "nuclear")
    if git.unpushed and git.merged not in ("ancestor", "same changes"):
        yield _risk("unpushed", f"{git.unpushed} unpushed commit(s)", "nuclear")
    if git.submodules:
        yield _risk("submodule", f"work in submodules ({_some(git.submodules)})", "nuclear")
    if git.locked:
        yield _risk("locked", f"its worktree is locked: {git.locked}", "nuclear")
    if git.nested:
        yield _risk("nested-repository", f"repositories inside ({_some(git.nested)})", "nuclear")


def _report_risks(facts: SafetyFacts) -> Iterable[Risk]:
    """What the agent said of itself counts unless git proves it is over: a report may be older than the last push."""
    report = facts.cleanup_status
    if report in ("", "unknown", "clean") or (facts.git is not None and facts.git.is_clean):
        return
    lifted_by: Lift = "force" if report_allows_removal(report, force=True) else "nuclear"
    yield _risk("self-report", f"it reported {report!r}", lifted_by)


def _presence_risks(facts: SafetyFacts) -> Iterable[Risk]:
    if facts.inside:
        yield _risk("process-inside", f"processes work in it ({_some(facts.inside)})", "nuclear")
    if facts.caller_inside:
        yield _risk("caller-inside", "your working directory is in it; change to another one first", "nothing")


def _problems(facts: SafetyFacts) -> Iterable[str]:
    yield from facts.problems
    if facts.git is None:
        yield "there is no worktree that could be looked at"
    else:
        yield from facts.git.problems


def _risk(code: RiskCode, text: str, lifted_by: Lift) -> Risk:
    return Risk(code=code, text=text, lifted_by=lifted_by)


def _some(things: tuple[str, ...], most: int = 3) -> str:
    more = f", … {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more


def precious_among(ignored: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Pick the ignored files that match a rig's patterns for files that matter.

    Examples:
        >>> precious_among([".env", "data/db.sqlite", "node_modules/"], ["*.sqlite", ".env"])
        ('.env', 'data/db.sqlite')
    """
    wanted = tuple(patterns)
    return tuple(
        path for path in ignored if any(fnmatch(path, p) or fnmatch(path.rstrip("/").rpartition("/")[2], p) for p in wanted)
    )


def report_requires_recovery(cleanup_status: str) -> bool:
    """A self-report that names work."""
    return cleanup_status in ("has_uncommitted", "has_stash", "has_unpushed")


def report_allows_removal(cleanup_status: str, *, force: bool) -> bool:
    """Whether a self-report alone allows a removal. Anything but a word we know does not: unknown is not clean.

    Examples:
        >>> report_allows_removal("clean", force=False), report_allows_removal("has_stash", force=True)
        (True, False)

    Source:
        Contract §7.3, part A; design §6, deviation 7.
    """
    return cleanup_status in (("clean", "has_uncommitted") if force else ("clean",))


def assess_staleness(
    *, uncommitted: bool, session_active: bool, agent_state: str, commits_behind: int, threshold: int
) -> tuple[bool, str]:
    """Say whether a polecat is stale, and why or why not.

    Args:
        uncommitted: it has work that exists nowhere else.
        session_active: its session exists.
        agent_state: what it said of itself; empty when it has no agent bead.
        commits_behind: how many commits of the default branch it lacks.
        threshold: so many make it stale by themselves.

    Examples:
        >>> assess_staleness(uncommitted=False, session_active=False, agent_state="working", commits_behind=0, threshold=20)
        (True, 'no active session')

    Source:
        Contract §7.9.
    """
    if uncommitted:
        return False, "has uncommitted work"
    if session_active:
        return False, "session active"
    if agent_state in PAUSED_STATES:
        return False, f"agent_state={agent_state} (intentional pause)"
    if commits_behind >= threshold:
        return True, f"{commits_behind} commits behind main, no active session"
    if not agent_state:
        return True, "no agent bead, no active session"
    return True, "no active session"
