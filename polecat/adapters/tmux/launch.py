"""The file a session's first process starts from: environment built, not inherited; secrets in no command line.

A pane inherits the environment of whoever started the tmux server, an argument list is open to every user of the machine,
and tmux takes 16 KB at most. So the pane runs ``/bin/sh FILE``. The file starts itself once more in an empty environment,
removes itself, sets every variable, enters the directory and becomes the program, by ``exec`` all along: the pane's process is the program.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from polecat.errors import ProgramError, TmuxError
from polecat.ports import SessionRequest

MAX_STRING_BYTES = 131_071
"""Linux takes no longer argument or ``NAME=value``; one page more than a program could get."""

_KEPT = ("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "TMUX", "TMUX_PANE", "SHELL")
_OF_THE_TERMINAL = frozenset(("TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "TMUX_PANE", "COLUMNS", "LINES"))
_OF_THE_SHELL = frozenset(
    "PPID UID EUID SHELLOPTS BASHOPTS BASH_VERSINFO OPTIND LINENO OLDPWD PWD SHLVL _".split()
)  # some shell dies on setting them, or sets them itself
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Pick what the file sets: what a shell can set, less what describes the terminal, which tmux knows better.

    Examples:
        >>> passed_on({"A": "1", "TERM": "dumb", "BASH_FUNC_x%%": "() { :; }"})
        {'A': '1'}
    """
    return {k: v for k, v in environment.items() if _NAME.match(k) and k not in _OF_THE_TERMINAL | _OF_THE_SHELL}


def check_sizes(request: SessionRequest) -> None:
    """Raise if the kernel could not start the request's program.

    Raises:
        ProgramError: there is no program, a string holds NUL, one is too long, or all together are.
    """
    argv = request.argv
    if not argv or not argv[0]:
        raise ProgramError(f"session {request.name!r} has no program to run", argv=argv)
    total = 0
    for kind, words in (
        ("argument", dict(enumerate(argv))),
        ("variable", {k: f"{k}={v}" for k, v in passed_on(request.environment).items()}),
    ):
        for which, word in words.items():
            size = len(word.encode("utf-8", "surrogateescape")) + 1
            total += size + 8
            if "\0" in word:
                raise ProgramError(f"cannot start {argv[0]!r}: {kind} {which} holds a NUL byte", argv=argv[:1])
            if size > MAX_STRING_BYTES:
                raise ProgramError(
                    f"cannot start {argv[0]!r}: {kind} {which} has {size - 1} bytes, more than the {MAX_STRING_BYTES - 1} a program takes",
                    argv=argv[:1],
                    hint="put the text into a file and pass its path",
                )
    limit = os.sysconf("SC_ARG_MAX") - 4096
    if total > limit:
        raise ProgramError(
            f"cannot start {argv[0]!r}: arguments and environment have {total} bytes together, more than the {limit} a program takes",
            argv=argv[:1],
            hint="put long texts into files and pass their paths",
        )


def launch_text(request: SessionRequest, *, token: str) -> str:
    """Write the file for a request.

    Args:
        request: the session to be.
        token: a word that nobody else's environment holds.

    Examples:
        >>> request = SessionRequest(name="s", instance="i", cwd=Path("/w"), argv=("agent", "two words"),
        ...                          environment={"A": "1"}, scratch_dir=Path("/x"))
        >>> print(launch_text(request, token="t").split("\\n")[-2])
        exec agent 'two words'
    """
    kept = " ".join(f'${{{key}+"{key}=${key}"}}' for key in _KEPT)
    program = shlex.quote(request.argv[0])
    exports = [f"export {key}={shlex.quote(value)}" for key, value in passed_on(request.environment).items()]
    lines = [
        f'if [ "${{POLECAT_LAUNCH-}}" != {token} ]; then',
        f'exec /usr/bin/env -i {kept} POLECAT_LAUNCH={token} /bin/sh "$0"',
        "fi",
        'rm -f -- "$0"',
        "unset POLECAT_LAUNCH",
        f"cd -- {shlex.quote(os.fspath(request.cwd))} || exit 125",
        "unset OLDPWD",
        *exports,
        f"command -v -- {program} >/dev/null 2>&1 || {{ printf '%s: program not found\\n' {program} >&2; sleep 0.1; exit 127; }}",  # words just before an end may be lost
        f"exec {shlex.join(request.argv)}",
    ]
    return "\n".join(lines) + "\n"


def write_launch_file(request: SessionRequest) -> Path:
    """Write the file, readable by its owner alone, below the request's private directory.

    Raises:
        TmuxError: it cannot be written; nothing is left behind.
    """
    token = secrets.token_hex(8)
    path = request.scratch_dir.absolute() / f"launch-{request.instance}-{token}.sh"
    text = launch_text(request, token=token).encode("utf-8", "surrogateescape")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(text)
    except BaseException as error:
        drop_launch_file(path)
        if not isinstance(error, OSError):
            raise
        raise TmuxError(
            f"cannot start session {request.name!r}: {path.parent} cannot be written: {error.strerror}",
            argv=("tmux", "new-session"),
        ) from error
    return path


def drop_launch_file(path: Path) -> None:
    """Remove the file if the session did not do it itself."""
    with contextlib.suppress(OSError):
        path.unlink()
