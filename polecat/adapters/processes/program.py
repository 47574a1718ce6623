"""The one door to outside programs: argv in, how it ended out.

Rules, each with the reason it exists:

- No shell, no terminal, no stdin unless given, own process group, a time limit always: a program that asks, pages or hangs must
  not hang us; at the limit, or on Ctrl-C, its whole group is killed.
- How a process comes to be is chosen by whoever calls: git and tmux are started `directly`, everything else `by_sh`
  (see `polecat.adapters.processes.start`).
- What the program writes goes into files in memory, not through pipes: nobody has to read along, and a daemon that it leaves behind
  with our end still open cannot keep us waiting.
- A Ctrl-C that comes while a program is being started waits until we know which one it is; otherwise nobody could end it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from attrs import frozen

from polecat.adapters.processes.start import Call, Child, Starter, by_sh
from polecat.errors import ProgramError, ProgramTimeoutError

DEFAULT_TIMEOUT_S = 30.0

DOUBTS_S = (2.0, 15.0)
"""After so long whoever started a program is asked whether it can end at all. Nearly every one has ended before."""


@frozen(kw_only=True)
class Finished:
    """How a program ended.

    Attributes:
        argv: what was run.
        exit_code: its exit status; negative when a signal ended it.
        stdout: what it wrote, as bytes.
        stderr: likewise.
        cwd: where it ran.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    cwd: Path | None = None

    @property
    def text(self) -> str:
        """stdout as text; undecodable bytes survive as surrogates."""
        return self.stdout.decode("utf-8", "surrogateescape")

    @property
    def error_text(self) -> str:
        """stderr as text, without blanks and line breaks around it."""
        return _message(self.stderr)


def _message(stderr: bytes) -> str:
    return stderr.decode("utf-8", "surrogateescape").strip(" \t\r\n")


