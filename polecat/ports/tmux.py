"""The port to tmux: one server and its sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from attrs import Factory, field, frozen

from polecat.ports.processes import Processes


@frozen(kw_only=True)
class Session:
    """One session as the server listed it.

    Attributes:
        id: the server's own id, such as ``$3``; survives renaming.
        name: its name now.
        instance: our instance id stamped on it at creation; empty when polecat did not make it.
        environment: identity variables (``GT_ROLE``, ``GT_RIG``, ``GT_POLECAT``, ``GT_CREW``, ``GT_ROOT``, ``POLECAT_ID``) of the
            session's *own* environment, never the server's global one.
        pane_id: its first pane.
        pane_pid: the process of that pane.
        is_dead: that process has ended and its pane is kept.
        exit_code: how it ended, if it exited.
        signal: how, if it was killed; both None while it lives, and where the server does not know.
        active_at_s: when the program last wrote to its window, Unix seconds.
        started_in: the directory its pane was started in; empty where the server does not tell.
        is_shared: another session shows one of its panes as well.
    """

    id: str
    name: str
    instance: str = ""
    environment: Mapping[str, str] = field(factory=dict)
    pane_id: str = ""
    pane_pid: int = 0
    is_dead: bool = False
    exit_code: int | None = None
    signal: int | None = None
    active_at_s: int = 0
    started_in: str = ""
    is_shared: bool = False


@frozen(kw_only=True)
class SessionRequest:
    """A session to be made, complete.

    Attributes:
        name: its name: letters, digits, ``_`` and ``-``, not ``-`` first, at most 200 of them; tmux would rewrite any other.
        instance: id to stamp on it; every later action checks it.
        cwd: the working directory; must exist.
        argv: the program and its arguments, exactly.
        environment: everything in the process's environment besides what the terminal needs (``TERM``, ``TMUX`` and their like).
        session_environment: the identity variables that windows opened later get as well.
        options: session options (status bar and such), in order.
        on_exit: a command run by the server when the process ends; exit status and signal (one of them empty) are appended.
        end_file: where the server keeps how the process ended, and its last screen, when it ends by itself; before *on_exit* is run and
            before the session goes. `polecat.town.endings` has the form; it is there whole at once. Its directory exists and is private.
        scratch_dir: private directory for the file that carries argv and environment.
        columns: width.
        rows: height.
        bind_keys: also bind the reference's keys, server-wide.
    """

    name: str
    instance: str
    cwd: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(factory=dict, repr=lambda env: repr(sorted(env)))
    session_environment: Mapping[str, str] = field(factory=dict)
    options: tuple[tuple[str, str], ...] = ()
    on_exit: tuple[str, ...] = ()
    end_file: Path | None = None
    scratch_dir: Path = field()
    columns: int = 160
    rows: int = 48
    bind_keys: bool = False


@frozen(kw_only=True)
class StartedSession:
    """A session that was just made, by the ids the server gave it.

    Attributes:
        socket_path: the socket of its server, resolved: where it is to be asked for later, whatever the settings name by then.
        lost: names of sessions that were there when the server was listed last: that server is gone, and they with it; this is a new one.
    """

    id: str
    name: str
    instance: str
    pane_id: str
    pane_pid: int
    server_pid: int
    socket_path: str = ""
    lost: tuple[str, ...] = ()


@frozen(kw_only=True)
class Watch:
    """What to look for in one pane.

    Attributes:
        pane_id: the pane.
        instance: our stamp; a pane with another one counts as gone.
        patterns: POSIX extended regular expressions, matched against each line of the visible screen.
        commands: names of the foreground process that count as well.
        release_on: position of the pattern that ends the start: when it, and no other, is on the screen of a living pane, the look that
            sees it also does what `Tmux.release` does.
    """

    pane_id: str
    instance: str
    patterns: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    release_on: int | None = None


def _lines_of(screen: Screen) -> tuple[str, ...]:
    return tuple(line.rstrip(" ") for line in screen.text.split("\n"))


@frozen(kw_only=True)
class Screen:
    """What is seen of a pane.

    Attributes:
        text: what stands on its screen.
        cursor: where the cursor is: column and row, from 0.
        is_raw: the program reads single keys, the terminal no whole lines for it; None where that cannot be told.
        changed_at_s: when the program last wrote to its window, Unix seconds; 0 if that is not known.
        lines: its lines without their trailing blanks, as patterns see them.
    """

    text: str = ""
    cursor: tuple[int, int] = (0, 0)
    is_raw: bool | None = None
    changed_at_s: int = 0
    lines: tuple[str, ...] = field(init=False, repr=False, eq=False, default=Factory(_lines_of, takes_self=True))

    @property
    def is_blank(self) -> bool:
        """Nothing stands on it."""
        return not self.text.strip(" \n\t\u00a0")


@frozen(kw_only=True)
class PaneStatus:
    """How one watched pane is.

    Attributes:
        pane_id: the pane.
        exists: it is there and still ours.
        is_dead: its process ended and the pane is kept.
        exit_code: how, if it exited.
        signal: how, if it was killed; both None when tmux lost it.
        command: name of the foreground process.
        matched: per pattern of the watch, whether it is on the screen.
        is_released: the start is over; see `Watch.release_on`.
        screen: what is seen of it; None where it is gone.
    """

    pane_id: str
    exists: bool = True
    is_dead: bool = False
    exit_code: int | None = None
    signal: int | None = None
    command: str = ""
    matched: tuple[bool, ...] = ()
    is_released: bool = False
    screen: Screen | None = None


@frozen(kw_only=True)
class Typed:
    """What was seen around something that was typed.

    Attributes:
        before: the screen right before, in the same call.
        after: how the pane was afterwards.
    """

    before: Screen
    after: PaneStatus


class Tmux(Protocol):
    """One tmux server. Which one is fixed when the object is made, never taken from ``$TMUX``."""

    @property
    def socket(self) -> str | None:
        """The server's socket as it was given (a name or a path); None for the user's default server."""
        ...

    @property
    def processes(self) -> Processes:
        """The process table that the process ids of this server belong to."""
        ...

    def at(self, socket_path: str) -> Tmux:
        """Return the server behind a socket, as a start told its path: this very object if it is its own."""
        ...

    def check(self) -> str:
        """Return tmux's version; raise if tmux is missing or older than 3.2."""
        ...

    def list_sessions(self) -> tuple[Session, ...]:
        """List every session of the server; no server means none.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        ...

    def start(self, request: SessionRequest) -> StartedSession:
        """Make the session in one step: environment, options, stamp and crash hook are there before the process runs.

        The pane stays after the process ended (so that its last screen can be read) until `release`.

        Raises:
            InvalidNameError: it is not a name for a session.
            SessionExistsError: the name is taken; that session was not touched.
            TmuxError: it could not be made; nothing is left behind.
            ProgramError: an argument or variable is too long for the system, or holds NUL.
        """
        ...

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Wait until one of the panes is gone, is dead or shows one of its patterns, at most *timeout_s*; say how all are."""
        ...

    def release(self, session: StartedSession) -> bool:
        """Tell the server that the start is over: from now on the session ends with its process, after its crash hook.

        Returns:
            False if the process had ended by then; the session is as it was.
        """
        ...

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return the text on the pane's screen and up to *lines* above it, without trailing blank lines.

        Raises:
            SessionNotFoundError: there is no such pane.
        """
        ...

    def send_text(
        self,
        pane_id: str,
        text: str,
        *,
        instance: str = "",
        enter: bool = True,
        look_after_s: float = 0.0,
    ) -> Typed:
        """Type *text* into a pane, byte for byte, then Enter exactly once.

        Args:
            pane_id: the pane.
            text: any text: several lines, UTF-8, a leading dash, a trailing semicolon.
            instance: refuse if the pane does not bear this stamp; empty means do not check.
            enter: whether to press Enter.
            look_after_s: how long to wait before the look afterwards, seconds.

        Returns:
            What was seen before and after.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.
        """
        ...

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "", look_after_s: float = 0.0) -> Typed:
        """Press keys by their tmux names, one after the other, guarded as `send_text` is."""
        ...

    def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
        """End a session if it still is the one meant; with *pane_id* and *instance* that pane alone, wherever it was moved.

        Args:
            session_id: the server's id of it, such as ``$3``, or the empty string to go by name alone.
            name: its exact name; checked when no instance is given.
            instance: our stamp; checked when given.
            pane_id: the agent's pane. Its session ends with its last pane; one in which somebody else has a pane stays.

        Returns:
            False if there was no such session; killing the absent is fine.
        """
        ...
