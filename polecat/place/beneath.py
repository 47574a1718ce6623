"""Writing beneath a worktree, never outside it.

A project may contain symlinks, and a worktree is full of the project's files: writing to ``<worktree>/.beads/redirect`` would follow
a tracked symlink to wherever it leads. Every step here is taken from an open directory and refuses symlinks, as openat2's
``RESOLVE_BENEATH`` does where a kernel has it.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not hang us
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def _directory(root: Path, parts: Sequence[str], *, make: bool = True) -> Iterator[int]:
    """Open a directory beneath *root*; *make* makes what is missing."""
    fd = os.open(root, _DIR)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=fd)
            deeper = os.open(part, _DIR, dir_fd=fd)
            os.close(fd)
            fd = deeper
        yield fd
    finally:
        os.close(fd)


def create_beneath(root: Path, relative: str, data: bytes) -> bool:
    """Write a file beneath *root* that is not there yet, mode 0644.

    Returns:
        False if something is there already; it was not touched.

    Raises:
        OSError: it cannot be written, or a symlink is in the way.
    """
    *parts, name = relative.split("/")
    with _directory(root, parts) as fd:
        try:
            file = os.open(name, _NEW, 0o644, dir_fd=fd)
        except FileExistsError:
            return False
        with open(file, "wb") as out:
            out.write(data)
    return True


def replace_beneath(root: Path, relative: str, data: bytes) -> None:
    """Write a file beneath *root* in one step, mode 0644, whatever plain file or symlink had its name.

    Raises:
        OSError: it cannot be written, or a directory on the way is a symlink.
    """
    *parts, name = relative.split("/")
    draft = f".{name}.{secrets.token_hex(6)}"
    with _directory(root, parts) as fd:
        try:
            with open(os.open(draft, _NEW, 0o644, dir_fd=fd), "wb") as out:
                out.write(data)
            os.replace(draft, name, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=fd)
            raise


def copy_beneath(root: Path, name: str, source: Path) -> None:
    """Copy a file into *root*; an existing file is overwritten and keeps its mode, a symlink is refused.

    Raises:
        OSError: it cannot be read or written, is no plain file on either side, or has more than `MAX_BYTES`.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with (
        _regular_file(source, _READ) as in_fd,
        _directory(root, ()) as fd,
        _regular_file(name, flags, stat.S_IMODE(_of_sane_size(in_fd, source).st_mode), dir_fd=fd) as out_fd,
    ):
        os.ftruncate(out_fd, 0)
        _copy(in_fd, out_fd)


MAX_BYTES = 1 << 30
"""What is copied into every worktree is settings; a file with more, perhaps full of holes, is a mistake that would fill the disk."""


@contextmanager
def _regular_file(path: Path | str, flags: int, mode: int = 0, *, dir_fd: int | None = None) -> Iterator[int]:
    fd = os.open(path, flags, mode, dir_fd=dir_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "is not a regular file", str(path))
        yield fd
    finally:
        os.close(fd)


def _of_sane_size(fd: int, path: Path) -> os.stat_result:
    about = os.fstat(fd)
    if about.st_size > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES} bytes", os.fspath(path))
    return about


def _copy(in_fd: int, out_fd: int) -> None:
    with open(in_fd, "rb", closefd=False) as reader, open(out_fd, "wb", closefd=False) as writer:
        shutil.copyfileobj(reader, writer)


# ------------------------------------------------------------------------------------------- from another checkout


_FICLONE = 0x40049409
"""Linux: share the data of one file with another until one of them is written to. Other systems refuse it."""


class CopyResult(enum.Enum):
    """What became of a file that was to be copied."""

    COPIED = "copied"
    EXISTS = "exists"
    LEADS_OUT = "leads out"
    SPECIAL = "special"
    TOO_BIG = "too big"


def copy_between(source_root: Path, root: Path, relative: str, *, room_bytes: int) -> tuple[CopyResult, int]:
    """Copy a file or symlink from beneath *source_root* to the same place beneath *root*, with its mode and times.

    The data is shared where the file system can. Nothing that is there is touched, no symlink is followed on either side, and a symlink
    is copied only if it leads to a place beneath the root, whatever may be there.

    Args:
        source_root: where it comes from.
        root: where it goes.
        relative: its path.
        room_bytes: copy no more than this, unless the data can be shared.

    Returns:
        What became of it, and how many bytes were written.

    Raises:
        OSError: it cannot be read or written; nothing is left of it.
    """
    *parts, name = relative.split("/")
    with _directory(source_root, parts, make=False) as source_fd:
        mode = os.lstat(name, dir_fd=source_fd).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(name, dir_fd=source_fd)
            if os.path.isabs(target) or os.path.normpath(os.path.join(*parts, target)).split("/")[0] == "..":
                return CopyResult.LEADS_OUT, 0
            with _directory(root, parts) as fd:
                try:
                    os.symlink(target, name, dir_fd=fd)
                except FileExistsError:
                    return CopyResult.EXISTS, 0
            return CopyResult.COPIED, 0
        if not stat.S_ISREG(mode):
            return CopyResult.SPECIAL, 0
        with _regular_file(name, _READ | os.O_NOFOLLOW, dir_fd=source_fd) as in_fd, _directory(root, parts) as fd:
            return _copy_file(in_fd, fd, name, room_bytes)


def _copy_file(in_fd: int, dir_fd: int, name: str, room_bytes: int) -> tuple[CopyResult, int]:
    about = os.fstat(in_fd)
    try:
        out_fd = os.open(name, _NEW, 0o600, dir_fd=dir_fd)
    except FileExistsError:
        return CopyResult.EXISTS, 0
    is_done = False
    try:
        is_shared = _share(in_fd, out_fd)
        if not is_shared and about.st_size > room_bytes:
            return CopyResult.TOO_BIG, 0
        if not is_shared:
            _copy(in_fd, out_fd)
        os.fchmod(out_fd, stat.S_IMODE(about.st_mode) & 0o777)
        os.utime(out_fd, ns=(about.st_atime_ns, about.st_mtime_ns))
        is_done = True
        return CopyResult.COPIED, 0 if is_shared else about.st_size
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
