"""Warm spares: worktrees made ahead of time, so that a spawn in a huge project only renames.

A spare is in ``polecats/.spare-<id>/<rig>``: as deep as a polecat's worktree, hidden from every list, on a branch of its own below
``polecat-spare/``. It takes disk and does not count as a polecat. Spares are made by the verb, or in the background after a spawn that
used one, never by a daemon. One that is dirty, damaged or unknown is thrown away, and the spawn makes a checkout.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from attrs import evolve, frozen

from polecat.adapters.processes.background import run_in_background
from polecat.adapters.world import FullWorld, full_world
from polecat.errors import PolecatError, publish
from polecat.model import FetchPolicy, Rig
from polecat.ports import GitRecovery, GitSpares, Worktree, World, needs
from polecat.town.homes import put_stand_in
from polecat.town.locks import git_lock, holding, spares_lock, try_take
from polecat.town.logs import log
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.observation import RigContext, check_disk, read_context
from polecat.upkeep.trash import delete_entry, keep_for_good, no_longer_kept, trash_dir, trashing
from polecat.upkeep.worktrees import Base, check_out, fetch_base, is_untouched, make_worktree, room_for

READY, DRAFT = ".spare-", ".warming-"
BRANCHES = "polecat-spare/"


@publish
@frozen(kw_only=True)
class Warmed:
    """What `warm_spares` did.

    Attributes:
        ready: how many spares there are now.
        made: how many of them are new.
        discarded: how many were thrown away.
        warnings: which of them for another reason than that they differed from their commit or were too many.
    """

    ready: int
    made: int = 0
    discarded: int = 0
    warnings: tuple[str, ...] = ()


def warm_spares(rig: Rig | str, count: int | None = None, *, world: World | None = None) -> Warmed:
    """Make a rig's spares, and bring those that exist to the remote's tip. One process at a time; a second one returns at once.

    Args:
        rig: the rig, or its name.
        count: how many there should be; None means the rig's setting ``warm_spares``. More than that are thrown away.
        world: as for `spawn_for_sling`.

    Returns:
        What was done.

    Raises:
        PolecatError: there should be fewer than 0, or more than the rig may have polecats.
        DiskFullError: less disk would be left than the settings ask for.
        GitError: there is nothing to make them from.
        UnsupportedError: the given git has no `GitSpares`.

    Examples:
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> warm_spares(rig, 2, world=world).ready
        2
    """
    rig = as_rig(rig)
    world = full_world(rig, world)
    _able(world)
    context = read_context(rig)
    wanted = min(context.settings.warm_spares, context.settings.max_polecats) if count is None else count
    if not 0 <= wanted <= context.settings.max_polecats:
        raise PolecatError(
            f"{wanted} spares are not between 0 and the {context.settings.max_polecats} polecats that rig {rig.name!r} may have",
            hint="ask for fewer, or raise max_polecats in the rig's settings",
        )
    lock = try_take(spares_lock(rig), what="fill the spares")
    if lock is None:
        return Warmed(ready=len(spare_dirs(rig)))
    with lock:
        return _fill(world, context, wanted)


def _able(world: FullWorld) -> GitSpares:
    return needs(world.git, GitSpares, "keep warm spares")


def _fill(world: FullWorld, context: RigContext, wanted: int) -> Warmed:
    for draft in context.rig.polecats_dir.glob(f"{DRAFT}*"):  # its maker is dead: we hold the lock
        _discard(world, context, draft)
    if wanted == 0 and not spare_dirs(context.rig):
        return Warmed(ready=0)
    base = fetch_base(world, context, context.rig.default_branch, FetchPolicy(timeout_s=context.settings.fetch_timeout_s))
    discarded, warnings = 0, []
    for spare in spare_dirs(context.rig):
        if len(spare_dirs(context.rig)) <= wanted:
            try:
                if _refresh(world, context, spare, base):
                    continue
            except PolecatError as error:
                warnings.append(f"a spare was thrown away: {error.message}")
        _discard(world, context, spare)
        discarded += 1
    missing = max(0, wanted - len(spare_dirs(context.rig)))
    for _ in range(missing):
        _make(world, context, base)
    return Warmed(ready=len(spare_dirs(context.rig)), made=missing, discarded=discarded, warnings=tuple(warnings))


def spare_dirs(rig: Rig) -> list[Path]:
    """List the spares."""
    return sorted(rig.polecats_dir.glob(f"{READY}*"))


def take_spare(world: FullWorld, context: RigContext, target: Path, *, branch: str, base: Base) -> Worktree | None:
    """Move a spare to *target* and put it on *branch* at the base; None if there is no usable one.

    The first process to rename it has it. It is checked before it is used: one that differs from its commit goes to the trash.

    Args:
        world: the world.
        context: the rig.
        target: where the worktree is to be.
        branch: its new branch.
        base: where that starts.
    """
    for spare in spare_dirs(context.rig):
        try:
            taken = _take(world, context, spare, target)
            if taken is None:
                continue
            if not _is_pristine(world, taken):
                _throw_away(world, context, taken)
                put_stand_in(context.rig, target)
                continue
            return _use(world, context, taken, branch, base)
        except PolecatError as error:
            log("warning", "spare_not_used", spare=spare.name, error=error.message)
            return None
    return None


def _is_pristine(world: FullWorld, worktree: Worktree) -> bool:
    """Say whether a spare is exactly its commit; what cannot be told is no, so that it does not stay in a polecat's place."""
    try:
        return _able(world).is_pristine(worktree)
    except PolecatError as error:
        log("warning", "spare_not_used", spare=worktree.path.parent.name, error=error.message)
        return False


