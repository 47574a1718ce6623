"""What git opens by itself, looked at before git does: at a pipe it would wait for ever, of a device or gigabytes it would read all.

A look costs some microseconds a file, where the process that it spares takes milliseconds.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from polecat.errors import UnknownStateError

_OPENED = (
    *("HEAD", "index", "commondir", "gitdir", "config", "config.worktree", "packed-refs", "shallow", "MERGE_HEAD"),
    *("CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_START", "info/exclude", "info/attributes", "objects/info/alternates"),
)
_BEGUN = ("rebase-merge", "rebase-apply", "sequencer")
"""What is begun and not finished; a status reads how far it is."""

_IN_TREE = (".git", ".gitignore", ".gitattributes", ".gitmodules")
_MAX_BYTES = 1 << 30
"""An index of millions of files has less."""


def check_opened(git_dir: Path, work_tree: Path | None) -> None:
    """Look at the files that nearly every command opens.

    Args:
        git_dir: the repository, or a worktree's registration.
        work_tree: the files; None for commands that need none.

    Raises:
        UnknownStateError: one of them is neither absent nor a plain file or directory of a sane size.
    """
    places = [f"{git_dir}/{name}" for name in _OPENED]
    if git_dir.parent.name == "worktrees":
        places += [f"{git_dir.parent.parent}/{name}" for name in _OPENED]
    if work_tree is not None:
        places += [f"{work_tree}/{name}" for name in _IN_TREE]
    for path in places:
        _check(path)
    for folder in _BEGUN:
        for path in _entries(f"{git_dir}/{folder}"):
            _check(path)


def check_refs(git_dir: Path, below: str = "refs", *, heads: bool = False) -> None:
    """Look at each ref that is a file; commands that list refs open them all.

    Args:
        git_dir: the repository.
        below: only the refs there.
        heads: also what says where every worktree is and at which branch, which a fetch opens.

    Raises:
        UnknownStateError: as `check_opened`.
    """
    for path in _entries(os.fspath(git_dir / below)):
        _check(path)
    registry = f"{git_dir}/worktrees"
    for admin in os.listdir(registry) if heads and os.path.isdir(registry) else ():
        for name in ("HEAD", "commondir", "gitdir"):
            _check(f"{registry}/{admin}/{name}")


def _entries(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path)
                else:
                    yield entry.path
    except FileNotFoundError:
        return
    except OSError as error:
        raise UnknownStateError(f"cannot list {folder}: {error.strerror or error}") from error


def _check(path: str) -> None:
    try:
        about = os.stat(path)
    except OSError:  # git says what it thinks of it, at once
        return
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise UnknownStateError(f"cannot read {path}: it is not a regular file")
    if about.st_size > _MAX_BYTES:
        raise UnknownStateError(f"cannot read {path}: it has more than {_MAX_BYTES} bytes")
