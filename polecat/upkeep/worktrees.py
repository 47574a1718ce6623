"""Worktrees of polecats: the commit they start from, making them, discarding them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.plan import Choice
from polecat.errors import GitError, PolecatError, ProgramTimeoutError
from polecat.model import FetchPolicy, Rig
from polecat.names import ago, shell_line
from polecat.place.gas_town_files import work_facts
from polecat.place.prepare import Place, leave_place, prepare_place
from polecat.place.provision import provision
from polecat.ports import PendingFetch, Worktree, World
from polecat.town.homes import clear_stand_in
from polecat.town.locks import HeldLock, fetch_lock, git_lock, holding, pool_lock, take, try_take
from polecat.town.records import Record
from polecat.upkeep.observation import Observation, RigContext, fetch_policy, read_context
from polecat.upkeep.trash import delete_entry, trash_entry, trashing
from polecat.upkeep.undo import Undo

# ----------------------------------------------------------------------------------------------------------- the base


@frozen(kw_only=True)
class Base:
    """What new work starts from.

    Attributes:
        branch: the remote's branch.
        commit: its tip, as far as we know.
        age_s: seconds since the last fetch; None if there never was one.
        warning: why the tip may be outdated; empty if it is not.
    """

    branch: str
    commit: str
    age_s: float | None
    warning: str = ""


class SharedFetch:
    """A fetch that runs in parallel with other work. One at a time per rig; a second process uses the first one's result.

    Args:
        world: the world.
        context: the rig.
        policy: whether to fetch at all, and for how long.
    """

    def __init__(self, world: FullWorld, context: RigContext, policy: FetchPolicy) -> None:
        self._git, self._clock = world.git, world.clock
        self._context, self._policy = context, policy
        self._asked_s = world.clock.monotonic_s()
        self._mutex = threading.Lock()
        self._lock: HeldLock | None = None
        self._pending: PendingFetch | None = None
        self._failure: str | None = None if self._is_wanted() else ""
        if self._failure is None:
            self._lock = try_take(fetch_lock(context.rig), what="fetch")
            if self._lock is not None:
                self._pending = self._git.start_fetch(context.repo, timeout_s=policy.timeout_s)

    def _is_wanted(self) -> bool:
        if self._policy.when != "if-older-than":
            return self._policy.when == "always"
        age_s = self._git.last_fetch_age_s(self._context.repo)
        return age_s is None or age_s > self._policy.max_age_s

    def failure(self) -> str:
        """Wait for the fetch, once for all who ask. Returns why it failed; empty when it succeeded or was not wanted."""
        with self._mutex:
            if self._failure is None:
                self._failure = self._finish()
            return self._failure

    def _finish(self) -> str:
        try:
            if self._pending is not None:
                self._pending.wait()
            else:
                self._use_the_other()
        except (GitError, ProgramTimeoutError) as error:
            return error.message
        finally:
            self.close()
        return ""

    def _use_the_other(self) -> None:
        rig, repo, timeout_s = self._context.rig, self._context.repo, self._policy.timeout_s
        self._lock = take(fetch_lock(rig), what="fetch", timeout_s=timeout_s)
        age_s = self._git.last_fetch_age_s(repo)
        if age_s is None or age_s > self._clock.monotonic_s() - self._asked_s:
            self._git.start_fetch(repo, timeout_s=timeout_s).wait()

    def close(self) -> None:
        """Release the lock; a fetch that was not waited for is ended."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def find_base(world: FullWorld, context: RigContext, branch: str, *, failure: str) -> Base:
    """Find the commit that new work on the remote's *branch* starts from.

    Args:
        world: the world.
        context: the rig.
        branch: the remote's branch, without ``origin/``.
        failure: why the remote could not be asked; empty when it was.

    Raises:
        GitError: there is no such commit.
    """
    commit = world.git.resolve(context.repo, f"refs/remotes/origin/{branch}")
    age_s = world.git.last_fetch_age_s(context.repo)
    if commit is not None:
        return Base(branch=branch, commit=commit, age_s=age_s, warning=_stale(failure, age_s) if failure else "")
    known, at = world.git.remote_branches(context.repo), shell_line(context.repo.path)
    if failure:
        raise GitError(
            f"the remote of rig {context.rig.name!r} cannot be reached and nothing of it is here: {failure}",
            hint=f"check the remote's address and your access: git -C {at} remote -v; git -C {at} fetch origin",
        )
    listed = f"; it has {', '.join(known[:8])}" if known else ""
    raise GitError(
        f"the remote of rig {context.rig.name!r} has no branch {branch!r}{listed}",
        hint="name one that exists with --base-branch, or set default_branch in the rig's config.json"
        if known
        else f"push a first commit, or add a remote: git -C {at} remote add origin URL",
    )