def _take(world: FullWorld, context: RigContext, spare: Path, target: Path) -> Worktree | None:
    with room_for(context.rig, target), holding(git_lock(context.rig), what=f"take spare {spare.name}"):
        worktree = world.git.find_worktree(context.repo, spare / context.rig.name)
        if worktree is None or not (worktree.branch or "").startswith(BRANCHES):
            return None
        taken = _able(world).move_worktree(context.repo, worktree, target)
    with contextlib.suppress(OSError):
        spare.rmdir()
    return taken


def _use(world: FullWorld, context: RigContext, taken: Worktree, branch: str, base: Base) -> Worktree:
    try:
        with holding(git_lock(context.rig), what=f"put a spare on {branch}"):
            ours = _able(world).rebranch(context.repo, taken, branch=branch, start=base.commit, upstream=base.branch)
    except PolecatError:
        _throw_away(world, context, taken)
        raise
    return ours if taken.head != base.commit else evolve(ours, is_filled=True)


def _throw_away(world: FullWorld, context: RigContext, worktree: Worktree) -> None:
    """Move a spare to the trash; unless git proves that it holds no work, it is kept there, and its branch stays."""
    is_clean = is_untouched(world, context, worktree, at=worktree.head)
    into = trash_dir(context.rig) / f"spare-{secrets.token_hex(8)}"
    with trashing(into), holding(git_lock(context.rig), what="throw a spare away"):
        world.git.drop_worktree(context.repo, worktree, into=into)
        if is_clean and worktree.branch and worktree.head:
            world.git.delete_branch(context.repo, worktree.branch, expected=worktree.head)
    if is_clean:
        no_longer_kept(into)


def _make(world: FullWorld, context: RigContext, base: Base) -> None:
    rig, token = context.rig, secrets.token_hex(6)
    check_disk(world, context)
    draft = rig.polecats_dir / f"{DRAFT}{token}"
    draft.mkdir(parents=True)
    worktree = make_worktree(world, context, draft / rig.name, branch=f"{BRANCHES}{token}", base=base)
    check_out(world, context, worktree, for_later=True)
    ready = rig.polecats_dir / f"{READY}{token}"
    ready.mkdir()
    with holding(git_lock(rig), what="put a spare in place"):
        _able(world).move_worktree(context.repo, worktree, ready / rig.name)
    draft.rmdir()


def _refresh(world: FullWorld, context: RigContext, spare: Path, base: Base) -> bool:
    """Bring a spare to the tip; False if it is not usable.

    Raises:
        PolecatError: git failed.
    """
    worktree = world.git.find_worktree(context.repo, spare / context.rig.name)
    if worktree is None or not _able(world).is_pristine(worktree):
        return False
    if worktree.head == base.commit:
        return True
    branch = f"{BRANCHES}{secrets.token_hex(6)}"
    with holding(git_lock(context.rig), what="refresh a spare"):
        fresh = _able(world).rebranch(context.repo, worktree, branch=branch, start=base.commit, upstream=base.branch)
    check_out(world, context, fresh, for_later=True)
    return True


def _discard(world: FullWorld, context: RigContext, place: Path) -> None:
    worktree = world.git.find_worktree(context.repo, place / context.rig.name)
    if worktree is not None and (worktree.branch or "").startswith(BRANCHES):
        _throw_away(world, context, worktree)
    into = trash_dir(context.rig) / f"spare-{secrets.token_hex(8)}"
    with contextlib.suppress(PolecatError), trashing(into), holding(git_lock(context.rig), what="clear a spare"):
        needs(world.git, GitRecovery, "clear a spare").clear_half_made(context.repo, place / context.rig.name, into=into)
    delete_entry(into)
    with contextlib.suppress(OSError):
        place.rmdir()
    if place.exists():  # it holds something unknown: kept, out of the way
        place.rename(keep_for_good(trash_dir(context.rig) / f"{place.name.lstrip('.')}.kept"))


def refill_in_background(rig: Rig, environ: Mapping[str, str]) -> None:
    """Replace a spare that was used, in a background process with low priority; returns at once.

    Makes as many as the rig's setting ``warm_spares`` says.
    """
    if read_context(rig).settings.warm_spares == 0:
        return
    run_in_background(
        [sys.executable, "-m", "polecat", "warm", rig.name, "--town", os.fspath(rig.town_root)],
        environ=environ,
        log_path=rig.runtime_dir / "logs" / "warm.log",
    )
