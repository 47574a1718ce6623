"""Claiming names: caps, name, instance id and home under one short lock."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from polecat.core.plan import make_plan
from polecat.core.pool import NamePool, allocate_name
from polecat.errors import PolecatError, RigFullError, SpawnRefusedError, UnknownStateError
from polecat.lifecycle.attempt import Attempt
from polecat.model import Rig
from polecat.names import session_name
from polecat.town.homes import Homes, list_homes
from polecat.town.locks import HeldLock, holding, polecat_lock, pool_lock, try_take
from polecat.town.pool_state import load_pool, save_pool
from polecat.town.records import Record, had_polecats, new_instance_id, publish_claim, withdraw_claim
from polecat.upkeep.observation import Observation


def claim_names(observed: Observation, attempts: Sequence[Attempt]) -> None:
    """Give every attempt its name, its instance id and its home; an attempt that cannot have one fails alone.

    Under the pool lock the homes are listed again, because others may have claimed since the first look. A name is free if nothing
    stands in its place, no foreign session bears it, and nobody is just making or removing a polecat of that name (its lock is free).

    Args:
        site: the rig as it was seen.
        attempts: what is to be spawned.

    Raises:
        UnknownStateError: the picture is incomplete, so no name may be given.
        LockTimeoutError: somebody held the pool lock too long.
    """
    rig = observed.rig
    with holding(pool_lock(rig), what="claim a name"):
        homes = list_homes(rig)
        _check_picture(observed, homes)
        _make_polecats_dir(rig)
        pool = load_pool(rig, observed.settings)
        taken = set(homes.taken)
        room = observed.settings.max_polecats - len(homes.dirs)
        for attempt in attempts:
            try:
                with attempt.step("claim") as facts:
                    if room <= 0:
                        raise _full(observed, len(homes.dirs))
                    pool = _claim(observed, attempt, pool, taken)
                    facts.update(branch=attempt.plan.branch)
                room -= 1
            except (PolecatError, OSError) as error:
                attempt.fail(error)
        if any(attempt.claimed for attempt in attempts):
            save_pool(rig, pool)


def _check_picture(observed: Observation, homes: Homes) -> None:
    """A missing ``polecats/`` is a new rig only if nothing speaks against it."""
    rig = observed.rig
    if not homes.exists and (had_polecats(rig) or observed.sessions.own):
        raise UnknownStateError(
            f"{rig.polecats_dir} is missing, though this rig has had polecats; no name was given out",
            hint=f"is its disk mounted? If it really is gone: mkdir {rig.polecats_dir}",
        )


def _make_polecats_dir(rig: Rig) -> None:
    try:
        os.makedirs(rig.polecats_dir, exist_ok=True)
    except OSError as error:
        raise PolecatError(
            f"cannot make {rig.polecats_dir}: {error.strerror or error}", hint="the rig must be writable for this user"
        ) from error


def _full(observed: Observation, count: int) -> RigFullError:
    cap = observed.settings.max_polecats
    return RigFullError(
        f"rig {observed.rig.name!r} has {count} polecats, spawning ones included; its limit is {cap}",
        hint=f"remove one that is done (polecat list {observed.rig.name}), or raise max_polecats in the rig's settings",
    )


def _claim(observed: Observation, attempt: Attempt, pool: NamePool, taken: set[str]) -> NamePool:
    rig = observed.rig
    name, lock, pool = _free_name(observed, attempt, pool, taken)
    taken.add(name)
    attempt.locks.append(lock)
    now = attempt.world.clock.now()
    orphan = observed.sessions.own.get(name)
    plan = make_plan(
        rig,
        attempt.opts,
        attempt.choice,
        name=name,
        orphan_session=orphan.name if orphan else "",
        unix_ms=int(now.timestamp() * 1000),
        local_time=now.astimezone().strftime("%Y-%m-%dT%H:%M"),
    )
    record = Record(
        instance=new_instance_id(),
        polecat=name,
        rig=rig.name,
        pid=os.getpid(),
        since=now.isoformat(timespec="seconds"),
        branch=plan.branch,
        session=plan.session_name,
        tmux_socket=attempt.world.tmux.socket or "",
        agent=plan.agent.name,
        process_names=plan.agent.all_process_names,
        hook_bead=plan.hook_bead,
        agent_bead=plan.agent_bead,
    )
    publish_claim(rig, record)
    attempt.named(plan, record)
    attempt.undo.add("claim", lambda: withdraw_claim(rig, record))
    return pool


def _free_name(observed: Observation, attempt: Attempt, pool: NamePool, taken: set[str]) -> tuple[str, HeldLock, NamePool]:
    rig, asked = observed.rig, attempt.opts.name
    if asked is not None:
        _check_free(observed, asked, taken)
        lock = try_take(polecat_lock(rig, asked), what=f"spawn {asked}")
        if lock is None:
            raise SpawnRefusedError(f"somebody is just making or removing {rig.name}/{asked}", hint="try again later")
        return asked, lock, pool
    busy: set[str] = set()
    while True:
        name, grown = allocate_name(pool, taken | busy)
        if observed.sessions.is_taken(rig.name, name):
            busy.add(name)
            continue
        lock = try_take(polecat_lock(rig, name), what=f"spawn {name}")
        if lock is not None:
            return name, lock, grown
        busy.add(name)


def _check_free(observed: Observation, asked: str, taken: Collection[str]) -> None:
    rig = observed.rig
    if observed.sessions.is_taken(rig.name, asked):
        raise SpawnRefusedError(
            f"a session that is no polecat of rig {rig.name!r} has the name {session_name(rig.name, asked)!r}",
            hint="choose another name, or end that session",
        )
    if asked.casefold() in {name.casefold() for name in taken}:
        raise SpawnRefusedError(
            f"the name {asked!r} is taken in rig {rig.name!r}",
            hint=f"choose another, or remove that polecat: polecat remove {rig.name}/{asked}",
        )


def predicted_name(observed: Observation, asked: str | None) -> str:
    """The name a spawn would get now, nothing touched.

    Raises:
        SpawnRefusedError: *asked* is taken.
        RigFullError: the rig holds as many polecats as it may.
        UnknownStateError: the picture is incomplete.
    """
    _check_picture(observed, observed.homes)
    if len(observed.homes.dirs) >= observed.settings.max_polecats:
        raise _full(observed, len(observed.homes.dirs))
    taken = set(observed.homes.taken)
    if asked is not None:
        _check_free(observed, asked, taken)
        return asked
    name = allocate_name(observed.pool, taken)[0]
    while observed.sessions.is_taken(observed.rig.name, name):
        taken.add(name)
        name = allocate_name(observed.pool, taken)[0]
    return name


def orphan_in_the_way(observed: Observation, name: str) -> str:
    """The orphan session a spawn of *name* would end first; empty for none."""
    orphan = observed.sessions.own.get(name)
    return orphan.name if orphan and orphan.name == session_name(observed.rig.name, name) else ""
