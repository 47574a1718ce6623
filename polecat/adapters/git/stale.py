"""What killed commands leave: registrations without a directory, directories that never became a worktree."""

from __future__ import annotations

import contextlib
import glob
import os
import time
from pathlib import Path

from polecat.adapters.git import files
from polecat.errors import GitError, UnknownStateError
from polecat.ports import Repo, StaleRegistration

MOVING = "polecat: being moved"
HALF_MADE_AFTER_S = 600.0
"""A registration that stays half-made for ten minutes has lost its maker; git needs milliseconds."""


def stale(repo: Repo) -> tuple[StaleRegistration, ...]:
    """List registrations whose directory is gone and that nobody is making."""
    top = os.fspath(repo.git_dir / "worktrees")  # as text: a path object for each of a thousand takes longer than the look at it
    suspects = [name for name in files.registration_names(repo.git_dir) if not _is_plainly_alive(f"{top}/{name}")]
    found = (_stale(repo.git_dir / "worktrees" / name) for name in suspects)
    return tuple(one for one in found if one is not None)


def is_stale(repo: Repo, registration: StaleRegistration) -> bool:
    """Say whether a registration still is one, and stale."""
    return registration.admin_dir in files.registrations(repo.git_dir) and _stale(registration.admin_dir) is not None


def drop_stale(repo: Repo, registration: StaleRegistration, into: Path) -> bool:
    """Move a registration out of the repository if it still is stale."""
    if not is_stale(repo, registration):
        return False
    must_be_free(into)
    rename(registration.admin_dir, into)
    return True


def clear_half_made(repo: Repo, path: Path, into: Path) -> None:
    """Take away a directory that never became a worktree, and the registration that names it."""
    path = Path(os.path.abspath(path))
    if files.identify(repo.git_dir, path) is not None:
        raise GitError(f"{path} is a whole worktree", cwd=repo.path)
    if not _is_gone(path) and not _is_shell(path):
        raise GitError(
            f"{path} is no worktree of {repo.git_dir}, yet it holds files",
            cwd=repo.path,
            hint="look at them; if they are worth nothing, move the directory away",
        )
    admins = [admin for admin in files.registrations(repo.git_dir) if names_worktree(admin, path) or was_moved_to(admin, path)]
    targets = [into.with_name(f"{into.name}{f'-{number}' if number else ''}.admin") for number in range(len(admins))]
    must_be_free(*(targets if _is_gone(path) else (into, *targets)))
    for admin, target in zip(admins, targets, strict=True):
        rename(admin, target)
    if not _is_gone(path):
        rename(path, into)


def names_worktree(admin: Path, path: Path) -> bool:
    """Say whether a registration is provably of the worktree at *path*; one that cannot be read is not."""
    back = ""
    with contextlib.suppress(UnknownStateError):
        back = (files.read_text(admin / "gitdir") or "").strip("\n")
    return bool(back) and os.path.realpath(admin / back) == os.path.realpath(path / ".git")


def was_moved_to(admin: Path, path: Path) -> bool:
    """Say whether a registration's directory is gone from where it was, and the ``.git`` file at *path* names it: the town was moved."""
    with contextlib.suppress(UnknownStateError):
        recorded = (files.read_text(admin / "gitdir") or "").rstrip("\n")
        link = (files.read_text(path / ".git") or "").rstrip("\n")
        return bool(recorded) and _is_gone(admin / recorded) and link.endswith(f"/worktrees/{admin.name}")
    return False


def _is_plainly_alive(admin: str) -> bool:
    """Say at a glance what is true of nearly all: filled once, not locked, its directory there. Anything else is looked at closely."""
    try:
        os.lstat(f"{admin}/index")
        link = (files.read_text(f"{admin}/gitdir") or "").rstrip("\n")
        if not link:
            return False
        os.lstat(os.path.join(admin, link))
    except (OSError, ValueError, UnknownStateError):
        return False
    return not os.path.lexists(f"{admin}/locked")


def _stale(admin: Path) -> StaleRegistration | None:
    try:
        locked, gitdir, head, common = (files.read_text(admin / name) for name in ("locked", "gitdir", "HEAD", "commondir"))
    except UnknownStateError:
        return None
    path = Path(os.path.abspath(admin / gitdir.strip("\n"))).parent if gitdir and gitdir.strip("\n") else None
    if locked == MOVING:
        locked = None
    is_whole = bool(head and head.strip("0\n") and common and common.strip("\n") and path)
    if is_whole and locked is None and path is not None:
        is_gone = _is_gone(path) and not is_elsewhere(admin, path)
        return StaleRegistration(admin_dir=admin, path=path, reason="its directory is gone") if is_gone else None
    is_half_made = locked == "initializing" or (not is_whole and locked is None and not (admin / "index").exists())
    if is_half_made and _age_s(admin) > HALF_MADE_AFTER_S and (path is None or _is_gone(path) or _is_shell(path)):
        return StaleRegistration(admin_dir=admin, path=path, reason="it was never finished")
    return None


def is_elsewhere(admin: Path, recorded: Path) -> bool:
    """Say whether the worktree stands somewhere else now: the town was moved or had another name, or its home was renamed.

    Its ``.git`` file names this registration, whatever the path in front of it.
    """
    rig = admin.parents[2]  # <rig>/.repo.git/worktrees/<name>, or <clone>/.git/worktrees/<name>
    for place in (rig, rig.parent, rig.parent.parent):
        for count in range(1, min(6, len(recorded.parts))):
            try:
                link = files.read_text(place.joinpath(*recorded.parts[-count:]) / ".git") or ""
            except UnknownStateError:  # it may well be this one
                return True
            if link.rstrip("\n").endswith(f"/worktrees/{admin.name}"):
                return True
    return any(_leads_to(path / ".git", admin) for path in recorded.parent.parent.glob(f"*/{glob.escape(recorded.name)}"))


def _leads_to(link: Path, admin: Path) -> bool:
    """Say whether a ``.git`` file provably names a registration."""
    with contextlib.suppress(UnknownStateError):
        target = (files.read_text(link) or "").removeprefix("gitdir: ").rstrip("\n")
        return bool(target) and os.path.realpath(link.parent / target) == os.path.realpath(admin)
    return False


def _is_gone(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _is_shell(path: Path) -> bool:
    try:
        return set(os.listdir(path)) <= {".git"} and not (path / ".git").is_dir()
    except OSError:
        return False


def _age_s(admin: Path) -> float:
    try:
        times = [os.lstat(admin).st_mtime, *(entry.stat(follow_symlinks=False).st_mtime for entry in os.scandir(admin))]
    except OSError:
        return 0.0
    return time.time() - max(times)


def must_be_free(*places: Path) -> None:
    """Refuse a place where anything is, even an empty directory, which a rename would silently replace."""
    for path in places:
        if os.path.lexists(path):
            raise GitError(f"{path} exists already", cwd=path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename, with an error that says what is needed."""
    try:
        os.rename(source, target)
    except OSError as error:
        raise GitError(
            f"cannot move {source} to {target}: {error.strerror or error}",
            cwd=source.parent,
            hint="both must be on one file system, and writable for this user",
        ) from error
