"""Stopping a polecat: its session and its agent end, on the server that its record names; its worktree stays."""

from __future__ import annotations

from contextlib import suppress

from polecat.adapters.world import full_world
from polecat.errors import SessionNotFoundError
from polecat.lifecycle.sessions import last_screen
from polecat.model import Ended, Polecat, Rig, SpawnedPolecat
from polecat.names import agent_id
from polecat.ports import Event, World
from polecat.town.endings import end_path, write_end
from polecat.upkeep.addressing import find_target
from polecat.upkeep.inspection import record_of
from polecat.upkeep.liveness import find_agent
from polecat.upkeep.observation import observe
from polecat.upkeep.termination import end_agent


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
        SessionNotFoundError: it has no session, and no process of it runs.
        TmuxError: the server that it was started on could not be asked.

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
        observed = observe(world, rig)
        record = record_of(observed, name)
        agent = find_agent(world, rig, record, observed.sessions)
        if not agent.is_there:
            raise SessionNotFoundError(f"{agent_id(rig.name, name)} has no session")
        if dry_run:
            return agent.session_name
        ended = Ended(reason="stopped", at=world.clock.now())
        screen = last_screen(agent.server, agent.session.pane_id) if agent.session else ""
        end_agent(world, agent)
        instance = agent.session.instance if agent.session else record.instance
        if instance and not (agent.session and agent.session.is_dead):
            with suppress(OSError):  # how it ended is worth less than that it has
                write_end(end_path(rig, name, instance), ended, screen)
        facts = {"session": agent.session_name}
        world.emit(Event(name="session_ended", rig=rig.name, polecat=name, instance=instance, facts=facts))
        return agent.session_name
