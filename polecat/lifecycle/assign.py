"""What a polecat works on, as set by whoever hands out work: its state and its bead.

Source:
    Contract §7.5 to §7.7. The assigned issue is looked up under both spellings of the assignee, hooked ones included.
"""

from __future__ import annotations

from typing import Literal, get_args

from polecat.adapters.world import FullWorld, full_world
from polecat.errors import PolecatError
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.names import agent_bead_id, agent_id, check_bead_id
from polecat.ports import Bead, World
from polecat.upkeep.addressing import Target, find_target

ReportedState = Literal["working", "active", "done", "stuck"]
CleanupStatus = Literal["clean", "has_uncommitted", "has_stash", "has_unpushed"]

STATES = get_args(ReportedState)
CLEANUP_STATUSES = get_args(CleanupStatus)


def assigned_issue(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None) -> Bead | None:
    """Find the bead a polecat holds: a hooked one before one in progress before an open one; None if it holds none.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `spawn_for_sling`.

    Returns:
        The bead, or None.

    Raises:
        PolecatNotFoundError: there is no such polecat, or the value's polecat is gone and another one has its name.
        BeadsUnavailableError: the store could not be asked; that is not *none*.

    Examples:
        >>> from polecat import SpawnOptions, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> assigned_issue(rig, cat, world=world).id
        'gt-1'
    """
    target = find_target(rig, polecat)
    return _assigned(full_world(target.rig, world), target)


def set_state(
    rig: Rig | str,
    polecat: str | Polecat | SpawnedPolecat,
    state: ReportedState,
    *,
    cleanup_status: CleanupStatus | None = None,
    world: World | None = None,
) -> None:
    """Set the state of a polecat on its agent bead; the bead it holds follows.

    ==================  ================================
    state               the bead it holds
    ==================  ================================
    working, active     becomes ``in_progress``
    done                is unassigned
    stuck               stays as it is
    ==================  ================================

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        state: what it does.
        cleanup_status: which kind of unsaved work it reports.
        world: as for `spawn_for_sling`.

    Raises:
        PolecatNotFoundError: there is no such polecat, or the value's polecat is gone and another one has its name.
        BeadsError: the store refused, or could not be asked.

    Examples:
        >>> from polecat import SpawnOptions, get_polecat, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> set_state(rig, cat, "stuck", world=world)
        >>> get_polecat(rig, cat, world=world).state.value
        'stuck'

    Source:
        Contract §7.6.
    """
    if state not in STATES or (cleanup_status is not None and cleanup_status not in CLEANUP_STATUSES):
        raise PolecatError(
            f"{state if state not in STATES else cleanup_status!r} is not a state a polecat can report",
            hint=f"states: {', '.join(STATES)}; clean-up: {', '.join(CLEANUP_STATUSES)}",
        )
    target = find_target(rig, polecat)
    world = full_world(target.rig, world)
    with target.locked("set the state of"):
        bead = _assigned(world, target)
        if bead is not None and state in ("working", "active"):
            world.beads.set_status(bead.id, "in_progress")
        if bead is not None and state == "done":
            world.beads.unassign(bead.id, expected=bead.assignee)
        agent_bead = agent_bead_id(target.rig.prefix, target.rig.name, target.name)
        if world.beads.agent(agent_bead) is not None:
            changes: dict[str, str] = {"agent_state": "working" if state == "active" else state}
            if cleanup_status is not None:
                changes["cleanup_status"] = cleanup_status
            if state == "done":
                changes["hook_bead"] = ""
            world.beads.update_agent(agent_bead, **changes)


def assign_issue(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, bead: str, *, world: World | None = None) -> Bead:
    """Give a polecat a bead: it becomes ``in_progress``, assigned to the polecat.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        bead: the bead's id.
        world: as for `spawn_for_sling`.

    Returns:
        The bead as it is now.

    Raises:
        PolecatNotFoundError: there is no such polecat, or the value's polecat is gone and another one has its name.
        BeadsError: the store refused, or could not be asked.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> assign_issue(rig, cat, "gt-1", world=world).status
        'in_progress'

    Source:
        Contract §7.7.
    """
    target = find_target(rig, polecat)
    world = full_world(target.rig, world)
    with target.locked(f"assign {bead} to"):
        return world.beads.assign(check_bead_id(bead), assignee=agent_id(target.rig.name, target.name))


def clear_issue(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None) -> Bead | None:
    """Unassign the bead that a polecat holds; None if it held none.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `spawn_for_sling`.

    Returns:
        The bead as it was, or None.

    Raises:
        PolecatNotFoundError: there is no such polecat, or the value's polecat is gone and another one has its name.
        BeadsError: the store refused, or could not be asked.

    Examples:
        >>> from polecat import SpawnOptions, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> clear_issue(rig, cat, world=world).id
        'gt-1'

    Source:
        Contract §7.7.
    """
    target = find_target(rig, polecat)
    world = full_world(target.rig, world)
    with target.locked("clear the hook of"):
        bead = _assigned(world, target)
        if bead is not None:
            world.beads.unassign(bead.id, expected=bead.assignee)
        return bead


def _assigned(world: FullWorld, target: Target) -> Bead | None:
    return next(iter(world.beads.held_by(agent_id(target.rig.name, target.name))), None)
