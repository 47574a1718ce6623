"""Writing into a worktree without being led out of it.

A project may contain symlinks, and a worktree is full of the project's files: writing to ``<worktree>/.beads/redirect`` would follow
a tracked symlink to wherever it leads. Every step here is taken from an open directory and refuses symlinks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def _directory(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open a directory below *root*, making what is missing."""
    fd = os.open(root, _DIR)
    try:
        for part in parts:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=fd)
            deeper = os.open(part, _DIR, dir_fd=fd)
            os.close(fd)
            fd = deeper
        yield fd
    finally:
        os.close(fd)


def exists_inside(root: Path, relative: str) -> bool:
    """Say whether anything is at this place, a dangling symlink included."""
    return os.path.lexists(root / relative)


def create_inside(root: Path, relative: str, data: bytes) -> bool:
    """Write a file below *root* that is not there yet, mode 0644.

    Returns:
        False if something is there already; it was not touched.

    Raises:
        OSError: it cannot be written, or a symlink is in the way.
    """
    *parts, name = relative.split("/")
    with _directory(root, parts) as fd:
        try:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=fd)
        except FileExistsError:
            return False
        with open(file, "wb") as out:
            out.write(data)
    return True


def replace_inside(root: Path, relative: str, data: bytes) -> None:
    """Write a file below *root* in one step, mode 0644, whatever plain file or symlink had its name.

    Raises:
        OSError: it cannot be written, or a directory on the way is a symlink.
    """
    *parts, name = relative.split("/")
    draft = f".{name}.{secrets.token_hex(6)}"
    with _directory(root, parts) as fd:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=fd)
        try:
            with open(file, "wb") as out:
                out.write(data)
            os.replace(draft, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=fd)
            raise


def copy_inside(root: Path, name: str, source: Path) -> None:
    """Copy a file to *root*; an existing file is overwritten and keeps its mode, a symlink is refused.

    Raises:
        OSError: it cannot be read or written, or is no plain file on either side.
    """
    in_fd = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hang us
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, in_fd)
        mode = os.fstat(in_fd).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(0, "is not a regular file", str(source))
        fd = stack.enter_context(_directory(root, ()))
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        out_fd = os.open(name, flags, stat.S_IMODE(mode), dir_fd=fd)
        stack.callback(os.close, out_fd)
        if not stat.S_ISREG(os.fstat(out_fd).st_mode):
            raise OSError(0, "is not a regular file", name)
        os.ftruncate(out_fd, 0)
        with open(in_fd, "rb", closefd=False) as reader, open(out_fd, "wb", closefd=False) as writer:
            shutil.copyfileobj(reader, writer)
