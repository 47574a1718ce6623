"""Running a rig's set-up hooks in a new worktree. A hook that fails is a warning; none can hold a spawn up for ever."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from polecat.adapters.processes.program import run
from polecat.core.environment import is_foreign
from polecat.errors import ProgramError, ProgramTimeoutError
from polecat.model import Rig
from polecat.town.files import why_not

_ONE_STREAM = ("/bin/sh", "-c", 'exec "$0" >&2')
"""All a hook writes comes in the order it was written in, also from one that has to be ended, of which only stderr is kept."""


class HookResult(Protocol):
    """How a set-up hook ended."""

    @property
    def exit_code(self) -> int:
        """Its exit status; negative when a signal ended it."""
        ...

    @property
    def stdout(self) -> bytes:
        """What it wrote."""
        ...

    @property
    def stderr(self) -> bytes:
        """Likewise."""
        ...


class RunHook(Protocol):
    """Runs a program in a process group of its own and ends it at its time limit, as `polecat.adapters.processes.program.run` does."""

    def __call__(self, argv: tuple[str, ...], /, *, env: Mapping[str, str], cwd: Path, timeout_s: float) -> HookResult:
        """Run it to its end."""
        ...


def _program_run() -> RunHook:
    return run


def entries_of(folder: Path, what: str, warnings: list[str]) -> list[os.DirEntry[str]]:
    """List a folder by the bytes of the names; absent is empty, unreadable is a warning."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: os.fsencode(entry.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        warnings.append(f"the {what} cannot be read: {why_not(error)}")
        return []


def run_setup_hooks(
    rig: Rig,
    clone: Path,
    *,
    environ: Mapping[str, str],
    timeout_s: float,
    run_hook: RunHook | None = None,
    log_name: str,
    variables: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Run the executables of ``.runtime/setup-hooks/`` in a worktree, one after the other, by the bytes of their names.

    Args:
        rig: the rig.
        clone: the worktree they run in.
        environ: the caller's environment; what says who or where the caller is does not reach them.
        timeout_s: how long each may take, its children included.
        run_hook: runs one; None means for real.
        log_name: what the log of this worktree is called.
        variables: those of the place, such as its ports.

    Returns:
        Warnings, each one line.

    Source:
        Contract §3.17.
    """
    warnings: list[str] = []
    hooks = _executables(entries_of(rig.runtime_dir / "setup-hooks", "set-up hooks", warnings), warnings)
    if not hooks:
        return tuple(warnings)
    env = {
        **{key: value for key, value in environ.items() if not is_foreign(key)},
        **(variables or {}),
        "GT_ROOT": str(rig.town_root),
        "GT_RIG": rig.name,
        "GT_WORKTREE_PATH": str(clone),
        "GT_RIG_PATH": str(rig.path),
    }
    log = _HookLog(rig.runtime_dir / "logs" / f"setup-{log_name}.log")
    run = run_hook or _program_run()
    for entry in hooks:
        failure = _run_one(entry, clone, env, timeout_s, run, log.write)
        if failure:
            warnings.append(f"set-up hook {entry.name!r} {failure}; its output is in {log.path}")
    if log.failure:
        warnings.append(f"the output of the set-up hooks was not kept: {log.failure}")
    return tuple(warnings)


def _executables(entries: list[os.DirEntry[str]], warnings: list[str]) -> list[os.DirEntry[str]]:
    hooks = []
    for entry in entries:
        if entry.is_dir():
            continue
        if entry.stat(follow_symlinks=False).st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
            hooks.append(entry)
        else:
            warnings.append(f"set-up hook {entry.name!r} was not run: it is not executable")
    return hooks


def _run_one(
    entry: os.DirEntry[str],
    clone: Path,
    env: Mapping[str, str],
    timeout_s: float,
    run_hook: RunHook,
    log: Callable[[str, bytes], None],
) -> str:
    try:
        ended = run_hook((*_ONE_STREAM, entry.path), env=env, cwd=clone, timeout_s=timeout_s)
    except ProgramError as error:
        is_late = isinstance(error, ProgramTimeoutError)
        failure = f"did not end within {timeout_s:g} s and was killed" if is_late else f"failed: {error.message}"
        log(entry.name, f"{error.stderr}\n-- {failure}\n".lstrip().encode("utf-8", "surrogateescape"))
        return failure
    log(entry.name, ended.stdout + ended.stderr)
    if ended.exit_code < 0:
        return f"was ended by signal {-ended.exit_code}"
    return f"ended with status {ended.exit_code}" if ended.exit_code else ""


class _HookLog:
    """The file that keeps what set-up hooks print; private, begun anew for each worktree of a name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure = ""
        self._flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC

    def write(self, hook: str, output: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, self._flags, 0o600)
            self._flags = (self._flags & ~os.O_TRUNC) | os.O_APPEND
            with open(fd, "wb") as file:
                file.write(f"== {hook}\n".encode("utf-8", "surrogateescape") + output)
        except OSError as error:
            self.failure = why_not(error)
