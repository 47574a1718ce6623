"""Making names, sessions and directories agree again, with proof for everything that is ended or removed.

A session is ended only if it is provably an orphan: its name and its own environment say that it is a polecat of this rig, the rig
and its ``polecats/`` were listed, there is no home of that name, and nobody is just making or removing one (the polecat's lock is
free). A home is removed only if it is an abandoned claim or an empty shell. Everything that cannot be told is left alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.pool import Reconciliation, reconcile_pool_with
from polecat.errors import BeadsError, PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.ports import Event, Session, StaleRegistration, World
from polecat.town.locks import git_lock, holding, polecat_lock, pool_lock, try_take
from polecat.town.state import (
    CLAIM_FILE,
    Homes,
    Record,
    drafts,
    drop_draft,
    files_in_homes,
    forget,
    had_polecats,
    list_homes,
    lost_records,
    read_claim,
)
from polecat.upkeep.observation import Observation, as_rig, observe
from polecat.upkeep.recovery import adopt, agent_lives, recover
from polecat.upkeep.termination import end_session
from polecat.upkeep.trash import empty_trash, trash_dir

GRACE_S = 300.0
"""How old an empty home must be before it counts as abandoned. The reference makes a home before its worktree, without a lock."""


@frozen(kw_only=True)
class ReconcilePlan:
    """What a reconcile does, as a value. The dry run prints it; the real run does it and nothing else.

    Attributes:
        in_use: the names that are taken.
        orphans: name → the session to end.
        dead_claims: claims whose claimant is dead, and whose agent does not live: to be taken back.
        living_claims: claims whose claimant is dead, though the agent lives: to be kept.
        shells: names whose home is empty and old.
        stale: registrations to be dropped.
        records: names we remember though Gas Town removed them.
        drafts: claims and records that were never published.
        kept: what is left alone, and why.
    """

    in_use: frozenset[str]
    orphans: Mapping[str, Session] = field(factory=dict)
    dead_claims: tuple[Record, ...] = ()
    living_claims: tuple[Record, ...] = ()
    shells: tuple[str, ...] = ()
    stale: tuple[StaleRegistration, ...] = ()
    records: tuple[str, ...] = ()
    drafts: tuple[Path, ...] = ()
    kept: tuple[str, ...] = ()

    def summary(self) -> Reconciliation:
        """The plan as names."""
        return Reconciliation(
            in_use=self.in_use,
            orphans=tuple(sorted(self.orphans)),
            recovered=tuple(record.polecat for record in self.dead_claims),
            adopted=tuple(record.polecat for record in self.living_claims),
            emptied=self.shells,
            stale=tuple(_named(one) for one in self.stale),
            forgotten=(*self.records, *(str(draft) for draft in self.drafts)),
            kept=self.kept,
        )


def reconcile_pool(
    rig: Rig | str,
    *,
    world: World | None = None,
    dry_run: bool = False,
) -> Reconciliation:
    """Make a rig's names, sessions and directories agree: end orphan sessions, take dead claims back, drop stale registrations.

    Costs one tmux call and at most three git calls, however many polecats there are. Doing it twice changes nothing.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The names in use, and what was done (or would be).

    Raises:
        UnknownStateError: the picture is incomplete, so nothing was ended or removed.
        TmuxUnreachableError: likewise.

    Examples:
        >>> from attrs import evolve
        >>> from polecat.testing import FakeTmux, example_world
        >>> rig, world = example_world()
        >>> tmux = FakeTmux(sessions=["gt-gastown-furiosa", "gt-gastown-witness"])
        >>> reconcile_pool(rig, world=evolve(world, tmux=tmux)).orphans
        ('furiosa',)
        >>> tmux.sessions()
        ['gt-gastown-witness']

    Source:
        Contract §5; design §5; incidents T-24, T-25.
    """
    rig = as_rig(rig)
    world = full_world(rig, world)
    observed = observe(world, rig)
    with holding(pool_lock(rig), what="reconcile"):
        plan = plan_reconcile(world, observed)
    return plan.summary() if dry_run else _carry_out(world, observed, plan)


def plan_reconcile(world: FullWorld, observed: Observation) -> ReconcilePlan:
    """Decide what a reconcile does; touches nothing but tries locks. The caller holds the pool lock."""
    rig = observed.rig
    homes = list_homes(rig)  # after the sessions: a home made meanwhile gives its session an owner
    _check_picture(observed, homes)
    known = reconcile_pool_with(sessions=observed.sessions.own, dirs=homes.taken)
    orphans, kept = _orphans(observed, known)
    inside = files_in_homes(rig, homes.dirs)
    dead, living, troubles = _claims(world, observed, homes, inside)
    claimed = {record.polecat for record in (*dead, *living)}
    suspects = [name for name, files in inside.items() if not files and name not in claimed]
    shells = tuple(name for name in _without_worktree(rig, suspects) if _is_shell(world, rig, name))
    freed = {record.polecat for record in dead} | set(shells)
    return ReconcilePlan(
        in_use=known.in_use - freed,
        orphans=orphans,
        dead_claims=dead,
        living_claims=living,
        shells=shells,
        stale=world.git.stale_registrations(observed.repo),
        records=lost_records(rig, homes),
        drafts=drafts(rig, inside, is_free=lambda name: not _is_busy(rig, name)),
        kept=(*kept, *troubles),
    )


def _check_picture(observed: Observation, homes: Homes) -> None:
    if not homes.exists and (observed.sessions.own or had_polecats(observed.rig)):
        raise UnknownStateError(
            f"{observed.rig.polecats_dir} is missing, though this rig has had polecats; nothing was ended or removed",
            hint=f"is its disk mounted? If it really is gone: mkdir {observed.rig.polecats_dir}",
        )


def _orphans(observed: Observation, known: Reconciliation) -> tuple[dict[str, Session], tuple[str, ...]]:
    orphans: dict[str, Session] = {}
    kept: list[str] = []
    for name in known.orphans:
        if _is_busy(observed.rig, name):
            kept.append(f"session {observed.sessions.own[name].name}: somebody is just making or removing {name}")
        else:
            orphans[name] = observed.sessions.own[name]
    return orphans, tuple(kept)


def _claims(
    world: FullWorld, observed: Observation, homes: Homes, inside: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Record, ...], tuple[Record, ...], tuple[str, ...]]:
    dead: list[Record] = []
    living: list[Record] = []
    troubles: list[str] = []
    for name in homes.dirs:
        if CLAIM_FILE not in inside.get(name, (CLAIM_FILE,)):
            continue
        try:
            claim = read_claim(observed.rig, name)
            if claim is not None and not _is_busy(observed.rig, name):
                (living if agent_lives(world, observed, claim) else dead).append(claim)
        except (UnknownStateError, BeadsError) as error:
            troubles.append(error.message)
    return tuple(dead), tuple(living), tuple(troubles)


def _is_busy(rig: Rig, name: str) -> bool:
    """Somebody holds the polecat's lock."""
    path = polecat_lock(rig, name)
    if not path.exists():
        return False
    lock = try_take(path, what="look whether it is free")
    if lock is None:
        return True
    lock.release()
    return False


