"""The port to git: the repository of a rig and its worktrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from polecat.ports.git_words import GitFacts, Repo, Rescue, StaleRegistration, Worktree


class PendingFetch(Protocol):
    """A fetch that is under way; `wait` for it, or `cancel` it."""

    def wait(self) -> None:
        """Wait for its end. Errors as `Git.fetch`."""
        ...

    def cancel(self) -> None:
        """End it if it is still under way. Cancelling what has ended is fine."""
        ...


class Git(Protocol):
    """The repository of a rig and its worktrees.

    Callers hold the rig's repository lock round `add_worktree`, `drop_worktree`, `restore_worktree`, `move_worktree`,
    `delete_branch` and `drop_stale`.
    """

    def check(self) -> str:
        """Return git's version; raise if git is missing or older than 2.31."""
        ...

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> PendingFetch:
        """Begin what `fetch` does and return at once, so that other work can go on beside it."""
        ...

    def last_fetch_age_s(self, repo: Repo) -> float | None:
        """Say how old our knowledge of the remote is: seconds since the last successful fetch began; None if we never fetched."""
        ...

    def fetch(self, repo: Repo, *, timeout_s: float) -> None:
        """Bring the remote-tracking branches up to date.

        Raises:
            GitError: the remote said no or could not be reached.
            ProgramTimeoutError: it took longer than *timeout_s*.
        """
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

    def fill_submodules(
        self, repo: Repo, worktree: Worktree, *, references: Sequence[Path] = (), lazy_lfs: bool = False, timeout_s: float
    ) -> tuple[str, ...]:
        """Fill the submodules of a worktree that has just been checked out; those that hold something already are left alone.

        Args:
            repo: the repository.
            worktree: the worktree.
            references: directories that hold repositories of submodules, by their names; what they have is not downloaded again.
            lazy_lfs: as for `check_out`.
            timeout_s: how long all of them together may take.

        Returns:
            What could not be filled, each with why, one line; such a submodule stays empty.

        Raises:
            GitError: which submodules there are could not be told.
        """
        ...

    def ignored_files(self, worktree: Worktree, source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
        """List the files of another checkout that may be copied into a worktree without being seen there as work.

        Args:
            worktree: where they would go.
            source: where they are: a clone of the same project, or a directory laid out like it. Absent means no files.
            patterns: lines as in a ``.gitignore``, in order.

        Returns:
            Paths, relative, that match the patterns, that the worktree does not track and that its ignore rules hide; no directories.
        """
        ...

    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Prove by reading files that *path* is a worktree of *repo*; None if it is not one."""
        ...

    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        """Take a worktree away: its directory becomes *into* (same file system), its registration goes beside it.

        Nothing is deleted; ``<into>.admin`` keeps index, reflog and submodule repositories.
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

    def branches(self, repo: Repo, prefix: str) -> Mapping[str, str]:
        """Return the local branches whose name starts with *prefix*, and the commit each stands at."""
        ...

    def stale_registrations(self, repo: Repo) -> tuple[StaleRegistration, ...]:
        """List registrations whose directory is provably gone and that nobody is making right now. Reads only."""
        ...

    def drop_stale(self, repo: Repo, stale: StaleRegistration, *, into: Path) -> bool:
        """Move one stale registration out of the repository, if it still is stale.

        A commit that no ref holds, because that worktree had no branch, gets a rescue ref first.

        Raises:
            GitError: git said no; the registration is where it was.
        """
        ...

    def clear_half_made(self, repo: Repo, path: Path, *, into: Path) -> None:
        """Take away what a killed `add_worktree` or `drop_worktree` left at *path*, and its registration, as `drop_worktree` would.

        Nothing there is fine. The caller knows that nobody is making it.

        Raises:
            GitError: a whole worktree is there, or files that nobody can account for; nothing was touched.
        """
        ...

    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None, ignore: Sequence[str] = ()) -> GitFacts:
        """Find out what of a worktree's work exists nowhere else.

        Args:
            repo: the repository.
            worktree: the worktree; after `drop_worktree` too, with its new ``path`` and ``admin_dir``.
            base: commit id or full ref name of what the work is to be merged into.
            ignore: paths that are no work, because we put them there; a directory stands for all in it.

        Returns:
            The facts. A check that failed is named in ``problems``; it never looks like *nothing there*.

        Raises:
            GitError: it is not a worktree of the repository.
        """
        ...

    def rescue(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        ref_name: str,
        message: str,
        base: str | None = None,
        ignore: Sequence[str] = (),
        ignored_patterns: Sequence[str] = (),
        size_limit_bytes: int = 256 * 1024 * 1024,
    ) -> Rescue | None:
        """Save everything in a worktree that is nowhere else to a ref of the repository, and read it back.

        Byte for byte: changed, staged, untracked and hidden files, repositories inside, the commit itself and, in the middle of a
        rebase or merge, the other commits involved. Stashes stay where they are, the repository keeps them. The worktree is not changed.

        Args:
            repo: the repository.
            worktree: the worktree.
            ref_name: name of the rescue, such as ``nux/1768000000000-a1b2c3``; the ref is that below ``refs/polecat/rescue/``.
            message: what is being done, one line.
            base: commit id or full ref name of what the work is merged into; a commit that is part of it needs no saving.
            ignore: paths that are no work, because we put them there.
            ignored_patterns: patterns of ignored files that are saved too, matched against path, directories and name.
            size_limit_bytes: refuse to read more.

        Returns:
            What was saved; None if there was nothing to save (with no *base* given, a commit is always saved).

        Raises:
            RescueFailedError: it could not be written or proved; no ref was left, and nothing may be deleted.
        """
        ...

    def rescues(self, repo: Repo) -> tuple[Rescue, ...]:
        """List what was saved, oldest first."""
        ...

    def rescued_files(self, repo: Repo, ref: str) -> Mapping[str, str]:
        """Say what a rescue holds beyond the commit it stands on: path to ``added``, ``changed`` or ``deleted``."""
        ...

    def move_worktree(self, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
        """Rename a worktree on its file system; branch, index and submodules go with it.

        Raises:
            GitError: it cannot be; it is where it was.
        """
        ...

    def rebranch(self, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Put a worktree on a new branch; the branch it was on goes. Files and index stay: `check_out` brings them to *start*.

        Args:
            repo: the repository.
            worktree: the worktree.
            branch: the new branch, which starts at *start* and tracks *upstream* of the remote.
            start: a commit id.
            upstream: as for `add_worktree`.

        Raises:
            GitError: it cannot be; the worktree is as it was.
        """
        ...

    def is_pristine(self, worktree: Worktree) -> bool:
        """Say whether nothing at all in a worktree differs from its commit: not a file changed, none added. What cannot be told is no."""
        ...

    def mend_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Finish a `move_worktree` to *path* that was killed half-way; return the worktree there, None if there is none."""
        ...

    def commits_behind(self, repo: Repo, head: str, ref: str) -> int | None:
        """Count the commits of *ref* that *head* lacks; None if *ref* does not exist.

        Raises:
            GitError: it could not be counted.
        """
        ...

    def is_checked_out(self, repo: Repo, branch: str) -> bool:
        """Say whether a worktree has this branch checked out or is rebasing it. Reads files only."""
        ...

    def is_elsewhere(self, repo: Repo, commit: str) -> bool:
        """Say whether a commit is part of a remote-tracking branch or of a rescue, so that nothing is lost with a branch at it.

        Raises:
            GitError: git could not tell.
        """
        ...

    def clone_bare(self, url: str, path: Path, *, reference: Path | None = None, timeout_s: float) -> Repo:
        """Make a bare clone with remote-tracking branches at *path*, safe for many worktrees."""
        ...

    def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
        """Ask the remote which branch its HEAD is; None when it has no commit."""
        ...
