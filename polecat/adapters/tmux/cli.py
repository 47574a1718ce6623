"""`TmuxCli`: the real tmux.

Rules:

- One call per operation: what must hold together (look and act, make and stamp) happens inside one client process, in the server.
- Success is exit status 0 *and* the expected answer; tmux says 0 for several failures.
- No server means no sessions; every other failure to ask means *unknown* and raises.
- The server is the one fixed at construction; ``$TMUX`` of our own surroundings never counts.

What is said about tmux here was measured on 3.3a and read in the sources of 3.2 to 3.7.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from polecat.adapters.processes.table import ProcessTable
from polecat.adapters.tmux.commands import (
    AGENT,
    STAMP,
    Command,
    all_of,
    check_session_name,
    equals,
    guarded,
    means_no_server,
    means_not_found,
)
from polecat.adapters.tmux.listing import ListCall, Listing, OwnCall, with_own
from polecat.adapters.tmux.send import send_keys, send_text
from polecat.adapters.tmux.server import TmuxServer
from polecat.adapters.tmux.start import release_session, start_session
from polecat.adapters.tmux.watch import watch_panes
from polecat.ports import PaneStatus, Processes, Session, SessionRequest, StartedSession, Typed, Watch


class TmuxCli:
    """One tmux server, asked through its command line.

    Args:
        socket: the server: a name (``-L``) or, with a slash, a path (``-S``); None is the user's default server.
        config_file: what a new server reads instead of the user's configuration, such as ``/dev/null``.
        environ: the surroundings tmux is run in, above all ``PATH`` and ``TMUX_TMPDIR``; ours by default.
        timeout_s: the limit of each call, in seconds.

    Examples:
        >>> TmuxCli(socket="polecat").socket
        'polecat'

    Source:
        Design §5 "The tmux server"; contract §9 for what the reference does.
    """

    def __init__(
        self,
        *,
        socket: str | None = None,
        config_file: str | None = None,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._config_file, self._environ = config_file, environ
        self._server = TmuxServer(socket=socket, config_file=config_file, environ=environ, timeout_s=timeout_s)

    @property
    def socket(self) -> str | None:
        """The server's socket as it was given; None for the user's default server."""
        return self._server.socket

    @property
    def processes(self) -> Processes:
        """The process table of this machine."""
        return ProcessTable()

    def at(self, socket_path: str) -> TmuxCli:
        """Return the server behind a socket; this very object if it is its own."""
        if os.path.realpath(socket_path) == os.path.realpath(self._server.socket_path):
            return self
        return TmuxCli(socket=socket_path, config_file=self._config_file, environ=self._environ, timeout_s=self._server.timeout_s)

    # ------------------------------------------------------------------------------------------------------ asking

    def check(self) -> str:
        """Return tmux's version, without starting a program where it is known already.

        Raises:
            ProgramMissingError: there is no tmux on PATH.
            TmuxError: it is older than 3.2.
        """
        return self._server.check()

    def list_sessions(self) -> tuple[Session, ...]:
        """List every session of the server, in order of creation; no server means none. At most two calls.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        call = ListCall()
        answer = self._server.ask(call.commands())
        if answer.exit_code != 0 and means_no_server(answer.error_text):
            self._server.is_running = False
            return ()
        if answer.error_text not in ("", "no current target"):  # what listing panes says when there is no session
            self._server.raise_unusable(answer)
        try:
            listing = call.read(answer.text)
        except ValueError as error:
            self._server.raise_unusable(answer, error)
        self._server.version, self._server.is_running, self._server.pid = listing.version, True, listing.server_pid
        self._server.sessions = {session.id: session.name for session in listing.sessions}
        return self._with_own_identity(listing) if listing.unsure or listing.has_lost else listing.sessions

    def _with_own_identity(self, listing: Listing) -> tuple[Session, ...]:
        call = OwnCall(sorted(listing.unsure), nudge=listing.has_lost)
        answer = self._server.run(["source-file", "-"], stdin=call.script())
        if means_no_server(answer.error_text):
            return ()
        try:
            return with_own(listing.sessions, call.read(answer.text))
        except ValueError as error:
            self._server.raise_unusable(answer, error)

    def sessions(self) -> list[str]:
        """List the names of all sessions."""
        return list(dict.fromkeys(session.name for session in self.list_sessions()))

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return the text on the pane's screen and up to *lines* above it, without trailing blank lines.

        Raises:
            SessionNotFoundError: there is no such pane.
        """
        answer = self._server.ask([("capture-pane", "-p", "-S", f"-{lines}", "-t", pane_id)])
        self._server.raise_unless_done(answer, pane_id)
        return answer.text.rstrip(" \n")

    # ---------------------------------------------------------------------------------------------------- starting

    def start(self, request: SessionRequest) -> StartedSession:
        """Make the session in one call, complete before its program runs; the program's process is the pane's own.

        Raises:
            InvalidNameError: tmux would rewrite the name.
            SessionExistsError: the name is taken; that session was not touched.
            ProgramError: the working directory is missing, or the program's arguments or environment are too large.
            TmuxError: the session could not be made. In every case nothing is left behind.
        """
        return start_session(self._server, request, kill=lambda: self.kill("", name=request.name, instance=request.instance))

    def release(self, session: StartedSession) -> bool:
        """Tell the server that the start is over: from now on the session ends with its process, after its crash hook.

        Returns:
            False if the process had ended by then, or the session is gone; what is left of it is as it was.
        """
        return release_session(self._server, session)

    # ---------------------------------------------------------------------------------------------------- watching

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Wait until one of the panes is gone, is dead or shows one of its patterns, at most *timeout_s*; say how all are.

        One pane is waited for inside the server, about one call a second; several share a listing every 20 to 100 ms.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        return watch_panes(self._server, watches, timeout_s=timeout_s)

    # ------------------------------------------------------------------------------------------------------ typing

    def send_text(
        self,
        pane_id: str,
        text: str,
        *,
        instance: str = "",
        enter: bool = True,
        look_after_s: float = 0.0,
    ) -> Typed:
        """Type *text* into a pane, byte for byte, then Enter exactly once; leaves copy mode first.

        The end mark of a bracketed paste inside the text is taken out: it would end the paste early.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.
        """
        return send_text(self._server, pane_id, text, instance=instance, enter=enter, look_after_s=look_after_s)

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "", look_after_s: float = 0.0) -> Typed:
        """Press keys by their tmux names, one after the other; leaves copy mode first.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was pressed.
        """
        return send_keys(self._server, pane_id, keys, instance=instance, look_after_s=look_after_s)

    # ------------------------------------------------------------------------------------------------- termination

    def kill(self, session_id: str, *, name: str, instance: str = "", pane_id: str = "") -> bool:
        """End a session if it still is the one meant; looking and ending are one step of the server.

        With *pane_id* only that pane ends, wherever it was moved; its session goes with its last pane, and a person's panes stay.

        Returns:
            False if there was no such session.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        target = pane_id or session_id or f"={check_session_name(name)}:"
        if pane_id and instance:
            which = [equals("pane_id", pane_id), equals(AGENT, instance)]
        else:
            which = [equals(STAMP, instance) if instance else equals("session_name", name)]
            which.append(equals("session_id", session_id) if session_id else equals("session_name", name))
        end = "kill-pane" if pane_id and instance else "kill-session"
        then: list[Command] = [("display-message", "-p", "killed"), (end, "-t", target)]
        answer = self._server.ask([guarded(target, all_of(*which), then, [("display-message", "-p", "absent")])])
        said = answer.text.strip("\n")
        if said not in ("killed", "absent") and not means_not_found(answer.error_text):
            self._server.raise_unusable(answer)
        if said == "killed":
            self._server.sessions = {key: one for key, one in self._server.sessions.items() if key != session_id and one != name}
        return said == "killed"
