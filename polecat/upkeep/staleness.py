"""Keeping a rig tidy: which polecats are stale, which branches belong to nobody."""

from __future__ import annotations

from collections.abc import Collection

from attrs import frozen

from polecat.adapters.world import full_world
from polecat.core.risk import assess_staleness
from polecat.errors import GitError, publish
from polecat.model import Rig
from polecat.names import agent_bead_id
from polecat.ports import GitBranches, World, needs
from polecat.town.locks import git_lock, holding
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.listing import list_polecats
from polecat.upkeep.observation import observe


@publish
@frozen(kw_only=True)
class Staleness:
    """What is known about how stale a polecat is.

    Attributes:
        name: the polecat.
        is_stale: it may go.
        reason: why, or why not.
        commits_behind: how many commits of the default branch it lacks; None if that could not be counted.
    """

    name: str
    is_stale: bool
    reason: str
    commits_behind: int | None = None


def detect_stale(
    rig: Rig | str,
    *,
    threshold: int = 20,
    world: World | None = None,
) -> list[Staleness]:
    """Say of every polecat whether it is stale. What could not be checked counts as work, and as an active session.

    Args:
        rig: the rig, or its name.
        threshold: so many commits behind make it stale by themselves, 1 or more.
        world: as for `spawn_for_sling`.

    Returns:
        One answer for each polecat, sorted by name.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> _ = spawn_for_sling(rig, world=world)
        >>> [(one.name, one.is_stale, one.reason) for one in detect_stale(rig, world=world)]
        [('furiosa', False, 'session active')]

    Source:
        Contract §7.9.
    """
    rig = as_rig(rig)
    world = full_world(rig, world)
    branches = needs(world.git, GitBranches, "count how far polecats are behind")
    observed = observe(world, rig)
    found = []
    for cat in list_polecats(
        rig,
        world=World(
            git=world.git, tmux=world.tmux, beads=world.beads, processes=world.processes, clock=world.clock, environ=world.environ
        ),
    ):
        worktree = world.git.find_worktree(observed.repo, cat.clone_path)
        behind = None
        if worktree is not None and worktree.head is not None:
            behind = branches.commits_behind(observed.repo, worktree.head, f"refs/remotes/origin/{rig.default_branch}")
        agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, cat.name))
        is_stale, reason = assess_staleness(
            uncommitted=cat.work is None or not cat.work.is_clean,
            session_active=cat.is_running is not False,
            agent_state=agent.fields.agent_state if agent else "",
            commits_behind=behind or 0,
            threshold=threshold,
        )
        found.append(Staleness(name=cat.name, is_stale=is_stale, reason=reason, commits_behind=behind))
    return found


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


def clean_branches(
    rig: Rig | str,
    *,
    world: World | None = None,
    dry_run: bool = False,
    gone: Collection[str] = (),
) -> CleanedBranches:
    """Delete the branches of polecats that are gone, as far as their commits are on a remote-tracking branch or in a rescue.

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
    git = needs(world.git, GitBranches, "clean branches")
    observed = observe(world, rig)
    deleted, kept = [], []
    with holding(git_lock(rig), what="clean branches"):
        for branch, tip in sorted(git.branches(observed.repo, "polecat/").items()):
            owner = branch.removeprefix("polecat/").rpartition("-")[0]
            if owner not in gone and git.is_checked_out(observed.repo, branch):
                continue
            if not git.is_elsewhere(observed.repo, tip):
                kept.append(f"{branch} has commits that are nowhere else")
                continue
            try:
                if dry_run or world.git.delete_branch(observed.repo, branch, expected=tip):
                    deleted.append(branch)
            except GitError as error:
                kept.append(f"{branch}: {error.message}")
    return CleanedBranches(deleted=tuple(deleted), kept=tuple(kept))
