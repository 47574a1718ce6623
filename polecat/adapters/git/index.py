"""Reading a worktree's index for what ``git status`` passes over in silence, without the process that would be asked otherwise. Pure.

Source:
    gitformat-index(5): versions 2 and 3.
"""

from __future__ import annotations

import hashlib
import os
import struct

_GITLINK, _TREE = 0o160000, 0o040000
_ASSUME_VALID, _EXTENDED, _SKIP_WORKTREE = 0x8000, 0x4000, 0x40
_HASH = slice(40, 60)


def read_index(data: bytes) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """Find the submodules, and the files git was told not to look at, each with its object, as `parse_listing` does.

    Args:
        data: an index of a repository with SHA-1.

    Returns:
        None if it is of a kind that only git itself reads: version 4, split or sparse, or anything unknown.

    Examples:
        >>> read_index(b"DIRC" + bytes([0, 0, 0, 4, 0, 0, 0, 0]) + bytes(20)) is None
        True
        >>> read_index(b"DIRC" + bytes([0, 0, 0, 2, 0, 0, 0, 0]) + bytes(20))
        ((), {})
    """
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError):
        return None


def _read(data: bytes) -> tuple[tuple[str, ...], dict[str, str]] | None:
    magic, version, count = struct.unpack_from(">4sII", data)
    checksum = data[-20:]  # zeros where index.skipHash is set
    is_whole = hashlib.sha1(data[:-20], usedforsecurity=False).digest() == checksum or not any(checksum)
    if magic != b"DIRC" or version not in (2, 3) or not is_whole:
        return None
    links: list[str] = []
    hidden: dict[str, str] = {}
    at, unpack = 12, struct.Struct(">24xI32xH").unpack_from
    for _ in range(count):
        mode, flags = unpack(data, at)
        name = at + (64 if flags & _EXTENDED else 62)
        end = data.index(0, name)
        if mode == _GITLINK:
            links.append(os.fsdecode(data[name:end]))
        elif flags & _ASSUME_VALID or (flags & _EXTENDED and data[at + 62] & _SKIP_WORKTREE):
            hidden[os.fsdecode(data[name:end])] = data[at:end][_HASH].hex()
        elif mode == _TREE:
            return None
        at += (end - at + 8) & ~7
    while at < len(data) - 20:
        sign, size = struct.unpack_from(">4sI", data, at)
        if not sign[:1].isupper():  # what a reader must know
            return None
        at += 8 + size
    return (tuple(links), hidden) if at == len(data) - 20 else None
