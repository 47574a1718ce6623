"""Beads on the hooks of polecats: whether one may be given, and the agent bead that names it."""

from __future__ import annotations

from contextlib import suppress

from attrs import frozen

from polecat.adapters.world import FullWorld, rig_beads_dir
from polecat.core.bead_rules import CLOSED_STATUSES, holds
from polecat.errors import BeadClosedError, BeadTakenError, SpawnRefusedError
from polecat.model import Rig, SpawnOptions
from polecat.names import agent_bead_id, agent_id
from polecat.ports import AgentFields, Bead
from polecat.town.breaker import check_breaker
from polecat.town.locks import HeldLock, holder_of, try_take
from polecat.town.records import Record, lost_records, read_record
from polecat.town.registry import prefix_owners
from polecat.upkeep.liveness import Life, Look
from polecat.upkeep.observation import Observation

ROLE_BEAD = "hq-polecat-role"

_DEAD = Life(verdict="dead")


def take_bead_lock(rig: Rig, bead: str) -> HeldLock:
    """Take the lock of one bead, held until the spawn is over. It is not waited for: whoever holds it is giving the bead away.

    Raises:
        BeadTakenError: another process is giving it to a polecat.
    """
    path = rig.town_root / ".runtime" / "locks" / "sling" / f"{bead}.lock"
    lock = try_take(path, what=f"give {bead} to a polecat")
    if lock is None:
        raise BeadTakenError(
            f"bead {bead!r} is being given to a polecat by another process",
            holder=holder_of(path),
            hint="look again when that is done: polecat list",
        )
    return lock


@frozen(kw_only=True)
class BeadCheck:
    """What was found out about a bead.

    Attributes:
        bead: the bead as it was; None where the store has none yet. It may be taken from no other than its holder then.
        existing: the record of the polecat that was asked for by name, if that one lives and has the bead already.
        warning: what is odd about it, though it can be used.
    """

    bead: Bead | None = None
    existing: Record | None = None
    warning: str = ""


def check_bead(world: FullWorld, observed: Observation, opts: SpawnOptions) -> BeadCheck:
    """Refuse a bead that is closed, whose agents keep failing, or that a living assignee holds.

    Raises:
        BeadClosedError: it is closed.
        RespawnLimitError: its agents keep failing.
        BeadTakenError: it is held; the error says by whom.
        BeadsUnavailableError: the store could not be asked.
    """
    if not opts.hook_bead:
        return BeadCheck()
    if not opts.force:
        check_breaker(observed.rig, opts.hook_bead, limit=observed.settings.respawn_limit)
    bead = world.beads.bead(opts.hook_bead)
    if bead is None:
        return BeadCheck(warning=_doubt(observed.rig, opts.hook_bead))
    if bead.status in CLOSED_STATUSES:
        raise BeadClosedError(f"bead {bead.id!r} is {bead.status}", hint="reopen it first, or give another one")
    is_held = bead.status in ("hooked", "in_progress") and bool(bead.assignee)
    if is_held and (host := _host_of_holder(world, observed.rig, bead)):
        raise BeadTakenError(
            f"bead {bead.id!r} is {bead.status.replace('_', ' ')} by {host}:{bead.assignee}",
            holder=f"{host}:{bead.assignee}",
            hint=f"only host {host!r} can say whether that polecat lives; wait for it, or take the bead back there",
        )
    life = _life_of_holder(world, observed, bead) if is_held else _DEAD
    if life.verdict != "dead":
        if opts.name and life.verdict == "alive" and holds(bead, agent_id(observed.rig.name, opts.name)):
            return BeadCheck(bead=bead, existing=read_record(observed.rig, opts.name))
        unsure = f", which may live: {life.why}" if life.why else ""
        raise BeadTakenError(
            f"bead {bead.id!r} is {bead.status.replace('_', ' ')} by {bead.assignee}{unsure}",
            holder=bead.assignee,
            hint=f"wait for it, or take it back first: polecat hook clear {bead.id} --rig {observed.rig.name}",
        )
    return BeadCheck(bead=bead)


