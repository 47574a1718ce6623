"""The language of ``git fast-import``: files given byte for byte, no index, no filters, no hooks, no identity. Pure."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

Mode = Literal["100644", "100755", "120000"]
COMMITTER = "polecat rescue <rescue@localhost>"


@frozen(kw_only=True)
class Content:
    """A file as it is on disk; for a link, *data* is where it points."""

    mode: Mode
    data: bytes = field(repr=False)


def blob_id(data: bytes, *, is_sha256: bool) -> str:
    """The name that git gives to a file's content."""
    kind = hashlib.sha256 if is_sha256 else hashlib.sha1
    return kind(b"blob %d\0" % len(data) + data).hexdigest()


@frozen(kw_only=True)
class Snapshot:
    """What of a worktree differs from its commit. Paths are as Python decodes them.

    Attributes:
        files: files that are there.
        gone: files of the commit that are not.
        links: submodules that stand at another commit.
        index: staged entries, mode and object; None for a staged deletion.
    """

    files: Mapping[str, Content] = field(factory=dict)
    gone: tuple[str, ...] = ()
    links: Mapping[str, str] = field(factory=dict)
    index: Mapping[str, tuple[str, str] | None] = field(factory=dict)

    @property
    def is_empty(self) -> bool:
        """Nothing differs."""
        return not (self.files or self.gone or self.links or self.index)


def quote(path: str) -> bytes:
    r"""Write a path the way that survives every byte.

    Examples:
        >>> quote('a "b"\n')
        b'"a \\"b\\"\\012"'
    """
    escaped = (b"\\" + bytes([b]) if b in b'"\\' else bytes([b]) if 32 <= b <= 126 else b"\\%03o" % b for b in os.fsencode(path))
    return b'"' + b"".join(escaped) + b'"'


def stream(snapshot: Snapshot, *, ref: str, message: str, parents: tuple[str, ...], at_s: int) -> bytes:
    """Write the commands that make a commit of a snapshot.

    Staged entries become a commit of their own, the last parent of the main one, because the index may hold a third version.

    Args:
        snapshot: what to save.
        ref: the ref to make.
        message: the commit's message.
        parents: the commits it stands on, first the one the snapshot is relative to; empty for none.
        at_s: the time, Unix seconds.
    """
    out = [b"feature done\n"]
    head = os.fsencode(ref)
    after: list[bytes] = []
    if snapshot.index:
        out.append(_commit(head, b":1", at_s, "staged: " + message, parents[:1]))
        out += [b"D %s\n" % quote(path) for path, entry in sorted(snapshot.index.items()) if entry is None]
        staged = [(path, entry) for path, entry in sorted(snapshot.index.items()) if entry is not None]
        out += [b"M %s %s %s\n" % (mode.encode(), oid.encode(), quote(path)) for path, (mode, oid) in staged]
        out.append(b"\nreset %s\n" % head + b"".join(b"from %s\n" % parent.encode() for parent in parents[:1]) + b"\n")
        after = [b"merge :1\n"]
    out.append(_commit(head, b":2", at_s, message, parents, after))
    # deletions first, so that a file may become a directory
    out += [b"D %s\n" % quote(path) for path in snapshot.gone]
    out += [b"M 160000 %s %s\n" % (oid.encode(), quote(path)) for path, oid in sorted(snapshot.links.items())]
    for path, content in sorted(snapshot.files.items()):
        out.append(b"M %s inline %s\ndata %d\n" % (content.mode.encode(), quote(path), len(content.data)))
        out += [content.data, b"\n"]
    out.append(b"\ndone\n")
    return b"".join(out)


def _commit(
    ref: bytes, mark: bytes, at_s: int, message: str, parents: tuple[str, ...], after: list[bytes] | None = None
) -> bytes:
    text = os.fsencode(message)
    lines = [b"commit %s\nmark %s\ncommitter %s %d +0000\n" % (ref, mark, COMMITTER.encode(), at_s)]
    lines.append(b"data %d\n%s\n" % (len(text), text))
    lines += [b"%s %s\n" % (b"merge" if number else b"from", parent.encode()) for number, parent in enumerate(parents)]
    return b"".join([*lines, *(after or [])])
