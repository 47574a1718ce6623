"""The pretend git's refs and remote: fetching, cloning, resolving, counting."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from polecat.errors import GitError
from polecat.ports import Repo, Standing
from polecat.testing.fake_git_world import FakeGitWorld

P = ParamSpec("P")
S = TypeVar("S", bound=FakeGitWorld)
R = TypeVar("R")


def step(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Make a port method one step: alone at a time, noted in `calls`, failing when a test asked for it."""

    @functools.wraps(method)
    def wrapper(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.mutex:
            self.calls.append(method.__name__)
            for at, (name, error) in enumerate(self.failures):
                if name == method.__name__:
                    del self.failures[at]
                    raise error
            return method(self, *args, **kwargs)

    return wrapper


class FakeFetch:
    """A fetch that ends when it is waited for."""

    def __init__(self, finish: Callable[[], None]) -> None:
        self._finish = finish

    def wait(self) -> None:
        """Wait for its end."""
        self._finish()

    def cancel(self) -> None:
        """Forget it."""


class FakeGitRefs(FakeGitWorld):
    """What of `polecat.testing.FakeGit` needs no worktree."""

    @step
    def check(self) -> str:
        """Return a version."""
        return "2.39.5"

    @step
    def start_fetch(self, repo: Repo, *, timeout_s: float) -> FakeFetch:
        """Begin to learn what the remote has; it is learned when somebody waits for it."""
        self.repo(repo)
        return FakeFetch(lambda: self._fetch(repo))

    def _fetch(self, repo: Repo) -> None:
        with self.mutex:
            known = self.repo(repo)
            self._reach_remote(repo)
            known.tracking.update(self.remote)
            known.fetched_at_s = time.time()

    @step
    def last_fetch_age_s(self, repo: Repo) -> float | None:
        """Say how long ago that was."""
        at_s = self.repo(repo).fetched_at_s
        return None if at_s is None else max(0.0, time.time() - at_s)

    @step
    def resolve(self, repo: Repo, ref: str) -> str | None:
        """Return the commit id a full ref name or commit id stands for."""
        return self._resolve(repo, ref)

    def _resolve(self, repo: Repo, ref: str) -> str | None:
        known = self.repo(repo)
        if ref.startswith("refs/heads/"):
            return known.heads.get(ref.removeprefix("refs/heads/"))
        if ref.startswith("refs/remotes/origin/"):
            return known.tracking.get(ref.removeprefix("refs/remotes/origin/"))
        return ref if ref in self.commits else None

    @step
    def remote_branches(self, repo: Repo) -> tuple[str, ...]:
        """List the branches the remote had at the last fetch."""
        return tuple(sorted(self.repo(repo).tracking))

    @step
    def branches(self, repo: Repo, prefix: str) -> Mapping[str, str]:
        """Return the local branches whose name starts with *prefix*."""
        return {name: commit for name, commit in sorted(self.repo(repo).heads.items()) if name.startswith(prefix)}

    @step
    def standing(self, repo: Repo, head: str, ref: str) -> Standing | None:
        """Say how a commit relates to a branch."""
        tip = self._resolve(repo, ref)
        if tip is None:
            return None
        if head not in self.commits:
            raise GitError(f"git rev-list failed: bad object {head}", cwd=repo.path)
        ours, its = self.ancestry(head), self.ancestry(tip)
        return Standing(ahead=len(ours - its), behind=len(its - ours), merged="no" if ours - its else "ancestor")

    @step
    def is_elsewhere(self, repo: Repo, commit: str) -> bool:
        """Say whether a commit is part of a remote-tracking branch or of a rescue."""
        known = self.repo(repo)
        if commit not in self.commits:
            raise GitError(f"git rev-list failed: bad object {commit}", cwd=repo.path)
        tips = [*known.tracking.values(), *(rescue.commit for rescue in known.rescues.values())]
        return any(commit in self.ancestry(tip) for tip in tips)

    @step
    def clone_bare(self, url: str, path: Path, *, reference: Path | None = None, timeout_s: float) -> Repo:
        """Make a repository that knows the remote's branches."""
        must_be_free(path)
        repo = Repo(path=path)
        self._reach_remote(repo)
        try:
            (path / "objects").mkdir(parents=True)
            (path / "HEAD").write_text(f"ref: refs/heads/{self._default() or 'main'}\n")
        except OSError as error:
            raise GitError(f"cannot make {path}: {error.strerror}", cwd=path.parent) from error
        self.repo(repo).fetched_at_s = time.time()
        return repo

    @step
    def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
        """Return ``main`` if the remote has it, else its first branch."""
        self.repo(repo)
        self._reach_remote(repo)
        return self._default()

    def _default(self) -> str | None:
        return "main" if "main" in self.remote else next(iter(self.remote), None)

    def _reach_remote(self, repo: Repo) -> None:
        if self.is_remote_down:
            raise GitError("git fetch failed: could not reach the remote", exit_code=128, cwd=repo.path)


def must_be_free(path: Path) -> None:
    """Refuse a place where anything is."""
    if os.path.lexists(path):
        raise GitError(f"{path} exists already", cwd=path.parent)


def rename(source: Path, target: Path) -> None:
    """Rename, failing as the real one does."""
    try:
        os.rename(source, target)
    except OSError as error:
        raise GitError(f"cannot move {source} to {target}: {error.strerror}", cwd=source.parent) from error
