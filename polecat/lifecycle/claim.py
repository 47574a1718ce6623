"""Claiming names: caps, name, instance id and home under one short lock."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain

from polecat.adapters.world import FullWorld
from polecat.core.plan import Choice, SpawnPlan, make_plan
from polecat.core.pool import NamePool, allocate_name
from polecat.errors import PolecatError, RigFullError, SpawnRefusedError
from polecat.lifecycle.attempt import Attempt
from polecat.model import SpawnOptions
from polecat.names import agent_bead_id
from polecat.town.homes import Homes, list_homes
from polecat.town.locks import HeldLock, holding, polecat_lock, pool_lock, try_take
from polecat.town.pool_state import load_pool, save_pool, unusable_names
from polecat.town.records import Record, lost_records, new_instance_id, publish_claim, withdraw_claim
from polecat.upkeep.hook import other_host
from polecat.upkeep.liveness import Look, renamed_homes
from polecat.upkeep.observation import Observation, check_homes


def claim_names(observed: Observation, attempts: Sequence[Attempt]) -> None:
    """Give every attempt its name, its instance id and its home; an attempt that cannot have one fails alone.

    Under the pool lock the homes are listed again, because others may have claimed since the first listing. A name is free if there is
    no entry of that name in ``polecats/``, no foreign session has it, and the polecat's lock is free (nobody is making or removing it).

    Args:
        observed: the rig as it was seen.
        attempts: the spawns.

    Raises:
        UnknownStateError: the homes cannot be listed, so no name may be given.
        LockTimeoutError: the pool lock was not free in time.
    """
    if not attempts:
        return
    rig, world = observed.rig, attempts[0].world
    elsewhere = _names_elsewhere(world, observed, attempts) if world.host else set[str]()
    with holding(pool_lock(rig), what="claim a name"):
        homes = list_homes(rig)
        check_homes(observed, homes, "no name was given out")
        pool = load_pool(rig, observed.settings)
        taken = set(homes.taken) | _still_alive(world, observed, homes) | elsewhere
        room = observed.settings.max_polecats - len(homes.dirs)
        for attempt in attempts:
            try:
                with attempt.step("claim") as facts:
                    if room <= 0:
                        raise _full(observed, homes)
                    pool = _claim(observed, attempt, pool, taken)
                    facts.update(branch=attempt.plan.branch)
                room -= 1
            except (PolecatError, OSError) as error:
                attempt.fail(error)
        if any(attempt.is_claimed for attempt in attempts):
            save_pool(rig, pool)


def _still_alive(world: FullWorld, observed: Observation, homes: Homes) -> set[str]:
    """Names whose home somebody deleted or renamed while the agent lives, or may live, where it is not known to be an orphan."""
    rig, sessions = observed.rig, observed.sessions
    look = Look(world=world, rig=rig, sessions=sessions)
    lost = [name for name in lost_records(rig, homes) if name not in sessions.own]
    return {name for name in lost if look.life_of(name).verdict != "dead"} | renamed_homes(world, rig, sessions, homes).keys()


def _names_elsewhere(world: FullWorld, observed: Observation, attempts: Sequence[Attempt]) -> set[str]:
    """The names, of those that come next, whose polecats live on other hosts that share the store of beads; asked before the lock is taken."""
    rig, found, free = observed.rig, set[str](), 0
    asked = [attempt.opts.name for attempt in attempts if attempt.opts.name]
    passed = observed.homes.taken
    names = chain(asked, (name for name, _ in _candidates(observed, None, load_pool(rig, observed.settings), passed)))
    while free < len(attempts):
        name = next(names)
        if other_host(world, agent_bead_id(rig.prefix, rig.name, name)):
            found.add(name)
        else:
            free += 1
    return found


def _claim(observed: Observation, attempt: Attempt, pool: NamePool, taken: set[str]) -> NamePool:
    rig = observed.rig
    name, lock, pool = _free_name(observed, attempt.opts.name, pool, taken)
    taken.add(name)
    attempt.locks.callback(lock.release)
    now = attempt.world.clock.now()
    plan = plan_for(observed, attempt.opts, attempt.choice, name, now)
    claim = Record(
        instance=new_instance_id(),
        polecat=name,
        rig=rig.name,
        pid=os.getpid(),
        since=now.isoformat(timespec="seconds"),
        branch=plan.branch,
        session=plan.session_name,
        tmux_socket=attempt.world.tmux.socket or "",
        agent=plan.agent.name,
        account=plan.account,
        process_names=plan.agent.all_process_names,
        hook_bead=plan.hook_bead,
        taken_from=attempt.bead.assignee if attempt.bead else "",
        taken_status=attempt.bead.status if attempt.bead else "",
        agent_bead=plan.agent_bead,
        host=attempt.world.host,
        key=attempt.opts.key or "",
    )
    publish_claim(rig, claim)
    attempt.plan, attempt.claim, attempt.is_claimed = plan, claim, True
    attempt.warnings.extend(plan.warnings)
    attempt.undo.add("claim", lambda: withdraw_claim(rig, claim))
    return pool


def plan_for(
    observed: Observation, opts: SpawnOptions, choice: Choice, name: str, now: datetime, *, resume: bool = False
) -> SpawnPlan:
    """Make the plan of a spawn that gets *name* at this moment."""
    orphan = observed.sessions.own.get(name)
    return make_plan(
        observed.rig,
        opts,
        choice,
        name=name,
        orphan_session=orphan.name if orphan else "",
        unix_ms=int(now.timestamp() * 1000),
        local_time=now.astimezone().strftime("%Y-%m-%dT%H:%M"),
        resume=resume,
    )


def predicted_name(observed: Observation, asked: str | None) -> str:
    """Say which name a spawn would get now; touches nothing.

    Raises:
        SpawnRefusedError: *asked* is taken.
        RigFullError: the rig holds as many polecats as it may.
        UnknownStateError: the homes cannot be listed.
        ConfigError: the pool's state is invalid.
    """
    homes = observed.homes
    check_homes(observed, homes, "no name was given out")
    if len(homes.dirs) >= observed.settings.max_polecats:
        raise _full(observed, homes)
    return next(_candidates(observed, asked, load_pool(observed.rig, observed.settings), homes.taken))[0]


def _free_name(
    observed: Observation, asked: str | None, pool: NamePool, taken: Collection[str]
) -> tuple[str, HeldLock, NamePool]:
    for name, grown in _candidates(observed, asked, pool, taken):
        lock = try_take(polecat_lock(observed.rig, name), what=f"spawn {name}")
        if lock is not None:
            return name, lock, grown
    raise SpawnRefusedError(f"another process is making or removing {observed.rig.name}/{asked}", hint="try again later")


def _candidates(
    observed: Observation, asked: str | None, pool: NamePool, taken: Collection[str]
) -> Iterator[tuple[str, NamePool]]:
    """Yield the free names, each with the pool as it is once that name is given; a name that was asked for is the only one."""
    if asked is not None:
        _check_free(observed, asked, taken)
        yield asked, pool
        return
    passed = {*taken, *unusable_names(observed.rig)}
    while True:
        name, grown = allocate_name(pool, passed)
        passed.add(name)
        if not observed.sessions.is_taken(observed.rig.name, name):
            yield name, grown


def _check_free(observed: Observation, asked: str, taken: Collection[str]) -> None:
    rig = observed.rig
    if observed.sessions.is_taken(rig.name, asked):
        raise SpawnRefusedError(
            f"a session that is no polecat of rig {rig.name!r} has the name {rig.session_name(asked)!r}",
            hint="choose another name, or end that session",
        )
    if asked.casefold() in {name.casefold() for name in taken}:
        raise SpawnRefusedError(
            f"the name {asked!r} is taken in rig {rig.name!r}",
            hint=f"choose another, or remove that polecat: polecat remove {rig.name}/{asked}",
        )


def _full(observed: Observation, homes: Homes) -> RigFullError:
    rig, cap = observed.rig.name, observed.settings.max_polecats
    return RigFullError(
        f"rig {rig!r} has {len(homes.dirs)} polecats, spawning ones included; its limit is {cap}",
        hint=f"remove one that is done (polecat list {rig}), or raise max_polecats in the rig's settings",
    )
