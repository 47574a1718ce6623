"""What polecats that are gone have left in the repository: their branches, and their rescues."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta

from attrs import frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.errors import GitError, UnknownStateError, publish
from polecat.model import Rig
from polecat.names import owner_of_branch
from polecat.ports import GitBranches, GitRescues, Rescue, World, needs
from polecat.town.find import find_repo
from polecat.town.homes import list_homes
from polecat.town.locks import git_lock, holding
from polecat.town.records import read_claim, read_record
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.observation import RigContext


@publish
@frozen(kw_only=True)
class CleanedBranches:
    """What became of the branches of polecats that are gone.

    Attributes:
        deleted: branches whose commits are all elsewhere.
        kept: branches that were left, and why.
    """

    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def delete_branch(world: FullWorld, context: RigContext, branch: str, *, tip: str) -> bool:
    """Delete a branch that is at *tip* and whose commits are safe; one that may be somebody else's stays, and so the branch does.

    Raises:
        GitError: git said no, or somebody else has it checked out.
    """
    with holding(git_lock(context.rig), what=f"delete branch {branch}"), suppress(UnknownStateError):
        return world.git.delete_branch(context.repo, branch, expected=tip)
    return False


def clean_branches(
    rig: Rig | str, *, world: World | None = None, dry_run: bool = False, gone: Collection[str] = ()
) -> CleanedBranches:
    """Delete the branches of polecats that are gone, as far as their commits are on a remote-tracking branch or in a rescue.

    A branch whose name neither polecat nor Gas Town makes is somebody's own, and one that the record of a polecat names is its own even
    while another is checked out.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.
        gone: polecats whose registration a reconcile would have dropped first; for a dry run of both.

    Returns:
        The branches that were deleted, and those that were kept, with the reason.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> _ = spawn_for_sling(rig, world=world)
        >>> clean_branches(rig, world=world).deleted  # that of a living polecat is not touched
        ()

    Source:
        Contract §7.8; unlike there, a branch with commits of its own is kept.
    """
    rig = as_rig(rig)
    world = full_world(rig, world)
    repo, git = find_repo(rig), needs(world.git, GitBranches, "clean branches")
    until_ms, homes = int((world.clock.now() + timedelta(days=1)).timestamp() * 1000), list_homes(rig).taken
    deleted, kept = [], []
    with holding(git_lock(rig), what="clean branches"):
        for branch, tip in sorted(git.branches(repo, "polecat/").items()):
            owner = owner_of_branch(branch, until_ms=until_ms)
            if owner is None or (owner in homes and owner not in gone and _may_be_in_use(rig, owner, branch)):
                continue
            try:
                if owner not in gone and git.is_checked_out(repo, branch):
                    continue
                if not git.is_elsewhere(repo, tip):
                    kept.append(f"{branch} has commits that are nowhere else")
                    continue
                if dry_run or world.git.delete_branch(repo, branch, expected=tip):
                    deleted.append(branch)
            except (GitError, UnknownStateError) as error:
                kept.append(f"{branch}: {error.message}")
    return CleanedBranches(deleted=tuple(deleted), kept=tuple(kept))


def _may_be_in_use(rig: Rig, name: str, branch: str) -> bool:
    """Say whether a branch may be the one of the polecat that is there now; of one without a record nobody knows."""
    try:
        known = [record for record in (read_claim(rig, name), read_record(rig, name)) if record is not None]
    except UnknownStateError:
        return True
    return not known or any(record.branch == branch for record in known)


# ---------------------------------------------------------------------------------------------------------------- rescues


def list_rescues(rig: Rig | str, *, world: World | None = None) -> tuple[Rescue, ...]:
    """List what was saved before worktrees of a rig were taken away, oldest first.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.

    Returns:
        The rescues; ``holds`` says what each is worth.

    Raises:
        UnsupportedError: the given git has no `GitRescues`.

    Examples:
        >>> from polecat import remove_polecat, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> world.git.edit(cat.clone_path, "notes.txt", "an idea")
        >>> _ = remove_polecat(rig, cat, force=True, world=world)
        >>> [one.holds for one in list_rescues(rig, world=world)]
        ['files']
    """
    rig = as_rig(rig)
    return needs(full_world(rig, world).git, GitRescues, "list rescues").rescues(find_repo(rig))


def drop_rescues(
    rig: Rig | str,
    refs: Collection[str] = (),
    *,
    older_than: timedelta | None = None,
    only_tips: bool = False,
    world: World | None = None,
    dry_run: bool = False,
) -> tuple[Rescue, ...]:
    """Delete rescues: what they alone hold is lost with them.

    Args:
        rig: the rig, or its name.
        refs: only these, by their full refs.
        older_than: only those that were saved longer ago.
        only_tips: only mere tips, which hold neither files nor commits of their own.
        world: as for `spawn_for_sling`.
        dry_run: only say which.

    Returns:
        Those that are gone.

    Raises:
        ValueError: nothing says which; all of them is never meant.
        UnsupportedError: the given git has no `GitRescues`.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> drop_rescues(rig, older_than=timedelta(days=30), world=world)
        ()
    """
    if not refs and older_than is None and not only_tips:
        raise ValueError("say which rescues: by refs, older_than or only_tips")
    rig = as_rig(rig)
    world = full_world(rig, world)
    git, repo = needs(world.git, GitRescues, "drop rescues"), find_repo(rig)
    before_s = None if older_than is None else (world.clock.now() - older_than).timestamp()
    chosen = [
        one
        for one in git.rescues(repo)
        if (not refs or one.ref in refs)
        and (before_s is None or one.created_at_s < before_s)
        and (not only_tips or one.holds == "tip")
    ]
    with holding(git_lock(rig), what="drop rescues"):
        return tuple(one for one in chosen if dry_run or git.drop_rescue(repo, one))
