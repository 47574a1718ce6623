"""`FakeTmux`: a tmux server in memory, with agents a test can script."""

from __future__ import annotations

from collections.abc import Sequence

from polecat.errors import SessionExistsError, SessionNotFoundError
from polecat.ports import PaneStatus, Session, SessionRequest, StartedSession, Typed, Watch
from polecat.testing.fake_agents import FakeAgent, FakeStep, check_name, check_request, ends_watch
from polecat.testing.fake_processes import FakeProcesses
from polecat.testing.fake_tmux_world import IDENTITY, FakeTmuxWorld

_LOOK_S = 0.05


class FakeTmux(FakeTmuxWorld):
    """The `polecat.ports.Tmux` of the pretend world; keeps the contract of the real one.

    Args:
        sessions: what is there already: whole sessions, or names of sessions as Gas Town makes them for any town.
        socket: what `socket` says.
        agent: how the programs of new sessions behave, or a function that says so for each request.
        processes: the process table the sessions' processes are in; its own by default.
        clock: moved by waiting; by default waiting takes real time.

    Attributes:
        unreachable: when true every call raises, as when the socket may not be opened.
        people: the processes of the panes that people opened; none of them may end by what polecat does.
        others: the servers behind other sockets, by their path; one that is not there has no sessions.

    Examples:
        >>> tmux = FakeTmux(sessions=["gt-gas-furiosa"])
        >>> tmux.sessions()
        ['gt-gas-furiosa']
        >>> tmux.kill("", name="gt-gas-furiosa"), tmux.kill("", name="gt-gas-furiosa")
        (True, False)
    """

    # ------------------------------------------------------------------------------------------------------ the port

    @property
    def socket(self) -> str | None:
        """What the fake was given."""
        return self._socket

    @property
    def processes(self) -> FakeProcesses:
        """The process table of the pretend world."""
        return self._processes

    def at(self, socket_path: str) -> FakeTmux:
        """Return the server behind a socket."""
        if socket_path == self.socket_path:
            return self
        return self.others.get(socket_path) or FakeTmux(socket=socket_path, processes=self._processes, clock=self._clock)

    def neighbour(self, socket: str) -> FakeTmux:
        """Return another server on the same machine: what somebody's settings may name instead; each finds the other."""
        path = f"/pretend/{socket}"
        if path not in self.others:
            self.others[path] = FakeTmux(socket=socket, agent=self._agent, processes=self._processes, clock=self._clock)
            self.others[path].others = self.others
            self.others[self.socket_path] = self
        return self.others[path]

    def check(self) -> str:
        """Return a version that is new enough."""
        return "3.5a"

    def start(self, request: SessionRequest) -> StartedSession:
        """Make a session whose program behaves as the agent says."""
        check_request(request)
        with self._reached():
            if request.name in (one.name for one in self._listed()):
                raise SessionExistsError(f"there is a session {request.name!r} already", argv=("tmux", "new-session"))
            session = Session(
                id="",
                name=request.name,
                instance=request.instance,
                environment={k: v for k, v in request.session_environment.items() if k in IDENTITY and v},
            )
            agent = self._agent if isinstance(self._agent, FakeAgent) else self._agent(request)
            pane = self._add(session, agent=agent, request=request)
            made = pane.session
            self._processes.add(made.pane_pid, instance=request.instance, cwd=request.cwd)
            if agent.exits is not None:
                self._end(pane, exit_code=agent.exits)
            (server_pid, names), self._known = self._known, (self._server_pid, ())
            return StartedSession(
                lost=names if server_pid != self._server_pid else (),
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
            self._clock.sleep(wait_s)
        return ()

    def release(self, session: StartedSession) -> bool:
        """Let the session end with its process from now on."""
        with self._reached():
            pane = self._find(session.pane_id)
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
        self._clock.sleep(look_after_s)
        with self._reached():
            return Typed(before=before, after=self._status(Watch(pane_id=pane_id, instance=pane.session.instance)))

    def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
        """End a session if it still is the one meant."""
        if not session_id:
            check_name(name)
        with self._reached():
            if not instance and self._end_view(session_id, name):
                return True
            for pane in list(self._panes.values()):
                found = pane.session
                if pane_id and instance:
                    is_it = found.pane_id == pane_id
                else:
                    is_it = found.id == session_id if session_id else found.name == name
                if is_it and (found.instance == instance if instance else found.name == name):
                    beside = [] if pane_id and instance else [one for one in self._panes.values() if one.session.id == found.id]
                    for one in beside or [pane]:
                        self._drop(one)
                    return True
            return False


__all__ = ["FakeAgent", "FakeStep", "FakeTmux"]
