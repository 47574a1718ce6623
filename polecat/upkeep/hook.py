"""The work on a polecat's hook: may it be given, giving it, taking it back."""

from __future__ import annotations

from attrs import frozen

from polecat.adapters.world import FullWorld
from polecat.core.bead_rules import CLOSED_STATUSES, holds
from polecat.core.plan import SpawnPlan
from polecat.errors import BeadClosedError, BeadsError, BeadTakenError
from polecat.model import Rig, SpawnOptions
from polecat.names import agent_id
from polecat.ports import AgentFields, Bead
from polecat.town.breaker import check_breaker
from polecat.town.locks import HeldLock, holder_of, try_take
from polecat.town.records import Record, read_current, read_record
from polecat.upkeep.observation import Observation
from polecat.upkeep.undo import Undo

ROLE_BEAD = "hq-polecat-role"


def take_bead_lock(rig: Rig, bead: str) -> HeldLock:
    """Take the lock of one bead, held from the look at who has it until the spawn is over. Never waited for: who has it gives the bead away.

    Raises:
        BeadTakenError: somebody is just giving it to a polecat.
    """
    path = rig.town_root / ".runtime" / "locks" / "sling" / f"{bead}.lock"
    lock = try_take(path, what=f"give {bead} to a polecat")
    if lock is None:
        raise BeadTakenError(
            f"bead {bead!r} is just being given to a polecat",
            holder=holder_of(path),
            hint="look again when that is done: polecat list",
        )
    return lock


@frozen(kw_only=True)
class BeadCheck:
    """What a look at a bead said.

    Attributes:
        holder: who held it, dead or merely assigned; empty for nobody. Only from them may it be taken.
        existing: the record of the very polecat that was asked for by name, if it lives and has the bead already.
    """

    holder: str = ""
    existing: Record | None = None


def check_bead(world: FullWorld, observed: Observation, opts: SpawnOptions) -> BeadCheck:
    """Refuse a bead that is closed, that keeps failing, or that is on the hook of somebody who lives.

    Raises:
        BeadClosedError: there is nothing to do on it.
        RespawnLimitError: its agents keep failing.
        BeadTakenError: somebody has it; the error says who.
        BeadsUnavailableError: the store could not be asked.
    """
    if not opts.hook_bead:
        return BeadCheck()
    if not opts.force:
        check_breaker(observed.rig, opts.hook_bead, limit=observed.settings.respawn_limit)
    bead = world.beads.bead(opts.hook_bead)
    if bead is None:
        return BeadCheck()
    if bead.status in CLOSED_STATUSES:
        raise BeadClosedError(f"bead {bead.id!r} is {bead.status}", hint="reopen it first, or give another one")
    if bead.status in ("hooked", "in_progress") and bead.assignee and _lives(observed, bead):
        if opts.name and holds(bead, agent_id(observed.rig.name, opts.name)):
            return BeadCheck(holder=bead.assignee, existing=read_record(observed.rig, opts.name))
        raise BeadTakenError(
            f"bead {bead.id!r} is {bead.status.replace('_', ' ')} by {bead.assignee}",
            holder=bead.assignee,
            hint=f"wait for it, or take it back first: polecat hook clear {bead.id} --rig {observed.rig.name}",
        )
    return BeadCheck(holder=bead.assignee)


def _lives(observed: Observation, bead: Bead) -> bool:
    """Whether the holder may be alive. Only a polecat of this rig without a session is known not to be."""
    rig = observed.rig.name
    for name in observed.homes.dirs:
        if holds(bead, agent_id(rig, name)):
            record = read_current(observed.rig, name)
            session = observed.sessions.of(name, record.instance if record else "")
            return session is not None and not session.is_dead
    return not _is_ours(bead.assignee, rig)


def _is_ours(assignee: str, rig: str) -> bool:
    parts = assignee.split("/")
    return parts[0] == rig and (len(parts) == 3 and parts[1] == "polecats")


def open_agent_bead(world: FullWorld, observed: Observation, plan: SpawnPlan, undo: Undo, *, holder: str) -> None:
    """Create or reopen the polecat's agent bead, with nothing of an earlier life in it, and hook the work.

    Raises:
        BeadsError: the store refused or did not keep it.
    """
    fields = AgentFields(
        role_type="polecat",
        rig=observed.rig.name,
        agent_state="spawning",
        hook_bead=plan.hook_bead,
        role_bead=ROLE_BEAD,
    )
    world.beads.open_agent(plan.agent_bead, title=plan.agent_bead, fields=fields)
    undo.add("agent bead", lambda: _close_agent(world, plan))
    if plan.hook_bead:
        world.beads.hook(plan.hook_bead, assignee=plan.agent_id, expected=holder)
        undo.add("hook", lambda: _unhook(world, plan))


def open_agent_bead_for(world: FullWorld, rig: Rig, record: Record, *, state: str) -> None:
    """Write the agent bead of a polecat that got a new worktree, and hook what it holds."""
    fields = AgentFields(role_type="polecat", rig=rig.name, agent_state=state, hook_bead=record.hook_bead, role_bead=ROLE_BEAD)
    world.beads.open_agent(record.agent_bead, title=record.agent_bead, fields=fields)
    if record.hook_bead:
        world.beads.hook(record.hook_bead, assignee=agent_id(rig.name, record.polecat))


def _close_agent(world: FullWorld, plan: SpawnPlan) -> None:
    world.beads.close_agent(plan.agent_bead, reason="spawn undone")


def _unhook(world: FullWorld, plan: SpawnPlan) -> None:
    world.beads.unassign(plan.hook_bead, expected=plan.agent_id)


def mark_working(world: FullWorld, plan: SpawnPlan, warnings: list[str]) -> None:
    """Say on the agent bead that the agent works now; a store that fails here is a warning, the agent runs already."""
    try:
        world.beads.update_agent(plan.agent_bead, agent_state="working")
    except BeadsError as error:
        warnings.append(f"the agent bead still says 'spawning': {error.message}")
