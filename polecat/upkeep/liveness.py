"""What is seen of a polecat's agent: where its session is and whether it lives, how it ended, and what its screen means.

Whether it lives is asked of the server that its record names, and of the process table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, cached_property

from attrs import define, field, frozen

from polecat.adapters.world import FullWorld, gastown_socket
from polecat.core.agents import find_agent as find_agent_of
from polecat.core.presets import PRESETS
from polecat.core.screens import Signs
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness, proved_name
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Ended, Rig
from polecat.names import agent_id
from polecat.ports import Process, Processes, Screen, Session, Tmux, Watch
from polecat.town.config import load_agent_registry
from polecat.town.endings import end_path, ended_by, read_end
from polecat.town.homes import Homes, clone_path
from polecat.town.records import Record, read_current
from polecat.town.settings import load_rig_settings, load_town_settings


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


@define(kw_only=True, slots=False)
class Look:
    """One look at sessions and processes, for as many polecats of a rig as are asked about: nothing is asked for twice.

    Args:
        world: the outside.
        rig: the rig.
        sessions: those of the world's own server, or why that could not be asked.
    """

    world: FullWorld
    rig: Rig
    sessions: SessionIndex | PolecatError
    _servers: dict[str, tuple[Tmux, SessionIndex] | PolecatError] = field(factory=dict, init=False)

    def find_session(self, name: str, record: Record | None) -> tuple[Tmux, Session | None]:
        """Find a polecat's session on the server that its record names, whatever the settings name by now; else on Gas Town's own.

        Args:
            name: the polecat.
            record: its record; None if polecat did not make it.

        Returns:
            The server, and the session; None if the server has none of that polecat.

        Raises:
            TmuxError: the server could not be asked.

        Source:
            Design §7.
        """
        instance = record.instance if record else ""
        if isinstance(self.sessions, SessionIndex) and instance in self.sessions.by_instance:
            return self.world.tmux, self.sessions.by_instance[instance]
        ours, sessions = self._server_at(record.socket_path if record else "")
        session = sessions.of(name, instance)
        if session is None and (socket := gastown_socket(self.rig, self.world.environ)):
            theirs, sessions = self._server_at(socket)
            if (session := sessions.of(name, instance)) is not None:
                return theirs, session
        return ours, session

    def _server_at(self, socket_path: str) -> tuple[Tmux, SessionIndex]:
        if socket_path not in self._servers:
            self._servers[socket_path] = self._ask_at(socket_path)
        answer = self._servers[socket_path]
        if isinstance(answer, PolecatError):
            raise answer
        return answer

    def _ask_at(self, socket_path: str) -> tuple[Tmux, SessionIndex] | PolecatError:
        try:
            server = self.world.tmux.at(socket_path) if socket_path else self.world.tmux
            if server is not self.world.tmux:
                return server, index_sessions(server.list_sessions(), self.rig)
        except PolecatError as error:
            return error
        return self.sessions if isinstance(self.sessions, PolecatError) else (server, self.sessions)

    def life(self, name: str, record: Record | None) -> Life:
        """Say whether a polecat's agent lives. Where that cannot be told it is *unknown*, which is not dead.

        Args:
            name: the polecat.
            record: its record; None if polecat did not make it, and then only a session can tell.

        Source:
            Design §7.
        """
        try:
            check_host(self.world, record)
        except UnknownStateError as error:
            return Life(verdict="unknown", unseen=error.message, why=error.message)
        unseen = why = ""
        session: Session | None = None
        try:
            session = self.find_session(name, record)[1]
            pane: Seen = "absent" if session is None else "ended" if session.is_dead else "running"
        except PolecatError as error:
            pane, unseen = "unknown", error.message
        process: Seen = "absent"
        if session is not None and pane == "running":
            why = self._other_program(record, session)
            pane = "unknown" if why else pane
        else:
            try:
                if record is not None:
                    process = (
                        "running" if recorded_process(self.world, record) or record.instance in self._instances else "absent"
                    )
                elif pane == "absent" and (inside := self._workers(name)):
                    process, why = "unknown", f"it has no session, but processes work in it: {', '.join(inside)}"
            except PolecatError as error:
                process, why = "unknown", error.message
        verdict = judge_liveness(pane=pane, process=process)
        return Life(verdict=verdict, session=session, unseen=unseen, why=(why or unseen) if verdict == "unknown" else "")

    def life_of(self, name: str) -> Life:
        """Say whether the agent of a polecat that we remember lives; a record that cannot be read is unknown."""
        try:
            record = read_current(self.rig, name)
        except UnknownStateError as error:
            return Life(verdict="unknown", why=error.message)
        return self.life(name, record)

    def _other_program(self, record: Record | None, session: Session) -> str:
        """Why it cannot be told whether the program in its pane is its agent; empty where it is, as far as is known."""
        try:
            other = other_program(self.world.processes, record, session) if record is not None else ""
        except PolecatError as error:
            return error.message
        return f"another program was started in its pane: {other}" if other else ""

    def _workers(self, name: str) -> list[str]:
        """Who works in the worktree of a polecat that polecat did not make, such as an agent whose server is not known here."""
        ours = (os.getpid(), os.getppid())
        processes = self.world.processes.inside(clone_path(self.rig, name))
        return [f"{one.name} ({one.pid})" for one in processes if one.pid not in ours]

    @cached_property
    def _instances(self) -> frozenset[str]:
        return self.world.processes.instances()


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


def check_host(world: FullWorld, record: Record | None) -> None:
    """Refuse to judge what was made on another machine, whose processes are not seen here.

    Raises:
        UnknownStateError: it was.
    """
    if record is not None and record.host not in ("", world.host):
        raise UnknownStateError(
            f"{agent_id(record.rig, record.polecat)} was claimed on host {record.host!r}, and this is {world.host or 'a host without a name'!r}",
            hint="only that host can say what became of it; if this is that host, name it so in the town's settings again",
        )


def find_agent(world: FullWorld, rig: Rig, record: Record, sessions: SessionIndex) -> Agent:
    """Find a polecat's agent, to end it: on the server that its record names, else in the process table.

    Raises:
        TmuxError: that server could not be asked.
        UnknownStateError: the process table could not be read, or it was made on another host.
    """
    check_host(world, record)
    name = record.polecat
    server, session = Look(world=world, rig=rig, sessions=sessions).find_session(name, record)
    if session is not None:
        # a session that does not prove to be this polecat's is one that its pane was moved to; that one stays
        is_own = proved_name(session, rig) == name
        known = session.name if is_own else record.session or session.name
        return Agent(server=server, session=session, processes=(), session_name=known)
    processes = agent_processes(world, record)
    return Agent(server=server, session=None, processes=processes, session_name=record.session or rig.session_name(name))


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
    is_same = process is not None and process.start_time == record.agent_started
    return process if process is not None and is_same and world.processes.is_alive(process) else None


def other_program(processes: Processes, record: Record, session: Session) -> str:
    """Name what was started in a stamped pane since (``respawn-pane``) and is not the agent as far as is known; empty for none.

    A pane's process has the id that the record names as long as nobody does so, whatever it becomes or starts. An agent that was started
    there anew, as Gas Town does, is known by its name.

    Raises:
        UnknownStateError: the process table could not be read.
    """
    if not record.agent_pid or session.instance != record.instance or session.pane_pid in (0, record.agent_pid):
        return ""
    found = processes.identify(session.pane_pid)
    family = processes.family([found], instance="") if found is not None else ()
    if any(one.name in record.process_names for one in family):
        return ""
    return found.name if found is not None else f"process {session.pane_pid}"


def renamed_homes(world: FullWorld, rig: Rig, sessions: SessionIndex, homes: Homes) -> Mapping[str, str]:
    """Find living polecats whose home somebody renamed: name → the home that the agent works in now. They are no orphans.

    Raises:
        UnknownStateError: there are sessions without a home, and the process table could not be read.
    """
    lost = {name: one.pane_pid for name, one in sessions.own.items() if name not in homes.taken and not one.is_dead}
    found: dict[str, str] = {}
    for home in (home for home in homes.dirs if lost and home not in sessions.own):
        inside = {process.pid for process in world.processes.inside(rig.home_dir(home))}
        found |= {name: home for name, pid in lost.items() if pid in inside}
    return found


# ------------------------------------------------------------------------------------------------------- how it ended


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


# -------------------------------------------------------------------------------------------------- what its screen means


def signs_by_agent(rig: Rig) -> Callable[[str], Signs]:
    """Make a function that says what is known of an agent's screen; the files are read once, here.

    Of an agent that nobody defines any more, or where a file cannot be read, what is built in counts, or else nothing is known.
    """
    try:
        settings, town = load_rig_settings(rig.path), load_town_settings(rig.town_root)
        registries = [load_agent_registry(root / "settings" / "agents.json") for root in (rig.path, rig.town_root)]
    except PolecatError:
        return lambda name: PRESETS[name].signs if name in PRESETS else Signs()

    @cache
    def signs(name: str) -> Signs:
        agent = find_agent_of(name, rig_settings=settings, town_settings=town, registries=registries)
        return agent.signs if agent else Signs()

    return signs


def look_at(world: FullWorld, sessions: Iterable[Session]) -> Mapping[str, Screen]:
    """Read the screens of sessions, all in one call: pane id → what is seen of it. One that cannot be seen is left out.

    Raises:
        TmuxError: the server could not be asked.
    """
    watches = [Watch(pane_id=one.pane_id, instance=one.instance) for one in sessions if one.pane_id and not one.is_dead]
    statuses = world.tmux.watch(watches, timeout_s=0) if watches else ()
    return {status.pane_id: status.screen for status in statuses if status.screen is not None and not status.is_dead}
