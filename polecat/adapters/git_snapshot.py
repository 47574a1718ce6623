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

from polecat.adapters import git_files
from polecat.adapters.git_import import Content, Mode, Snapshot
from polecat.adapters.git_run import GitProgram, Place, error_line
from polecat.adapters.git_status import STATUS, StatusEntry, parse_status
from polecat.errors import RescueFailedError

TIMEOUT_S = 600.0


@frozen(kw_only=True)
class Wish:
    """What is to be saved, and how much of it.

    Attributes:
        message: first line of the commit.
        base: commit or ref that needs no saving, because the work is merged into it.
        ignore: paths that are no work.
        ignored_patterns: patterns of ignored files that are work.
        size_limit_bytes: the most that may be read.
    """

    message: str
    base: str | None
    ignore: tuple[str, ...]
    ignored_patterns: tuple[str, ...]
    size_limit_bytes: int


def collect(git: GitProgram, tree: Place, wish: Wish) -> Snapshot:
    """Read everything that a commit of the worktree's present state needs."""
    entries = read_status(git, tree)
    is_filled = (tree.git_dir / "index").exists()
    names: set[str] = set()
    links: dict[str, str] = {}
    index: dict[str, tuple[str, str] | None] = {}
    for entry in entries:
        if _is_under(entry.path.rstrip("/"), wish.ignore):
            continue
        if entry.kind == "!":
            names.update(_precious(tree, entry.path, wish))
        elif entry.is_submodule:
            links.update(_link(git, tree, entry.path))
        elif not entry.path.endswith("/") and (is_filled or entry.staged != "D"):
            names.add(entry.path)
        if entry.kind == "1" and entry.staged != "." and is_filled:
            index[entry.path] = None if entry.staged == "D" else (entry.index_mode, entry.index_id)
    names.update(path for path in _hidden(git, tree) if not _is_under(path, wish.ignore))
    _check_size(tree, names, wish)
    files = {path: content for path in names if (content := read_content(_work_tree(tree) / path)) is not None}
    return Snapshot(files=files, gone=tuple(sorted(names - files.keys())), links=links, index=index)


def read_status(git: GitProgram, tree: Place) -> tuple[StatusEntry, ...]:
    """Ask git what differs; a warning counts as a failure, because git may have left something out."""
    done = git.must([*STATUS, "--no-renames"], at=tree, read_only=True, timeout_s=TIMEOUT_S)
    if done.stderr.strip():
        raise RescueFailedError(f"git status warned: {error_line(done.error_text)}")
    return parse_status(done.stdout)


def _hidden(git: GitProgram, tree: Place) -> Iterator[str]:
    """Files that git was told not to look at and that are there; whether they differ does not matter for saving them."""
    listed = os.fsdecode(git.must(["ls-files", "-v", "-z"], at=tree, read_only=True).stdout).split("\0")
    for line in listed:
        if line and (line[0].islower() or line[0] == "S") and os.path.lexists(_work_tree(tree) / line[2:]):
            yield line[2:]


def _precious(tree: Place, path: str, wish: Wish) -> Iterator[str]:
    top = _work_tree(tree)
    if not wish.ignored_patterns or os.path.lexists(top / path / ".git"):
        return
    names: Iterable[str] = [path]
    if path.endswith("/"):
        walked = os.walk(top / path, onerror=_raise)
        names = (os.path.relpath(os.path.join(folder, name), top) for folder, _, files in walked for name in files)
    for name in names:
        parts = name.split("/")
        whole = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        if any(fnmatchcase(one, pattern.strip("/")) for pattern in wish.ignored_patterns for one in (*whole, *parts)):
            yield name


def _raise(error: OSError) -> None:
    raise error


def _link(git: GitProgram, tree: Place, path: str) -> dict[str, str]:
    inner = inner_place(tree, path)
    at = commit_at(git, inner, "HEAD") if inner is not None else None
    return {path: at} if at else {}


def _is_under(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)


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


def inner_place(tree: Place, path: str) -> Place | None:
    """Say where the repository checked out below a worktree is; None if none is there."""
    work = _work_tree(tree) / path
    if (work / ".git").is_dir():
        return Place(git_dir=work / ".git", work_tree=work)
    link = git_files.read_text(work / ".git")
    if link is None or not link.startswith("gitdir: "):
        return None
    return Place(git_dir=Path(os.path.realpath(work / link.removeprefix("gitdir: ").rstrip("\n"))), work_tree=work)


def commit_at(git: GitProgram, place: Place, name: str) -> str | None:
    """Return the commit a name stands for, None if there is none."""
    done = git.run(["rev-parse", "-q", "--verify", f"{name}^{{commit}}"], at=place, read_only=True)
    return done.text.strip() if done.exit_code == 0 else None


def _work_tree(tree: Place) -> Path:
    assert tree.work_tree is not None
    return tree.work_tree
