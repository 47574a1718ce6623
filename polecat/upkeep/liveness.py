"""Whether a polecat's agent lives: asked of the server that its record names, and of the process table."""

from __future__ import annotations

from attrs import evolve

from polecat.adapters.world import FullWorld
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.ports import Process, Session
from polecat.town.records import Record, read_current
from polecat.upkeep.observation import Observation


def liveness(world: FullWorld, rig: Rig, name: str, record: Record | None, sessions: SessionIndex | None) -> Liveness:
    """Say whether a polecat's agent lives. Where that cannot be told it is *unknown*, which is not dead.

    Args:
        world: the outside.
        rig: the rig.
        name: the polecat.
        record: its record; None if polecat did not make it, and then only a session can tell.
        sessions: those of the world's own server; None if that could not be asked.

    Source:
        Design §7.
    """
    pane = _seen(
        None if sessions is None else sessions.of(name, record.instance if record else ""), is_asked=sessions is not None
    )
    if record is None or pane == "running":
        return judge_liveness(pane=pane, process="absent")
    try:
        server = world.tmux.at(record.socket_path) if record.socket_path else world.tmux
    except PolecatError:
        return judge_liveness(pane="unknown", process=_process(world, record))
    if server is not world.tmux:
        pane = _pane_on(world, rig, name, record)
    return judge_liveness(pane=pane, process=_process(world, record))


def may_live(world: FullWorld, observed: Observation, name: str) -> bool:
    """Say whether the agent of a polecat that we remember lives, or may live."""
    try:
        record = read_current(observed.rig, name)
    except UnknownStateError:
        return True
    return liveness(world, observed.rig, name, record, observed.sessions) != "dead"


def _seen(session: Session | None, *, is_asked: bool) -> Seen:
    if session is None:
        return "absent" if is_asked else "unknown"
    return "ended" if session.is_dead else "running"


def _pane_on(world: FullWorld, rig: Rig, name: str, record: Record) -> Seen:
    try:
        sessions = index_sessions(world.tmux.at(record.socket_path).list_sessions(), rig)
    except PolecatError:
        return "unknown"
    return _seen(sessions.of(name, record.instance), is_asked=True)


def _process(world: FullWorld, record: Record) -> Seen:
    """Look for the recorded process, by its id and start time, and for any that bears the instance id."""
    try:
        is_there = agent_processes(world, record)
    except PolecatError:
        return "unknown"
    return "running" if is_there else "absent"


def at_recorded_server(world: FullWorld, observed: Observation, name: str) -> tuple[FullWorld, Observation, Session | None]:
    """Find a polecat's session: on the server that was observed, else on the one that its record names.

    Returns:
        The world with the server that has it, the rig as seen from there, and the session; None if it has none.

    Raises:
        TmuxUnreachableError: the recorded server could not be asked.
        UnknownStateError: the record cannot be read.
    """
    record = read_current(observed.rig, name)
    instance = record.instance if record else ""
    session = observed.sessions.of(name, instance)
    server = world.tmux.at(record.socket_path) if record and record.socket_path else world.tmux
    if session is not None or server is world.tmux:
        return world, observed, session
    there = index_sessions(server.list_sessions(), observed.rig)
    found = there.of(name, instance)
    if found is None:
        return world, observed, None
    return evolve(world, tmux=server), evolve(observed, sessions=there), found


def agent_processes(world: FullWorld, record: Record) -> tuple[Process, ...]:
    """List the processes of a polecat's agent, wherever its pane is and whichever server answers.

    Raises:
        UnknownStateError: the table could not be read.
    """
    process = world.processes.identify(record.agent_pid) if recorded_process_runs(world, record) else None
    return world.processes.family([process] if process else [], instance=record.instance)


def recorded_process_runs(world: FullWorld, record: Record) -> bool:
    """Say whether exactly the process that a record names as the agent's runs, wherever its pane is."""
    process = world.processes.identify(record.agent_pid) if record.agent_started else None
    return process is not None and process.start_time == record.agent_started
