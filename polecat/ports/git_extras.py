"""What an adapter to git may have beyond `Git`, each a small protocol, and the one place that decides whether it has it.

An adapter has a protocol when it has all of its methods; nothing is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, cast, runtime_checkable

from polecat.errors import UnsupportedError
from polecat.ports.git import Git
from polecat.ports.git_words import Checkout, Repo, Rescue, StaleRegistration, Standing, Worktree

P = TypeVar("P")


def optional(git: Git, extra: type[P]) -> P | None:
    """Return *git* as what also has the protocol *extra*; None if it lacks one of its methods."""
    return None if _missing(git, extra) else cast(P, git)


def needs(git: Git, extra: type[P], operation: str) -> P:
    """Return *git* as what also has the protocol *extra*.

    Args:
        git: the adapter.
        extra: the protocol.
        operation: what cannot be done without it, such as ``repair a polecat``.

    Raises:
        UnsupportedError: it lacks one of the protocol's methods.
    """
    missing = _missing(git, extra)
    if missing:
        raise UnsupportedError(
            f"cannot {operation}: {type(git).__name__} has no {', '.join(missing)}",
            operation=operation,
            protocol=extra.__name__,
            hint=f"give it the methods of polecat.{extra.__name__}, or use polecat.adapters.GitCli",
        )
    return cast(P, git)


def _missing(git: Git, extra: type) -> list[str]:
    """Asked by name, not by `isinstance`, so that an adapter behind a proxy counts as itself."""
    return [name for name in _methods(extra) if not hasattr(git, name)]


def _methods(protocol: type) -> list[str]:
    return sorted({name for one in protocol.__mro__[:-1] for name in vars(one) if not name.startswith("_")})


@runtime_checkable
class GitRescues(Protocol):
    """Saving work before its worktree is taken away. Without it a removal or a repair that would have to save something is refused."""

    def rescue(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        ref_name: str,
        message: str,
        base: str | None = None,
        ignored_patterns: Sequence[str] = (),
        size_limit_bytes: int = 256 * 1024 * 1024,
    ) -> Rescue | None:
        """Save everything in a worktree that is nowhere else to a ref of the repository, and read it back.

        Byte for byte: changed, staged, untracked and hidden files, nested repositories, the commit itself and, in the middle of a
        rebase or merge, the other commits involved. Stashes stay where they are, the repository keeps them. The worktree is not changed.

        Args:
            repo: the repository.
            worktree: the worktree.
            ref_name: name of the rescue, such as ``nux/1768000000000-a1b2c3``; the ref is that below ``refs/polecat/rescue/``.
            message: what is being done, one line.
            base: commit id or full ref name of what the work is merged into; a commit that is part of it needs no rescue.
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
        """Return what a rescue holds beyond the commit it stands on: path to ``added``, ``changed`` or ``deleted``."""
        ...

    def drop_rescue(self, repo: Repo, rescue: Rescue) -> bool:
        """Delete the refs of a rescue; False if its ref is gone, or stands elsewhere by now. Then nothing is deleted."""
        ...


