"""Reading what of a worktree differs from its commit, byte for byte, without changing anything in it."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import frozen

from polecat.adapters.git import files
from polecat.adapters.git.fast_import import Content, Mode, Snapshot
from polecat.adapters.git.inner import in_tracked, inner_place
from polecat.adapters.git.run import GitProgram, Place, error_line, expect_success
from polecat.adapters.git.status import LISTING, STATUS, StatusEntry, head_of, parse_listing, parse_status
from polecat.errors import RescueFailedError
from polecat.town.guarded import fail


@frozen(kw_only=True)
class Wish:
    """What is to be saved, and how much of it.

    Attributes:
        message: first line of the commit.
        base: commit or ref that needs no saving, because the work is merged into it.
        ignored_patterns: patterns of ignored files that are work.
        size_limit_bytes: the most that may be read.
    """

    message: str
    base: str | None
    ignored_patterns: tuple[str, ...]
    size_limit_bytes: int


@frozen(kw_only=True)
class Listing:
    """What git says about a worktree.

    Attributes:
        head: the commit it stands at; None when there is none yet.
        entries: what differs from it.
        hidden: files that git was told not to look at.
        inner: where repositories may be inside, at any depth.
    """

    head: str | None
    entries: tuple[StatusEntry, ...]
    hidden: tuple[str, ...]
    inner: tuple[str, ...]


def list_tree(git: GitProgram, tree: Place) -> Listing:
    """Ask git what differs; a warning counts as a failure, because git may have left something out.

    Raises:
        GitError: git said no.
        RescueFailedError: it warned.
        UnknownStateError: it said something that cannot be trusted.
    """
    top = _work_tree(tree)
    commands = ([*files.what_the_disk_keeps(top), *STATUS, "--branch", "--no-renames"], LISTING)
    status, listing = map(expect_success, git.together(commands, at=tree, timeout_s=git.rescue_timeout_s))
    for done in (status, listing):
        if done.stderr.strip(b"\n"):
            raise RescueFailedError(f"git warned: {error_line(done.error_text)}")
    tracked = parse_listing(listing.stdout)
    entries = parse_status(status.stdout)
    closed = (entry.path for entry in entries if entry.kind in ("?", "!") and entry.path.endswith("/"))
    below = (found for path in closed for found in files.repositories_below(top, path))
    inner = tuple(dict.fromkeys((*tracked.links, *in_tracked(top, tracked.folders), *below)))
    return Listing(head=head_of(status.stdout), entries=entries, hidden=tuple(tracked.hidden), inner=inner)


def collect(git: GitProgram, tree: Place, listing: Listing, wish: Wish) -> Snapshot:
    """Read everything that a commit of the worktree's present state needs."""
    is_filled = (tree.git_dir / "index").exists()
    # hidden files that are there are saved whether they differ or not; absent ones were never checked out
    names = {path for path in listing.hidden if os.path.lexists(_work_tree(tree) / path)}
    links: dict[str, str] = {}
    index: dict[str, tuple[str, str] | None] = {}
    for entry in listing.entries:
        if entry.kind == "!":
            names.update(_precious(tree, entry.path, wish))
        elif entry.is_submodule:
            links.update(_link(git, tree, entry.path))
        elif not entry.path.endswith("/") and (is_filled or entry.staged != "D"):
            names.add(entry.path)
        if entry.kind == "1" and entry.staged != "." and is_filled:
            index[entry.path] = None if entry.staged == "D" else (entry.index_mode, entry.index_id)
    _check_size(tree, names, wish)
    found = {path: content for path in names if (content := read_content(_work_tree(tree) / path)) is not None}
    return Snapshot(files=found, gone=tuple(sorted(names - found.keys())), links=links, index=index)


def _precious(tree: Place, path: str, wish: Wish) -> Iterator[str]:
    top = _work_tree(tree)
    if not wish.ignored_patterns or os.path.lexists(top / path / ".git"):
        return
    names: Iterable[str] = [path]
    if path.endswith("/"):
        walked = os.walk(top / path, onerror=fail)
        names = (os.path.relpath(os.path.join(folder, name), top) for folder, _, each in walked for name in each)
    for name in names:
        parts = name.split("/")
        whole = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        if any(fnmatchcase(one, pattern.strip("/")) for pattern in wish.ignored_patterns for one in (*whole, *parts)):
            yield name


def _link(git: GitProgram, tree: Place, path: str) -> dict[str, str]:
    inner = inner_place(tree, path)
    at = commit_at(git, inner, "HEAD") if inner is not None else None
    return {path: at} if at else {}


def _check_size(tree: Place, names: Iterable[str], wish: Wish) -> None:
    total = 0
    for name in names:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            total += os.lstat(_work_tree(tree) / name).st_size
    if total > wish.size_limit_bytes:
        raise RescueFailedError(
            f"{total} bytes are to be saved, more than the limit of {wish.size_limit_bytes}",
            hint="move the big files away, or raise the limit",
        )


def read_content(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> Content | None:
    """Read a file that may be written to at the same time; None if there is no file or link.

    Args:
        path: the file.
        read: how to read its bytes.

    Raises:
        RescueFailedError: it changes all the time.
        OSError: it cannot be read.
    """
    for _ in range(5):
        try:
            before = os.lstat(path)
            if stat.S_ISLNK(before.st_mode):
                content = Content(mode="120000", data=os.fsencode(os.readlink(path)))
            elif stat.S_ISREG(before.st_mode):
                mode: Mode = "100755" if before.st_mode & 0o100 else "100644"
                content = Content(mode=mode, data=read(path))
            else:
                return None
            after = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino):
            return content
        time.sleep(0.02)
    raise RescueFailedError(f"{path} is being written to", hint="end whatever writes there")


def commit_at(git: GitProgram, place: Place, name: str) -> str | None:
    """Return the commit a name stands for, None if there is none."""
    done = git.run(["rev-parse", "-q", "--verify", f"{name}^{{commit}}"], at=place, read_only=True)
    return done.text.rstrip("\n") if done.exit_code == 0 else None


def _work_tree(tree: Place) -> Path:
    assert tree.work_tree is not None
    return tree.work_tree
