"""`FakeTmux`: a tmux server in memory, with agents a test can script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve

from polecat.errors import SessionExistsError, SessionNotFoundError, TmuxError, TmuxUnreachableError
from polecat.ports import Clock, PaneStatus, Session, SessionRequest, StartedSession, Typed, Watch
from polecat.testing.fake_agents import (
    READY,
    FakeAgent,
    FakeStep,
    Pane,
    as_gas_town_made_it,
    check_name,
    check_sizes,
    ends_watch,
)
from polecat.testing.fake_processes import FakeProcesses
from polecat.town.endings import ended_by, write_end

_LOOK_S = 0.05
_IDENTITY = ("GT_ROLE", "GT_RIG", "GT_POLECAT", "GT_CREW", "GT_ROOT", "POLECAT_ID")


class FakeTmux:
    """The `polecat.ports.Tmux` of the pretend world; keeps the contract of the real one.

    Args:
        sessions: what is there already: whole sessions, or names of sessions as Gas Town makes them for any town.
        socket: what `socket` says.
        agent: how the programs of new sessions behave, or a function that says so for each request.
        processes: the process table the sessions' processes are in; its own by default.
        clock: moved by waiting; by default waiting takes real time.

    Attributes:
        unreachable: when true every call raises, as when the socket may not be opened.
        others: the servers behind other sockets, by their path; one that is not there has no sessions.

    Examples:
        >>> tmux = FakeTmux(sessions=["gt-gas-furiosa"])
        >>> tmux.sessions()
        ['gt-gas-furiosa']
        >>> tmux.kill("", name="gt-gas-furiosa"), tmux.kill("", name="gt-gas-furiosa")
        (True, False)
    """

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
        self._socket = socket
        self._agent = agent
        self._clock = clock
        self._processes = FakeProcesses() if processes is None else processes
        self._panes: dict[str, Pane] = {}
        self._next_id = 0
        self._server_pid = 1_000_000
        self._processes.add(self._server_pid)
        self._mutex = threading.RLock()
        for session in sessions:
            self._add(as_gas_town_made_it(session) if isinstance(session, str) else session)

    # ------------------------------------------------------------------------------------------------------ the port

    @property
    def socket(self) -> str | None:
        """What the fake was given."""
        return self._socket

    @property
    def processes(self) -> FakeProcesses:
        """The process table of the pretend world."""
        return self._processes

    @property
    def socket_path(self) -> str:
        """Where its socket would be."""
        return f"/pretend/{self._socket or 'default'}"

    def at(self, socket_path: str) -> FakeTmux:
        """Return the server behind a socket."""
        if socket_path == self.socket_path:
            return self
        return self.others.get(socket_path) or FakeTmux(socket=socket_path, processes=self._processes, clock=self._clock)

    def check(self) -> str:
        """Return a version that is new enough."""
        return "3.5a"

    def list_sessions(self) -> tuple[Session, ...]:
        """List every session."""
        with self._reached():
            for pane in list(self._panes.values()):
                self._is_dead(pane)
                pane.screen(self._now_s())
            return tuple(pane.session for pane in self._panes.values())

    def start(self, request: SessionRequest) -> StartedSession:
        """Make a session whose program behaves as the agent says."""
        self._check_request(request)
        with self._reached():
            if any(pane.session.name == request.name for pane in self._panes.values()):
                raise SessionExistsError(f"there is a session {request.name!r} already", argv=("tmux", "new-session"))
            session = Session(
                id="",
                name=request.name,
                instance=request.instance,
                environment={k: v for k, v in request.session_environment.items() if k in _IDENTITY and v},
            )
            agent = self._agent if isinstance(self._agent, FakeAgent) else self._agent(request)
            pane = self._add(session, agent=agent, request=request)
            made = pane.session
            self._processes.add(made.pane_pid, instance=request.instance, cwd=request.cwd)
            if agent.exits is not None:
                self._end(pane, exit_code=agent.exits)
            return StartedSession(
                id=made.id,
                name=made.name,
                instance=made.instance,
                pane_id=made.pane_id,
                pane_pid=made.pane_pid,
                server_pid=self._server_pid,
                socket_path=self.socket_path,
            )

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Look until something ends the watch; each look that finds nothing takes 50 ms of the fake's clock."""
        left_s = timeout_s
        while watches:
            with self._reached():
                statuses = tuple(self._status(watch) for watch in watches)
            if left_s <= 0 or any(map(ends_watch, watches, statuses)):
                return statuses
            wait_s = min(_LOOK_S, left_s)
            left_s = round(left_s - wait_s, 6)
            self._sleep(wait_s)
        return ()

    def release(self, session: StartedSession) -> bool:
        """Let the session end with its process from now on."""
        with self._reached():
            pane = self._panes.get(session.id)
            if pane is None or pane.session.instance != session.instance or self._is_dead(pane):
                return False
            pane.is_released = True
            return True

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return what the agent shows."""
        with self._reached():
            pane = self._find(pane_id)
            if pane is None:
                raise SessionNotFoundError(f"there is no pane {pane_id}")
            return pane.screen(self._now_s()).text.rstrip(" \n")

    def send_text(self, pane_id: str, text: str, *, instance: str = "", enter: bool = True, look_after_s: float = 0.0) -> Typed:
        """Type text; read it back with `typed` or `received`."""
        return self._type(pane_id, instance, text, ("Enter",) if enter else (), look_after_s)

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "", look_after_s: float = 0.0) -> Typed:
        """Press keys; read them back with `pressed`."""
        return self._type(pane_id, instance, "", keys, look_after_s)

    def _type(self, pane_id: str, instance: str, text: str, keys: Sequence[str], look_after_s: float) -> Typed:
        with self._reached():
            pane = self._typable(pane_id, instance)
            before = pane.screen(self._now_s())
            if text:
                pane.paste(text)
            for key in keys:
                pane.press(key)
        self._sleep(look_after_s)
        with self._reached():
            return Typed(before=before, after=self._status(Watch(pane_id=pane_id, instance=pane.session.instance)))

    def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
        """End a session if it still is the one meant."""
        if not session_id:
            check_name(name)
        with self._reached():
            for pane in self._panes.values():
                found = pane.session
                if pane_id and instance:
                    is_it = found.pane_id == pane_id
                else:
                    is_it = found.id == session_id if session_id else found.name == name
                if is_it and (found.instance == instance if instance else found.name == name):
                    self._drop(pane)
                    return True
            return False

    # ------------------------------------------------------------------------------------------- what a test may do

    def sessions(self) -> list[str]:
        """List the names of all sessions, oldest first."""
        return [session.name for session in self.list_sessions()]

    def typed(self, pane_id: str) -> list[str]:
        """List the texts that were typed into a pane, without their Enters."""
        return list(self._panes_by_pane(pane_id).typed)

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
        return int(time.time() if self._clock is None else self._clock.now().timestamp())

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            (time.sleep if self._clock is None else self._clock.sleep)(seconds)

    def _add(self, session: Session, *, agent: FakeAgent | None = None, request: SessionRequest | None = None) -> Pane:
        number = self._next_id
        self._next_id += 1
        given = evolve(
            session,
            id=session.id or f"${number}",
            created_at_s=session.created_at_s or self._now_s(),
            active_at_s=session.active_at_s or self._now_s(),
            pane_id=session.pane_id or f"%{number}",
            pane_pid=session.pane_pid or self._server_pid * 1000 + number,
        )
        pane = Pane(session=given, agent=agent or FakeAgent(), request=request, is_released=request is None)
        self._panes[given.id] = pane
        return pane

    def _check_request(self, request: SessionRequest) -> None:
        check_name(request.name)
        check_sizes(request)
        if not Path(request.cwd).is_dir():
            raise TmuxError(f"cannot start session {request.name!r}: {request.cwd} is not a directory")

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
                self._panes.pop(pane.session.id, None)

    def _drop(self, pane: Pane) -> None:
        self._processes.forget(pane.session.pane_pid)
        del self._panes[pane.session.id]

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


__all__ = ["FakeAgent", "FakeStep", "FakeTmux"]