@runtime_checkable
class GitMoves(Protocol):
    """Moving a worktree. A repair needs it."""

    def move_worktree(self, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
        """Rename a worktree on its file system; branch, index and submodules go with it.

        Raises:
            GitError: it cannot be; it is where it was.
        """
        ...

    def finish_move(self, repo: Repo, path: Path) -> Worktree | None:
        """Finish a `move_worktree` to *path* that was killed half-way; return the worktree there, None if there is none."""
        ...


@runtime_checkable
class GitSpares(GitMoves, Protocol):
    """Turning a worktree that was made ahead of time into a polecat's. Warm spares need it; without it a spawn uses none."""

    def rebranch(self, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Put a worktree on a new branch and delete the branch it was on. Files and index stay: `Git.check_out` brings them to *start*.

        Args:
            repo: the repository.
            worktree: the worktree.
            branch: the new branch, which starts at *start* and tracks *upstream* of the remote.
            start: a commit id.
            upstream: as for `Git.add_worktree`.

        Raises:
            GitError: it cannot be; the worktree is as it was.
        """
        ...

    def is_pristine(self, worktree: Worktree) -> bool:
        """Return whether a worktree is exactly its commit: no file changed, none added. What cannot be told is False."""
        ...


@runtime_checkable
class GitRecovery(Protocol):
    """Clearing what killed commands left in a repository. Without it a reconcile leaves that alone."""

    def stale_registrations(self, repo: Repo) -> tuple[StaleRegistration, ...]:
        """List registrations whose directory is provably gone and that nobody is making right now. Reads only."""
        ...

    def drop_stale(self, repo: Repo, registration: StaleRegistration, *, into: Path) -> bool:
        """Move one stale registration out of the repository, if it still is stale.

        A commit that no ref holds, because that worktree had no branch, gets a rescue ref first.

        Raises:
            GitError: git said no; the registration is where it was.
        """
        ...

    def clear_half_made(self, repo: Repo, path: Path, *, into: Path) -> None:
        """Move what a killed `Git.add_worktree` or `Git.drop_worktree` left at *path*, and its registration, as `Git.drop_worktree` would.

        Nothing there is fine. The caller knows that nobody is making it.

        Raises:
            GitError: a whole worktree is there, or files that nobody can account for; nothing was touched.
        """
        ...


@runtime_checkable
class GitBranches(Protocol):
    """Which branches there are and whether anything depends on them. `clean_branches` and `detect_stale` need it; a list tells more with it."""

    def branches(self, repo: Repo, prefix: str) -> Mapping[str, str]:
        """Return the local branches whose name starts with *prefix*, and the commit each stands at."""
        ...

    def is_checked_out(self, repo: Repo, branch: str) -> bool:
        """Return whether a worktree has this branch checked out or is rebasing it."""
        ...

    def is_elsewhere(self, repo: Repo, commit: str) -> bool:
        """Return whether a commit is part of a remote-tracking branch or of a rescue, so that nothing is lost with a branch at it.

        Raises:
            GitError: git could not tell.
        """
        ...

    def standing(self, repo: Repo, head: str, ref: str) -> Standing | None:
        """Say how the commit *head* relates to the branch with the full name *ref*; None if that does not exist.

        Raises:
            GitError: it could not be told.
        """
        ...


@runtime_checkable
class GitClones(Protocol):
    """Making a rig's repository. `add_rig` needs it."""

    def clone_bare(self, url: str, path: Path, *, reference: Path | None = None, timeout_s: float) -> Repo:
        """Make a bare clone with remote-tracking branches at *path*, safe for many worktrees."""
        ...

    def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
        """Ask the remote which branch its HEAD is; None when it has no commit."""
        ...


@runtime_checkable
class GitSubmodules(Protocol):
    """Filling submodules. Without it a spawn leaves them empty and warns."""

    def fill_submodules(
        self, repo: Repo, worktree: Worktree, *, references: Sequence[Path] = (), lazy_lfs: bool = False, timeout_s: float
    ) -> tuple[str, ...]:
        """Fill the submodules of a worktree that has just been checked out; those that hold something already are left alone.

        Args:
            repo: the repository.
            worktree: the worktree.
            references: directories that hold repositories of submodules, by their names; what they have is not downloaded again.
            lazy_lfs: as for `Git.check_out`.
            timeout_s: how long all of them together may take.

        Returns:
            What could not be filled, each with why, one line; such a submodule stays empty.

        Raises:
            GitError: which submodules there are could not be told.
        """
        ...


@runtime_checkable
class GitIgnored(Protocol):
    """Telling which files a worktree ignores. Without it a spawn copies no ignored files and warns where a project lists some."""

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


@runtime_checkable
class GitLists(Protocol):
    """Finding many worktrees at once. Without it a list finds them one by one, which takes longer."""

    def find_worktrees(self, repo: Repo, paths: Iterable[Path]) -> Mapping[Path, Worktree]:
        """Prove which directories are worktrees of *repo*, as `Git.find_worktree` does. One of which it cannot be told is left out."""
        ...


@runtime_checkable
class GitCheckouts(Protocol):
    """Knowing people's own checkouts. `adopt_checkout` needs it, and `find_rig` in a checkout."""

    def checkout_at(self, place: Path) -> Checkout | None:
        """Find the checkout that a directory is in; None if it is in none."""
        ...

    def remember_rig(self, checkout: Path, *, town: Path, rig: str) -> None:
        """Write into a checkout's own configuration which rig it was adopted into.

        Raises:
            GitError: it cannot be written.
        """
        ...


GIT_EXTRAS: tuple[type, ...] = (
    GitRescues,
    GitMoves,
    GitSpares,
    GitRecovery,
    GitBranches,
    GitClones,
    GitSubmodules,
    GitIgnored,
    GitLists,
    GitCheckouts,
)
"""All of them."""
