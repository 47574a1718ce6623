"""Files that somebody else may have written or replaced: an agent, another program, a crash, a hostile project.

Only a regular file of a sane size is read or written; a pipe never blocks us, a device never fills our memory.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024
"""No file that polecat reads whole has a reason to be larger."""

_PIECE_BYTES = 64 * 1024


def read_guarded(path: Path | str, *, limit_bytes: int = MAX_BYTES, follow: bool = True) -> bytes | None:
    """Read a regular file whole; None if it is absent. A link to nothing is not absent: what it led to is gone.

    Args:
        path: the file.
        limit_bytes: refuse to read more.
        follow: a symlink stands for what it points to.

    Raises:
        OSError: it is there and is no regular file, is too large, or cannot be read; ``strerror`` says which.

    Examples:
        >>> read_guarded(Path("/nowhere")) is None
        True
        >>> read_guarded(Path("/dev/zero"))
        Traceback (most recent call last):
        OSError: [Errno 22] it is not a regular file: '/dev/zero'
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        fd = os.open(path, flags)
    except ValueError as error:
        raise OSError(errno.EINVAL, "its name holds a NUL", os.fspath(path)) from error
    except FileNotFoundError as error:
        _must_not_be_a_link(path, error)
        return None
    except NotADirectoryError:
        return None
    data = bytearray()
    try:
        _must_be_regular(os.fstat(fd), path)
        # by pieces: a buffer of the limit's size takes longer to get than a small file to read
        while len(data) <= limit_bytes and (piece := os.read(fd, _PIECE_BYTES)):
            data += piece
        if len(data) > limit_bytes:
            raise OSError(errno.EFBIG, f"it has more than {limit_bytes} bytes", os.fspath(path))
    finally:
        os.close(fd)
    return bytes(data)


def append_guarded(path: Path, data: bytes, *, mode: int = 0o644, follow: bool = True) -> None:
    """Append to a regular file in a single write, so that what several processes append never mixes; it is made where missing.

    Args:
        path: the file.
        data: what to append.
        mode: permission bits of a new file.
        follow: a symlink stands for what it points to.

    Raises:
        OSError: it is no regular file, or cannot be written.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags, mode)
    try:
        _must_be_regular(os.fstat(fd), path)
        if os.write(fd, data) != len(data):
            raise OSError(errno.EIO, "it was not written whole", os.fspath(path))
    finally:
        os.close(fd)


def read_json_object(path: Path, *, limit_bytes: int = MAX_BYTES) -> dict[str, object] | None:
    """Read a file that holds one JSON object; None if it is absent.

    Raises:
        OSError: as `read_guarded`.
        ValueError: it is no JSON object, whatever else it is.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place:
        ...     path = Path(place, "deep.json")
        ...     _ = path.write_text("[" * 200_000)
        ...     read_json_object(path)
        Traceback (most recent call last):
        ValueError: it is nested too deeply
    """
    data = read_guarded(path, limit_bytes=limit_bytes)
    if data is None:
        return None
    try:
        value: object = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError(f"it holds a JSON {type(value).__name__}, not an object")  # noqa: TRY004  one error for all that is no object
    return value


def fail(error: OSError) -> None:
    """Raise what `os.walk` would pass over in silence; for its *onerror*."""
    raise error


def is_regular(path: Path) -> bool:
    """Say whether a regular file is there; False if nothing is.

    Raises:
        OSError: something else is there, such as a device or a link to nothing, or it cannot be looked at.
    """
    try:
        _must_be_regular(os.stat(path), path)
    except FileNotFoundError as error:
        _must_not_be_a_link(path, error)
        return False
    return True


def _must_not_be_a_link(path: Path | str, error: FileNotFoundError) -> None:
    if os.path.islink(path):
        raise OSError(errno.EINVAL, "it is a link to nothing", os.fspath(path)) from error


def _must_be_regular(about: os.stat_result, path: Path | str) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory", os.fspath(path))
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
