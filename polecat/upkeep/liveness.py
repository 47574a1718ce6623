"""Whether a polecat's agent lives, asked of the server that its record names and of the process table; and how it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property

from attrs import define, field

from polecat.adapters.world import FullWorld
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness
from polecat.ended import Ended
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Session
from polecat.town.endings import end_path, ended_by, read_end
from polecat.town.records import Record


@define(kw_only=True, slots=False)
class Look:
    """One look at sessions and processes, for as many polecats of a rig as are asked about: nothing is asked for twice.

    Args:
        world: the outside.
        rig: the rig.
        sessions: those of the world's own server; None if that could not be asked.
    """

    world: FullWorld
    rig: Rig
    sessions: SessionIndex | None
    _elsewhere: dict[str, SessionIndex | None] = field(factory=dict, init=False)

    def liveness(self, name: str, record: Record | None) -> Liveness:
        """Say whether a polecat's agent lives. Where that cannot be told it is *unknown*, which is not dead.

        Args:
            name: the polecat.
            record: its record; None if polecat did not make it, and then only a session can tell.

        Source:
            Design §7.
        """
        pane = _seen(self.sessions, name, record)
        if record is None or pane == "running":
            return judge_liveness(pane=pane, process="absent")
        if record.socket_path:
            pane = _seen(self._sessions_at(record.socket_path), name, record)
        return judge_liveness(pane=pane, process=self._process(record))

    def _sessions_at(self, socket_path: str) -> SessionIndex | None:
        """The sessions of the server behind a socket; None if they cannot be told."""
        if socket_path not in self._elsewhere:
            self._elsewhere[socket_path] = self._ask_at(socket_path)
        return self._elsewhere[socket_path]

    def _ask_at(self, socket_path: str) -> SessionIndex | None:
        try:
            server = self.world.tmux.at(socket_path)
            return self.sessions if server is self.world.tmux else index_sessions(server.list_sessions(), self.rig)
        except PolecatError:
            return None

    def _process(self, record: Record) -> Seen:
        """Look for the recorded process, by its id and start time, and for any that bears the instance id."""
        try:
            is_there = recorded_process_runs(self.world, record) or record.instance in self._instances
        except PolecatError:
            return "unknown"
        return "running" if is_there else "absent"

    @cached_property
    def _instances(self) -> frozenset[str]:
        return self.world.processes.instances()


def _seen(sessions: SessionIndex | None, name: str, record: Record | None) -> Seen:
    if sessions is None:
        return "unknown"
    session: Session | None = sessions.of(name, record.instance if record else "")
    if session is None:
        return "absent"
    return "ended" if session.is_dead else "running"


def recorded_process_runs(world: FullWorld, record: Record) -> bool:
    """Say whether exactly the process that a record names as the agent's runs, wherever its pane is."""
    process = world.processes.identify(record.agent_pid) if record.agent_started else None
    return process is not None and process.start_time == record.agent_started and world.processes.is_alive(process)


def how_it_ended(world: FullWorld, rig: Rig, record: Record | None, session: Session | None) -> Ended | None:
    """Say how an agent that lives no more has ended.

    What was kept when it ended counts; else what its pane still tells; else that its server is not the one it was started on any more.

    Args:
        world: the outside.
        rig: the rig.
        record: the polecat's record; None if polecat did not make it.
        session: what is left of its session.

    Returns:
        How; None if no agent was ever started under this record.
    """
    kept = read_end(end_path(rig, record.polecat, record.instance)) if record is not None else None
    if kept is not None:
        return kept[0]
    if session is not None:
        at = datetime.fromtimestamp(session.active_at_s, UTC) if session.active_at_s else None
        return ended_by(session.exit_code, session.signal, at=at)
    if record is None:
        return Ended()
    if not record.session_id and not record.may_have_run:
        return None
    return Ended(reason="server gone" if server_is_gone(world, record) else "unknown")


def server_is_gone(world: FullWorld, record: Record) -> bool:
    """Say whether the tmux server that a record names has provably ended: no process has its id, or another one has it by now."""
    if not record.server_pid:
        return False
    try:
        process = world.processes.identify(record.server_pid)
        if process is None or not world.processes.is_alive(process):
            return True
    except PolecatError:
        return False
    return bool(record.server_started) and process.start_time != record.server_started
