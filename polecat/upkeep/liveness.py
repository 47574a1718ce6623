"""Whether a polecat's agent lives: asked of the server that its record names, and of the process table."""

from __future__ import annotations

from polecat.adapters.world import FullWorld
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Session
from polecat.town.records import Record


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
    if record is not None and record.host not in ("", world.host):
        return "unknown"  # it was made on another machine, whose processes are not seen here
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
        is_there = recorded_process_runs(world, record) or world.processes.family([], instance=record.instance)
    except PolecatError:
        return "unknown"
    return "running" if is_there else "absent"


def recorded_process_runs(world: FullWorld, record: Record) -> bool:
    """Say whether exactly the process that a record names as the agent's runs, wherever its pane is."""
    process = world.processes.identify(record.agent_pid) if record.agent_started else None
    return process is not None and process.start_time == record.agent_started
