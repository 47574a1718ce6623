"""Which polecats of a rig are stale: idle, or far behind."""

from __future__ import annotations

from attrs import frozen

from polecat.adapters.world import full_world
from polecat.core.risk import assess_staleness
from polecat.errors import publish
from polecat.model import Rig
from polecat.names import agent_bead_id
from polecat.ports import GitBranches, World, needs
from polecat.upkeep.addressing import as_rig
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
    """Say which polecats are stale. Work that could not be counted counts as work, a session that is unknown as active.

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
    needs(world.git, GitBranches, "count how far polecats are behind")
    found = []
    for cat in list_polecats(rig, world=world):
        agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, cat.name))
        is_stale, reason = assess_staleness(
            uncommitted=cat.work is None or not cat.work.is_clean,
            session_active=cat.is_running is not False,
            agent_state=agent.fields.agent_state if agent else "",
            commits_behind=cat.behind or 0,
            threshold=threshold,
        )
        found.append(Staleness(name=cat.name, is_stale=is_stale, reason=reason, commits_behind=cat.behind))
    return found
