"""`TmuxCli`: the real tmux.

Rules:

- One call per deed: what must hold together (look and act, make and stamp) happens inside one client process, in the server.
- Success is exit status 0 *and* the expected answer; tmux says 0 for several failures.
- No server means no sessions; every other failure to ask means *unknown* and raises.
- The server is the one fixed at construction; ``$TMUX`` of our own surroundings never counts.

Source:
    ``docs/explanation``: the recipes were measured on tmux 3.3a and read in the sources of 3.2 to 3.7.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from polecat.adapters import program
from polecat.adapters.launch import check_sizes, drop_launch_file, write_launch_file
from polecat.adapters.program import Finished
from polecat.adapters.tmux_list import IDENTITY, ListCall, Listing, OwnCall, with_own
from polecat.adapters.tmux_start import (
    STAMP,
    check_call_size,
    read_started,
    release_commands,
    start_commands,
    with_room_for_panes,
)
from polecat.adapters.tmux_watch import (
    EAGER_STEPS_S,
    POLLS_S,
    STEADY_STEPS_S,
    fits_one_call,
    gone,
    is_lost,
    is_news,
    look_command,
    nudge_commands,
    read_look,
    steps_within,
    wait_commands,
)
from polecat.adapters.tmux_words import (
    Command,
    Fields,
    all_of,
    chain,
    check_session_name,
    check_version,
    equals,
    guarded,
    joined,
    means_ending,
    means_no_server,
    means_not_found,
    means_unreachable,
    missing_tmux,
)
from polecat.errors import (
    ProgramMissingError,
    ProgramTimeoutError,
    SessionExistsError,
    SessionNotFoundError,
    TmuxError,
    TmuxUnreachableError,
)
from polecat.ports import PaneStatus, Session, SessionRequest, StartedSession, Watch

if TYPE_CHECKING:
    from polecat.ports import Processes

_NOT_FOR_THE_SERVER = frozenset((*IDENTITY, "TMUX", "TMUX_PANE", "CLAUDECODE"))
"""Not passed to the server, which would hand them to every window anybody ever opens in it."""

_TRIES = 5
_TRY_AGAIN_S = 0.03

_PASTE_END = "\x1b[201~"
_TAKES_RAW_PASTE = "#{m/r:^(next-)?(3\\.([7-9]|[1-9][0-9])|[4-9]),#{version}}"
"""From 3.7 on tmux alters control characters in pasted text unless told ``-S``, which older ones refuse."""


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
        self._socket = socket
        self._timeout_s = timeout_s
        environ = os.environ if environ is None else environ
        self._environ = {key: value for key, value in environ.items() if key not in _NOT_FOR_THE_SERVER}
        self._version = ""
        where = () if socket is None else ("-S" if "/" in socket else "-L", socket)
        config = () if config_file is None else ("-f", config_file)
        self._base = ("tmux", "-u", *where, *config)

    @property
    def socket(self) -> str | None:
        """The server's socket as it was given; None for the user's default server."""
        return self._socket

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
        if not self._version:
            path = shutil.which("tmux", path=self._environ.get("PATH", os.defpath))
            if path is None:
                raise missing_tmux(ProgramMissingError("", argv=("tmux",)))
            self._version = _installed_version((path, os.stat(path).st_mtime_ns), tuple(self._environ.items()), self._timeout_s)
        return check_version(self._version)

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
        answer = self._run(["source-file", "-"], stdin=call.script())
        if means_no_server(answer.error_text):
            return ()
        try:
            return with_own(listing.sessions, call.read(answer.text))
        except ValueError as error:
            self._unreachable(answer, error)

    def sessions(self) -> list[str]:
        """List the names of all sessions."""
        return [session.name for session in self.list_sessions()]

    def _listing(self) -> Listing | None:
        call = ListCall()
        answer = self._ask(call.commands())
        stderr = answer.error_text
        if answer.exit_code != 0 and means_no_server(stderr):
            return None
        if stderr and stderr != "no current target":  # what listing panes says when there is no session
            self._unreachable(answer)
        try:
            listing = call.read(answer.text)
        except ValueError as error:
            self._unreachable(answer, error)
        self._version = listing.version
        return listing

    def capture(self, pane_id: str, *, lines: int = 200) -> str:
        """Return the text on the pane's screen and up to *lines* above it, without trailing blank lines.

        Raises:
            SessionNotFoundError: there is no such pane.
        """
        answer = self._ask([("capture-pane", "-p", "-S", f"-{lines}", "-t", pane_id)])
        self._raise_unless_done(answer, pane_id)
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
        for again in reversed(range(_TRIES)):
            try:
                return self._start(request)
            except TmuxUnreachableError as error:  # from a server that was just ending, so the session is not there
                if not again or not means_ending(error.stderr):
                    raise
                time.sleep(_TRY_AGAIN_S)
        raise AssertionError("unreachable")

    def _start(self, request: SessionRequest) -> StartedSession:
        fields = Fields()
        launch_file = self._write_launch_file(request)
        started: StartedSession | None = None
        is_done = False
        try:
            argv = [*self._base, *chain(start_commands(request, launch_file, fields))]
            check_call_size(request, argv)
            answer = self._call(with_room_for_panes(argv, *resource.getrlimit(resource.RLIMIT_NOFILE)))
            started = read_started(request, answer.text, fields)
            is_done = answer.exit_code == 0 and started is not None and started.name == request.name
            if started is None or not is_done:
                self._raise_not_started(request, answer)
            return started
        except SessionExistsError:
            is_done = True  # nothing was made
            drop_launch_file(launch_file)
            raise
        finally:
            if not is_done:
                drop_launch_file(launch_file)
                self._undo_start(request, started)

    def _write_launch_file(self, request: SessionRequest) -> Path:
        try:
            return write_launch_file(request)
        except OSError as error:
            raise TmuxError(
                f"cannot start session {request.name!r}: {request.scratch_dir} cannot be written: {error.strerror}",
                argv=("tmux", "new-session"),
            ) from error

    def _raise_not_started(self, request: SessionRequest, answer: Finished) -> NoReturn:
        stderr = answer.error_text
        if stderr.startswith("duplicate session"):
            raise SessionExistsError(
                f"there is a session {request.name!r} already", argv=("tmux", "new-session"), exit_code=1, stderr=stderr
            )
        if not stderr and not answer.stdout:
            raise TmuxUnreachableError(
                f"tmux made no session {request.name!r} and did not say why",
                argv=("tmux", "new-session"),
                exit_code=answer.exit_code,
                stderr="lost server",
            )
        kind = TmuxUnreachableError if means_unreachable(stderr) else TmuxError
        raise kind(
            f"cannot start session {request.name!r}: {stderr or 'tmux gave no usable answer'}",
            argv=("tmux", "new-session"),
            exit_code=answer.exit_code,
            stderr=stderr,
        )

    def _undo_start(self, request: SessionRequest, started: StartedSession | None) -> None:
        """End what a failed start may have made; the error that is being raised matters more than this one's."""
        with contextlib.suppress(TmuxError):
            if started is not None:
                self._ask([("kill-session", "-t", started.id)])
            else:
                self.kill("", name=request.name, instance=request.instance)

    def release(self, session: StartedSession) -> bool:
        """Tell the server that the start is over: from now on the session ends with its process, after its crash hook.

        Returns:
            False if the process had ended by then, or the session is gone; what is left of it is as it was.
        """
        ours = all_of(equals(STAMP, session.instance), "#{==:#{pane_dead},0}")
        release = [*release_commands(session), ("display-message", "-p", "released")]
        answer = self._ask([guarded(session.pane_id, ours, release, [("display-message", "-p", "ended")])])
        if means_not_found(answer.error_text):
            return False
        if answer.text.strip() not in ("released", "ended"):
            self._unreachable(answer)
        return answer.text.strip() == "released"

    # ---------------------------------------------------------------------------------------------------- watching

    def watch(self, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
        """Wait until one of the panes is gone, is dead or shows one of its patterns, at most *timeout_s*; say how all are.

        One pane is waited for inside the server, about one call a second; several share a listing every 20 to 100 ms.

        Raises:
            TmuxUnreachableError: the server could not be asked.
        """
        deadline_s = time.monotonic() + timeout_s
        alone = len(watches) == 1 and fits_one_call(watches[0])
        looks = 0
        while watches:
            left_s = deadline_s - time.monotonic()
            steps_s = steps_within(STEADY_STEPS_S if looks else EAGER_STEPS_S, left_s) if alone else []
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
        answer = self._ask([*waits, look_command(watches, fields)], extra_s=sum(steps_s))
        if answer.exit_code != 0 and means_not_found(answer.error_text):
            return tuple(map(gone, watches))
        if answer.exit_code != 0 or answer.error_text:
            self._unreachable(answer)
        try:
            return read_look(answer.text, watches, fields)
        except ValueError as error:
            self._unreachable(answer, error)

    def _with_ends(self, watches: Sequence[Watch], statuses: tuple[PaneStatus, ...]) -> tuple[PaneStatus, ...]:
        lost = [status.pane_id for status in statuses if is_lost(status)]
        if not lost or len(watches) == 1:
            return statuses
        fields = Fields()
        answer = self._ask([*nudge_commands(lost[0]), look_command(watches, fields)])
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
        while _PASTE_END in text:
            text = text.replace(_PASTE_END, "")
        buffer = f"polecat-{os.getpid()}-{secrets.token_hex(6)}"
        paste = ("-p", "-r", "-d", "-b", buffer, "-t", pane_id)
        then: list[Command] = [("copy-mode", "-q", "-t", pane_id)]
        otherwise: list[Command] = []
        if text:
            either = (joined([("paste-buffer", "-S", *paste)]), joined([("paste-buffer", *paste)]))
            then.append(("if-shell", "-t", pane_id, "-F", _TAKES_RAW_PASTE, *either))
            otherwise.append(("delete-buffer", "-b", buffer))
        if enter:
            then.append(("send-keys", "-t", pane_id, "Enter"))
        load: list[Command] = [("load-buffer", "-b", buffer, "-")] if text else []
        self._type(pane_id, instance, load, then, otherwise, text.encode("utf-8", "surrogateescape"), buffer)

    def send_keys(self, pane_id: str, keys: Sequence[str], *, instance: str = "") -> None:
        """Press keys by their tmux names, one after the other; leaves copy mode first.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was pressed.
        """
        then: list[Command] = [("copy-mode", "-q", "-t", pane_id), ("send-keys", "-t", pane_id, "--", *keys)]
        self._type(pane_id, instance, [], then, [], b"", "")

    def _type(
        self,
        pane_id: str,
        instance: str,
        load: Sequence[Command],
        then: Sequence[Command],
        otherwise: Sequence[Command],
        stdin: bytes,
        buffer: str,
    ) -> None:
        ours = [equals("pane_id", pane_id), "#{==:#{pane_dead},0}", "#{==:#{pane_input_off},0}"]
        if instance:
            ours.append(equals(STAMP, instance))
        typed = [*then, ("display-message", "-p", "typed")]
        why = "#{?#{pane_id},#{?#{pane_dead},is dead,#{?#{pane_input_off},takes no input,is not ours}},is gone}"
        refused = [*otherwise, ("display-message", "-p", "-t", pane_id, why)]
        answer = self._ask([*load, guarded(pane_id, all_of(*ours), typed, refused)], stdin=stdin)
        said = answer.text.strip()
        if answer.exit_code == 0 and said == "typed":
            return
        if answer.exit_code == 0 and said:
            raise SessionNotFoundError(f"pane {pane_id} {said}; nothing was typed")
        if buffer and stdin and not means_no_server(answer.error_text):
            self._ask([("delete-buffer", "-b", buffer)])
        self._raise_unless_done(answer, pane_id)
        self._unreachable(answer)

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
        answer = self._ask([guarded(target, all_of(*which), then, [("display-message", "-p", "absent")])])
        said = answer.text.strip()
        if said not in ("killed", "absent") and not means_not_found(answer.error_text):
            self._unreachable(answer)
        return said == "killed"

    # ----------------------------------------------------------------------------------------------------- calling

    def _ask(self, commands: Iterable[Command], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        return self._run(chain(commands), stdin=stdin, extra_s=extra_s)

    def _run(self, words: Sequence[str], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        """Ask; once more where the server was just ending, because its last session did: the next answer is *no server*."""
        for _ in range(_TRIES - 1):
            answer = self._call([*self._base, *words], stdin=stdin, extra_s=extra_s)
            if not means_ending(answer.error_text):
                return answer
            time.sleep(_TRY_AGAIN_S)
        return self._call([*self._base, *words], stdin=stdin, extra_s=extra_s)

    def _call(self, argv: Sequence[str], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        self._make_socket_dir()
        try:
            return program.run(argv, env=self._environ, stdin=stdin, timeout_s=self._timeout_s + extra_s)
        except ProgramMissingError as error:
            raise missing_tmux(error) from None
        except ProgramTimeoutError as error:
            raise TmuxUnreachableError(
                f"tmux {_server(self._socket)} did not answer within {self._timeout_s + extra_s:g} s",
                argv=error.argv[:8],
                exit_code=error.exit_code,
                stderr=error.stderr,
                hint="see whether the server hangs: tmux list-sessions",
            ) from error

    def _make_socket_dir(self) -> None:
        """Keep tmux from going to another server: without this directory it silently uses ``/tmp``."""
        place = self._environ.get("TMUX_TMPDIR")
        if place and not (self._socket and "/" in self._socket) and not os.path.isdir(place):
            try:
                os.makedirs(place, mode=0o700, exist_ok=True)
            except OSError as error:
                raise TmuxUnreachableError(
                    f"TMUX_TMPDIR is {place}, which is not a directory and cannot be made one: {error.strerror}",
                    argv=self._base,
                    hint="unset TMUX_TMPDIR or make the directory",
                ) from error

    def _raise_unless_done(self, answer: Finished, pane_id: str) -> None:
        if answer.exit_code == 0 and not answer.error_text:
            return
        if means_not_found(answer.error_text):
            raise SessionNotFoundError(f"there is no pane {pane_id}")
        self._unreachable(answer)

    def _unreachable(self, answer: Finished, cause: Exception | None = None) -> NoReturn:
        said = answer.error_text
        kind = TmuxUnreachableError if means_unreachable(said) or cause or not said else TmuxError
        raise kind(
            f"tmux {_server(self._socket)} gave no usable answer: {said or f'exit status {answer.exit_code}, {len(answer.stdout)} bytes'}",
            argv=answer.argv[:8],
            exit_code=answer.exit_code,
            stderr=said,
        ) from cause


def _server(socket: str | None) -> str:
    return "(the default server)" if socket is None else f"(server {socket!r})"


@functools.lru_cache(maxsize=16)
def _installed_version(file: tuple[str, int], environ: tuple[tuple[str, str], ...], timeout_s: float) -> str:
    """Ask a tmux for its version, once for as long as its file, a path and its time, does not change."""
    path, _ = file
    answer = program.run([path, "-V"], env=dict(environ), timeout_s=timeout_s)
    found = re.match(r"tmux (\S+)", answer.text)
    if answer.exit_code != 0 or found is None:
        raise TmuxError(
            f"{path} -V gave no version: {answer.error_text or answer.text.strip()!r}",
            argv=(path, "-V"),
            exit_code=answer.exit_code,
            stderr=answer.error_text,
        )
    return found[1]
