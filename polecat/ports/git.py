"""The port to git: what a spawn, a list and a removal cannot do without. More stands in `polecat.ports.git_extras`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from polecat.ports.git_words import GitFacts, Repo, Worktree


class PendingFetch(Protocol):
    """A fetch that is under way; `wait` for it, or `cancel` it."""

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            GitError: the remote said no or could not be reached.
            ProgramTimeoutError: it took longer than its time limit.
        """
        ...

    def cancel(self) -> None:
        """End it if it is still under way. Cancelling what has ended is fine."""
        ...


class Git(Protocol):
    """The repository of a rig and its worktrees: what a spawn, a list and a removal cannot do without.

    An adapter may have more: `GitRescues`, `GitMoves`, `GitSpares`, `GitRecovery`, `GitBranches`, `GitClones`, `GitSubmodules`,
    `GitIgnored`, `GitLists`, `GitCheckouts`. An operation that needs one of them and does not find it raises `UnsupportedError`.

    Callers hold the rig's repository lock round every method that makes, moves or deletes a worktree or a branch, `check_out` excepted.
    """

    def check(self) -> str:
        """Return git's version.

        Raises:
            ProgramMissingError: there is no git.
            GitError: it is too old for polecat.
        """
        ...

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> PendingFetch:
        """Begin to bring the remote-tracking branches up to date and return at once, so that other work can go on beside it."""
        ...

    def last_fetch_age_s(self, repo: Repo) -> float | None:
        """Return how many seconds ago the last successful fetch began; None if we never fetched, or what says so cannot be seen."""
        ...

    def resolve(self, repo: Repo, ref: str) -> str | None:
        """Return the commit id a full ref name (``refs/remotes/origin/main``) or commit id stands for, None if absent."""
        ...

    def remote_branches(self, repo: Repo) -> tuple[str, ...]:
        """List the branches the remote had at the last fetch, without ``origin/``."""
        ...

    def add_worktree(self, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Register a new worktree at *path* on the new branch, files not yet checked out.

        Args:
            repo: the repository.
            path: the directory to be; its parent exists, it does not.
            branch: the new branch, without ``refs/heads/``.
            start: the commit id it starts at.
            upstream: branch of the remote it tracks, such as ``main``; None for none.

        Raises:
            GitError: it cannot be; neither directory nor branch nor registration is left behind.
        """
        ...

    def check_out(
        self, worktree: Worktree, *, leave_out: Sequence[str] = (), lazy_lfs: bool = False, for_later: bool = False
    ) -> None:
        """Fill the files of a worktree that has just been registered.

        Args:
            worktree: as `add_worktree` returned it.
            leave_out: root-anchored paths that are not to be checked out.
            lazy_lfs: leave the pointers of git-lfs where its files would be downloaded.
            for_later: take up to a second more, so that the first look at the files later is a fast one.
        """
        ...

    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Prove that *path* is a worktree of *repo*; None if it is not one.

        The directory and the registration must name each other: a link, a copy, or a directory that was moved by hand proves nothing.
        """
        ...

    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        """Take a worktree away: its directory becomes *into* (same file system), its registration ``<into>.admin``.

        Nothing is deleted: index, reflog and the repositories of submodules stay in the registration.

        Raises:
            GitError: it is not this worktree any more, or *into* is taken; nothing was moved.
        """
        ...

    def restore_worktree(self, repo: Repo, worktree: Worktree, *, source: Path) -> None:
        """Bring back what `drop_worktree` put into *source*."""
        ...

    def delete_branch(self, repo: Repo, branch: str, *, expected: str) -> bool:
        """Delete a branch if it still stands at *expected*; False if it is gone or has moved.

        Raises:
            GitError: a worktree has it checked out.
        """
        ...

    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None) -> GitFacts:
        """Find out what of a worktree's work exists nowhere else.

        Args:
            repo: the repository.
            worktree: the worktree; after `drop_worktree` too, with its new ``path`` and ``admin_dir``.
            base: commit id or full ref name of what the work is to be merged into.

        Returns:
            The facts. A check that failed is named in ``problems``; it never looks like *nothing there*.

        Raises:
            GitError: it is not a worktree of the repository.
        """
        ...
