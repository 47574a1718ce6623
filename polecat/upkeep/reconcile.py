"""Making names, sessions and directories agree again, with proof for everything that is ended or removed.

A session is ended only if it is provably an orphan: its name and its own environment say that it is a polecat of this rig, the rig
and its ``polecats/`` were listed, there is no home of that name, it does not work in another one, and nobody is making or removing
one (the polecat's lock is free).
A home is removed only if its claim is abandoned or if it is empty. What is unknown is left alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.pool import Reconciliation, reconcile_pool_with
from polecat.core.sessions import index_sessions, may_be_ended
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Rig
from polecat.ports import Event, GitRecovery, Session, StaleRegistration, World, needs, optional
from polecat.town.files import why_not
from polecat.town.guarded import fail
from polecat.town.homes import Homes, files_in_homes, list_homes
from polecat.town.locks import git_lock, holding, is_held, polecat_lock, pool_lock
from polecat.town.records import CLAIM_FILE, Record, drafts, drop_draft, forget, lost_records, read_claim
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.liveness import Look, renamed_homes
from polecat.upkeep.observation import Observation, check_homes, observe
from polecat.upkeep.recovery import adopt, agent_lives, left_something, recover
from polecat.upkeep.termination import end_session
from polecat.upkeep.trash import empty_trash, trash_dir

GRACE_S = 300.0
"""How old an empty home must be before it counts as abandoned. The reference makes a home before its worktree, without a lock."""


@frozen(kw_only=True)
class ReconcilePlan:
    """What a reconcile does, as a value. The dry run reports it; the real run does exactly that.

    Attributes:
        in_use: the names that are taken.
        orphans: name → the session to end.
        dead_claims: name → a claim whose claimant is dead, and its agent too without leaving anything: to be undone or finished.
        living_claims: name → a claim whose claimant is dead while its agent lives, or has left something: to be adopted.
        empty_homes: names whose home is empty and old.
        stale: registrations to be dropped.
        records: names with a record that Gas Town has removed.
        drafts: claims and records that were never published.
        kept: what is left alone, and why.
    """

    in_use: frozenset[str]
    orphans: Mapping[str, Session] = field(factory=dict)
    dead_claims: Mapping[str, Record] = field(factory=dict)
    living_claims: Mapping[str, Record] = field(factory=dict)
    empty_homes: tuple[str, ...] = ()
    stale: tuple[StaleRegistration, ...] = ()
    records: tuple[str, ...] = ()
    drafts: tuple[Path, ...] = ()
    kept: tuple[str, ...] = ()


def reconcile_pool(rig: Rig | str, *, world: World | None = None, dry_run: bool = False) -> Reconciliation:
    """Make a rig's names, sessions and directories agree: end orphan sessions, settle abandoned claims, drop stale registrations.

    Costs one tmux call and at most three git calls, however many polecats there are. Doing it twice changes nothing.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.
        dry_run: only say what would be done.

    Returns:
        The names in use, and what was done (or would be).

    Raises:
        UnknownStateError: ``polecats/`` cannot be listed; nothing was ended or removed.
        TmuxUnreachableError: the sessions cannot be listed; likewise.

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
    return _Reconcile(world=world, observed=observed, plan=plan, dry_run=dry_run, kept=list(plan.kept)).run()


def plan_reconcile(world: FullWorld, observed: Observation) -> ReconcilePlan:
    """Decide what a reconcile does; touches nothing but tries locks. The caller holds the pool lock."""
    rig = observed.rig
    homes = list_homes(rig)  # after the sessions: a session that was listed has its home in the listing
    check_homes(observed, homes, "nothing was ended or removed")
    known = reconcile_pool_with(sessions=observed.sessions.own, dirs=homes.taken)
    kept: list[str] = []
    orphans = _orphans(world, observed, homes, known.orphans, kept)
    files = files_in_homes(rig, homes.dirs)
    git = optional(world.git, GitRecovery)
    dead, living = _claims(world, observed, homes, files, kept)
    bare = [name for name, found in files.items() if not found and name not in dead and name not in living]
    empty = tuple(name for name in bare if _is_empty(world, rig, name))
    return ReconcilePlan(
        in_use=known.in_use - dead.keys() - set(empty),
        orphans=orphans,
        dead_claims=dead,
        living_claims=living,
        empty_homes=empty,
        stale=git.stale_registrations(observed.repo) if git else (),
        records=lost_records(rig, homes),
        drafts=drafts(rig, files, is_free=lambda name: not is_held(polecat_lock(rig, name))),
        kept=tuple(kept),
    )


