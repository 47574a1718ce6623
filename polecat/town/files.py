"""Small files: read whole, replaced in one step, JSON in the form that Gas Town's programs write."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from polecat.errors import ConfigError, PolecatError
from polecat.town.guarded import is_regular, read_guarded

GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What Go's JSON encoder escapes beside what must be: `str.translate` with it."""


def read_text(path: Path) -> str | None:
    """Read a small text file; None if it is absent.

    Raises:
        ConfigError: it is there and cannot be read, is no regular file, or is not UTF-8.
    """
    try:
        data = read_guarded(path)
        return None if data is None else data.decode("utf-8")
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = bytes(error.object[: error.start]).count(b"\n") + 1
        raise ConfigError(path, "is not UTF-8 text", line=line) from None


def encode(document: Mapping[str, object]) -> bytes:
    r"""Write a document as Go's indenting encoder does: two spaces, no newline at the end, ``<>&`` escaped.

    Examples:
        >>> encode({"a": "<é>"})
        b'{\n  "a": "\\u003c\xc3\xa9\\u003e"\n}'

    Source:
        Contract, interop notes 1 to 3.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return text.translate(GO_ESCAPES).encode("utf-8", "replace")


def write_bytes(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace a file's content in one step: readers see the old content or the new, never a mixture or nothing.

    Args:
        path: the file; its directory exists. A symlink stays one, its target is replaced. What is no regular file stays.
        data: the new content.
        mode: permission bits; None keeps those of the file there is, 0644 less the umask if there is none.

    Raises:
        OSError: it could not be written; the old file is as it was and nothing is left beside it.
    """
    is_regular(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if mode is None:
        with contextlib.suppress(FileNotFoundError):
            mode = stat.S_IMODE(target.stat().st_mode)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            if mode is not None:
                os.fchmod(fd, mode)
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def create_file(path: Path, data: bytes, *, mode: int | None = None) -> bool:
    """Write a file that is not there yet, whole or not at all.

    Args:
        path: the file; its directory exists.
        data: its content.
        mode: permission bits; None means 0644 less the umask.

    Returns:
        False if something is there already; it was not touched.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        write_bytes(draft, data, mode=mode)
        os.link(draft, path)  # unlike a rename it never replaces anything
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):
            os.unlink(draft)
    return True


def why_not(error: PolecatError | OSError) -> str:
    """Say in a few words what went wrong; where the system refused something, also where."""
    if isinstance(error, PolecatError):
        return error.message
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def write_json(path: Path, document: Mapping[str, object], *, mode: int | None = None) -> None:
    """Write a JSON file in one step, as `encode` and `write_bytes` say; its directory must exist.

    Raises:
        OSError: it could not be written; the old file is as it was.
    """
    write_bytes(path, encode(document), mode=mode)
