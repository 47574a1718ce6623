"""Where a polecat's session is, and whether its agent lives: asked of the server that its record names, and of the process table."""

from __future__ import annotations

from attrs import frozen

from polecat.adapters.world import FullWorld
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.names import session_name
from polecat.ports import Process, Session, Tmux
from polecat.town.records import Record


@frozen(kw_only=True)
class Life:
    """Whether a polecat's agent lives.

    Attributes:
        verdict: it lives, it is dead, or that is unknown, which is not dead.
        session: its session, as far as that could be told.
        unseen: why its session could not be looked for; empty when it could.
        why: why it is unknown whether it lives.
    """

    verdict: Liveness
    session: Session | None = None
    unseen: str = ""
    why: str = ""


def find_session(
    world: FullWorld, rig: Rig, name: str, record: Record | None, sessions: SessionIndex | PolecatError
) -> tuple[Tmux, Session | None]:
    """Find a polecat's session on the server that its record names, whatever the settings name by now.

    Args:
        world: the outside.
        rig: the rig.
        name: the polecat.
        record: its record; None if polecat did not make it.
        sessions: those of the world's own server, or why that could not be asked.

    Returns:
        The server, and the session; None if the server has none of that polecat.

    Raises:
        TmuxError: the server could not be asked.

    Source:
        Design §7.
    """
    instance = record.instance if record else ""
    if isinstance(sessions, SessionIndex) and instance in sessions.by_instance:
        return world.tmux, sessions.by_instance[instance]
    server = world.tmux.at(record.socket_path) if record and record.socket_path else world.tmux
    if server is not world.tmux:
        sessions = index_sessions(server.list_sessions(), rig)
    if isinstance(sessions, PolecatError):
        raise sessions
    return server, sessions.of(name, instance)


def liveness(world: FullWorld, rig: Rig, name: str, record: Record | None, sessions: SessionIndex | PolecatError) -> Life:
    """Say whether a polecat's agent lives. Arguments as for `find_session`.

    Source:
        Design §7.
    """
    if record is not None and record.host not in ("", world.host):
        elsewhere = f"it was made on host {record.host!r}, whose processes are not seen here"
        return Life(verdict="unknown", unseen=elsewhere, why=elsewhere)
    unseen = why = ""
    session: Session | None = None
    try:
        session = find_session(world, rig, name, record, sessions)[1]
        pane: Seen = "absent" if session is None else "ended" if session.is_dead else "running"
    except PolecatError as error:
        pane, unseen = "unknown", error.message
    process: Seen = "absent"
    if record is not None and pane != "running":
        try:
            runs = recorded_process(world, record) or world.processes.family([], instance=record.instance)
            process = "running" if runs else "absent"
        except PolecatError as error:
            process, why = "unknown", error.message
    verdict = judge_liveness(pane=pane, process=process)
    return Life(verdict=verdict, session=session, unseen=unseen, why=(why or unseen) if verdict == "unknown" else "")


@frozen(kw_only=True)
class Agent:
    """A polecat's agent, where it is to be ended.

    Attributes:
        server: the tmux server that its record names.
        session: its session there; None if it has none.
        processes: where it has none, what of it runs all the same: its pane was lost with the server's socket.
        session_name: the name its session has, or had.
    """

    server: Tmux
    session: Session | None
    processes: tuple[Process, ...]
    session_name: str

    @property
    def is_there(self) -> bool:
        """There is something to end."""
        return self.session is not None or bool(self.processes)


def find_agent(world: FullWorld, rig: Rig, record: Record, sessions: SessionIndex) -> Agent:
    """Find a polecat's agent, to end it: on the server that its record names, else in the process table.

    Raises:
        TmuxError: that server could not be asked.
        UnknownStateError: the process table could not be read.
    """
    name = record.polecat
    server, session = find_session(world, rig, name, record, sessions)
    if session is not None:
        return Agent(server=server, session=session, processes=(), session_name=session.name)
    processes = agent_processes(world, record)
    return Agent(server=server, session=None, processes=processes, session_name=record.session or session_name(rig.name, name))


def agent_processes(world: FullWorld, record: Record) -> tuple[Process, ...]:
    """List the recorded process with all it started, and those that bear the instance id, wherever its pane is.

    Raises:
        UnknownStateError: the process table could not be read.
    """
    agent = recorded_process(world, record)
    return world.processes.family([agent] if agent else [], instance=record.instance)


def recorded_process(world: FullWorld, record: Record) -> Process | None:
    """Return exactly the process that a record names as the agent's, if it runs, wherever its pane is."""
    process = world.processes.identify(record.agent_pid) if record.agent_started else None
    return process if process is not None and process.start_time == record.agent_started else None
