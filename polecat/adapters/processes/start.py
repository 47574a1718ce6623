"""How a process comes to be: two ways, one answer.

`by_sh` is for programs of which a few run and which take their time: ``bd``, set-up hooks, shells that work in the background.
`directly` is for git and tmux, of which every operation runs several. `sh` forks, which costs 5 ms in a small process and 64 ms in one
of 1.6 GB, because the memory's tables are copied; `subprocess` does without (see docs/decisions/0007).
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
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

    @property
    def exit_code(self) -> int | None:
        """Its exit status, negative for a signal; None until it was taken. Until then nobody else can have its id."""
        ...

    def take_exit_code(self, *, wait: bool) -> None:
        """Take the exit status, if the process has ended or, with *wait*, when it has.

        Raises:
            ChildProcessError: it ended, and its exit status is lost.
        """
        ...


Starter = Callable[[Call], Child]
"""Starts a program and returns at once.

Raises:
    ProgramMissingError: it is not on PATH.
    ProgramError: it cannot be started.
"""


def _find(call: Call) -> str:
    found = shutil.which(call.argv[0], path=call.env.get("PATH", os.defpath))
    if found is None:
        name = call.argv[0]
        raise ProgramMissingError(f"{name!r} is not on PATH", argv=(name,), hint=f"install {name} or put it on PATH")
    return os.path.abspath(found)  # a relative PATH means ours, not the program's working directory


def _cannot(call: Call, why: str) -> ProgramError:
    return ProgramError(f"cannot start {os.path.basename(call.argv[0])}: {why}", argv=call.argv, cwd=call.cwd)


# ---------------------------------------------------------------------------------------------------------- directly


class _Direct:
    """Not `Popen.wait`: it says 0 where the exit status is lost, and 0 says that nothing is wrong."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit_code: int | None = None

    def take_exit_code(self, *, wait: bool) -> None:
        if self.exit_code is None:
            pid, status = os.waitpid(self.pid, 0 if wait else os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)


def _as_bytes(word: str) -> bytes:
    """Encode an argument as the locale says, so that paths stay what they are; our own texts go as UTF-8 where it cannot say them."""
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogateescape")


def directly(call: Call) -> Child:
    """Start a program with `subprocess`, which needs no copy of this process where the system has ``vfork``. A `Starter`."""
    executable = _find(call)
    try:
        process = subprocess.Popen(
            [_as_bytes(word) for word in call.argv],
            executable=executable,
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
    return _Direct(process.pid)


# ------------------------------------------------------------------------------------------------------------- by sh


class _Sh:
    """A process that a thread of `sh` looks at now and then as well, so that the library has to take its exit status."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.pid = int(process.pid)

    @property
    def exit_code(self) -> int | None:
        code: int | None = self.process.exit_code
        return code

    def take_exit_code(self, *, wait: bool) -> None:
        if wait or not self.process.is_alive()[0]:
            self.process.wait()


def by_sh(call: Call) -> Child:
    """Start a program with the library `sh`. A `Starter`.

    Never ``_timeout=``, ``_iter=``, ``await`` or callbacks of `sh`: they add 100 ms, stall at random or swallow errors.
    """
    logging.getLogger("sh").setLevel(logging.WARNING)
    program, words = _find(call), call.argv[1:]
    if not program.isascii():
        program, words = "/bin/sh", ("-c", 'exec "$0" "$@"', program, *words)
    command = sh.Command(program)
    with _FORK:
        try:
            running: Any = command(
                *(_as_bytes(word).decode("latin-1") for word in words),
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
                _encoding="latin-1",  # each character is a byte: `sh` would refuse or change what is not UTF-8
                _ok_code=_ANY_CODE,
            )
        except sh.ForkException as error:
            raise _cannot(call, str(error).strip(" \n").rpartition("\n")[2].strip(" ")) from None
    return _Sh(running.process)
