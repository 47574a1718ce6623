"""What the checks of the git contract are given."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest import SkipTest

from attrs import frozen

from polecat.errors import GitError, PolecatError, RescueFailedError, UnknownStateError, UnsupportedError
from polecat.ports import Git, GitBranches, GitRecovery, Repo, Worktree, needs, optional

P = TypeVar("P")


@frozen(kw_only=True)
class GitUnderTest:
    """What a check of `GitContract` is given: a git with one repository, and the hands of the people around it.

    Attributes:
        git: what is checked.
        repo: a repository whose remote has a branch ``main`` with a file ``README.md``, fetched.
        no_repo: a place that is no repository.
        room: an empty directory on the repository's file system.
        advance_remote: puts a new commit on the remote's ``main``; returns it.
        commit: writes a file into a worktree and commits it; returns the commit.
        stash: changes ``README.md`` in a worktree and stashes that.
        break_remote: makes the remote unreachable.
        move: moves the directory that holds repository and room, as the first argument, to the second; None where that cannot be.
    """

    git: Git
    repo: Repo
    no_repo: Repo
    room: Path
    advance_remote: Callable[[], str]
    commit: Callable[[Path], str]
    stash: Callable[[Path], None]
    break_remote: Callable[[], None]
    move: Callable[[Path, Path], object] | None = None

    @property
    def start(self) -> str:
        """The remote's main, as known."""
        found = self.git.resolve(self.repo, "refs/remotes/origin/main")
        assert found is not None
        return found

    def having(self, extra: type[P]) -> P:
        """Return `git` as what also has one of the further protocols, such as `GitMoves`.

        Raises:
            unittest.SkipTest: it has not; pytest counts the check as skipped.
        """
        try:
            return needs(self.git, extra, "check it")
        except UnsupportedError as error:
            raise SkipTest(error.message) from error

    def fetch(self) -> None:
        """Fetch to the end."""
        self.git.start_fetch(self.repo, timeout_s=30).wait()

    def add(self, name: str = "nux", *, branch: str = "") -> Worktree:
        """Make a filled worktree in `room`."""
        made = self.git.add_worktree(
            self.repo, self.room / name, branch=branch or f"polecat/{name}", start=self.start, upstream="main"
        )
        self.git.check_out(made)
        return made

    def state(self) -> tuple[object, ...]:
        """What is in `room` and, as far as the git can tell, the branches and the stale registrations."""
        branches, recovery = optional(self.git, GitBranches), optional(self.git, GitRecovery)
        return (
            sorted(os.listdir(self.room)),
            dict(branches.branches(self.repo, "")) if branches else None,
            recovery.stale_registrations(self.repo) if recovery else None,
        )


def refuses(call: Callable[[], object]) -> PolecatError:
    """Return the error a call must raise."""
    try:
        call()
    except (GitError, UnknownStateError, RescueFailedError) as error:
        return error
    raise AssertionError("nothing was raised")
