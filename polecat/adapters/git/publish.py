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
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import evolve

from polecat.adapters.git import config, files
from polecat.adapters.git.run import GitProgram
from polecat.errors import GitError
from polecat.ports import Repo, Worktree

_TRIES = 20


def can_publish(git_dir: Path, *, start: str, upstream: str | None) -> bool:
    """Say whether a worktree can be registered without git.

    The repository must keep refs and registrations as plain files, with nothing kept apart for each worktree, and the start must be
    the tip of the remote's branch: that this is a commit we have need not be asked.
    """
    if files.uses_reftable(git_dir) or upstream is None:
        return False
    if files.read_ref(git_dir, f"refs/remotes/origin/{upstream}") != start:
        return False
    settings = (files.read_text(git_dir / "config") or "").lower()
    return "worktreeconfig" not in settings and "refstorage" not in settings


def publish(git: GitProgram, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> None:
    """Make branch and registration; the caller holds the repository lock and takes back what a failure leaves.

    Raises:
        GitError: the branch exists, or the disk said no.
    """
    git_dir = Path(os.path.realpath(repo.git_dir))
    with _disk_errors(f"register {path}", repo):
        _create_branch(git, git_dir, branch, start, upstream)
        _register(git_dir, path, branch)


def rebranch(git: GitProgram, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
    """Put a worktree on a new branch. See `polecat.ports.GitSpares.rebranch`."""
    git_dir = Path(os.path.realpath(repo.git_dir))
    if files.uses_reftable(git_dir):
        return _rebranch_by_git(git, repo, worktree, branch=branch, start=start, upstream=upstream)
    with _disk_errors(f"put {worktree.path} on {branch!r}", repo):
        _create_branch(git, git_dir, branch, start, upstream)
        try:
            draft = worktree.admin_dir / "HEAD.polecat"
            draft.write_text(f"ref: refs/heads/{branch}\n", "utf-8")
            draft.rename(worktree.admin_dir / "HEAD")
        except OSError:
            _forget_branch(git, git_dir, branch, start)
            raise
    if worktree.branch is not None and worktree.head is not None:
        _forget_branch(git, git_dir, worktree.branch, worktree.head)
    return evolve(worktree, branch=branch, head=start)


def _rebranch_by_git(
    git: GitProgram, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None
) -> Worktree:
    new, old = f"refs/heads/{branch}", f"refs/heads/{worktree.branch}"
    git.must(["update-ref", new, start, ""], at=repo)
    try:
        config.set_upstream(repo.git_dir, branch, upstream, patience_s=git.lock_patience_s)
        git.must(["symbolic-ref", "HEAD", new], at=worktree)
    except GitError:
        with contextlib.suppress(GitError):
            git.run(["update-ref", "-d", new, start], at=repo)
            config.set_upstream(repo.git_dir, branch, None, patience_s=git.lock_patience_s)
        raise
    if worktree.branch is not None and worktree.head is not None:
        with contextlib.suppress(GitError):
            git.run(["update-ref", "-d", old, worktree.head], at=repo)
            config.set_upstream(repo.git_dir, worktree.branch, None, patience_s=git.lock_patience_s)
    return evolve(worktree, branch=branch, head=start)


@contextlib.contextmanager
def _disk_errors(doing: str, repo: Repo) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        why = f"{error.strerror or error}{where}"
        raise GitError(f"cannot {doing}: {why}", cwd=repo.path, stderr=str(error)) from error


def _create_branch(git: GitProgram, git_dir: Path, branch: str, start: str, upstream: str | None) -> None:
    _create_ref(git_dir, f"refs/heads/{branch}", start)
    try:
        config.set_upstream(git_dir, branch, upstream, patience_s=git.lock_patience_s)
    except GitError:
        _forget_branch(git, git_dir, branch, start)
        raise


def _forget_branch(git: GitProgram, git_dir: Path, branch: str, oid: str) -> None:
    """Drop a loose ref of ours that still stands at *oid*, and its configuration; nobody else knows its name. One that was packed stays."""
    target = git_dir / f"refs/heads/{branch}"
    with contextlib.suppress(OSError, GitError):
        if (files.read_text(target) or "").rstrip("\n") == oid:
            target.unlink()
        config.set_upstream(git_dir, branch, None, patience_s=git.lock_patience_s)


def _create_ref(git_dir: Path, ref: str, oid: str) -> None:
    """Create a ref that does not exist, by git's protocol."""
    parts = ref.split("/")
    for depth in range(3, len(parts) + 1):  # refs/heads/polecat must not be a branch itself
        if files.read_ref(git_dir, taken := "/".join(parts[:depth])) is not None:
            raise GitError(f"{ref!r} cannot be made: {taken!r} exists", cwd=git_dir)
    draft = _draft(git_dir)
    try:
        draft.write_text(f"{oid}\n", "ascii")  # not synced: git by default syncs objects, and no refs either
        _put(draft, git_dir / ref, os.link)  # fails if somebody made it meanwhile; whoever is killed here leaves no lock behind
    finally:
        draft.unlink(missing_ok=True)


def _register(git_dir: Path, path: Path, branch: str) -> None:
    name = branch.rpartition("/")[2]  # says whose it is
    admin = git_dir / "worktrees" / name
    while os.path.lexists(admin):
        admin = admin.with_name(f"{name}-{secrets.token_hex(3)}")
    draft = _draft(git_dir)
    draft.mkdir()
    try:
        (draft / "HEAD").write_text(f"ref: refs/heads/{branch}\n", "utf-8")
        (draft / "commondir").write_text("../..\n", "utf-8")
        (draft / "gitdir").write_bytes(os.fsencode(f"{path / '.git'}\n"))
        path.mkdir()
        (path / ".git").write_bytes(os.fsencode(f"gitdir: {admin}\n"))
        _put(draft, admin, os.rename)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _put(draft: Path, target: Path, how: Callable[[Path, Path], None]) -> None:
    """Put a draft into its place; git takes a directory of refs or of registrations away whenever its last entry goes."""
    for _ in range(_TRIES):
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            how(draft, target)
            return
    how(draft, target)


def _draft(git_dir: Path) -> Path:
    return git_dir / f"polecat-draft-{secrets.token_hex(8)}"


def clear_drafts(git_dir: Path) -> None:
    """Remove what a killed `publish` left aside; nothing refers to it. The caller holds the repository lock."""
    for draft in git_dir.glob("polecat-draft-*"):
        with contextlib.suppress(OSError):
            draft.unlink() if draft.is_file() else shutil.rmtree(draft, ignore_errors=True)