def _claims(
    world: FullWorld, observed: Observation, homes: Homes, files: Mapping[str, tuple[str, ...]], kept: list[str]
) -> tuple[dict[str, Record], dict[str, Record]]:
    """The claims of dead claimants: those of which nothing is left, and those whose agents live or have left something."""
    dead: dict[str, Record] = {}
    living: dict[str, Record] = {}
    for name in homes.dirs:
        if CLAIM_FILE not in files.get(name, (CLAIM_FILE,)):
            continue
        try:
            claim = read_claim(observed.rig, name)
            if claim is not None and not is_held(polecat_lock(observed.rig, name)):
                is_kept = agent_lives(world, observed, claim) or left_something(world, observed, claim)
                (living if is_kept else dead)[name] = claim
        except PolecatError as error:
            kept.append(f"claim of {name}: {error.message}")
    return dead, living


def _orphans(world: FullWorld, observed: Observation, homes: Homes, names: Iterable[str], kept: list[str]) -> dict[str, Session]:
    rig, sessions, found = observed.rig, observed.sessions, dict[str, Session]()
    try:
        renamed = renamed_homes(world, rig, sessions, homes)
    except UnknownStateError as error:
        kept.append(f"sessions of {', '.join(names)}: {error.message}")
        return found
    for name in names:
        session = sessions.own[name]
        if is_held(polecat_lock(rig, name)):
            kept.append(f"session {session.name}: another process is making or removing {name}")
        elif not may_be_ended(session, sessions, name):
            kept.append(f"session {session.name}: another session shows its pane")
        elif name in renamed:
            kept.append(f"session {session.name}: its agent works in {rig.home_dir(renamed[name])}")
        else:
            found[name] = session
    return found


def _taken_back(claim: Record) -> str:
    """Name what went with a spawn that was undone."""
    return f"{claim.polecat}: {f'bead {claim.hook_bead}' if claim.hook_bead else 'no bead'}, branch {claim.branch}"


def _is_empty(world: FullWorld, rig: Rig, name: str) -> bool:
    """Say whether a home holds no file and is old enough to be nobody's work in progress."""
    home = rig.home_dir(name)
    try:
        is_old = world.clock.now().timestamp() - home.stat().st_mtime > GRACE_S
        return is_old and not any(files for _, _, files in os.walk(home, onerror=fail)) and not is_held(polecat_lock(rig, name))
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------------- acting


