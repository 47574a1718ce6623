"""Saving a polecat's work before its worktree is taken away, and dropping the branch that nothing depends on."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld
from polecat.errors import PolecatError
from polecat.names import agent_id
from polecat.ports import GitFacts, GitRescues, needs
from polecat.town.locks import git_lock, holding
from polecat.town.records import Record
from polecat.upkeep.inspection import Inspection, base_ref
from polecat.upkeep.observation import Observation

RESCUE_LIMIT_BYTES = 512 * 1024 * 1024
"""More than this is not written into the repository; then the tree itself is kept in the trash, and never emptied by us."""


@frozen(kw_only=True)
class Saved:
    """What was saved before something is taken away.

    Attributes:
        ref: the rescue ref; empty if there was nothing to save.
        failed: there was something, and it could not be saved.
    """

    ref: str = ""
    failed: bool = False


def check_rescue(world: FullWorld, seen: Inspection, *, may_fail: bool) -> None:
    """Refuse, before anything is touched, what would have to save work with a git that cannot.

    Raises:
        UnsupportedError: it cannot, and *may_fail* is false.
    """
    if seen.worktree is not None and must_rescue(seen) and not may_fail:
        needs(world.git, GitRescues, "save the work in a worktree before it is taken away")


def rescue_work(
    world: FullWorld, observed: Observation, record: Record, seen: Inspection, *, purpose: str, may_fail: bool
) -> Saved:
    """Write everything that is nowhere else to a rescue ref.

    Raises:
        RescueFailedError: it could not be saved, and *may_fail* is false.
        UnsupportedError: git cannot save work, and *may_fail* is false.
    """
    if seen.worktree is None or not must_rescue(seen):
        return Saved()
    stamp = int(world.clock.now().timestamp() * 1000)
    try:
        rescue = needs(world.git, GitRescues, "save work").rescue(
            observed.repo,
            seen.worktree,
            ref_name=f"{record.polecat}/{stamp}-{record.instance[:6]}",
            message=f"{purpose} of {agent_id(observed.rig.name, record.polecat)}",
            base=base_ref(observed.rig),
            ignored_patterns=observed.settings.rescue_ignored,
            size_limit_bytes=RESCUE_LIMIT_BYTES,
        )
    except PolecatError:
        if not may_fail:
            raise
        return Saved(failed=True)
    return Saved(ref=rescue.ref if rescue else "")


def drop_branch(world: FullWorld, observed: Observation, seen: Inspection, saved: Saved) -> tuple[str, bool]:
    """Delete the polecat's branch if nothing is lost with it: its commits are elsewhere, or in the rescue.

    Returns:
        The branch, and whether it is gone.
    """
    branch = (seen.worktree.branch or "") if seen.worktree else ""
    if not may_drop_branch(seen) or seen.git is None or seen.git.head is None or (saved.failed and seen.git.unpushed):
        return branch, False
    with holding(git_lock(observed.rig), what=f"delete branch {branch}"):
        return branch, world.git.delete_branch(observed.repo, branch, expected=seen.git.head)


def may_drop_branch(seen: Inspection) -> bool:
    """The branch is a polecat's, and where it stands is known; once its work is saved, nothing is lost with it."""
    branch = (seen.worktree.branch or "") if seen.worktree else ""
    return branch.startswith("polecat/") and seen.git is not None and seen.git.head is not None


def must_rescue(seen: Inspection) -> bool:
    """Anything that is nowhere else, and every commit that is not part of what it is to be merged into."""
    git = seen.git
    if git is None:
        return False
    return not git.is_clean or git.merged != "ancestor" or "ignored" in seen.verdict.reasons


# ------------------------------------------------------------------------------------------------- is it still the same

Fingerprints = tuple[tuple[str, int, int, int], ...]
"""Name, time of the last change, size and inode of every file that is at risk."""


def fingerprints_of(seen: Inspection) -> Fingerprints:
    """Take the traces of the files that are about to be saved, so that a later change of one of them is noticed."""
    return _traces(seen.path, seen.git) if seen.git is not None else ()


def has_changed(world: FullWorld, observed: Observation, seen: Inspection, into: Path, before: Fingerprints) -> bool:
    """Say whether the tree that was moved to *into* is not what was inspected and saved; what cannot be told counts as changed.

    Args:
        world: the outside.
        site: the rig.
        seen: the inspection before it was saved.
        into: where the tree is now.
        before: its traces from then.
    """
    if seen.worktree is None or seen.git is None:
        return False
    if _traces(into, seen.git) != before:
        return True
    moved = evolve(seen.worktree, path=into, admin_dir=into.with_name(f"{into.name}.admin"))
    try:
        return _signature(world.git.facts(observed.repo, moved)) != _signature(seen.git)
    except PolecatError:
        return True


def _traces(top: Path, git: GitFacts) -> Fingerprints:
    found = []
    for name in sorted({*git.changed, *git.untracked}):
        with contextlib.suppress(OSError):
            stat = os.lstat(top / name)
            found.append((name, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


def _signature(git: GitFacts) -> tuple[object, ...]:
    return (git.head, git.changed, git.untracked, git.stashes, git.nested, bool(git.problems))
