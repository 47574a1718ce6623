"""What the tmux for tests remembers, and how a test changes it: agents end, people rename, split, move, look on, and lose a socket."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve

from polecat.adapters.processes.clock import SystemClock
from polecat.errors import SessionNotFoundError, TmuxUnreachableError
from polecat.ports import Clock, PaneStatus, Session, SessionRequest, Watch
from polecat.testing.fake_agents import READY, FakeAgent, Pane, as_gas_town_made_it
from polecat.testing.fake_processes import FakeProcesses
from polecat.town.endings import ended_by, write_end

if TYPE_CHECKING:
    from polecat.testing.fake_tmux import FakeTmux

IDENTITY = ("GT_ROLE", "GT_RIG", "GT_POLECAT", "GT_CREW", "GT_ROOT", "POLECAT_ID")


class FakeTmuxWorld:
    """The state behind `polecat.testing.FakeTmux`, and what a test can do to it."""

    def __init__(
        self,
        sessions: Iterable[str | Session] = (),
        *,
        socket: str | None = None,
        agent: FakeAgent | Callable[[SessionRequest], FakeAgent] = READY,
        processes: FakeProcesses | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.unreachable = False
        self.others: dict[str, FakeTmux] = {}
        self.people: set[int] = set()
        self._views: dict[str, tuple[Session, str]] = {}
        self._socket = socket
        self._agent = agent
        self._clock = clock or SystemClock()
        self._processes = FakeProcesses() if processes is None else processes
        self._panes: dict[str, Pane] = {}
        self._next_id = 0
        self._server_pid = 1_000_000 if socket is None else 2_000_000 + 10 * (zlib.crc32(socket.encode()) % 1_000_000)
        self._known: tuple[int, tuple[str, ...]] = (self._server_pid, ())
        self._processes.add(self._server_pid)
        self._mutex = threading.RLock()
        for session in sessions:
            self._add(as_gas_town_made_it(session) if isinstance(session, str) else session)

    @property
    def socket_path(self) -> str:
        """Where its socket would be."""
        return f"/pretend/{self._socket or 'default'}"

    def list_sessions(self) -> tuple[Session, ...]:
        """List every session; see `polecat.ports.Tmux`."""
        with self._reached():
            found = self._listed()
            self._known = (self._server_pid, tuple(session.name for session in found))
            return found

    def _listed(self) -> tuple[Session, ...]:
        """Show each session by its agent's pane or else its first one, and each agent's pane that was moved elsewhere."""
        for pane in list(self._panes.values()):
            self._is_dead(pane)
            pane.screen(self._now_s())
        shown: dict[str, Session] = {}
        moved: list[Session] = []
        for pane in sorted(self._panes.values(), key=lambda pane: not pane.session.instance):
            one = evolve(pane.session, is_shared=any(shared == pane.session.pane_id for _, shared in self._views.values()))
            if shown.setdefault(one.id, one) is not one and one.instance:
                moved.append(one)
        views = [evolve(view, pane_pid=self._by_pane(at).session.pane_pid) for view, at in self._views.values()]
        order = list(dict.fromkeys(pane.session.id for pane in self._panes.values()))
        return (*(shown[one] for one in order), *moved, *views)

    # ------------------------------------------------------------------------------------------- what a test may do

    def sessions(self) -> list[str]:
        """List the names of all sessions, oldest first."""
        return [session.name for session in self.list_sessions()]

    def typed(self, pane_id: str) -> list[str]:
        """List the texts that were typed into a pane, without their Enters."""
        return list(self._panes_by_pane(pane_id).typed)

    def typed_to_people(self) -> list[str]:
        """List what was typed or pressed in the panes of people."""
        return [text for one in self._panes.values() if one.session.pane_pid in self.people for text in (*one.typed, *one.keys)]

    def pressed(self, pane_id: str) -> list[str]:
        """List the keys that were pressed in a pane, the Enters after texts included."""
        return list(self._panes_by_pane(pane_id).keys)

    def received(self, pane_id: str) -> str:
        """Return all that a pane's program read, with a carriage return for each Enter, as a terminal gives it."""
        return self._panes_by_pane(pane_id).received

    def request(self, name: str) -> SessionRequest:
        """Return what a session was started with."""
        pane = self._named(name)
        if pane.request is None:
            raise KeyError(f"session {name!r} was not started here")
        return pane.request

    def show(self, name: str, screen: str) -> None:
        """Let the agent of a session show something else."""
        pane = self._named(name)
        pane.behave(evolve(pane.agent, screen=screen, ready_after_looks=0, steps=()))
        self._is_active(pane)

    def crash(self, name: str, exit_code: int | None = 1, *, signal: int | None = None) -> None:
        """End the process of a session; the session goes with it, unless its start is not over yet."""
        self._end(self._named(name), exit_code=None if signal is not None else exit_code, signal=signal)

    def rename(self, name: str, new_name: str) -> None:
        """Rename a session, as a person may."""
        pane = self._named(name)
        pane.session = evolve(pane.session, name=new_name)

    def split(self, name: str) -> Session:
        """Open a pane of a person's own in a session; once the agent's is gone, what is left in the session proves nothing."""
        beside = self._named(name).session
        session = Session(id=beside.id, name=beside.name)
        return self._as_person(self._add(session).session)

    def person(self, name: str, environment: Mapping[str, str] | None = None) -> Session:
        """Make a session that is not polecat's, with whatever name; *environment* is what it says of itself."""
        return self._as_person(self._add(Session(id="", name=name, environment=environment or {})).session)

    def view(self, name: str, new_name: str) -> Session:
        """Open a second view of a session, as ``new-session -t`` does: one pane, shown by two."""
        pane_id, self._next_id = self._named(name).session.pane_id, self._next_id + 1
        view = Session(id=f"${self._next_id - 1}", name=new_name, pane_id=pane_id, is_shared=True)
        self._views[view.id] = (view, pane_id)
        return view

    def move(self, name: str, to: str) -> None:
        """Move the first pane of a session into another session, as ``join-pane`` does."""
        pane, host = self._named(name), self._named(to).session
        pane.session = evolve(pane.session, id=host.id, name=host.name, environment=host.environment)

    def lose_socket(self) -> None:
        """Delete the socket: the server and its processes live on where nobody reaches them; the next start makes another server."""
        with self._mutex:
            self._panes.clear()
            self._views.clear()
            self._next_id, self._server_pid = 0, self._server_pid + 1
            self._processes.add(self._server_pid)

    def restart_server(self) -> None:
        """End the server and all its sessions, as a reboot does, and start another; ids begin anew."""
        with self._mutex:
            for pane in list(self._panes.values()):
                self._drop(pane)
            self._next_id = 0
            self._processes.forget(self._server_pid)
            self._server_pid += 1
            self._processes.add(self._server_pid)

    # ---------------------------------------------------------------------------------------------------- internals

    def _reached(self) -> threading.RLock:
        if self.unreachable:
            raise TmuxUnreachableError(
                "tmux gave no usable answer: error connecting (Permission denied)",
                argv=("tmux",),
                exit_code=1,
                stderr="error connecting (Permission denied)",
            )
        return self._mutex

    def _now_s(self) -> int:
        return int(self._clock.now().timestamp())

    def _add(self, session: Session, *, agent: FakeAgent | None = None, request: SessionRequest | None = None) -> Pane:
        number = self._next_id
        self._next_id += 1
        given = evolve(
            session,
            id=session.id or f"${number}",
            active_at_s=session.active_at_s or self._now_s(),
            pane_id=session.pane_id or f"%{number}",
            pane_pid=session.pane_pid or self._server_pid * 1000 + number,
        )
        pane = Pane(session=given, agent=agent or FakeAgent(), request=request, is_released=request is None)
        self._panes[f"{given.id} {given.pane_id}"] = pane
        return pane

    def _is_dead(self, pane: Pane) -> bool:
        """Say whether the process has ended, be it by the test or through the process table."""
        if pane.request is not None and not pane.session.is_dead and self._processes.identify(pane.session.pane_pid) is None:
            self._end(pane, signal=15)
        return pane.session.is_dead

    def _is_active(self, pane: Pane) -> None:
        pane.session = evolve(pane.session, active_at_s=self._now_s())

    def _end(self, pane: Pane, *, exit_code: int | None = None, signal: int | None = None) -> None:
        with self._mutex:
            self._is_active(pane)
            pane.looks = max(pane.looks, pane.agent.ready_after_looks)
            pane.session = evolve(pane.session, is_dead=True, exit_code=exit_code, signal=signal)
            if pane.request is not None and pane.request.end_file is not None:
                at = datetime.fromtimestamp(self._now_s(), UTC)
                write_end(pane.request.end_file, ended_by(exit_code, signal, at=at), pane.screen(self._now_s()).text)
            self._processes.forget(pane.session.pane_pid)
            if pane.is_released:
                self._take(pane)

    def _drop(self, pane: Pane) -> None:
        self._processes.forget(pane.session.pane_pid)
        self._take(pane)

    def _take(self, pane: Pane) -> None:
        self._panes = {key: one for key, one in self._panes.items() if one is not pane}
        self._views = {key: (view, at) for key, (view, at) in self._views.items() if at != pane.session.pane_id}

    def _end_view(self, session_id: str, name: str) -> bool:
        for key, (view, _) in self._views.items():
            if view.name == name and session_id in ("", view.id):
                del self._views[key]
                return True
        return False

    def _as_person(self, session: Session) -> Session:
        self._processes.add(session.pane_pid)
        self.people.add(session.pane_pid)
        return session

    def _by_pane(self, pane_id: str) -> Pane:
        return next(pane for pane in self._panes.values() if pane.session.pane_id == pane_id)

    def _find(self, pane_id: str) -> Pane | None:
        for pane in list(self._panes.values()):
            if pane.session.pane_id == pane_id:
                is_dead = self._is_dead(pane)
                return None if is_dead and pane.is_released else pane
        return None

    def _panes_by_pane(self, pane_id: str) -> Pane:
        pane = self._find(pane_id)
        if pane is None:
            raise KeyError(f"no pane {pane_id}")
        return pane

    def _named(self, name: str) -> Pane:
        for pane in self._panes.values():
            if pane.session.name == name:
                return pane
        raise KeyError(f"no session {name!r}; there are {self.sessions()}")

    def _typable(self, pane_id: str, instance: str) -> Pane:
        pane = self._find(pane_id)
        why = "is gone" if pane is None else "is dead" if pane.session.is_dead else ""
        if pane is not None and not why and instance and pane.session.instance != instance:
            why = "is not ours"
        if pane is None or why:
            raise SessionNotFoundError(f"pane {pane_id} {why}; nothing was typed")
        return pane

    def _status(self, watch: Watch) -> PaneStatus:
        pane = self._find(watch.pane_id)
        if pane is None or pane.session.instance != watch.instance:
            return PaneStatus(pane_id=watch.pane_id, exists=False, matched=(False,) * len(watch.patterns))
        seen = pane.look(watch, self._now_s())
        at = watch.release_on
        if at is not None and not seen.is_dead and seen.matched[at] and sum(seen.matched) == 1:
            pane.is_released = True
        return evolve(seen, is_released=pane.is_released)
