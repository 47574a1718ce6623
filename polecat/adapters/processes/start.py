"""How a process comes to be: two ways, one answer.

`by_sh` is for programs of which a few run and which take their time: ``bd``, set-up hooks, shells that work in the background.
`directly` is for git and tmux, of which every operation runs several. `sh` forks, which costs 5 ms in a small process and 64 ms in one
of 1.6 GB, because the memory's tables are copied; `subprocess` does without (see docs/decisions/0007).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import sh
from attrs import field, frozen

from polecat.errors import ProgramError, ProgramMissingError

_FORK = threading.Lock()
"""One fork at a time: on Python ≥ 3.12 filelock refuses a fork while another thread changes a lock."""

_ANY_CODE = list(range(256))


@frozen(kw_only=True)
class Call:
    """What is to be started.

    Attributes:
        argv: the program and its arguments, passed exactly.
        env: its whole environment; its PATH is where the program is looked for.
        cwd: its working directory, which exists; None means ours.
        stdin: what it reads.
        stdout: where it writes.
        stderr: likewise.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path | None
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


class Child(Protocol):
    """A process of ours, leader of a session and a group of its own."""

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        ...

    def wait_or_kill(self, timeout_s: float) -> bool:
        """Wait for its end, and kill it with its group if that takes longer; say whether it ended by itself."""
        ...

    def wait(self) -> int:
        """Wait for its end, as long as it takes; its exit status, negative for a signal."""
        ...

    def kill(self) -> None:
        """Kill it with its group, unless it was waited for already."""
        ...


class Starter(Protocol):
    """Starts a program and returns at once."""

    def __call__(self, call: Call, /) -> Child:
        """Start it.

        Raises:
            ProgramMissingError: it is not on PATH.
            ProgramError: it cannot be started.
        """
        ...


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _missing(program: str) -> ProgramMissingError:
    return ProgramMissingError(f"{program!r} is not on PATH", argv=(program,), hint=f"install {program} or put it on PATH")


def _cannot(call: Call, why: str) -> ProgramError:
    return ProgramError(f"cannot start {os.path.basename(call.argv[0])}: {why}", argv=call.argv, cwd=call.cwd)


def _lost(argv: Sequence[str]) -> ProgramError:
    return ProgramError(
        f"{os.path.basename(argv[0])} ended and nobody can say how: its exit status was thrown away or taken by somebody else",
        argv=argv,
        hint="this process ignores SIGCHLD, or something in it waits for every child: let it keep its hands off ours",
    )


# ---------------------------------------------------------------------------------------------------------- directly

_LOST = 1000
"""Stands for an exit status that nobody knows; real ones are below 256."""


class _Direct:
    def __init__(self, pid: int, argv: tuple[str, ...]) -> None:
        self.pid = pid
        self.argv = argv
        self._code: int | None = None

    def wait_or_kill(self, timeout_s: float) -> bool:
        if not self._ends_within(timeout_s):
            self.kill()
            return False
        return True

    def _ends_within(self, timeout_s: float) -> bool:
        pidfd = _pidfd(self.pid)
        if pidfd is None:
            return self._is_seen_to_end(time.monotonic() + timeout_s)
        try:
            ending = select.poll()
            ending.register(pidfd, select.POLLIN)
            return bool(ending.poll(max(0.0, timeout_s) * 1000))
        finally:
            os.close(pidfd)

    def _is_seen_to_end(self, deadline_s: float) -> bool:
        """Look again and again; notices the end up to 50 ms late."""
        pause_s = 0.001
        while not self._is_over(os.WNOHANG):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return False
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, 0.05)
        return True

    def wait(self) -> int:
        self._is_over(0)
        return int(self._code or 0)

    def _is_over(self, how: int) -> bool:
        """Take the exit status. Not `Popen.wait`: it says 0 where the status is lost, and 0 says that nothing is wrong."""
        if self._code is None:
            try:
                pid, status = os.waitpid(self.pid, how)
            except ChildProcessError:
                self._code = _LOST  # it is over; nobody is to kill whoever has its number next
                raise _lost(self.argv) from None
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        elif self._code == _LOST:
            raise _lost(self.argv)
        return self._code is not None

    def kill(self) -> None:
        if self._code is None:
            _kill_group(self.pid)


