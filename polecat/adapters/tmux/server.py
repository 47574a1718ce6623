"""The client's side of one tmux server: calls, time limits, and what an answer that is none means."""

from __future__ import annotations

import functools
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from polecat.adapters.processes import program
from polecat.adapters.processes.program import Finished
from polecat.adapters.processes.start import directly
from polecat.adapters.tmux.commands import (
    Command,
    chain,
    check_version,
    means_ending,
    means_not_found,
    means_unreachable,
    missing_tmux,
)
from polecat.adapters.tmux.listing import IDENTITY
from polecat.errors import ProgramMissingError, ProgramTimeoutError, SessionNotFoundError, TmuxError, TmuxUnreachableError

TRIES = 5
TRY_AGAIN_S = 0.03

_NOT_FOR_THE_SERVER = frozenset((*IDENTITY, "TMUX", "TMUX_PANE", "CLAUDECODE"))
"""Not passed to the server, which would hand them to every window anybody ever opens in it."""


def socket_path(socket: str | None, environ: Mapping[str, str]) -> str:
    """Where tmux itself looks for a server: by its name, by its path, or (None) the user's default one.

    Examples:
        >>> socket_path("mine", {"TMUX_TMPDIR": "/run/t"}).partition("tmux-")[0], socket_path("/run/x.sock", {})
        ('/run/t/', '/run/x.sock')
    """
    directory = environ.get("TMUX_TMPDIR") or "/tmp"  # noqa: S108  as tmux does
    return socket if socket and "/" in socket else f"{directory}/tmux-{os.getuid()}/{socket or 'default'}"


class TmuxServer:
    """One server, as a client reaches it. Arguments as for `polecat.adapters.tmux.cli.TmuxCli`.

    Attributes:
        version: tmux's version, once it is known.
        is_running: the server was there when last seen.
        pid: its process, once it is known.
        sessions: id and name of those it had when last seen.
        socket_path: the file of its socket, as tmux finds it.
        timeout_s: the limit of each call, in seconds.
    """

    def __init__(
        self, *, socket: str | None, config_file: str | None, environ: Mapping[str, str] | None, timeout_s: float
    ) -> None:
        self.socket = socket
        self.version = ""
        self.is_running = False
        self.pid = 0
        self.sessions: dict[str, str] = {}
        self.timeout_s = timeout_s
        environ = os.environ if environ is None else environ
        self._environ = {key: value for key, value in environ.items() if key not in _NOT_FOR_THE_SERVER}
        where = () if socket is None else ("-S" if "/" in socket else "-L", socket)
        self.socket_path = socket_path(socket, environ)
        config = () if config_file is None else ("-f", config_file)
        self.base = ("tmux", "-u", *where, *config)

    def check(self) -> str:
        """Return tmux's version, without starting a program where it is known already."""
        if not self.version:
            path = shutil.which("tmux", path=self._environ.get("PATH", os.defpath))
            if path is None:
                raise missing_tmux(ProgramMissingError("", argv=("tmux",)))
            stamp = (path, os.stat(path).st_mtime_ns)
            self.version = _installed_version(stamp, tuple(self._environ.items()), self.timeout_s)
        return check_version(self.version)

    def ask(self, commands: Iterable[Command], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        """Run commands in one client; *extra_s* is how long they wait on purpose."""
        return self.run(chain(commands), stdin=stdin, extra_s=extra_s)

    def run(self, words: Sequence[str], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        """Run one client; again where the server was just ending, as its last session did: the next answer is *no server*."""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(TRY_AGAIN_S)
            answer = self.call([*self.base, *words], stdin=stdin, extra_s=extra_s)
            if answer.stdout or not means_ending(answer.error_text):
                break
        return answer

    def call(self, argv: Sequence[str], *, stdin: bytes = b"", extra_s: float = 0.0) -> Finished:
        """Run one client, once, whatever it answers.

        Raises:
            TmuxUnreachableError: there was no answer in time.
            ProgramMissingError: there is no tmux.
        """
        self._make_socket_dir()
        timeout_s = self.timeout_s + extra_s
        try:
            return program.run(argv, env=self._environ, stdin=stdin, timeout_s=timeout_s, starter=directly)
        except ProgramMissingError as error:
            raise missing_tmux(error) from None
        except ProgramTimeoutError as error:
            raise TmuxUnreachableError(
                f"tmux {self._named} did not answer within {timeout_s:g} s",
                argv=error.argv[:8],
                exit_code=error.exit_code,
                stderr=error.stderr,
                hint="see whether the server hangs: tmux list-sessions",
            ) from error

    def _make_socket_dir(self) -> None:
        """Keep tmux from going to another server: without this directory it silently uses ``/tmp``."""
        place = self._environ.get("TMUX_TMPDIR")
        if place and not (self.socket and "/" in self.socket) and not os.path.isdir(place):
            try:
                os.makedirs(place, mode=0o700, exist_ok=True)
            except OSError as error:
                raise TmuxUnreachableError(
                    f"TMUX_TMPDIR is {place}, which is not a directory and cannot be made one: {error.strerror}",
                    argv=self.base,
                    hint="unset TMUX_TMPDIR or make the directory",
                ) from error

    @property
    def _named(self) -> str:
        return "(the default server)" if self.socket is None else f"(server {self.socket!r})"

    def raise_unless_done(self, answer: Finished, pane_id: str) -> None:
        """Raise unless a command on a pane was done.

        Raises:
            SessionNotFoundError: there is no such pane, perhaps no server either.
            TmuxError: something else.
        """
        if answer.exit_code == 0 and not answer.error_text:
            return
        if means_not_found(answer.error_text):
            raise SessionNotFoundError(f"there is no pane {pane_id}")
        self.raise_unusable(answer)

    def raise_unusable(self, answer: Finished, cause: Exception | None = None) -> NoReturn:
        """Raise for an answer that is not the one that was asked for.

        Raises:
            TmuxUnreachableError: the server was not reached, or did not answer.
            TmuxError: it refused.
        """
        said = answer.error_text
        kind = TmuxUnreachableError if means_unreachable(said) or cause or not said else TmuxError
        what = said or f"exit status {answer.exit_code}, {len(answer.stdout)} bytes"
        raise kind(
            f"tmux {self._named} gave no usable answer: {what}", argv=answer.argv[:8], exit_code=answer.exit_code, stderr=said
        ) from cause


@functools.lru_cache(maxsize=16)
def _installed_version(file: tuple[str, int], environ: tuple[tuple[str, str], ...], timeout_s: float) -> str:
    """Ask a tmux for its version, once for as long as its file, a path and its time, does not change."""
    path, _ = file
    answer = program.run([path, "-V"], env=dict(environ), timeout_s=timeout_s, starter=directly)
    said = answer.text.strip("\n")
    found = re.match(r"tmux ([^ \n]+)", said)
    if answer.exit_code != 0 or found is None:
        raise TmuxError(
            f"{path} -V gave no version: {answer.error_text or said!r}",
            argv=(path, "-V"),
            exit_code=answer.exit_code,
            stderr=answer.error_text,
        )
    return found[1]