def fetch_base(world: FullWorld, context: RigContext, branch: str, policy: FetchPolicy) -> Base:
    """Fetch, then find the commit that new work on the remote's *branch* starts from. Errors as `find_base`."""
    with closing(SharedFetch(world, context, policy)) as fetch:
        return find_base(world, context, branch, failure=fetch.failure())


def fetch_now(rig: Rig, world: World | None = None) -> bool:
    """Ask the remote what it has; say whether it answered."""
    full, context = full_world(rig, world), read_context(rig)
    with closing(SharedFetch(full, context, evolve(fetch_policy(context.settings), when="always"))) as fetch:
        return not fetch.failure()


def _stale(failure: str, age_s: float | None) -> str:
    age = "unknown age" if age_s is None else f"{ago(age_s)} old"
    return f"the remote could not be reached ({failure}); starting from what was fetched before ({age})"


# ------------------------------------------------------------------------------------------------ making, taking away


@contextmanager
def room_for(rig: Rig, path: Path) -> Iterator[None]:
    """Make way for a worktree. Where Gas Town of today deletes homes without one, under the pool's lock, that is held meanwhile."""
    with ExitStack() as held:
        if rig.gastown.is_today:
            held.enter_context(holding(pool_lock(rig), what=f"put a worktree at {path}"))
            clear_stand_in(path)
        yield


def make_worktree(world: FullWorld, context: RigContext, path: Path, *, branch: str, base: Base) -> Worktree:
    """Register a worktree, files not yet checked out. Only this part runs under the repository's lock.

    Raises:
        GitError: it cannot be made; nothing is left behind.
    """
    with room_for(context.rig, path), holding(git_lock(context.rig), what=f"add worktree {branch}"):
        return world.git.add_worktree(context.repo, path, branch=branch, start=base.commit, upstream=base.branch)


def check_out(world: FullWorld, context: RigContext, worktree: Worktree, *, for_later: bool = False) -> None:
    """Fill a worktree with its files, as the rig's settings say."""
    settings = context.settings
    world.git.check_out(worktree, leave_out=settings.leave_out, lazy_lfs=settings.place.is_lfs_lazy, for_later=for_later)


def prepare_worktree(
    world: FullWorld,
    context: RigContext,
    choice: Choice,
    path: Path,
    *,
    stands_at: Path | None = None,
    undo: Undo | None = None,
) -> Place:
    """Put into a worktree what an agent needs beyond the checkout; the same for a spawn and a repair.

    Args:
        world: the world.
        context: the rig.
        choice: the agent that will work there, and its account.
        path: the worktree.
        stands_at: where it will stand, if it is not there yet.
        undo: gets the undo of what outlives the worktree.

    Returns:
        The place, with all warnings.

    Raises:
        PolecatError: agents would work against the wrong beads, or without their hooks.
    """
    rig, settings, agent, stands_at = context.rig, context.settings, choice.agent, stands_at or path
    place = prepare_place(rig, stands_at, agent, settings=settings, config_dir=choice.config_dir, environ=world.environ)
    if undo is not None and place.trusted_as:
        undo.add("trust", lambda: leave_place(rig, stands_at.parent.name))
    warnings = provision(
        rig,
        path,
        repo=context.repo,
        settings=settings,
        agent=agent,
        environ=world.environ,
        has_gt=choice.has_gt,
        stands_at=stands_at,
        git=world.git,
        variables=place.variables,
    )
    return evolve(place, warnings=(*place.warnings, *warnings))


def discard_worktree(
    world: FullWorld, observed: Observation, worktree: Worktree, record: Record, *, was_used: bool
) -> str | None:
    """Remove a worktree that this operation made, and its branch if that has no new commit.

    Args:
        world: the world.
        observed: the rig.
        worktree: what was made.
        record: the claim it was made under.
        was_used: an agent ran in it, so its files are deleted only if they hold no work.

    Returns:
        What stays because it is work; None if nothing does.
    """
    is_clean = not was_used or is_untouched(world, observed, worktree, at=record.base_commit)
    into = trash_entry(observed.rig, record)
    with trashing(into), holding(git_lock(observed.rig), what=f"drop worktree of {record.polecat}"):
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


def is_untouched(world: FullWorld, context: RigContext, worktree: Worktree, *, at: str | None) -> bool:
    """Say whether a worktree is at a commit and holds no work; a check that fails counts as no."""
    try:
        facts = work_facts(world.git, context.rig, context.repo, worktree)
    except PolecatError:
        return False
    return facts.is_clean and facts.head == at