def _pidfd(pid: int) -> int | None:
    """Open what tells of a process's end; None where the system has no such thing, or a sandbox forbids it."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _as_bytes(word: str) -> bytes:
    """Encode an argument as the locale says, so that paths stay what they are; our own texts go as UTF-8 where it cannot say them."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogateescape")


def directly(call: Call) -> Child:
    """Start a program with `subprocess`, which needs no copy of this process where the system has ``vfork``. A `Starter`."""
    found = shutil.which(call.argv[0], path=call.env.get("PATH", os.defpath))
    if found is None:
        raise _missing(call.argv[0])
    try:
        process = subprocess.Popen(
            [_as_bytes(word) for word in call.argv],
            executable=os.path.abspath(found),  # a relative PATH means ours, not the program's working directory
            env=call.env,
            cwd=call.cwd,
            stdin=call.stdin,
            stdout=call.stdout,
            stderr=call.stderr,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # the latter for a variable that no process can be given
        raise _cannot(call, getattr(error, "strerror", None) or str(error)) from None
    process.returncode = 0  # the library is to leave it alone: we wait for it
    return _Direct(process.pid, call.argv)


# ------------------------------------------------------------------------------------------------------------- by sh


class _Sh:
    def __init__(self, running: Any, argv: tuple[str, ...]) -> None:
        self.running = running
        self.argv = argv

    @property
    def pid(self) -> int:
        return int(self.running.pid)

    def wait_or_kill(self, timeout_s: float) -> bool:
        timed_out = threading.Event()

        def at_limit() -> None:
            timed_out.set()
            self.kill()

        timer = threading.Timer(max(0.0, timeout_s), at_limit)
        timer.daemon = True
        try:
            timer.start()
            self.wait()
        finally:
            timer.cancel()
        return not timed_out.is_set()

    def wait(self) -> int:
        try:
            self.running.wait()
            return int(self.running.exit_code)
        except sh.SignalException as error:
            return int(error.exit_code)
        except ChildProcessError:
            raise _lost(self.argv) from None

    def kill(self) -> None:
        if self.running.process.exit_code is None:
            _kill_group(self.pid)


def by_sh(call: Call) -> Child:
    """Start a program with the library `sh`. A `Starter`.

    Never ``_timeout=``, ``_iter=``, ``await`` or callbacks of `sh`: they add 100 ms, stall at random or swallow errors.
    """
    command = _command(call.argv[0], call.env.get("PATH", os.defpath))
    with _FORK:
        try:
            running: Any = command(
                *call.argv[1:],
                _env=dict(call.env),
                _cwd=None if call.cwd is None else str(call.cwd),
                _in=call.stdin,
                _out=call.stdout,
                _err=call.stderr,
                _async=True,  # returns at once and, unlike _bg, leaves SIGHUP alone in the child
                _return_cmd=True,
                _tty_out=False,
                _new_session=True,
                _close_fds=True,  # a daemon that bd starts, or a shell in the background, would hold them for long
                _no_pipe=True,
                _encoding="utf-8",
                _ok_code=_ANY_CODE,
            )
        except Exception as error:
            if type(error).__name__ != "ForkException":
                raise
            raise _cannot(call, str(error).strip().splitlines()[-1].strip()) from None
    return _Sh(running, call.argv)


@functools.lru_cache(maxsize=64)
def _command(program: str, search_path: str) -> sh.Command:
    logging.getLogger("sh").setLevel(logging.WARNING)
    try:
        return sh.Command(program, search_paths=search_path.split(os.pathsep))
    except sh.CommandNotFound:
        raise _missing(program) from None
