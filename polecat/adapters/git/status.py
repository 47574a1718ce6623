"""The answers of ``git status --porcelain=v2 -z`` and ``git ls-files`` as values. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from attrs import frozen

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


LISTING = ("ls-files", "-v", "-s", "-z")


def parse_listing(data: bytes) -> tuple[tuple[str, ...], dict[str, str]]:
    r"""Read the answer of `LISTING`: the paths of submodules; the files git was told not to look at, each with its object.

    Raises:
        UnknownStateError: some of it is not what we know; then nothing of it may be trusted.

    Examples:
        >>> parse_listing(b"H 100644 ab 0\ta\0H 160000 cd 0\tlib\0h 100644 ef 0\tb\0")
        (('lib',), {'b': 'ef'})
    """
    links: list[str] = []
    hidden: dict[str, str] = {}
    for line in filter(None, os.fsdecode(data).split("\0")):
        words, _, path = line.partition("\t")
        if not path or words.count(" ") != 3:
            raise UnknownStateError(f"git ls-files said {line[:60]!r}, which is not known to mean anything")
        tag, mode, oid, _ = words.split(" ")
        if mode == "160000":
            links.append(path)
        elif tag.islower() or tag == "S":
            hidden[path] = oid
    return tuple(links), hidden
