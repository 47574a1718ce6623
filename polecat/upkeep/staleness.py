"""Which polecats of a rig are stale: idle, or far behind."""

from __future__ import annotations

from attrs import frozen

from polecat.adapters.world import full_world
from polecat.core.risk import assess_staleness
from polecat.errors import PolecatError, UnknownStateError, publish
from polecat.model import Rig
from polecat.names import agent_bead_id
from polecat.ports import GitBranches, World, needs
from polecat.town.find import find_repo
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.inspection import base_ref
from polecat.upkeep.listing import list_polecats


@publish
@frozen(kw_only=True)
class Staleness:
    """What is known about how stale a polecat is.

    Attributes:
        name: the polecat.
        is_stale: it may be removed.
        reason: why, or why not.
        commits_behind: how many commits of the default branch it lacks; None if that could not be counted.
    """

    name: str
    is_stale: bool
    reason: str
    commits_behind: int | None = None


def detect_stale(rig: Rig | str, *, threshold: int = 20, world: World | None = None) -> list[Staleness]:
    """Say which polecats are stale. One of which something could not be told is not, and its reason says what.

    Args:
        rig: the rig, or its name.
        threshold: this many commits behind make a polecat stale, 1 or more.
        world: as for `spawn_for_sling`.

    Returns:
        One value for each polecat, sorted by name.

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
    repo, branches = find_repo(rig), needs(world.git, GitBranches, "count how far polecats are behind")
    found = []
    for cat in list_polecats(rig, world=world):
        behind = None
        try:
            if cat.unknown:
                raise UnknownStateError("; ".join(dict.fromkeys(cat.unknown.values())))
            worktree = world.git.find_worktree(repo, cat.clone_path)
            if worktree is not None and worktree.head is not None:
                behind = branches.commits_behind(repo, worktree.head, base_ref(rig))
            agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, cat.name))
        except PolecatError as error:
            found.append(Staleness(name=cat.name, is_stale=False, reason=f"could not be told: {error.message}"))
            continue
        is_stale, reason = assess_staleness(
            uncommitted=cat.work is None or not cat.work.is_clean,
            session_active=cat.is_running is not False,
            agent_state=agent.fields.agent_state if agent else "",
            commits_behind=0 if behind is None else behind,  # nothing to lack where the default branch has no commit
            threshold=threshold,
        )
        found.append(Staleness(name=cat.name, is_stale=is_stale, reason=reason, commits_behind=behind))
    return found
