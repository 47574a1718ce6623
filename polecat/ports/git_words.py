"""The values that the port to git speaks in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import field, frozen

from polecat.model import WorkStatus


@frozen(kw_only=True)
class Repo:
    """The repository whose worktrees the polecats of a rig work in.

    ``path`` is the bare ``.repo.git``, or a clone (``mayor/rig``) in rigs of the old architecture.
    """

    path: Path
    is_bare: bool = True

    @property
    def git_dir(self) -> Path:
        """Where git keeps refs, configuration and worktree registrations."""
        return self.path if self.is_bare else self.path / ".git"


@frozen(kw_only=True)
class Worktree:
    """A registered worktree, proved by reading its files.

    Attributes:
        path: its directory.
        admin_dir: the directory in the repository that git keeps about it.
        branch: the branch checked out; None when detached.
        head: the commit id, or None when the branch has no commit yet.
        is_filled: its files are known to be those of *head*, so that it need not be checked out.
    """

    path: Path
    admin_dir: Path
    branch: str | None = None
    head: str | None = None
    is_filled: bool = field(default=False, eq=False)


@frozen(kw_only=True)
class Checkout:
    """A person's own checkout of a project.

    Attributes:
        path: its top directory.
        url: where it comes from, as its ``origin`` says; empty for nowhere.
        branch: the branch checked out; empty when detached.
        town: the town of the rig it was adopted into; None if it was not.
        rig: that rig's name.
    """

    path: Path
    url: str = ""
    branch: str = ""
    town: Path | None = None
    rig: str = ""


@frozen(kw_only=True)
class StaleRegistration:
    """A registration in the repository whose directory is gone."""

    admin_dir: Path
    path: Path | None
    reason: str


Merged = Literal["ancestor", "same changes", "no", "unknown"]


@frozen(kw_only=True)
class Standing:
    """How a commit relates to a branch.

    Attributes:
        ahead: how many commits it has that the branch lacks.
        behind: how many commits the branch has that it lacks.
        merged: whether the branch has what it has: it is an ancestor; its changes are all there (squash merge); not; or unknown.
    """

    ahead: int = 0
    behind: int = 0
    merged: Merged = "unknown"


@frozen(kw_only=True)
class GitFacts:
    """What of a worktree's work exists nowhere else, as git and the disk tell it. Paths are relative to the worktree.

    Attributes:
        head: the commit it stands at; None when its branch has no commit yet.
        branch: its branch, during a rebase the one that is rebased; None when detached.
        is_detached: HEAD is no branch.
        modified: tracked files that differ from the index.
        staged: tracked files whose index entry differs from the commit, renamed ones left out.
        renamed: tracked files whose index entry is a renamed one, by their new path.
        conflicted: files in conflict.
        untracked: files git does not know.
        ignored: files and directories (with ``/``) that ignore rules hide; counted as no work.
        hidden: changed files that git was told not to look at (assume-unchanged, skip-worktree).
        stashes: commits of the stashes made on this branch.
        unpushed: how many commits are on no remote-tracking branch.
        merged: how the commit relates to the base: it is an ancestor; its changes are all there (squash merge); neither; or unknown
            (no base was given, or git could not tell).
        in_progress: what was begun: ``merge``, ``rebase``, ``cherry-pick``, ``revert``, ``bisect``, ``am``, or ``index.lock``, which
            means that something writes right now or died while it did.
        submodules: submodules with changes, or with commits that are on no remote of theirs, each with what it is.
        nested: repositories and linked worktrees inside the worktree, at any depth, that are no submodules.
        abandoned: commits that were left by a reset or a checkout and that no ref reaches; no work, and saved all the same.
        locked: why somebody locked the worktree with ``git worktree lock``; empty for not at all.
        problems: what could not be found out. While there is any, nothing else here proves that no work is at risk.
    """

    head: str | None = None
    branch: str | None = None
    is_detached: bool = False
    modified: tuple[str, ...] = ()
    staged: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    stashes: tuple[str, ...] = ()
    unpushed: int = 0
    merged: Merged = "unknown"
    in_progress: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    locked: str = ""
    problems: tuple[str, ...] = ()

    @property
    def changed(self) -> tuple[str, ...]:
        """Tracked files that differ from the commit in any way, each once."""
        return tuple(sorted({*self.modified, *self.staged, *self.renamed, *self.conflicted, *self.hidden}))

    def status(self) -> WorkStatus:
        """The same, counted."""
        return WorkStatus(
            modified=len(self.changed) + len(self.submodules),
            untracked=len(self.untracked) + len(self.nested),
            stashes=len(self.stashes),
            unpushed=self.unpushed,
        )

    @property
    def is_clean(self) -> bool:
        """Proved: nothing would be lost. Ignored files count as nothing."""
        return self.status().is_clean and not self.in_progress and not self.problems


RESCUE_REFS = "refs/polecat/rescue/"
"""Where rescues are kept: outside ``refs/heads`` so that no branch collides and no ordinary push sends them; a ref, so that no
garbage collection takes them."""


@frozen(kw_only=True)
class Rescue:
    """Work that was saved before it was destroyed.

    Attributes:
        ref: the ref that holds it, below ``refs/polecat/rescue/``.
        commit: the commit there: the files as they were, its parent the commit they were based on.
        message: what was being done.
        created_at_s: when, Unix seconds.
        refs: every ref of this rescue: this one, and below ``<ref>.sub/`` those of submodules and nested repositories.
        holds: what makes it worth keeping: ``files`` beyond the commit it stands on; else ``commits`` that are on no remote-tracking
            branch; or nothing of the kind: a mere ``tip``, kept in case a remote's branch goes away.
    """

    ref: str
    commit: str
    message: str
    created_at_s: int
    refs: tuple[str, ...] = ()
    holds: Literal["files", "commits", "tip"] = "files"
