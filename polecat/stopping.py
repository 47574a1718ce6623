"""Stopping a polecat: its session and its agent end, its place stays."""

from __future__ import annotations

from collections.abc import Mapping

from polecat.ending import end_session
from polecat.errors import SessionNotFoundError
from polecat.inspection import lease_of, session_of
from polecat.locks import holding, polecat_lock
from polecat.look import as_rig, look
from polecat.model import Event, Rig
from polecat.names import agent_id
from polecat.polecats import check_exists
from polecat.ports import Beads, Clock, Git, OnEvent, Processes, Tmux
from polecat.world import make_world


def stop_polecat(
    rig: Rig | str,
    name: str,
    *,
    git: Git | None = None,
    tmux: Tmux | None = None,
    beads: Beads | None = None,
    processes: Processes | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    on_event: OnEvent | None = None,
    dry_run: bool = False,
) -> str:
    """End a polecat's session and every process its agent started; its worktree, branch and hook stay as they are.

    Args:
        rig: the rig, or its name.
        name: the polecat.
        git, tmux, beads, processes, clock, environ, on_event: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The name of the session that was ended.

    Raises:
        PolecatNotFoundError: there is none of that name.
        SessionNotFoundError: it has no session.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, **world)
        >>> stop_polecat(rig, cat.polecat_name, **world), world["tmux"].sessions()
        ('gt-gastown-furiosa', [])

    Source:
        Contract §11, stop; design §6, deviation 15.
    """
    rig = as_rig(rig)
    check_exists(rig, name)
    world = make_world(rig, git=git, tmux=tmux, beads=beads, processes=processes, clock=clock, environ=environ, on_event=on_event)
    with holding(polecat_lock(rig, name), what=f"stop {name}"):
        site = look(world, rig)
        session = session_of(site, lease_of(site, name, None))
        if session is None:
            raise SessionNotFoundError(f"{agent_id(rig.name, name)} has no session")
        if dry_run:
            return session.name
        end_session(world, session)
        world.emit(
            Event(name="session_ended", rig=rig.name, polecat=name, instance=session.instance, facts={"session": session.name})
        )
        return session.name
