"""Termination: ending a session and every process that its agent started, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from polecat.adapters.world import FullWorld
from polecat.errors import UnknownStateError
from polecat.ports import Process, Session, StartedSession, Tmux
from polecat.upkeep.liveness import Agent

ROUNDS = 3
"""How often children that were forked meanwhile are looked for; a process that forks faster is reported."""

GRACE_S = 2.0
"""How long a process may take to end itself after SIGTERM. Twice as long makes a removal with stuck children twice as slow."""


def end_session(
    world: FullWorld, session: Session | StartedSession, *, root: Process | None = None, server: Tmux | None = None
) -> None:
    """End a session with its whole process tree, by process id and start time, never by name or group.

    The tree is read before the session is ended, because afterwards children that left it cannot be found by it; those that left it
    before are found by the instance id in their environment.

    Args:
        world: the world.
        session: the session as it was listed or made; another one that has its name by now is not touched.
        root: the agent's process as it was at the start; without it, the process that has the pane's id now, if the pane lives.
        server: the session's server; the world's own by default.

    Raises:
        UnknownStateError: a process would not end.
        TmuxUnreachableError: the server could not be asked.
    """
    if root is None and isinstance(session, Session) and not session.is_dead:
        root = world.processes.identify(session.pane_pid)
    family = world.processes.family([root] if root else [], instance=session.instance)
    pane = session.pane_id if session.instance else ""  # that pane alone: a person may have one of his own beside it
    (server or world.tmux).kill(session.id, name=session.name, instance=session.instance, pane_id=pane)
    survivors = world.processes.end(family, grace_s=GRACE_S)
    for _ in range(ROUNDS):  # children that were forked while we ended their parents
        late = world.processes.family([], instance=session.instance)
        if not set(late) - set(survivors):
            break
        survivors = world.processes.end(late, grace_s=GRACE_S)
    _check_ended(survivors, f"of session {session.name!r}")


def end_agent(world: FullWorld, agent: Agent) -> None:
    """End a polecat's agent: its session with all it started; where no pane of it is to be found, its processes.

    Raises:
        UnknownStateError: a process would not end.
        TmuxUnreachableError: the server could not be asked.
    """
    if agent.session is not None:
        end_session(world, agent.session, server=agent.server)
    else:
        _check_ended(world.processes.end(agent.processes, grace_s=GRACE_S), f"of {agent.session_name!r}")


def end_unseen(world: FullWorld, instance: str) -> None:
    """End what a failed or killed start may have made before its session was noted.

    Args:
        world: the world.
        instance: the stamp of its session and its processes.

    Raises:
        UnknownStateError: a process would not end.
        TmuxUnreachableError: the server could not be asked, so there may be one.
    """
    session = next((one for one in world.tmux.list_sessions() if one.instance == instance), None)
    if session is not None:
        end_session(world, session)
        return
    family = world.processes.family([], instance=instance)
    _check_ended(world.processes.end(family, grace_s=GRACE_S), f"of instance {instance}")


def _check_ended(survivors: Sequence[Process], whose: str) -> None:
    if survivors:
        pids = ", ".join(str(process.pid) for process in survivors)
        raise UnknownStateError(f"processes {pids} {whose} did not end", hint="look at them with ps, and end them by hand")
