"""Worktrees of polecats: what they are based on, making them, taking them away without losing work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from polecat.adapters.world import FullWorld
from polecat.errors import GitError, PolecatError, ProgramTimeoutError
from polecat.model import FetchPolicy
from polecat.ports import Git, PendingFetch, Worktree
from polecat.town.locks import HeldLock, fetch_lock, git_lock, holding, take, try_take
from polecat.town.records import Record
from polecat.upkeep.observation import Observation, RigContext
from polecat.upkeep.trash import delete_entry, taking_in, trash_entry

# ----------------------------------------------------------------------------------------------------------- the base


@frozen(kw_only=True)
class Base:
    """What new work starts from.

    Attributes:
        branch: the remote's branch.
        commit: its tip, as far as we know.
        age_s: how old that knowledge is; None when we never fetched.
        warning: why it may be old; empty when it is fresh.
    """

    branch: str
    commit: str
    age_s: float | None
    warning: str = ""


class SharedFetch:
    """A fetch that runs beside other work. One at a time per rig; whoever comes second uses the first one's result."""

    def __init__(self, world: FullWorld, observed: RigContext, policy: FetchPolicy) -> None:
        self._git: Git = world.git
        self._site = observed
        self._policy = policy
        self._clock = world.clock
        self._asked_s = world.clock.monotonic_s()
        self._lock: HeldLock | None = None
        self._pending: PendingFetch | None = None
        self._mutex = threading.Lock()
        self._trouble: str | None = None
        self._wanted = self._is_wanted()
        if self._wanted:
            self._lock = try_take(fetch_lock(observed.rig), what="fetch")
            if self._lock is not None:
                self._pending = self._git.start_fetch(observed.repo, timeout_s=policy.timeout_s)

    def _is_wanted(self) -> bool:
        if self._policy.when != "if-older-than":
            return self._policy.when == "always"
        age_s = self._git.last_fetch_age_s(self._site.repo)
        return age_s is None or age_s > self._policy.max_age_s

    def failure(self) -> str:
        """Wait for the news, once for all who ask. Returns why there are none; empty when there are."""
        with self._mutex:
            if self._trouble is None:
                self._trouble = self._finish() if self._wanted else ""
            return self._trouble

    def _finish(self) -> str:
        try:
            if self._pending is not None:
                self._pending.wait()
            else:
                self._after_the_other()
        except (GitError, ProgramTimeoutError) as error:
            return error.message
        finally:
            self.close()
        return ""

    def _after_the_other(self) -> None:
        timeout_s = self._policy.timeout_s
        self._lock = take(fetch_lock(self._site.rig), what="fetch", timeout_s=timeout_s)
        age_s = self._git.last_fetch_age_s(self._site.repo)
        if age_s is None or age_s > self._clock.monotonic_s() - self._asked_s:
            self._git.start_fetch(self._site.repo, timeout_s=timeout_s).wait()

    def close(self) -> None:
        """Let go of the lock; a fetch that was not waited for is ended."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


@contextmanager
def fetching(world: FullWorld, observed: RigContext, policy: FetchPolicy) -> Iterator[SharedFetch]:
    """Run a fetch beside the body of a ``with`` block."""
    one = SharedFetch(world, observed, policy)
    try:
        yield one
    finally:
        one.close()


def find_base(world: FullWorld, observed: RigContext, branch: str, *, failure: str) -> Base:
    """Find the commit that new work on the remote's *branch* starts from.

    Args:
        world: the outside.
        site: the rig.
        branch: the remote's branch, without ``origin/``.
        trouble: why the remote could not be asked; empty when it was.

    Raises:
        GitError: there is nothing to start from.
    """
    commit = world.git.resolve(observed.repo, f"refs/remotes/origin/{branch}")
    age_s = world.git.last_fetch_age_s(observed.repo)
    if commit is not None:
        return Base(branch=branch, commit=commit, age_s=age_s, warning=_stale(failure, age_s) if failure else "")
    known = world.git.remote_branches(observed.repo)
    if failure:
        raise GitError(
            f"the remote of rig {observed.rig.name!r} cannot be reached and nothing of it is here: {failure}",
            hint="check the remote's address and your access: "
            f"git -C {observed.repo.path} remote -v; git -C {observed.repo.path} fetch origin",
        )
    listed = f"; it has {', '.join(known[:8])}" if known else ""
    raise GitError(
        f"the remote of rig {observed.rig.name!r} has no branch {branch!r}{listed}",
        hint="name one that exists with --base-branch, or set default_branch in the rig's config.json"
        if known
        else f"push a first commit, or add a remote: git -C {observed.repo.path} remote add origin URL",
    )


def _stale(failure: str, age_s: float | None) -> str:
    age = "unknown age" if age_s is None else f"{_ago(age_s)} old"
    return f"the remote could not be reached ({failure}); starting from what was fetched before ({age})"


def _ago(seconds: float) -> str:
    """A duration for people.

    Examples:
        >>> _ago(4), _ago(200), _ago(8000), _ago(200000)
        ('4 s', '3 min', '2 h', '2 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds)} s"


# ------------------------------------------------------------------------------------------------ making, taking away


def make_worktree(world: FullWorld, observed: RigContext, path: Path, *, branch: str, base: Base) -> Worktree:
    """Register a worktree, files not yet checked out. Only this part runs under the repository's lock.

    Raises:
        GitError: it cannot be made; nothing is left behind.
    """
    with holding(git_lock(observed.rig), what=f"add worktree {branch}"):
        return world.git.add_worktree(observed.repo, path, branch=branch, start=base.commit, upstream=base.branch)


def discard_worktree(
    world: FullWorld, observed: Observation, worktree: Worktree, record: Record, *, was_used: bool
) -> str | None:
    """Take back a worktree this attempt made, and its branch if it stands where it started.

    Args:
        world: the outside.
        site: the rig.
        worktree: what was made.
        claim: the attempt.
        was_used: an agent ran in it; then its files are deleted only if they hold no work.

    Returns:
        What stays behind because it is work; None when nothing does.
    """
    is_clean = not was_used or _is_untouched(world, observed, worktree, record)
    into = trash_entry(observed.rig, record)
    with taking_in(into), holding(git_lock(observed.rig), what=f"drop worktree of {record.polecat}"):
        world.git.drop_worktree(observed.repo, worktree, into=into)
        is_gone = world.git.delete_branch(observed.repo, record.branch, expected=record.base_commit)
    stays = []
    if is_clean:
        delete_entry(into)
    else:
        stays.append(f"the agent's changes, kept in {into}")
    if not is_gone and world.git.resolve(observed.repo, f"refs/heads/{record.branch}") is not None:
        stays.append(f"branch {record.branch}, which has new commits")
    return "; ".join(stays) or None


def _is_untouched(world: FullWorld, observed: Observation, worktree: Worktree, record: Record) -> bool:
    """Nothing in the worktree would be lost; a check that fails says no."""
    try:
        facts = world.git.facts(observed.repo, worktree)
    except PolecatError:
        return False
    return facts.is_clean and facts.head == record.base_commit
