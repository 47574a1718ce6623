"""Reading a repository's own files: refs, and which worktree a directory really is. Starts no process and changes nothing.

A loose ref, ``packed-refs`` and the few files of a worktree's registration are stable formats; reading them takes a tenth of a
millisecond where a process takes five. Repositories with the *reftable* format keep refs elsewhere: see `refs`.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from polecat.errors import GitError, UnknownStateError
from polecat.town.guarded import MAX_BYTES, read_guarded

_PACKED_BYTES = 512 * 1024 * 1024
"""A repository may have millions of refs."""

_BAD_REF = r"(?:^|/)\.|\.\.|[\x00-\x20\x7f~^:?*\[\\]|@\{|/$|//|\.lock(?:/|$)|\.$"


def is_oid(text: str) -> bool:
    """Say whether a text is a whole object id, SHA-1 or SHA-256.

    Examples:
        >>> is_oid("0" * 40), is_oid("abc")
        (True, False)
    """
    return len(text) in (40, 64) and not text.strip("0123456789abcdef")


def is_ref_name(ref: str) -> bool:
    """Say whether git would accept a full ref name at all.

    Examples:
        >>> is_ref_name("refs/heads/polecat/nux-1"), is_ref_name("refs/heads/../x"), is_ref_name("main")
        (True, False, False)
    """
    return ref.startswith("refs/") and not re.search(_BAD_REF, ref)


def uses_reftable(git_dir: Path) -> bool:
    """Say whether the repository keeps its refs in tables, so that files say nothing."""
    return os.path.isdir(f"{git_dir}/reftable")


def common_dir(git_dir: Path) -> Path:
    """Return the repository that a worktree's registration belongs to; a repository is its own."""
    link = (read_text(git_dir / "commondir") or "").rstrip("\n")
    return git_dir / link if link else git_dir


def check_repository(git_dir: Path) -> None:
    """Make sure that a directory is a repository.

    Raises:
        GitError: it is not one.
        UnknownStateError: that could not be told.
    """
    try:
        is_repository = stat.S_ISREG(os.stat(f"{git_dir}/HEAD").st_mode) and os.path.isdir(f"{git_dir}/objects")
    except (FileNotFoundError, NotADirectoryError):
        is_repository = False
    except OSError as error:
        raise _unknown(git_dir, error) from error
    if not is_repository:
        raise GitError(f"{git_dir} is not a git repository", cwd=git_dir)


def read_ref(git_dir: Path, ref: str) -> str | None:
    """Return the object id a ref stands for, None if there is no such ref.

    Raises:
        UnknownStateError: the ref exists but cannot be read as one.
    """
    name = ref
    for _ in range(6):
        value = _loose(git_dir, name) or _packed(git_dir).get(name) or _loose(git_dir, name)
        if value is None or not value.startswith("ref: "):
            return value
        name = value.removeprefix("ref: ")
    raise UnknownStateError(f"{ref} in {git_dir} points in a circle")


def list_refs(git_dir: Path, prefix: str) -> dict[str, str]:
    """Return all refs whose full name starts with *prefix* and the object id of each; symbolic ones and damaged ones left out.

    Raises:
        UnknownStateError: they cannot be listed.
    """
    found: dict[str, str] = {}
    top = git_dir / prefix.rpartition("/")[0]
    for name in _loose_names(git_dir, top):
        with contextlib.suppress(UnknownStateError):  # a damaged one is nobody's but its own; `read_ref` says so
            if name.startswith(prefix) and (value := _loose(git_dir, name)) is not None:
                found[name] = value
    # packed after loose: a ref packed meanwhile is then seen at least once
    packed = {name: value for name, value in _packed(git_dir).items() if name.startswith(prefix)}
    return {name: value for name, value in sorted((packed | found).items()) if not value.startswith("ref: ")}


def names_in(folder: Path) -> frozenset[str]:
    """List a directory; nothing is in one that is not there.

    Raises:
        UnknownStateError: it cannot be listed.
    """
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise _unknown(folder, error) from error


def registration_names(git_dir: Path) -> list[str]:
    """List the names under which git keeps what it knows about each linked worktree."""
    return sorted(names_in(git_dir / "worktrees"))


def registrations(git_dir: Path) -> tuple[Path, ...]:
    """List the directories in which git keeps what it knows about each linked worktree."""
    return tuple(git_dir / "worktrees" / name for name in registration_names(git_dir))


def registry_of(git_dir: Path) -> str:
    """Where a repository keeps its registrations, symlinks resolved, for `identify`."""
    return os.path.join(os.path.realpath(git_dir), "worktrees")