def _without_worktree(rig: Rig, names: Iterable[str]) -> list[str]:
    """Leave out, at a glance, what is true of nearly all homes: there is a worktree in it."""
    top = os.fspath(rig.polecats_dir)
    return [name for name in names if not os.path.lexists(f"{top}/{name}/{rig.name}/.git")]


def _is_shell(world: FullWorld, rig: Rig, name: str) -> bool:
    """A home without a file in it, old enough to be nobody's work in progress."""
    home = rig.home_dir(name)
    try:
        is_old = world.clock.now().timestamp() - home.stat().st_mtime > GRACE_S
        return is_old and not any(files for _, _, files in os.walk(home, onerror=_raise)) and not _is_busy(rig, name)
    except OSError:
        return False


def _raise(error: OSError) -> None:
    raise error


# ------------------------------------------------------------------------------------------------------- acting


def _carry_out(world: FullWorld, observed: Observation, plan: ReconcilePlan) -> Reconciliation:
    """Do it, each polecat under its own lock only: ending a session may take seconds, and spawns must not wait for it."""
    kept = list(plan.kept)
    ended = _end_orphans(world, observed.rig, plan, kept)
    adopted = _claims_one_by_one(world, observed, plan.living_claims, adopt, "claim_adopted", kept)
    recovered = _claims_one_by_one(world, observed, plan.dead_claims, recover, "claim_recovered", kept)
    emptied = _remove_shells(world, observed.rig, plan, kept)
    stale = _drop_stale(world, observed, plan.stale, kept)
    forgotten = _forget(observed.rig, plan, kept)
    empty_trash(observed.rig)
    return Reconciliation(
        in_use=plan.in_use,
        orphans=ended,
        adopted=adopted,
        recovered=recovered,
        emptied=emptied,
        stale=stale,
        forgotten=forgotten,
        kept=tuple(kept),
    )


