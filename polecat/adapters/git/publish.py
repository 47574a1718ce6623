"""Registering a worktree without starting git: what ``worktree add --no-checkout`` would leave, made aside and published by one rename.

git makes a registration in place, file by file; whoever lists worktrees meanwhile reads half of it and fails. Here nobody ever sees
half of one, and the part that runs under the repository lock takes less than a millisecond instead of ten. Refs are written aside
and linked into place, which fails if the ref exists.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from polecat.adapters.git import config as git_config
from polecat.adapters.git import files as git_files
from polecat.adapters.git.run import GitProgram
from polecat.errors import GitError
from polecat.ports import Repo, Worktree

_TRIES = 20


def can_publish(git_dir: Path, *, start: str, upstream: str | None) -> bool:
    """Say whether a worktree can be registered without git.

    The repository must keep refs and registrations as plain files, with nothing kept apart for each worktree, and the start must be
    the tip of the remote's branch: that this is a commit we have need not be asked.
    """
    if git_files.uses_reftable(git_dir) or upstream is None:
        return False
    if git_files.read_ref(git_dir, f"refs/remotes/origin/{upstream}") != start:
        return False
    config = (git_files.read_text(git_dir / "config") or "").lower()
    return "worktreeconfig" not in config and "objectformat" not in config


def publish(repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None, patience_s: float) -> None:
    """Make branch and registration; the caller holds the repository lock and takes back what a failure leaves.

    Raises:
        GitError: the branch exists, or the disk said no.
    """
    git_dir = Path(os.path.realpath(repo.git_dir))
    try:
        _create_ref(git_dir, f"refs/heads/{branch}", start)
        git_config.set_upstream(git_dir, branch, upstream, patience_s=patience_s)
        _register(git_dir, path, branch)
    except OSError as error:
        raise GitError(
            f"cannot register {path}: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""),
            cwd=repo.path,
            stderr=str(error),
        ) from error


def rebranch(git: GitProgram, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
    """Put a worktree on a new branch. See `polecat.ports.Git.rebranch`."""
    git_dir = Path(os.path.realpath(repo.git_dir))
    old = worktree.branch
    try:
        _create_ref(git_dir, f"refs/heads/{branch}", start)
        git_config.set_upstream(git_dir, branch, upstream, patience_s=git.lock_patience_s)
        _replace(worktree.admin_dir / "HEAD", f"ref: refs/heads/{branch}\n".encode())
    except (GitError, OSError) as error:
        _forget_branch(git, git_dir, branch, start)
        if isinstance(error, GitError):
            raise
        raise GitError(f"cannot put {worktree.path} on {branch!r}: {error.strerror or error}", cwd=repo.path) from error
    if old is not None and worktree.head is not None:
        _forget_branch(git, git_dir, old, worktree.head)
    return Worktree(path=worktree.path, admin_dir=worktree.admin_dir, branch=branch, head=start)


def _forget_branch(git: GitProgram, git_dir: Path, branch: str, oid: str) -> None:
    """Drop a loose ref of ours that still stands at *oid*, and its configuration; nobody else knows its name. One that was packed stays."""
    target = git_dir / f"refs/heads/{branch}"
    with contextlib.suppress(OSError, GitError):
        if (git_files.read_text(target) or "").strip() == oid:
            target.unlink()
        git_config.set_upstream(git_dir, branch, None, patience_s=git.lock_patience_s)


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.polecat-{secrets.token_hex(4)}")
    draft.write_bytes(data)
    draft.rename(path)


def _create_ref(git_dir: Path, ref: str, oid: str) -> None:
    """Create a ref that does not exist, by git's protocol."""
    parts = ref.split("/")
    for depth in range(3, len(parts)):  # refs/heads/polecat must not be a branch itself
        if git_files.read_ref(git_dir, "/".join(parts[:depth])) is not None:
            raise GitError(f"{ref!r} cannot be made: {'/'.join(parts[:depth])!r} exists", cwd=git_dir)
    target = git_dir / ref
    if git_files.read_ref(git_dir, ref) is not None:
        raise GitError(f"{ref!r} exists already", cwd=git_dir)
    draft = git_dir / f"polecat-draft-{secrets.token_hex(8)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(f"{oid}\n".encode())  # not synced: git by default syncs objects, and no refs either
        _link_in_place(draft, target)  # fails if somebody made it meanwhile; whoever is killed here leaves no lock behind
    finally:
        draft.unlink(missing_ok=True)


def _register(git_dir: Path, path: Path, branch: str) -> None:
    admin = _free_place(git_dir, branch)
    draft = git_dir / f"polecat-draft-{secrets.token_hex(8)}"
    draft.mkdir()
    try:
        (draft / "HEAD").write_text(f"ref: refs/heads/{branch}\n", "utf-8")
        (draft / "commondir").write_text("../..\n", "utf-8")
        (draft / "gitdir").write_bytes(os.fsencode(f"{path / '.git'}\n"))
        path.mkdir()
        (path / ".git").write_bytes(os.fsencode(f"gitdir: {admin}\n"))
        _put_in_place(draft, admin)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _link_in_place(draft: Path, target: Path) -> None:
    """Link a ref into place; git takes a directory of refs away whenever its last one goes."""
    for _ in range(_TRIES):
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.link(draft, target)
            return
    os.link(draft, target)


def _put_in_place(draft: Path, admin: Path) -> None:
    """Rename a registration into place; git takes the directory of registrations away whenever its last one goes."""
    for _ in range(_TRIES):
        admin.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            draft.rename(admin)
            return
    draft.rename(admin)


def _free_place(git_dir: Path, branch: str) -> Path:
    """A name for the registration that nobody has; ours carry the branch's, which says whose they are."""
    worktrees = git_dir / "worktrees"
    worktrees.mkdir(exist_ok=True)
    name = branch.rpartition("/")[2]
    while os.path.lexists(worktrees / name):
        name = f"{branch.rpartition('/')[2]}-{secrets.token_hex(3)}"
    return worktrees / name


def clear_drafts(git_dir: Path) -> None:
    """Remove what a killed `publish` left aside; nothing refers to it. The caller holds the repository lock."""
    for draft in git_dir.glob("polecat-draft-*"):
        with contextlib.suppress(OSError):
            draft.unlink() if draft.is_file() else shutil.rmtree(draft, ignore_errors=True)
