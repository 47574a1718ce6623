"""What ``git status --porcelain=v2 -z``, ``git ls-files`` and an index say, as values. Pure.

Source:
    git-status(1), git-ls-files(1), gitformat-index(5): versions 2 and 3.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Iterable, Iterator

from attrs import field, frozen

from polecat.errors import UnknownStateError

STATUS = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignored=matching", "--ignore-submodules=none")
"""Every switch that a user's configuration could turn into silence is given; ``--find-renames`` or ``--no-renames`` is to be added."""


@frozen(kw_only=True)
class StatusEntry:
    """One line of the answer.

    Attributes:
        kind: ``1`` changed, ``2`` renamed, ``u`` in conflict, ``?`` untracked, ``!`` ignored.
        path: the file, relative to the worktree.
        staged: the letter of index against commit, ``.`` for the same.
        unstaged: the letter of file against index.
        submodule: ``N...`` for no submodule, else ``S`` and three letters.
        index_mode: the mode in the index, such as ``100644``; zeros when absent there.
        index_id: the object in the index; zeros when absent there.
    """

    kind: str
    path: str
    staged: str = "."
    unstaged: str = "."
    submodule: str = "N..."
    index_mode: str = ""
    index_id: str = ""

    @property
    def is_submodule(self) -> bool:
        """It is a submodule."""
        return self.submodule.startswith("S")


_FIELDS = {"1": 8, "2": 9, "u": 10}


def head_of(data: bytes) -> str | None:
    r"""Read the commit out of the answer's header (``--branch``); None if there is none yet.

    Examples:
        >>> head_of(b"# branch.oid abc\0# branch.head main\0"), head_of(b"# branch.oid (initial)\0")
        ('abc', None)
    """
    found = re.match(r"# branch\.oid ([^\0]+)\0", os.fsdecode(data))
    if found is None:
        raise UnknownStateError("git status did not say which commit it compared with")
    return None if found[1] == "(initial)" else found[1]


def parse_status(data: bytes) -> tuple[StatusEntry, ...]:
    r"""Read the whole answer.

    Raises:
        UnknownStateError: some of it is not what we know; then nothing of it may be trusted.

    Examples:
        >>> [e.path for e in parse_status(b"? new file\0! build/\0")]
        ['new file', 'build/']
    """
    return tuple(_entries(iter(os.fsdecode(data).split("\0"))))


def _entries(words: Iterator[str]) -> Iterator[StatusEntry]:
    for word in words:
        kind = word[:1]
        if kind in ("", "#"):
            continue
        if kind in ("?", "!"):
            yield StatusEntry(kind=kind, path=word[2:])
            continue
        parts = word.split(" ", _FIELDS.get(kind, 0))
        if kind not in _FIELDS or len(parts) != _FIELDS[kind] + 1:
            raise UnknownStateError(f"git status said {word[:80]!r}, which is not known to mean anything")
        if kind == "2":
            next(words)  # the old path
        at = 4 if kind != "u" else 6
        yield StatusEntry(
            kind=kind,
            path=parts[-1],
            staged=parts[1][0],
            unstaged=parts[1][1],
            submodule=parts[2],
            index_mode=parts[at],
            index_id=parts[at + 3] if kind != "u" else "",
        )


@frozen(kw_only=True)
class Tracked:
    """What an index says that ``git status`` passes over in silence.

    Attributes:
        links: the paths of submodules.
        hidden: the files git was told not to look at, each with its object.
        folders: every directory with tracked files: git does not say where one of them is a repository of its own.
    """

    links: tuple[str, ...] = ()
    hidden: dict[str, str] = field(factory=dict)
    folders: frozenset[str] = frozenset()


LISTING = ("ls-files", "-v", "-s", "-z")


def parse_listing(data: bytes) -> Tracked:
    r"""Read the answer of `LISTING`.

    Raises:
        UnknownStateError: some of it is not what we know; then nothing of it may be trusted.

    Examples:
        >>> parse_listing(b"H 100644 ab 0\td/a\0H 160000 cd 0\tlib\0h 100644 ef 0\tb\0")
        Tracked(links=('lib',), hidden={'b': 'ef'}, folders=frozenset({'d'}))
    """
    links: list[str] = []
    hidden: dict[str, str] = {}
    folders: set[str] = set()
    for line in filter(None, os.fsdecode(data).split("\0")):
        words, _, path = line.partition("\t")
        if not path or words.count(" ") != 3:
            raise UnknownStateError(f"git ls-files said {line[:60]!r}, which is not known to mean anything")
        tag, mode, oid, _ = words.split(" ")
        folders.add(path.rpartition("/")[0])
        if mode == "160000":
            links.append(path)
        elif tag.islower() or tag == "S":
            hidden[path] = oid
    return Tracked(links=tuple(links), hidden=hidden, folders=_with_parents(folders))


def _with_parents(folders: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for folder in folders:
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]  # noqa: PLW2901
    return frozenset(found)


_GITLINK, _TREE = 0o160000, 0o040000
_ASSUME_VALID, _EXTENDED, _SKIP_WORKTREE = 0x8000, 0x4000, 0x40
_HASH = slice(40, 60)


def read_index(data: bytes) -> Tracked | None:
    """Read an index as `parse_listing` reads git's answer, without the process.

    Args:
        data: an index of a repository with SHA-1.

    Returns:
        None if it is of a kind that only git itself reads: version 4, split or sparse, or anything unknown.

    Examples:
        >>> read_index(b"DIRC" + bytes([0, 0, 0, 4, 0, 0, 0, 0]) + bytes(20)) is None
        True
        >>> read_index(b"DIRC" + bytes([0, 0, 0, 2, 0, 0, 0, 0]) + bytes(20))
        Tracked(links=(), hidden={}, folders=frozenset())
    """
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError):
        return None


def _read(data: bytes) -> Tracked | None:
    magic, version, count = struct.unpack_from(">4sII", data)
    checksum = data[-20:]  # zeros where index.skipHash is set
    is_whole = hashlib.sha1(data[:-20], usedforsecurity=False).digest() == checksum or not any(checksum)
    if magic != b"DIRC" or version not in (2, 3) or not is_whole:
        return None
    links: list[str] = []
    hidden: dict[str, str] = {}
    folders: set[bytes] = set()
    at, unpack = 12, struct.Struct(">24xI32xH").unpack_from
    for _ in range(count):
        mode, flags = unpack(data, at)
        name = at + (64 if flags & _EXTENDED else 62)
        end = data.index(0, name)
        folders.add(data[name:end].rpartition(b"/")[0])
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
    if at != len(data) - 20:
        return None
    return Tracked(links=tuple(links), hidden=hidden, folders=_with_parents(map(os.fsdecode, folders)))