def _doubt(rig: Rig, bead: str) -> str:
    """Why a bead that the store does not know is perhaps a typing error. In a store of polecat's own it is made when it is hooked."""
    prefixes = sorted(prefix for prefix, owner in prefix_owners(rig.town_root).items() if owner == rig.name)
    if not bead.casefold().startswith(tuple(f"{prefix}-" for prefix in prefixes)):
        known = " or ".join(f"'{prefix}-'" for prefix in prefixes)
        return f"bead {bead!r} is not known here, and this rig's begin with {known}; is it another rig's?"
    return f"bead {bead!r} is not known in {rig_beads_dir(rig)}" if rig_beads_dir(rig) else ""


def _life_of_holder(world: FullWorld, observed: Observation, bead: Bead) -> Life:
    """Whether the holder lives. Only a polecat of this rig whose agent has provably ended is known not to."""
    rig = observed.rig
    for name in (*observed.homes.dirs, *lost_records(rig, observed.homes)):
        if holds(bead, agent_id(rig.name, name)):
            return Look(world=world, rig=rig, sessions=observed.sessions).life_of(name)
    parts = bead.assignee.split("/")
    is_gone = len(parts) == 3 and parts[:2] == [rig.name, "polecats"]
    return _DEAD if is_gone else Life(verdict="alive")


def _host_of_holder(world: FullWorld, rig: Rig, bead: Bead) -> str:
    """The other host whose polecat holds a bead; empty where it is ours, or nobody says so."""
    name = bead.assignee.rpartition("/")[2]
    return other_host(world, agent_bead_id(rig.prefix, rig.name, name)) if holds(bead, agent_id(rig.name, name)) else ""


def other_host(world: FullWorld, agent_bead: str) -> str:
    """The other host that a polecat of this agent bead lives on, as far as its store knows; empty for none."""
    agent = world.beads.agent(agent_bead)
    host = agent.fields.host if agent is not None and agent.is_open else ""
    return "" if host == world.host else host


def open_agent_bead(world: FullWorld, record: Record, *, state: str) -> None:
    """Create or reopen a polecat's agent bead; nothing of an earlier polecat stays in it.

    Raises:
        BeadsError: the store refused or did not keep it.
        SpawnRefusedError: a polecat of that name lives on another host that uses the same store.
    """
    if world.host and (host := other_host(world, record.agent_bead)):
        who = agent_id(record.rig, record.polecat)
        raise SpawnRefusedError(f"{host}:{who} has the agent bead {record.agent_bead}", hint="spawn again; it gets another name")
    fields = AgentFields(
        role_type="polecat",
        rig=record.rig,
        agent_state=state,
        hook_bead=record.hook_bead,
        role_bead=ROLE_BEAD,
        host=record.host,
    )
    world.beads.open_agent(record.agent_bead, title=record.agent_bead, fields=fields)


def close_own_agent(world: FullWorld, agent_bead: str, *, reason: str) -> bool:
    """Close an agent bead, unless the polecat of that address lives on another host; say whether it is closed."""
    return not other_host(world, agent_bead) and world.beads.close_agent(agent_bead, reason=reason)


def give_back(world: FullWorld, was: Bead | None, bead_id: str, holder: str) -> None:
    """Undo that *holder* got a bead, or perhaps did: whose it was before has it again, as it was; what is somebody else's stays his."""
    now = world.beads.bead(bead_id)
    if now is None or not holds(now, holder):
        return
    if was is None or not was.assignee or holds(was, holder):
        world.beads.unassign(bead_id, expected=holder)
        return
    with suppress(BeadTakenError, BeadClosedError):
        world.beads.hook(bead_id, assignee=was.assignee, expected=holder)
        if was.status != "hooked":
            world.beads.set_status(bead_id, was.status)


def restore_hook(world: FullWorld, record: Record, *, state: str) -> None:
    """Write the agent bead of a polecat that exists already, and hook its bead."""
    open_agent_bead(world, record, state=state)
    if record.hook_bead:
        world.beads.hook(record.hook_bead, assignee=agent_id(record.rig, record.polecat))
