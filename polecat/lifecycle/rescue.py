"""Taking a polecat's worktree away without losing work: the common part of a removal and a repair.

inspect → end the session → inspect again and rescue → move to the trash → compare → branch
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld
from polecat.errors import GitError, PolecatError, WorkAtRiskError
from polecat.names import agent_id, shell_line
from polecat.place.gas_town_files import work_facts
from polecat.ports import GitFacts, GitRescues, needs
from polecat.town.locks import git_lock, holding
from polecat.town.records import Record
from polecat.upkeep.branches import delete_branch
from polecat.upkeep.inspection import Inspection, base_ref, inspect
from polecat.upkeep.liveness import Agent
from polecat.upkeep.observation import Observation, check_one_disk
from polecat.upkeep.termination import end_agent
from polecat.upkeep.trash import keep_for_good, no_longer_kept, trash_entry

RESCUE_LIMIT_BYTES = 512 * 1024 * 1024
"""More than this is not written into the repository; then the tree itself is kept in the trash, and never emptied by us."""

Fingerprints = tuple[tuple[str, int, int, int], ...]
"""Name, time of the last change, size and inode of every file that is at risk."""


@frozen(kw_only=True)
class Saved:
    """What was found and saved right before a worktree is taken away.

    Attributes:
        seen: the inspection.
        fingerprints: of the files at risk, to notice a later change.
        ref: the rescue ref; empty if there was nothing to save.
        unsaved: why a rescue ref does not hold all of it; empty if it does.
        branch: the branch that is the polecat's own by its record.
    """

    seen: Inspection
    fingerprints: Fingerprints = ()
    ref: str = ""
    unsaved: str = ""
    branch: str = ""

    @property
    def branch_tip(self) -> str:
        """The tip of the branch, if it is the polecat's own and nothing is lost with it; empty otherwise."""
        git = self.seen.git
        if git is None or (self.unsaved and (git.unpushed or git.problems)) or self.seen.branch != self.branch:
            return ""
        return git.head or ""