def _checked(argv: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    words = tuple(os.fspath(word) for word in argv)
    for word in words:
        if "\0" in word:
            raise ProgramError(f"cannot pass {word!r} to {words[0]!r}: it holds a NUL", argv=words[:1])
    return words


def _file() -> IO[bytes]:
    """Make a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("polecat", os.MFD_CLOEXEC), "r+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _input(data: bytes) -> IO[bytes]:
    if not data:
        return open(os.devnull, "rb", buffering=0)
    file = _file()
    file.write(data)
    file.seek(0)
    return file


def _read(file: IO[bytes]) -> bytes:
    """Return what a program wrote, whatever it did to the position."""
    file.seek(0)
    return file.read()


@contextlib.contextmanager
def pidfd_of(pid: int) -> Iterator[int | None]:
    """Hold on to whoever has this id now; None where the system has no such thing, a sandbox forbids it, or nobody has it."""
    fd: int | None = None
    with contextlib.suppress(OSError, AttributeError):
        fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


class Running:
    """A program that was started; `wait` for it or `kill` it, always."""

    def __init__(
        self, call: Call, child: Child, *, timeout_s: float, started_s: float, doubt: Callable[[float], object] | None = None
    ) -> None:
        self._call = call
        self._child = child
        self._timeout_s = timeout_s
        self._started_s = started_s
        self._doubt = doubt
        self._result: tuple[int | None, bytes, bytes] | None = None

    def wait(self) -> Finished:
        """Wait for the end; once more after that gives the same answer.

        Raises:
            ProgramTimeoutError: the time limit passed; the program and its children are dead.
            ProgramError: it ended, and its exit status is lost.
            Exception: what *doubt* of `start` raised; the program and its children are dead.
        """
        argv, cwd = self._call.argv, self._call.cwd
        is_in_time = self._result is not None or self._ends_in_time()
        code, stdout, stderr = self._collect()
        if not is_in_time:
            raise ProgramTimeoutError(
                f"{short_name(argv)} did not end within {self._timeout_s:g} s and was killed",
                argv=argv,
                exit_code=code,
                stderr=_message(stderr),
                cwd=cwd,
            )
        if code is None:
            raise ProgramError(
                f"{os.path.basename(argv[0])} ended and nobody can say how: its exit status was thrown away or taken by somebody else",
                argv=argv,
                hint="this process ignores SIGCHLD, or something in it waits for every child: let it keep its hands off ours",
            )
        return Finished(argv=argv, exit_code=code, stdout=stdout, stderr=stderr, cwd=cwd)

    def kill(self) -> None:
        """Kill the program with its children, if it was not waited for, and wait until it is dead."""
        if self._result is None:
            self._kill_group()
            self._collect()

    def _kill_group(self) -> None:
        if self._child.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def _ends_in_time(self) -> bool:
        """Wait; at the time limit, on any interrupt, and where it cannot end, kill."""
        try:
            doubts_s = [one for one in DOUBTS_S if self._doubt and one < self._timeout_s]
            for after_s in (*doubts_s, self._timeout_s):
                if self._ends_before(self._started_s + after_s):
                    return True
                if self._doubt and after_s in doubts_s:
                    self._doubt(after_s)
        except BaseException:
            with contextlib.suppress(OSError):  # the interrupt is what counts
                self.kill()
            raise
        self._kill_group()
        return False

    def _ends_before(self, deadline_s: float) -> bool:
        with pidfd_of(self._child.pid) as fd:
            if fd is not None and self._child.exit_code is None:  # else its id may be another's by now
                ending = select.poll()
                ending.register(fd, select.POLLIN)
                return bool(ending.poll(max(0.0, deadline_s - time.monotonic()) * 1000))
        pause_s = 0.001
        with contextlib.suppress(ChildProcessError):  # it is over
            while self._child.exit_code is None and (left_s := deadline_s - time.monotonic()) > 0:
                time.sleep(min(pause_s, left_s))
                pause_s = min(2 * pause_s, 0.05)
                self._child.take_exit_code(wait=False)
            return self._child.exit_code is not None
        return True

    def _collect(self) -> tuple[int | None, bytes, bytes]:
        """Take the exit status, None where it is lost, and what was written; everything the program had of ours is let go."""
        if self._result is None:
            with contextlib.suppress(ChildProcessError):
                self._child.take_exit_code(wait=True)
            out, err = self._call.stdout, self._call.stderr
            # closed only once they are read: an interrupt in between may send us here again
            self._result = (self._child.exit_code, _read(out), _read(err))
            out.close()
            err.close()
        return self._result


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C, SIGTERM and SIGHUP for the length of a ``with`` block; what came meanwhile comes at its end."""
    came: list[int] = []
    handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def deliver() -> None:
        for number in came:
            handlers[number](number, None)

    with contextlib.ExitStack() as at_end:  # a handler that is back may raise at once; the other one comes back all the same
        at_end.callback(deliver)
        if threading.current_thread() is threading.main_thread():  # Python runs handlers in no other
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                handler = signal.getsignal(number)
                if callable(handler):
                    handlers[number] = handler
                    at_end.callback(signal.signal, number, handler)
                    signal.signal(number, lambda number, _frame: came.append(number))
        yield


_WITH_A_VALUE = frozenset(("-c", "-C", "-f", "-L", "-S"))
"""Options of git, tmux and the shell that come before the command and take the next word."""


def short_name(argv: Sequence[str]) -> str:
    """Name a call by its program and its command.

    Examples:
        >>> short_name(["/usr/bin/git", "-C", "/place", "-c", "gc.auto=0", "--git-dir=/repo", "fetch", "-q", "origin"])
        'git fetch'
    """
    rest = iter(argv[1:])
    for word in rest:
        if word in _WITH_A_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            return f"{os.path.basename(argv[0])} {word if len(word) < 40 else word[:39] + '…'}"
    return os.path.basename(argv[0])


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    starter: Starter = by_sh,
    doubt: Callable[[float], object] | None = None,
) -> Running:
    """Start a program and return at once.

    Args:
        argv: the program (looked up in *env*'s PATH) and its arguments, passed exactly.
        env: its whole environment.
        cwd: its working directory; None means ours.
        stdin: what it reads; nothing by default.
        timeout_s: after this many seconds from now it is killed, with its children.
        starter: how its process comes to be.
        doubt: told how many seconds it has run, where that is long; raises if it will never end.

    Raises:
        ProgramMissingError: it is not on PATH.
        ProgramError: the working directory is not one, or an argument cannot be passed.
    """
    words = _checked(argv)
    if cwd is not None and not cwd.is_dir():  # a bad directory would look like a missing program, and makes sh leak
        raise ProgramError(f"cannot run {short_name(words)}: {cwd} is not a directory", argv=words, cwd=cwd)
    began_s = time.monotonic()
    running: Running | None = None
    try:
        with _interrupts_held(), contextlib.ExitStack() as ours:
            out, err = ours.enter_context(_file()), ours.enter_context(_file())
            with _input(stdin) as source:
                call = Call(argv=words, env=env, cwd=cwd, stdin=source, stdout=out, stderr=err)
                running = Running(call, starter(call), timeout_s=timeout_s, started_s=began_s, doubt=doubt)
            ours.pop_all()
    except BaseException:  # from here on an interrupt may come anywhere
        if running is not None:
            running.kill()
        raise
    return running


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    starter: Starter = by_sh,
) -> Finished:
    """Run a program to its end; a non-zero exit status is a value, not an error. Arguments and errors as `start`.

    Examples:
        >>> run(["printf", "%s", "a b"], env={"PATH": os.environ["PATH"]}).text
        'a b'
    """
    return start(argv, env=env, cwd=cwd, stdin=stdin, timeout_s=timeout_s, starter=starter).wait()