@frozen(kw_only=True)
class _Reconcile:
    """Carries a plan out, each polecat under its own lock only: ending a session may take seconds, and spawns must not wait for it."""

    world: FullWorld
    observed: Observation
    plan: ReconcilePlan
    dry_run: bool
    kept: list[str]

    def run(self) -> Reconciliation:
        """Do it, or only report it; what cannot be done is kept, with the reason."""
        plan = self.plan
        orphans = self._each("session", plan.orphans, self._end_orphan)
        adopted = self._each("claim", plan.living_claims, self._adopt)
        recovered = self._each("claim", plan.dead_claims, self._recover)
        emptied = self._each("home", plan.empty_homes, self._remove_home)
        stale = self._drop_stale()
        forgotten = self._each("record", plan.records, self._forget)
        dropped = self._drop_drafts()
        if not self.dry_run:
            empty_trash(self.observed.rig)
        return Reconciliation(
            in_use=plan.in_use,
            orphans=tuple(sorted(orphans)),
            adopted=adopted,
            recovered=recovered,
            taken_back=tuple(
                _taken_back(plan.dead_claims[name]) for name in recovered if plan.dead_claims[name].purpose == "spawn"
            ),
            emptied=emptied,
            stale=stale,
            forgotten=(*forgotten, *dropped),
            kept=tuple(self.kept),
        )

    def _each(self, what: str, names: Iterable[str], do: Callable[[str], bool]) -> tuple[str, ...]:
        """Do something for each polecat under its lock; return the names for which it was done."""
        if self.dry_run:
            return tuple(names)
        done = []
        for name in names:
            lock = polecat_lock(self.observed.rig, name)
            with self._noting(f"{what} of {name}"), holding(lock, what=f"reconcile {name}", timeout_s=0):
                if do(name):
                    done.append(name)
        return tuple(done)

    def _end_orphan(self, name: str) -> bool:
        session = self.plan.orphans[name]
        end_session(self.world, session)  # by its id: another one may have its name by now
        return self._emit("orphan_ended", name, session.instance, session=session.name)

    def _adopt(self, name: str) -> bool:
        claim = self.plan.living_claims[name]
        return self._settle(adopt, claim) and self._emit("claim_adopted", name, claim.instance)

    def _recover(self, name: str) -> bool:
        claim = self.plan.dead_claims[name]
        facts = {"purpose": claim.purpose, "bead": claim.hook_bead, "branch": claim.branch}
        return self._settle(recover, claim) and self._emit("claim_recovered", name, claim.instance, **facts)

    def _settle(self, how: Callable[[FullWorld, Observation, Record], None], claim: Record) -> bool:
        """Settle a claim if it is still the planned one; another process may have been quicker."""
        now = read_claim(self.observed.rig, claim.polecat)
        if now is None or now.instance != claim.instance:
            return False
        how(self.world, self.observed, claim)
        return True

    def _remove_home(self, name: str) -> bool:
        for directory, _, _ in os.walk(self.observed.rig.home_dir(name), topdown=False):
            os.rmdir(directory)
        return self._emit("empty_home_removed", name)

    def _forget(self, name: str) -> bool:
        now = index_sessions(self.world.tmux.list_sessions(), self.observed.rig)  # an orphan has been ended by now
        life = Look(world=self.world, rig=self.observed.rig, sessions=now).life_of(name)
        if life.verdict != "dead":
            raise UnknownStateError(f"its home is gone, and its agent lives or may live{f': {life.why}' if life.why else ''}")
        forget(self.observed.rig, name)
        return True

    def _drop_stale(self) -> tuple[str, ...]:
        observed, stale = self.observed, {str(one.path or one.admin_dir): one for one in self.plan.stale}
        if self.dry_run or not stale:
            return tuple(stale)
        into, dropped = trash_dir(observed.rig), []
        into.mkdir(parents=True, exist_ok=True)
        with self._noting("worktree registrations"), holding(git_lock(observed.rig), what="drop stale registrations"):
            git = needs(self.world.git, GitRecovery, "drop stale registrations")
            for number, (name, one) in enumerate(stale.items()):
                with self._noting(f"the registration of {name}"):
                    if git.drop_stale(observed.repo, one, into=into / f"stale-{int(time.time())}-{number}.admin"):
                        dropped.append(name)
        return tuple(dropped)

    def _drop_drafts(self) -> tuple[str, ...]:
        dropped = []
        for draft in self.plan.drafts:
            with self._noting(str(draft)):
                if not self.dry_run:
                    drop_draft(draft)
                dropped.append(str(draft))
        return tuple(dropped)

    def _emit(self, event: str, name: str, instance: str = "", **facts: object) -> bool:
        self.world.emit(Event(name=event, rig=self.observed.rig.name, polecat=name, instance=instance, facts=facts))
        return True

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except (PolecatError, OSError) as error:
            self.kept.append(f"{what}: {why_not(error)}")