@frozen(kw_only=True)
class OldWorktree:
    """A worktree that is to be taken away; the caller holds the polecat's lock.

    Attributes:
        world: the world.
        observed: the rig.
        record: the polecat.
        verb: the operation, for messages.
        force, nuclear: which risks are accepted.
        keeps_hook: the bead stays on its hook, so it is not at risk.
    """

    world: FullWorld
    observed: Observation
    record: Record
    verb: Literal["remove", "repair"]
    force: bool
    nuclear: bool
    keeps_hook: bool = False

    @property
    def agent_id(self) -> str:
        """The polecat's address."""
        return agent_id(self.observed.rig.name, self.record.polecat)

    def inspect(self, agent: Agent | None) -> Inspection:
        """Find out what would be lost.

        Args:
            agent: the polecat's agent; None once it has been ended.

        Raises:
            WorkAtRiskError: there is a risk that is not accepted; the hint says what to do.
            DiskFullError: it is on another file system than the repository, so that it could not be renamed.
            UnsupportedError: something would have to be saved, and the given git has no `GitRescues`.
        """
        check_one_disk(self.observed)
        seen = inspect(self.world, self.observed, self.record.polecat, agent=agent)
        obstacles = seen.verdict.obstacles(force=self.force, nuclear=self.nuclear)
        risks = [risk for risk in obstacles if not (self.keeps_hook and risk.code == "hooked")]
        if risks:
            who = self.agent_id.replace("/polecats/", "/")
            head = seen.git.head[:7] if seen.git is not None and seen.git.head else ""
            at = f" ({seen.branch}, {head})" if seen.branch and head else ""
            codes = tuple(risk.code for risk in risks)
            what = "; ".join(risk.text for risk in risks)
            raise WorkAtRiskError(f"{who} still has work: {what}{at}", reasons=codes, hint=_remedy(self.verb, who, seen, codes))
        if _must_rescue(seen) and not self.nuclear:
            needs(self.world.git, GitRescues, "save the work in a worktree before it is taken away")
        return seen

    def plan(self, seen: Inspection) -> Saved:
        """Say what `save` would do."""
        ref = f"refs/polecat/rescue/{self.record.polecat}/…" if _must_rescue(seen) else ""
        return Saved(seen=seen, ref=ref, branch=own_branch(self.record, seen.branch))

    def end_agent(self, agent: Agent, note: Callable[[str], None]) -> None:
        """End its agent; *note* is called with what was done, or perhaps was."""
        done, session = "its session was ended", agent.session
        try:
            end_agent(self.world, agent)
        except PolecatError:
            try:
                listed = {(one.id, one.instance) for one in agent.server.list_sessions()}
                if session is not None and (session.id, session.instance) not in listed:
                    note(done)
            except PolecatError:
                note(f"perhaps {done}")
            raise
        note(done)

    def save(self) -> Saved:
        """Inspect again, because the agent may have written until it ended, and save what exists nowhere else to a rescue ref.

        Raises:
            WorkAtRiskError: there is a new risk that is not accepted.
            RescueFailedError: it could not be saved, and *nuclear* is not asked for.
        """
        seen, observed, record = self.inspect(None), self.observed, self.record
        prints = _fingerprints(seen.path, seen.git) if seen.git else ()
        saved = Saved(seen=seen, fingerprints=prints, branch=own_branch(record, seen.branch))
        if seen.worktree is None or not _must_rescue(seen):
            return saved
        try:
            rescue = needs(self.world.git, GitRescues, "save work").rescue(
                observed.repo,
                seen.worktree,
                ref_name=f"{record.polecat}/{int(self.world.clock.now().timestamp() * 1000)}-{record.instance[:6]}",
                message=f"{'removal' if self.verb == 'remove' else 'repair'} of {self.agent_id}",
                base=base_ref(observed.rig),
                ignored_patterns=observed.settings.rescue_ignored,
                size_limit_bytes=RESCUE_LIMIT_BYTES,
            )
        except PolecatError as error:
            if not self.nuclear:
                raise
            return evolve(saved, unsaved=error.message)
        # a linked worktree inside is another worktree's work: no rescue of this one holds it, so the tree is kept
        linked = [place for place in seen.git.nested if (seen.path / place / ".git").is_file()] if seen.git else []
        unsaved = f"{linked[0]} in it is a linked worktree, with work of its own" if linked else ""
        return evolve(saved, ref=rescue.ref if rescue else "", unsaved=unsaved)

    def take_away(
        self, saved: Saved, *, then: Callable[[], object] | None = None, at_last: Callable[[], object] | None = None
    ) -> Path | None:
        """Move the worktree to the trash, check that it is what was saved, call *then* and *at_last*; any failure moves it back.

        What is in its place and could not be proved to be a worktree is moved as well, and kept. Until it is proved that nothing is lost,
        the entry in the trash is marked as kept, so that it survives even if this process is killed.

        Args:
            saved: what was saved of it.
            then: called under the repository's lock once it is away.
            at_last: called after that, without the lock.

        Returns:
            Where it is kept; None if nothing is lost with it.

        Raises:
            GitError: something wrote into it meanwhile; it is back where it was.
        """
        seen = saved.seen
        into = keep_for_good(trash_entry(self.observed.rig, self.record))
        may_go = False
        try:
            with self._under_lock():
                if seen.worktree is not None:
                    self.world.git.drop_worktree(self.observed.repo, seen.worktree, into=into)
                elif os.path.lexists(seen.path):
                    seen.path.rename(into)
                try:
                    is_changed = self._has_changed(saved, into)
                    if is_changed and not self.nuclear:
                        raise GitError(f"something wrote into {seen.path} meanwhile; it is back where it was")
                    if then is not None:
                        then()
                except BaseException:
                    self._put_back(seen, into)
                    raise
            try:
                if at_last is not None:
                    at_last()
            except BaseException:
                with self._under_lock():
                    self._put_back(seen, into)
                raise
            may_go = not (saved.unsaved or is_changed or seen.verdict.stands("unknown"))
        finally:
            is_there = os.path.lexists(into)
            if may_go or not is_there:
                no_longer_kept(into)
        return into if is_there and not may_go else None

    def _under_lock(self) -> AbstractContextManager[object]:
        return holding(git_lock(self.observed.rig), what=f"take the worktree of {self.record.polecat} away")

    def _put_back(self, seen: Inspection, into: Path) -> None:
        if seen.worktree is not None:
            self.world.git.restore_worktree(self.observed.repo, seen.worktree, source=into)
        elif os.path.lexists(into):
            into.rename(seen.path)

    def _has_changed(self, saved: Saved, into: Path) -> bool:
        """Say whether the tree in *into* differs from what was inspected and saved; unknown counts as changed."""
        worktree, git = saved.seen.worktree, saved.seen.git
        if worktree is None or git is None:
            return False
        if _fingerprints(into, git) != saved.fingerprints:
            return True
        moved = evolve(worktree, path=into, admin_dir=into.with_name(f"{into.name}.admin"))
        try:
            now = work_facts(self.world.git, self.observed.rig, self.observed.repo, moved, stands_at=worktree.path)
            return _signature(now) != _signature(git)
        except PolecatError:
            return True

    def drop_branch(self, saved: Saved) -> bool:
        """Delete the polecat's branch if nothing is lost with it: its commits are elsewhere, or in the rescue."""
        branch, tip = saved.seen.branch, saved.branch_tip
        return bool(tip) and delete_branch(self.world, self.observed, branch, tip=tip)


