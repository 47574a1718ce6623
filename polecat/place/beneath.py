"""Writing into a worktree without being led out of it.

A project may contain symlinks, and a worktree is full of the project's files: writing to ``<worktree>/.beads/redirect`` would follow
a tracked symlink to wherever it leads. Every step here is taken from an open directory and refuses symlinks.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

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


def exists_beneath(root: Path, relative: str) -> bool:
    """Say whether anything is at this place, a dangling symlink included."""
    return os.path.lexists(root / relative)


def create_beneath(root: Path, relative: str, data: bytes) -> bool:
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


def replace_beneath(root: Path, relative: str, data: bytes) -> None:
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


def copy_beneath(root: Path, name: str, source: Path) -> None:
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
            _copy(reader, writer)


# ------------------------------------------------------------------------------------------- from another checkout


_FICLONE = 0x40049409
"""Linux: share the data of one file with another until one of them is written to. Other systems refuse it."""


class Brought(enum.Enum):
    """What became of a file that was to be brought in."""

    COPIED = "copied"
    EXISTS = "exists"
    LEADS_OUT = "leads out"
    SPECIAL = "special"
    TOO_BIG = "too big"


def bring_beneath(root: Path, relative: str, source_root: Path, *, room_bytes: int) -> tuple[Brought, int]:
    """Copy a file or symlink from below *source_root* to the same place below *root*, with its mode and times.

    The data is shared where the file system can. Nothing that is there is touched, no symlink is followed on either side, and a symlink
    is copied only if it leads to a place inside, whatever may be there.

    Args:
        root: where it goes.
        relative: its path.
        source_root: where it comes from.
        room_bytes: copy no more than this, unless the data can be shared.

    Returns:
        What became of it, and how many bytes were written.

    Raises:
        OSError: it cannot be read or written; nothing is left of it.
    """
    *parts, name = relative.split("/")
    with _existing_directory(source_root, parts) as source_fd:
        mode = os.lstat(name, dir_fd=source_fd).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(name, dir_fd=source_fd)
            if os.path.isabs(target) or os.path.normpath(os.path.join(*parts, target)).split("/")[0] == "..":
                return Brought.LEADS_OUT, 0
            with _directory(root, parts) as fd:
                return _unless_there(lambda: os.symlink(target, name, dir_fd=fd)), 0
        if not stat.S_ISREG(mode):
            return Brought.SPECIAL, 0
        in_fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source_fd)
    try:
        with _directory(root, parts) as fd:
            return _copy_file(in_fd, fd, name, room_bytes)
    finally:
        os.close(in_fd)


@contextmanager
def _existing_directory(root: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open a directory below *root*."""
    fd = os.open(root, _DIR)
    try:
        for part in parts:
            deeper = os.open(part, _DIR, dir_fd=fd)
            os.close(fd)
            fd = deeper
        yield fd
    finally:
        os.close(fd)


def _unless_there(make: Callable[[], None]) -> Brought:
    try:
        make()
    except FileExistsError:
        return Brought.EXISTS
    return Brought.COPIED


def _copy_file(in_fd: int, dir_fd: int, name: str, room_bytes: int) -> tuple[Brought, int]:
    about = os.fstat(in_fd)
    if not stat.S_ISREG(about.st_mode):
        return Brought.SPECIAL, 0
    try:
        out_fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
    except FileExistsError:
        return Brought.EXISTS, 0
    is_done = False
    try:
        is_shared = _share(in_fd, out_fd)
        if not is_shared and about.st_size > room_bytes:
            return Brought.TOO_BIG, 0
        if not is_shared:
            with open(in_fd, "rb", closefd=False) as reader, open(out_fd, "wb", closefd=False) as writer:
                _copy(reader, writer)
        os.fchmod(out_fd, stat.S_IMODE(about.st_mode) & 0o777)
        os.utime(out_fd, ns=(about.st_atime_ns, about.st_mtime_ns))
        is_done = True
        return Brought.COPIED, 0 if is_shared else about.st_size
    finally:
        os.close(out_fd)
        if not is_done:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=dir_fd)


def _share(in_fd: int, out_fd: int) -> bool:
    try:
        fcntl.ioctl(out_fd, _FICLONE, in_fd)
    except OSError:
        return False
    return True


def _copy(reader: BinaryIO, writer: BinaryIO) -> None:
    while chunk := reader.read(1024 * 1024):
        writer.write(chunk)
