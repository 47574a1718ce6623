"""Worktrees: made, moved, taken away and brought back, each completely or not at all.

Registering is `publish`'s business, or git's own ``worktree add`` where the repository is of a newer kind (never two at once: the
caller holds the repository lock). Everything else is renames, because ``worktree move`` and ``worktree remove`` can stop half-way with the registration or half of the files gone, and because a
rename takes a tenth of a millisecond where deleting 20,000 files takes two seconds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from polecat.adapters.git import config, files, publish, refs, submodules
from polecat.adapters.git.run import TRIES, GitProgram, Place, expect_success, is_transient
from polecat.adapters.git.stale import MOVING, must_be_free, names_worktree, rename
from polecat.errors import GitError, PolecatError, ProgramTimeoutError
from polecat.names import shell_line
from polecat.ports import Repo, Worktree


def find(git: GitProgram, repo: Repo, path: Path, *, registry: str = "") -> Worktree | None:
    """Prove by reading files that *path* is a worktree of *repo*; *registry* as for `files.identify`."""
    path = Path(os.path.abspath(path))
    admin = files.identify(repo.git_dir, path, registry)
    if admin is None:
        return None
    branch, head = refs.head(git, repo, Place(git_dir=admin, work_tree=path))
    return Worktree(path=path, admin_dir=admin, branch=branch, head=head)


def find_many(git: GitProgram, repo: Repo, paths: Iterable[Path]) -> dict[Path, Worktree]:
    """Find those of many directories that are worktrees of *repo*."""
    registry, found = files.registry_of(repo.git_dir), {}
    for path in paths:
        with contextlib.suppress(PolecatError, OSError):
            if (worktree := find(git, repo, path, registry=registry)) is not None:
                found[path] = worktree
    return found


def add(git: GitProgram, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
    """Register a new worktree on a new branch, without files. See `polecat.ports.Git.add_worktree`."""
    path = Path(os.path.abspath(path))
    _refuse_unless_free(git, repo, path, branch, start)
    for attempt in range(1, TRIES + 1):
        before = frozenset(files.registrations(repo.git_dir))
        try:
            return _add_once(git, repo, path, branch, start, upstream)
        except BaseException as error:
            _undo_add(git, repo, path, branch, start, before, error)
            if not isinstance(error, GitError) or not is_transient(error.stderr) or attempt == TRIES:
                raise
            time.sleep(0.05 * attempt)
    raise AssertionError("unreachable")


def check_out(
    git: GitProgram, worktree: Worktree, leave_out: tuple[str, ...], timeout_s: float, extra_env: Mapping[str, str]
) -> None:
    """Fill the files of a worktree, except those left out; the shared configuration is not touched."""
    sparse = ["-c", "core.sparseCheckout=false"]
    if leave_out:
        lines = ["/*", *(f"!{_pattern(path)}" for path in leave_out)]
        info = worktree.admin_dir / "info"
        try:
            info.mkdir(exist_ok=True)
            (info / "sparse-checkout").write_bytes(os.fsencode("\n".join(lines) + "\n"))
        except OSError as error:
            raise GitError(f"cannot write {info}: {error.strerror or error}", cwd=worktree.path) from error
        sparse = ["-c", "core.sparseCheckout=true", "-c", "core.sparseCheckoutCone=false"]
    words = [*sparse, "reset", "-q", "--hard", "--no-recurse-submodules"]
    # remote: a filter such as git-lfs downloads here, with the credentials of the caller
    git.must(words, at=worktree, timeout_s=timeout_s, remote=True, extra_env=extra_env)


def settle_index(git: GitProgram, worktree: Worktree, *, timeout_s: float) -> None:
    """Write the index once more when the second in which it was written is over.

    Git reads every file again that is as old as the index, in whole seconds, because it may have been changed after it. In a tree of
    20,000 files that had just been checked out a look took three times as long, for ever after. What fails here costs time, nothing else.
    """
    with contextlib.suppress(OSError, GitError, ProgramTimeoutError):
        left_s = int(os.stat(worktree.admin_dir / "index").st_mtime) + 1.01 - time.time()
        time.sleep(min(1.01, max(0.0, left_s)))
        git.run(["update-index", "-q", "--force-write-index"], at=worktree, timeout_s=timeout_s)


def drop(git: GitProgram, repo: Repo, worktree: Worktree, into: Path) -> None:
    """Take a worktree away by renaming it, its registration beside it. It can still be asked there, its submodules too."""
    prove(repo, worktree)
    admin_into = into.with_name(into.name + ".admin")
    must_be_free(into, admin_into)
    _rename_both((worktree.path, into), (worktree.admin_dir, admin_into))
    with contextlib.suppress(OSError):  # git finds the repository through this file, and must find it to judge what was dropped
        (admin_into / "commondir").write_bytes(os.fsencode(f"{os.path.realpath(repo.git_dir)}\n"))
    with contextlib.suppress(GitError, OSError):  # a submodule that cannot be asked is a problem of whoever asks
        submodules.relink(git, admin_into, old=worktree.path, new=into, admin_was=worktree.admin_dir)


def restore(git: GitProgram, repo: Repo, worktree: Worktree, source: Path) -> None:
    """Undo `drop`."""
    must_be_free(worktree.path, worktree.admin_dir)
    admin_source = source.with_name(source.name + ".admin")
    try:
        (repo.git_dir / "worktrees").mkdir(exist_ok=True)
        (admin_source / "commondir").write_bytes(b"../..\n")  # before anybody can see it there again
    except OSError as error:
        raise GitError(f"cannot bring {source} back: {error.filename}: {error.strerror}", cwd=source.parent) from error
    _rename_both((admin_source, worktree.admin_dir), (source, worktree.path))
    submodules.relink(git, worktree.admin_dir, old=source, new=worktree.path, admin_was=admin_source)


def _rename_both(first: tuple[Path, Path], second: tuple[Path, Path]) -> None:
    rename(*first)
    try:
        rename(*second)
    except GitError:
        rename(*reversed(first))
        raise


def move(git: GitProgram, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
    """Rename a worktree; killed at any point it is recovered by `mend`."""
    prove(repo, worktree)
    to = Path(os.path.abspath(to))
    must_be_free(to)
    admin = worktree.admin_dir
    try:
        (admin / "locked").write_text(MOVING)  # so that a prune by somebody else does not take it for stale
        (admin / "gitdir.tmp").write_bytes(os.fsencode(f"{to / '.git'}\n"))
        rename(worktree.path, to)
    except (GitError, OSError) as error:
        for name in ("gitdir.tmp", "locked"):
            (admin / name).unlink(missing_ok=True)
        if isinstance(error, GitError):
            raise
        raise GitError(f"cannot move {worktree.path}: {error.strerror or error}", cwd=repo.path) from error
    moved = mend(git, repo, to)
    if moved is None:
        raise GitError(
            f"{to} was moved there but is no worktree", cwd=repo.path, hint=shell_line("git", "-C", to, "worktree", "repair")
        )
    return moved


def mend(git: GitProgram, repo: Repo, path: Path) -> Worktree | None:
    """Finish a move to *path* where it was left."""
    path = Path(os.path.abspath(path))
    whole = find(git, repo, path)
    if whole is not None:  # the move never began, or is over
        _unlock(whole.admin_dir)
        return whole
    link = files.read_text(path / ".git") or ""
    admin = Path(os.path.realpath(path / link.removeprefix("gitdir: ").rstrip("\n")))
    if link.startswith("gitdir: ") and admin.parent == Path(os.path.realpath(repo.git_dir)) / "worktrees":
        target = (files.read_text(admin / "gitdir.tmp") or "").rstrip("\n")
        if target and os.path.realpath(target) == os.path.realpath(path / ".git"):
            old = (files.read_text(admin / "gitdir") or "").rstrip("\n")
            submodules.relink(git, admin, old=Path(old).parent, new=path)
            rename(admin / "gitdir.tmp", admin / "gitdir")
            _unlock(admin)
    return find(git, repo, path)


def _unlock(admin: Path) -> None:
    if files.read_text(admin / "locked") == MOVING:
        (admin / "gitdir.tmp").unlink(missing_ok=True)
        (admin / "locked").unlink(missing_ok=True)


def prove(repo: Repo, worktree: Worktree) -> None:
    """Make sure that a worktree still is the one it was.

    Raises:
        GitError: it is not.
    """
    admin = files.identify(repo.git_dir, worktree.path)
    if admin is None or os.path.realpath(admin) != os.path.realpath(worktree.admin_dir):
        raise GitError(
            f"{worktree.path} is not the worktree that {worktree.admin_dir.name!r} in {repo.git_dir} stands for",
            cwd=repo.path,
            hint="look at its .git file; 'git worktree repair' mends a directory that was moved",
        )


def _refuse_unless_free(git: GitProgram, repo: Repo, path: Path, branch: str, start: str) -> None:
    files.check_repository(repo.git_dir)
    ref = f"refs/heads/{branch}"
    if branch.startswith("-") or not files.is_ref_name(ref):
        raise GitError(f"{branch!r} cannot be the name of a branch", cwd=repo.path)
    if not files.is_oid(start):
        raise GitError(f"cannot start at {start!r}: not a commit id", cwd=repo.path)
    must_be_free(path)
    if not path.parent.is_dir():
        raise GitError(f"cannot make {path}: {path.parent} is not a directory", cwd=repo.path)
    if refs.resolve(git, repo, ref) is not None:
        raise GitError(f"a branch {branch!r} exists already", cwd=repo.path)


def _add_once(git: GitProgram, repo: Repo, path: Path, branch: str, start: str, upstream: str | None) -> Worktree:
    if publish.can_publish(repo.git_dir, start=start, upstream=upstream):
        publish.publish(git, repo, path, branch=branch, start=start, upstream=upstream)
    else:
        _add_by_git(git, repo, path, branch, start, upstream)
    made = find(git, repo, path)
    if made is None or made.branch != branch or made.head != start:
        raise GitError(f"something else than a worktree on {branch!r} was made at {path}", cwd=repo.path)
    return made


def _add_by_git(git: GitProgram, repo: Repo, path: Path, branch: str, start: str, upstream: str | None) -> None:
    # absolute links, whatever the user prefers: a relative one breaks when the worktree moves
    relative = ["-c", "worktree.useRelativePaths=false"]
    words = [*relative, "worktree", "add", "-q", "--no-checkout", "--no-track", "-b", branch, str(path), start]
    expect_success(git.start(words, at=repo).wait())  # once: what a failed one leaves must go before the next
    if upstream is not None:
        config.set_upstream(repo.git_dir, branch, upstream, patience_s=git.lock_patience_s)


def _undo_add(
    git: GitProgram, repo: Repo, path: Path, branch: str, start: str, before: frozenset[Path], cause: BaseException
) -> None:
    try:
        for admin in files.registrations(repo.git_dir):
            if admin not in before and _is_of(admin, path):
                _discard(repo, admin)
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(path / ".git").st_mode):
                os.unlink(path / ".git")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.rmdir(path)
        if refs.resolve(git, repo, f"refs/heads/{branch}") is not None:
            git.must(["update-ref", "-d", f"refs/heads/{branch}", start], at=repo)
        config.set_upstream(repo.git_dir, branch, None, patience_s=git.lock_patience_s)
    except (PolecatError, OSError) as error:
        cause.add_note(f"left behind: {path} or branch {branch!r} may be half-made ({error})")


def _is_of(admin: Path, path: Path) -> bool:
    if (files.read_text(admin / "gitdir") or "").strip("\n"):
        return names_worktree(admin, path)
    if not admin.name.startswith(path.name):
        return False
    time.sleep(0.1)  # whoever is alive writes gitdir at once; without one after this it is what our killed git left
    return not files.read_text(admin / "gitdir")


def _discard(repo: Repo, admin: Path) -> None:
    """Remove a registration so that no other git command ever sees half of it."""
    aside = repo.git_dir / f"polecat-discarded-{secrets.token_hex(8)}"
    os.rename(admin, aside)
    shutil.rmtree(aside, ignore_errors=True)


def _pattern(path: str) -> str:
    plain = path.strip("/")
    escaped = "".join(
        f"\\{char}" if char in "\\*?[" or (char == " " and at == len(plain) - 1) else char for at, char in enumerate(plain)
    )
    return f"/{escaped}"