def own_branch(record: Record, branch: str) -> str:
    """Return the branch that a polecat may take with it: the one of its record; for one that Gas Town made, a branch with its name.

    Args:
        record: the polecat.
        branch: what its worktree has checked out.

    Source:
        Design §7.
    """
    return record.branch or (branch if branch.startswith(f"polecat/{record.polecat}-") else "")


def _remedy(verb: str, who: str, seen: Inspection, codes: tuple[str, ...]) -> str:
    if "caller-inside" in codes:
        return "cd somewhere else first"
    if "mount" in codes:
        return f"unmount it, then see what else there is: polecat {verb} {who} --dry-run"
    lines = ["find the cause: polecat doctor"] if "unknown" in codes else []
    if "unpushed" in codes:
        lines.append(f"push it:     git -C {shell_line(seen.path)} push origin HEAD")
    if "uncommitted" in codes or "ignored" in codes:
        lines.append(f"look at it:  git -C {shell_line(seen.path)} status")
    if "hooked" in codes:
        lines.append(f"unhook it:   polecat hook clear {who}")
    lift = "--force" if set(codes) <= {"uncommitted", "ignored", "hooked", "in-progress", "stray-files"} else "--nuclear"
    kept = "   (a rescue ref is kept)" if set(codes) != {"hooked"} else ""  # a bead is unassigned, there is nothing to save
    lines.append(f"{'or drop it: ' if lines else 'go on:      '} polecat {verb} {who} {lift}{kept}")
    return "\n".join(lines)


def _must_rescue(seen: Inspection) -> bool:
    """Say whether there is work that exists nowhere else. What is clean and pushed is on the remote, and needs no rescue."""
    git = seen.git
    if seen.worktree is None or git is None:
        return False
    return not git.is_clean or bool(git.abandoned) or "ignored" in seen.verdict.reasons


def _fingerprints(top: Path, git: GitFacts) -> Fingerprints:
    found = []
    for name in sorted({*git.changed, *git.untracked}):
        with contextlib.suppress(OSError):
            stat = os.lstat(top / name)
            found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


def _signature(git: GitFacts) -> tuple[object, ...]:
    return (git.head, git.changed, git.untracked, git.stashes, git.nested, bool(git.problems))
