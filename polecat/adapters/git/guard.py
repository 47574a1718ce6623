"""What git opens by itself, looked at before git does: at a pipe it would wait for ever, of a device or gigabytes it would read all.

A look costs some microseconds a file, where the process that it spares takes milliseconds. Further down, where a look at every directory
would take as long as git itself, nothing is looked at until git does not end.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from polecat.adapters.processes.mounts import mounts_below
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

_MOUNT_S = 10.0
"""What is mounted in a worktree and does not answer for so long will not."""


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


def check_below(git_dir: Path, work_tree: Path | None, waited_s: float) -> None:
    """Find what git waits for, when it does not end, in every directory that it may have come to.

    Args:
        git_dir: the repository, or a worktree's registration.
        work_tree: the files; None where it has none.
        waited_s: for how long it runs.

    Raises:
        UnknownStateError: a file there is as `check_opened` says, or something is mounted among the files and git has run for long.
    """
    top = os.path.realpath(work_tree) if work_tree else ""
    mounts = [os.fspath(one) for one in mounts_below(Path(top))] if top else []
    for path in _opened_below(os.fspath(git_dir), (), is_git=True):
        _check(path)
    for path in _opened_below(top, mounts, is_git=False) if top else ():
        _check(path)
    if mounts and waited_s > _MOUNT_S:
        raise UnknownStateError(f"git got no answer within {waited_s:g} s, and in {top} is mounted: {', '.join(mounts)}")


def _opened_below(top: str, apart: Collection[str], *, is_git: bool) -> Iterator[str]:
    """Yield what git may open below a directory, but not what is mounted there, whose look could wait for ever too."""
    todo = [(top, is_git)]
    while todo:
        folder, of_git = todo.pop()
        with contextlib.suppress(OSError), os.scandir(folder) as found:  # git says what it thinks of it, at once
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in apart and not (of_git and entry.name == "worktrees"):  # others', for which they answer
                        todo.append((entry.path, of_git or entry.name == ".git"))
                elif entry.name in _IN_TREE or (of_git and not entry.is_file(follow_symlinks=False) and not _is_socket(entry)):
                    yield entry.path


def _is_socket(entry: os.DirEntry[str]) -> bool:
    return stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)


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