def identify(git_dir: Path, path: Path, registry: str = "") -> Path | None:
    """Prove that *path* is a worktree of the repository: return its registration, None if it is not one.

    Both sides must name each other: the ``.git`` file in the directory and the registration in the repository. A symlink, a copied
    ``.git``, a moved directory or a half-made registration proves nothing.

    Args:
        git_dir: the repository.
        path: the directory.
        registry: the repository's `registry_of`, where many are to be identified.

    Raises:
        UnknownStateError: something that decides cannot be read.
    """
    registry = registry or registry_of(git_dir)
    dot_git = f"{path}/.git"
    link = read_text(dot_git)
    if link is None or os.path.islink(path) or not link.startswith("gitdir: "):
        return None
    admin = link.removeprefix("gitdir: ").rstrip("\n")
    if os.path.dirname(admin) != registry or os.path.islink(admin) or os.path.islink(registry):
        admin = os.path.realpath(os.path.join(path, admin))  # takes ten times as long as all the rest of it
    parent, name = os.path.split(admin)
    if parent != registry:
        return None
    common, back, head = (read_text(f"{admin}/{file}") for file in ("commondir", "gitdir", "HEAD"))
    if not common or not back or not head or read_text(f"{admin}/locked") == "initializing":
        return None
    if common != "../..\n" and not _same(os.path.join(admin, common), git_dir):
        return None
    if not _same(os.path.join(admin, back), dot_git):
        return None
    line = head.rstrip("\n")
    is_whole = line.startswith("ref: refs/heads/") or (is_oid(line) and line.strip("0"))
    return git_dir / "worktrees" / name if is_whole else None


def read_text(path: Path | str) -> str | None:
    """Return what a plain file holds, None if it is absent, a directory or a symlink; undecodable bytes survive as surrogates.

    Raises:
        UnknownStateError: it is there and cannot be read, is a pipe or a device, or holds a NUL.
    """
    data = read_bytes(path)
    if data is not None and b"\0" in data:
        raise UnknownStateError(f"cannot read {path}: it holds a NUL, which git never writes there")
    return None if data is None else os.fsdecode(data)


def read_bytes(path: Path | str, *, limit_bytes: int = MAX_BYTES) -> bytes | None:
    """Return what a plain file holds, undecoded. See `read_text`."""
    try:
        return read_guarded(path, limit_bytes=limit_bytes, follow=False)
    except IsADirectoryError:
        return None
    except OSError as error:
        if stat.S_ISLNK(_mode(path)):
            return None
        raise _unknown(path, error) from error


def what_the_disk_keeps(tree: Path) -> tuple[str, ...]:
    """Return configuration that lets git see what this file system can tell apart, whatever it was told to overlook.

    A ``.git`` that is found in capitals too is on a disk that knows no case; one of our plain files that is executable on a disk without
    modes.
    """
    link = tree / ".git"
    probe = link if link.is_file() else link / "HEAD"
    knows_case = not os.path.lexists(tree / ".GIT")
    knows_modes = not _mode(probe) & 0o111
    case = ("-c", "core.ignoreCase=false") if knows_case else ()
    return (*case, "-c", "core.fileMode=true") if knows_modes else case


def repositories_below(
    tree: Path, path: str, *, at_top_only: bool = False, onerror: Callable[[OSError], object] | None = None
) -> Iterator[str]:
    """List the repositories and linked worktrees at or below a directory that git shows as one entry.

    Args:
        tree: the worktree.
        path: the directory in it.
        at_top_only: look at the directory itself alone; looking through all that is ignored takes time.
        onerror: is told of each directory that cannot be listed.
    """
    for place, directories, names in os.walk(tree / path, onerror=onerror):
        if ".git" in directories or ".git" in names or is_bare(directories, names):
            directories.clear()
            yield os.path.relpath(place, tree)
        if at_top_only:
            return


def is_bare(directories: Iterable[str], names: Iterable[str]) -> bool:
    """Say whether what a directory holds makes it a repository without files."""
    return {"HEAD", "config"} <= set(names) and {"objects", "refs"} <= set(directories)


def rebased_branch(admin: Path) -> str | None:
    """Return the branch that a worktree goes back to when its rebase is over, None if none is under way."""
    names = (read_text(admin / folder / "head-name") for folder in ("rebase-merge", "rebase-apply"))
    return next((name.rstrip("\n").removeprefix("refs/heads/") for name in names if name), None)


def _loose(git_dir: Path, name: str) -> str | None:
    path = f"{git_dir}/{name}"
    try:
        data = read_guarded(path)
    except IsADirectoryError:
        return None
    except OSError as error:
        raise _unknown(path, error) from error
    if data is None:
        return None
    text = os.fsdecode(data).rstrip(" \t\r\n")
    if is_oid(text) or text.startswith("ref: refs/"):
        return text
    raise UnknownStateError(
        f"{name} in {git_dir} is damaged: it holds {text[:60]!r}", hint=f"look at {path}; 'git fsck' finds what was lost"
    )


def _loose_names(git_dir: Path, top: Path) -> Iterator[str]:
    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise _unknown(top, error) from error

    for folder, _, files in os.walk(top, onerror=fail):
        base = os.path.relpath(folder, git_dir)
        yield from (f"{base}/{name}" for name in files if not name.endswith(".lock"))


def _packed(git_dir: Path) -> dict[str, str]:
    try:
        data = read_guarded(git_dir / "packed-refs", limit_bytes=_PACKED_BYTES) or b""
    except OSError as error:
        raise _unknown(git_dir / "packed-refs", error) from error
    lines = (line.split(" ", 1) for line in os.fsdecode(data).split("\n") if line[:1] not in ("#", "^", ""))
    return {words[1]: words[0] for words in lines if len(words) == 2}


def _same(one: str, other: Path | str) -> bool:
    """Say whether a line of a file names a place. Equal names are one place; only different ones are resolved, which takes long."""
    one = one.rstrip("\n")
    return one == os.fspath(other) or os.path.realpath(one) == os.path.realpath(other)


def _mode(path: Path | str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _unknown(path: Path | str, error: Exception) -> UnknownStateError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UnknownStateError(f"cannot read {path}: {reason}")
