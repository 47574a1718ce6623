"""What the checks of `polecat.testing.TmuxContract` are given: a tmux, and the hands of the people around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from polecat.ports import Session, SessionRequest, StartedSession, Tmux, Watch

PATIENCE_S = 10.0
"""How long a check waits for what must come at once."""


@frozen(kw_only=True)
class TmuxUnderTest:
    """What a check of `TmuxContract` is given: a tmux without sessions, and the hands of the people around it.

    Attributes:
        tmux: what is checked.
        unreachable: one of the same kind whose server cannot be asked.
        room: an empty directory.
        program: gives the command of a program that shows the text of its first argument and then reads until it is killed or, if
            its second argument is a number, exits at once with that status. It runs in `room`, and its session's stamp is in its
            environment as ``POLECAT_ID``.
        received: gives what the program in the session has read so far, an Enter as ``\\r``; empty before it has read
            anything.
        rename: renames a session from its first argument to its second, as a person may.
        crash: kills the process of a session by SIGKILL.
        split: opens a pane of a person's own in the session of this name.
        move: moves the agent's pane of the first session into the second.
        view: makes a second view of the first session, with the second name. The three are None where no person could do that.
        end_server: ends the server with all its sessions, unseen by *tmux*; None where it has none that could end.
    """

    tmux: Tmux
    unreachable: Tmux
    room: Path
    program: Callable[[str, int | None], tuple[str, ...]]
    received: Callable[[StartedSession], str]
    rename: Callable[[str, str], None]
    crash: Callable[[StartedSession], None]
    split: Callable[[str], object] | None = None
    move: Callable[[str, str], object] | None = None
    view: Callable[[str, str], object] | None = None
    end_server: Callable[[], object] | None = None

    def request(self, name: str, *, screen: str = "> ready", exits: int | None = None) -> SessionRequest:
        """Ask for a session in `room`."""
        return SessionRequest(
            name=name,
            instance=f"i-{name}",
            cwd=self.room,
            argv=self.program(screen, exits),
            environment={"PATH": "/usr/bin:/bin", "POLECAT_ID": f"i-{name}"},
            session_environment={"GT_POLECAT": name},
            end_file=self.end_file(name),
            scratch_dir=self.room / "scratch",
        )

    def end_file(self, name: str) -> Path:
        """Where the end of a session of that name is to be kept."""
        place = self.room / "ended"
        place.mkdir(mode=0o700, exist_ok=True)
        return place / name

    def start(self, name: str, *, screen: str = "> ready", exits: int | None = None) -> StartedSession:
        """Start a session and wait until it shows its screen or has ended."""
        made = self.tmux.start(self.request(name, screen=screen, exits=exits))
        patterns = ("ready",) if exits is None else ()
        (status,) = self.tmux.watch([watch_for(made, *patterns)], timeout_s=PATIENCE_S)
        assert status.exists and (any(status.matched) or status.is_dead), f"{name} shows nothing: {status}"
        return made

    def names(self) -> list[str]:
        """The names of all sessions."""
        return sorted(session.name for session in self.tmux.list_sessions())

    def session(self, name: str) -> Session:
        """The one session of this name."""
        (found,) = [session for session in self.tmux.list_sessions() if session.name == name]
        return found


def watch_for(made: StartedSession, *patterns: str) -> Watch:
    """Watch a session's pane."""
    return Watch(pane_id=made.pane_id, instance=made.instance, patterns=patterns)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition that must come true soon."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.01)


def refuses(kind: type[Exception], act: Callable[[], object], what: str) -> Exception:
    """Do what must raise, and return the error."""
    try:
        result = act()
    except kind as error:
        return error
    raise AssertionError(f"{what}: expected {kind.__name__}, got {result!r}")
