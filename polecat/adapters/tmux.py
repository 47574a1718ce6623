"""`TmuxCli`: the real tmux.

Rules:

- One call per deed: what must hold together (look and act, make and stamp) happens inside one client process, in the server.
- Success is exit status 0 *and* the expected answer; tmux says 0 for several failures.
- No server means no sessions; every other failure to ask means *unknown* and raises.
- The server is the one fixed at construction; ``$TMUX`` of our own surroundings never counts.

What is said about tmux here was measured on 3.3a and read in the sources of 3.2 to 3.7.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Mapping, Sequence

from polecat.adapters.launch import check_sizes, drop_launch_file, write_launch_file
from polecat.adapters.tmux_list import ListCall, Listing, OwnCall, with_own
from polecat.adapters.tmux_server import TRIES, TRY_AGAIN_S, TmuxServer
from polecat.adapters.tmux_start import (
    STAMP,
    check_call_size,
    raise_not_started,
    read_started,
    release_commands,
    start_commands,
    with_room_for_panes,
)
from polecat.adapters.tmux_typing import TYPED, Typing, press_keys, type_text
from polecat.adapters.tmux_watch import (
    EAGER_STEPS_S,
    FEWEST_LOOKS,
    POLLS_S,
    STEADY_STEPS_S,
    gone,
    is_lost,
    is_news,
    look_command,
    looks_in_one_call,
    nudge_commands,
    read_look,
    release_on_sight,
    steps_within,
    wait_commands,
)
from polecat.adapters.tmux_words import (
    Command,
    Fields,
    all_of,
    chain,
    check_session_name,
    equals,
    guarded,
    means_ending,
    means_no_server,
    means_not_found,
)
from polecat.errors import SessionExistsError, SessionNotFoundError, TmuxError, TmuxUnreachableError
from polecat.ports import PaneStatus, Processes, Session, SessionRequest, StartedSession, Watch


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
        self._server = TmuxServer(socket=socket, config_file=config_file, environ=environ, timeout_s=timeout_s)

    @property
    def socket(self) -> str | None:
        """The server's socket as it was given; None for the user's default server."""
        return self._server.socket

    @property
    def processes(self) -> Processes:
        """The process table of this machine."""
        from polecat.adapters.processes import ProcessTable

        return ProcessTable()

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
        listing = self._listing()
        if listing is None:
            return ()
        if not listing.unsure and not listing.has_lost:
            return listing.sessions
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
        return [session.name for session in self.list_sessions()]

    def _listing(self) -> Listing | None:
        call = ListCall()
        answer = self._server.ask(call.commands())
        stderr = answer.error_text
        if answer.exit_code != 0 and means_no_server(stderr):
            self._server.is_running = False
            return None
        if stderr and stderr != "no current target":  # what listing panes says when there is no session
            self._server.raise_unusable(answer)
        try:
            listing = call.read(answer.text)
        except ValueError as error:
            self._server.raise_unusable(answer, error)
        self._server.version, self._server.is_running = listing.version, True
        return listing

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return the text on the pane's screen and up to *lines* above it, without trailing blank lines.

        Raises:
            SessionNotFoundError: there is no such pane.
        """
        answer = self._server.ask([("capture-pane", "-p", "-S", f"-{lines}", "-t", pane_id)])
        self._server.raise_unless_done(answer, pane_id)
        return answer.text.rstrip()

    # ---------------------------------------------------------------------------------------------------- starting

    def start(self, request: SessionRequest) -> StartedSession:
        """Make the session in one call, complete before its program runs; the program's process is the pane's own.

        Raises:
            InvalidNameError: tmux would rewrite the name.
            SessionExistsError: the name is taken; that session was not touched.
            ProgramError: the working directory is missing, or the program's arguments or environment are too large.
            TmuxError: the session could not be made. In every case nothing is left behind.
        """
        check_session_name(request.name)
        check_sizes(request)
        if not request.cwd.is_dir():
            raise TmuxError(
                f"cannot start session {request.name!r}: {request.cwd} is not a directory", argv=("tmux",), cwd=request.cwd
            )
        for _ in range(TRIES - 1):
            try:
                return self._start(request)
            except TmuxUnreachableError as error:  # from a server that was just ending, so the session is not there
                if not means_ending(error.stderr):
                    raise
                time.sleep(TRY_AGAIN_S)
        return self._start(request)

    def _start(self, request: SessionRequest) -> StartedSession:
        fields = Fields()
        launch_file = write_launch_file(request)
        started: StartedSession | None = None
        is_done = False
        try:
            argv = [*self._server.base, *chain(start_commands(request, launch_file, fields))]
            check_call_size(request, argv)
            if not self._server.is_running:
                argv = with_room_for_panes(argv, *resource.getrlimit(resource.RLIMIT_NOFILE))
            answer = self._server.call(argv)
            started = read_started(request, answer.text, fields)
            is_done = answer.exit_code == 0 and started is not None and started.name == request.name
            if started is None or not is_done:
                raise_not_started(request, answer)
            self._server.is_running = True
            return started
        except SessionExistsError:
            is_done = True  # nothing was made
            drop_launch_file(launch_file)
            raise
        finally:
            if not is_done:
                drop_launch_file(launch_file)
                self._undo_start(request, started)

    def _undo_start(self, request: SessionRequest, started: StartedSession | None) -> None:
        """End what a failed start may have made; the error that is being raised matters more than this one's."""
        with contextlib.suppress(TmuxError):
            if started is not None:
                ours = all_of(
                    equals("session_id", started.id), equals("pid", str(started.server_pid))
                )  # a new server counts anew
                self._server.ask([guarded(started.id, ours, [("kill-session", "-t", started.id)])])
            else:
                self.kill("", name=request.name, instance=request.instance)

    def release(self, session: StartedSession) -> bool:
        """Tell the server that the start is over: from now on the session ends with its process, after its crash hook.

        Returns:
            False if the process had ended by then, or the session is gone; what is left of it is as it was.
        """
        ours = all_of(equals(STAMP, session.instance), "#{==:#{pane_dead},0}")
        release = [*release_commands(session.pane_id), ("display-message", "-p", "released")]
        answer = self._server.ask([guarded(session.pane_id, ours, release, [("display-message", "-p", "ended")])])
        if means_not_found(answer.error_text):
            return False
        if answer.text.strip() not in ("released", "ended"):
            self._server.raise_unusable(answer)
        return answer.text.strip() == "released"

    # ---------------------------------------------------------------------------------------------------- watching

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Wait until one of the panes is gone, is dead or shows one of its patterns, at most *timeout_s*; say how all are.

        One pane is waited for inside the server, about one call a second; several share a listing every 20 to 100 ms.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        deadline_s = time.monotonic() + timeout_s
        most = looks_in_one_call(watches[0]) if len(watches) == 1 else 0
        alone = most >= FEWEST_LOOKS
        looks = 0
        while watches:
            left_s = deadline_s - time.monotonic()
            steps_s = steps_within(STEADY_STEPS_S if looks else EAGER_STEPS_S, left_s)[:most] if alone else []
            statuses = self._look(watches, steps_s)
            if any(map(is_news, watches, statuses)) or time.monotonic() >= deadline_s:
                return self._with_ends(watches, statuses)
            if not alone:
                time.sleep(max(0.0, min(POLLS_S[min(looks, len(POLLS_S) - 1)], deadline_s - time.monotonic())))
            looks += 1
        return ()

    def _look(self, watches: Sequence[Watch], steps_s: Sequence[float]) -> tuple[PaneStatus, ...]:
        fields = Fields()
        waits: list[Command] = []
        if len(watches) == 1:
            waits = [*wait_commands(watches[0], steps_s), *nudge_commands(watches[0].pane_id)]
        answer = self._server.ask([*waits, *release_on_sight(watches), look_command(watches, fields)], extra_s=sum(steps_s))
        if answer.exit_code != 0 and means_not_found(answer.error_text):
            return tuple(map(gone, watches))
        if answer.exit_code != 0 or answer.error_text:
            self._server.raise_unusable(answer)
        try:
            return read_look(answer.text, watches, fields)
        except ValueError as error:
            self._server.raise_unusable(answer, error)

    def _with_ends(self, watches: Sequence[Watch], statuses: tuple[PaneStatus, ...]) -> tuple[PaneStatus, ...]:
        lost = [status.pane_id for status in statuses if is_lost(status)]
        if not lost or len(watches) == 1:
            return statuses
        fields = Fields()
        answer = self._server.ask([*nudge_commands(lost[0]), look_command(watches, fields)])
        try:
            return read_look(answer.text, watches, fields) if answer.exit_code == 0 else statuses
        except ValueError:
            return statuses

    # ------------------------------------------------------------------------------------------------------ typing

    def send_text(self, pane_id: str, text: str, *, instance: str = "", enter: bool = True) -> None:
        """Type *text* into a pane, byte for byte, then Enter exactly once; leaves copy mode first.

        The end mark of a bracketed paste inside the text is taken out: it would end the paste early.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.
        """
        self._type(pane_id, type_text(pane_id, text, instance=instance, enter=enter))

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "") -> None:
        """Press keys by their tmux names, one after the other; leaves copy mode first.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was pressed.
        """
        self._type(pane_id, press_keys(pane_id, keys, instance=instance))

    def _type(self, pane_id: str, typing: Typing) -> None:
        answer = self._server.ask(typing.commands, stdin=typing.stdin)
        said = answer.text.strip()
        if answer.exit_code == 0 and said == TYPED:
            return
        if answer.exit_code == 0 and said:
            raise SessionNotFoundError(f"pane {pane_id} {said}; nothing was typed")
        if typing.clean_up and not means_no_server(answer.error_text):
            self._server.ask(typing.clean_up)
        self._server.raise_unless_done(answer, pane_id)
        self._server.raise_unusable(answer)

    # ------------------------------------------------------------------------------------------------------ ending

    def kill(self, session_id: str, *, name: str, instance: str = "") -> bool:
        """End a session if it still is the one meant; looking and ending are one step of the server.

        Returns:
            False if there was no such session.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        target = session_id or f"={check_session_name(name)}:"
        which = [equals(STAMP, instance) if instance else equals("session_name", name)]
        which.append(equals("session_id", session_id) if session_id else equals("session_name", name))
        then: list[Command] = [("display-message", "-p", "killed"), ("kill-session", "-t", target)]
        answer = self._server.ask([guarded(target, all_of(*which), then, [("display-message", "-p", "absent")])])
        said = answer.text.strip()
        if said not in ("killed", "absent") and not means_not_found(answer.error_text):
            self._server.raise_unusable(answer)
        return said == "killed"
