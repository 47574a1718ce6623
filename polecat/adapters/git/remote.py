"""What talks to the remote: fetching, cloning, asking for its default branch."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from pathlib import Path

from polecat.adapters.git import guard
from polecat.adapters.git.run import AS_A_PACK, TRIES, GitProgram, expect_success, is_transient
from polecat.adapters.processes.program import Running
from polecat.errors import GitError, ProgramError, UnknownStateError
from polecat.names import shell_line
from polecat.ports import Repo

STAMP = "polecat-fetched"
"""File in the repository whose time says when our last successful fetch began; git's FETCH_HEAD is touched by failed ones as well."""

REFSPEC = "+refs/heads/*:refs/remotes/origin/*"
"""Said in every call: what a configuration says instead may bring nothing, or overwrite and prune the branches of polecats."""

_FETCH = (
    *(
        *AS_A_PACK,
        "fetch",
        "-q",
        "--no-tags",
        "--no-prune",
        "--no-auto-maintenance",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
    ),
    *("--refmap=", "origin", REFSPEC),
)
_CLONE = (
    *("clone", "-q", "--bare", "--single-branch", "--origin", "origin"),
    *("-c", f"remote.origin.fetch={REFSPEC}"),
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "gc.worktreePruneExpire=never"),
)


class CliFetch:
    """A fetch that is under way. Made by `GitCli.start_fetch`."""

    def __init__(self, git: GitProgram, repo: Repo, running: Running, *, timeout_s: float, began_at_s: float) -> None:
        self.git = git
        self.repo = repo
        self.running = running
        self.timeout_s = timeout_s
        self.began_at_s = began_at_s
        self.is_over = False

    def wait(self) -> None:
        """Wait for its end; again if it stumbled over somebody else's unfinished work.

        Raises:
            GitError: the remote said no or could not be reached.
            ProgramTimeoutError: it took longer than its limit.
        """
        self.is_over = True
        done = self.running.wait()
        for attempt in range(1, TRIES):
            if done.exit_code == 0 or not is_transient(done.error_text):
                break
            time.sleep(0.05 * attempt)
            done = self.git.start(_FETCH, at=self.repo, timeout_s=self.timeout_s, remote=True).wait()
        in_the_way = "cannot lock ref" in done.error_text and "exists; cannot create" in done.error_text
        expect_success(done, hint=shell_line("git", "-C", self.repo.path, "remote", "prune", "origin") if in_the_way else "")
        _stamp(self.repo, self.began_at_s)

    def cancel(self) -> None:
        """End it if it is still under way."""
        if self.is_over:
            return
        self.is_over = True
        self.running.kill()
        with contextlib.suppress(ProgramError):
            self.running.wait()


class FailedFetch:
    """A fetch that was not begun, because git would have stumbled over something in the repository; as one that failed."""

    def __init__(self, why: str) -> None:
        self.why = why

    def wait(self) -> None:
        """Say why.

        Raises:
            GitError: always.
        """
        raise GitError(self.why)

    def cancel(self) -> None:
        """Nothing is under way."""


def start_fetch(git: GitProgram, repo: Repo, *, timeout_s: float) -> CliFetch | FailedFetch:
    """Begin a fetch."""
    try:
        guard.check_refs(repo.git_dir, heads=True)
    except UnknownStateError as error:
        return FailedFetch(error.message)
    began_at_s = time.time()
    running = git.start(_FETCH, at=repo, timeout_s=timeout_s, remote=True)
    return CliFetch(git, repo, running, timeout_s=timeout_s, began_at_s=began_at_s)


def last_fetch_age_s(repo: Repo) -> float | None:
    """Say how many seconds ago the last successful fetch began; None if we never fetched, or what says so cannot be seen."""
    try:
        return max(0.0, time.time() - os.stat(repo.git_dir / STAMP).st_mtime)
    except OSError:  # one that cannot be looked at is as good as none: it is fetched again, no more
        return None


def clone_bare(git: GitProgram, url: str, path: Path, *, reference: Path | None, timeout_s: float) -> Repo:
    """Make a bare clone. See `polecat.ports.Git.clone_bare`."""
    path = Path(os.path.abspath(path))
    if os.path.lexists(path):
        raise GitError(f"{path} exists already", cwd=path.parent)
    if not path.parent.is_dir():
        raise GitError(f"cannot make {path}: {path.parent} is not a directory", cwd=path.parent)
    began_s, began_at_s = time.monotonic(), time.time()
    temporary = Repo(path=path.with_name(f".{path.name}.{secrets.token_hex(6)}"))
    borrow = [] if reference is None else [f"--reference-if-able={reference}", "--dissociate"]
    try:
        git.must([*_CLONE, *borrow, "--", url, temporary.path], at=None, timeout_s=timeout_s, remote=True)
        left_s = max(1.0, timeout_s - (time.monotonic() - began_s))
        git.must(_FETCH, at=temporary, timeout_s=left_s, remote=True)
        os.rename(temporary.path, path)
    except OSError as error:
        raise GitError(f"cannot make {path}: {error.strerror or error}", cwd=path.parent) from error
    finally:
        shutil.rmtree(temporary.path, ignore_errors=True)
    repo = Repo(path=path)
    _stamp(repo, began_at_s)
    return repo


def _stamp(repo: Repo, at_s: float) -> None:
    path = repo.git_dir / STAMP
    with contextlib.suppress(OSError):  # without it the next spawn fetches again, no more
        path.touch()
        os.utime(path, (at_s, at_s))
