"""Stopping a polecat: its session and its agent end, its worktree stays."""

from __future__ import annotations

from polecat.adapters.world import full_world
from polecat.errors import SessionNotFoundError
from polecat.model import Polecat, Rig, SpawnedPolecat
from polecat.names import agent_id
from polecat.ports import Event, World
from polecat.upkeep.addressing import find_target
from polecat.upkeep.inspection import record_of
from polecat.upkeep.liveness import agent_processes, at_recorded_server
from polecat.upkeep.observation import observe
from polecat.upkeep.termination import end_agent, end_session


def stop_polecat(
    rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None, dry_run: bool = False
) -> str:
    """End a polecat's session and every process its agent started; its worktree, branch and hook stay as they are.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The name of the session that was ended.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone and another one has its name.
        SessionNotFoundError: it has no session.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, world=world)
        >>> stop_polecat(rig, cat, world=world), world.tmux.sessions()
        ('gt-gastown-furiosa', [])

    Source:
        Contract §11, stop; design §6, deviation 15.
    """
    target = find_target(rig, polecat)
    rig, name = target.rig, target.name
    world = full_world(rig, world)
    with target.locked("stop"):
        world, observed, session = at_recorded_server(world, observe(world, rig), name)
        record = record_of(observed, name)
        if session is None and not agent_processes(world, record):
            raise SessionNotFoundError(f"{agent_id(rig.name, name)} has no session")
        ended = session.name if session else record.session
        if dry_run:
            return ended
        if session is not None:
            end_session(world, session)
        end_agent(world, record)  # it may live without a session: its server's socket is gone
        world.emit(Event(name="session_ended", rig=rig.name, polecat=name, instance=record.instance, facts={"session": ended}))
        return ended