def _end_orphans(world: FullWorld, rig: Rig, plan: ReconcilePlan, kept: list[str]) -> tuple[str, ...]:
    ended: list[str] = []
    for name, session in plan.orphans.items():
        with _noting(kept, f"session {session.name}"), _owning(rig, name):
            end_session(world, session)  # by its id: one that has this name by now is another
            ended.append(name)
            _tell(world, rig, "orphan_ended", name, session.instance, session=session.name)
    return tuple(sorted(ended))


def _claims_one_by_one(
    world: FullWorld,
    observed: Observation,
    claims: Sequence[Record],
    do: Callable[[FullWorld, Observation, Record], None],
    event: str,
    kept: list[str],
) -> tuple[str, ...]:
    done: list[str] = []
    for record in claims:
        with _noting(kept, f"claim of {record.polecat}"), _owning(observed.rig, record.polecat):
            if _still_claimed(observed.rig, record):
                do(world, observed, record)
                done.append(record.polecat)
                _tell(world, observed.rig, event, record.polecat, record.instance)
    return tuple(done)


def _remove_shells(world: FullWorld, rig: Rig, plan: ReconcilePlan, kept: list[str]) -> tuple[str, ...]:
    emptied: list[str] = []
    for name in plan.shells:
        with _noting(kept, f"home of {name}"), _owning(rig, name):
            for directory, _, _ in os.walk(rig.home_dir(name), topdown=False):
                os.rmdir(directory)
            emptied.append(name)
            _tell(world, rig, "empty_home_removed", name, "")
    return tuple(emptied)


def _forget(rig: Rig, plan: ReconcilePlan, kept: list[str]) -> tuple[str, ...]:
    forgotten: list[str] = []
    for name in plan.records:
        with _noting(kept, f"record of {name}"), _owning(rig, name):
            forget(rig, name)
            forgotten.append(name)
    for draft in plan.drafts:
        with _noting(kept, str(draft)):
            drop_draft(draft)
            forgotten.append(str(draft))
    return tuple(forgotten)


def _still_claimed(rig: Rig, record: Record) -> bool:
    """The claim is the one we planned for; somebody may have been quicker."""
    claim = read_claim(rig, record.polecat)
    return claim is not None and claim.instance == record.instance


def _named(stale: StaleRegistration) -> str:
    return str(stale.path or stale.admin_dir)


def _drop_stale(
    world: FullWorld, observed: Observation, stale: tuple[StaleRegistration, ...], kept: list[str]
) -> tuple[str, ...]:
    if not stale:
        return ()
    dropped = []
    into = trash_dir(observed.rig)
    into.mkdir(parents=True, exist_ok=True)
    with _noting(kept, "worktree registrations"), holding(git_lock(observed.rig), what="drop stale registrations"):
        for number, one in enumerate(stale):
            world.git.drop_stale(observed.repo, one, into=into / f"stale-{int(time.time())}-{number}.admin")
            dropped.append(_named(one))
    return tuple(dropped)


@contextmanager
def _owning(rig: Rig, name: str) -> Iterator[None]:
    lock = try_take(polecat_lock(rig, name), what=f"reconcile {name}")
    if lock is None:
        raise UnknownStateError("somebody is just making or removing it")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _noting(kept: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except (PolecatError, OSError) as error:
        kept.append(f"{what}: {getattr(error, 'message', None) or error}")


def _tell(world: FullWorld, rig: Rig, event: str, name: str, instance: str, **facts: object) -> None:
    world.emit(Event(name=event, rig=rig.name, polecat=name, instance=instance, facts=facts))
