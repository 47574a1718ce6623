"""Running a rig's set-up hooks in a new worktree. A hook that fails is a warning; none can hold a spawn up for ever."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from polecat.adapters.processes.program import Finished, run
from polecat.core.environment import is_foreign
from polecat.errors import ProgramError, ProgramTimeoutError
from polecat.model import Rig
from polecat.town.files import why_not
from polecat.town.guarded import append_guarded

_ONE_STREAM = ("/bin/sh", "-c", 'exec "$0" >&2')
"""All a hook writes comes in the order it was written in, also from one that has to be ended, of which only stderr is kept."""

RunHook = Callable[..., Finished]
"""Runs a program in a process group of its own and ends it at its time limit: `run`, or what stands for it in a test."""


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
    run_hook: RunHook = run,
    log_name: str,
    variables: Mapping[str, str],
) -> tuple[str, ...]:
    """Run the executables of ``.runtime/setup-hooks/`` in a worktree, one after the other, by the bytes of their names.

    Args:
        rig: the rig.
        clone: the worktree they run in.
        environ: the caller's environment; what says who or where the caller is does not reach them.
        timeout_s: how long each may take, its children included.
        run_hook: runs one.
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
        **variables,
        "GT_ROOT": str(rig.town_root),
        "GT_RIG": rig.name,
        "GT_WORKTREE_PATH": str(clone),
        "GT_RIG_PATH": str(rig.path),
    }
    log = rig.runtime_dir / "logs" / f"setup-{log_name}.log"
    with contextlib.suppress(OSError):
        log.unlink()
    for entry in hooks:
        failure, output = _run_one(entry, clone, env, timeout_s, run_hook)
        if failure:
            warnings.append(f"set-up hook {entry.name!r} {failure}; its output is in {log}")
        try:
            _append(log, f"== {entry.name}\n".encode("utf-8", "surrogateescape") + output)
        except OSError as error:
            warnings.append(f"the output of set-up hook {entry.name!r} was not kept: {why_not(error)}")
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
    entry: os.DirEntry[str], clone: Path, env: Mapping[str, str], timeout_s: float, run_hook: RunHook
) -> tuple[str, bytes]:
    """Run one hook; return how it failed, empty if it did not, and what it wrote."""
    try:
        ended = run_hook((*_ONE_STREAM, entry.path), env=env, cwd=clone, timeout_s=timeout_s)
    except ProgramError as error:
        is_late = isinstance(error, ProgramTimeoutError)
        failure = f"did not end within {timeout_s:g} s and was killed" if is_late else f"failed: {error.message}"
        return failure, f"{error.stderr}\n-- {failure}\n".lstrip("\n").encode("utf-8", "surrogateescape")
    output = ended.stdout + ended.stderr
    if ended.exit_code < 0:
        return f"was ended by signal {-ended.exit_code}", output
    return f"ended with status {ended.exit_code}" if ended.exit_code else "", output


def _append(log: Path, text: bytes) -> None:
    """Append to a private file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    append_guarded(log, text, mode=0o600, follow=False)
