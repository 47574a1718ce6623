"""Listing polecats: their state, their bead, and which of their work exists nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from polecat.adapters.world import FullWorld, full_world
from polecat.core.bead_rules import HELD_STATUSES, holds
from polecat.core.sessions import SessionIndex, index_sessions
from polecat.core.states import Signals, judge_state
from polecat.errors import BeadsError, PolecatError
from polecat.model import Polecat, Rig, SpawnedPolecat, WorkStatus
from polecat.names import agent_bead_id, agent_id, session_name
from polecat.ports import AgentBead, Repo, Worktree, World
from polecat.town.find import find_repo
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import is_held, polecat_lock
from polecat.town.records import read_claim, read_current
from polecat.upkeep.addressing import as_rig, find_target
from polecat.upkeep.liveness import liveness

T = TypeVar("T")


def list_polecats(rig: Rig | str, *, world: World | None = None, with_work: bool = True) -> list[Polecat]:
    """List the polecats of a rig, sorted by name. One that cannot be judged is listed as unknown, never left out.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.
        with_work: also count the work that exists nowhere else; that costs a few git processes per polecat.

    Returns:
        Every polecat as it was found.

    Raises:
        UnknownStateError: ``polecats/`` cannot be listed.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> _ = spawn_for_sling(rig, world=world)
        >>> [(cat.name, cat.state.value, str(cat.work)) for cat in list_polecats(rig, world=world)]
        [('furiosa', 'working', 'clean')]
    """
    rig = as_rig(rig)
    find = _finder(full_world(rig, world), rig, with_work=with_work)
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="polecat") as pool:
        return list(pool.map(find, list_homes(rig).dirs))


def get_polecat(rig: Rig | str, polecat: str | Polecat | SpawnedPolecat, *, world: World | None = None) -> Polecat:
    """Find one polecat.

    Args:
        rig: the rig, or its name.
        polecat: its name, or a value of it; a value means that spawn and no later polecat of the same name.
        world: as for `spawn_for_sling`.

    Raises:
        PolecatNotFoundError: the rig has none of that name, or the value's polecat is gone and another one has its name.

    Returns:
        The polecat as it was found.

    Examples:
        >>> from polecat import SpawnOptions, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> found = get_polecat(rig, cat, world=world)
        >>> found.state.value, found.issue
        ('working', 'gt-1')
    """
    target = find_target(rig, polecat)
    return find_polecat(full_world(target.rig, world), target.rig, target.name)


def find_polecat(world: FullWorld, rig: Rig, name: str) -> Polecat:
    """Find one polecat that exists; see `get_polecat`."""
    return _finder(world, rig, with_work=True)(name)


def _finder(world: FullWorld, rig: Rig, *, with_work: bool) -> Callable[[str], Polecat]:
    """Make a function that finds polecats of a rig by their names; the sessions are listed once, here."""
    sessions = _or_none(lambda: index_sessions(world.tmux.list_sessions(), rig))
    return partial(_found, world, rig, find_repo(rig), sessions, with_work=with_work)


def _found(world: FullWorld, rig: Rig, repo: Repo, sessions: SessionIndex | None, name: str, *, with_work: bool) -> Polecat:
    path = clone_path(rig, name)
    claim = _or_none(lambda: read_claim(rig, name))
    record = _or_none(lambda: read_current(rig, name))
    session = None if sessions is None else sessions.of(name, record.instance if record else "")
    issue, holds_work, agent_state = _work_of(world, rig, name)
    lives = {"alive": True, "dead": False, "unknown": None}[liveness(world, rig, name, record, sessions)]
    signals = Signals(
        is_claimed=claim is not None,
        claimant_lives=claim is not None and is_held(polecat_lock(rig, name)),
        session_lives=lives,
        holds_work=holds_work,
        agent_state=agent_state,
    )
    worktree = _or_none(lambda: world.git.find_worktree(repo, path))
    return Polecat(
        name=name,
        rig_name=rig.name,
        state=judge_state(signals),
        clone_path=path,
        branch=(worktree.branch or "") if worktree else "",
        issue=issue,
        session_name=session.name if session else session_name(rig.name, name),
        is_running=lives,
        work=_or_none(lambda: _count_work(world, repo, worktree)) if with_work and worktree else None,
        instance=record.instance if record else "",
        created_at=_or_none(lambda: datetime.fromisoformat(record.since)) if record else None,
        active_at=datetime.fromtimestamp(session.active_at_s, UTC) if session and session.active_at_s else None,
        key=record.key if record else "",
    )


def _work_of(world: FullWorld, rig: Rig, name: str) -> tuple[str | None, bool | None, str]:
    who = agent_id(rig.name, name)
    try:
        held = world.beads.held_by(who)
        agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, name))
        issue = held[0].id if held else _named_hook(world, agent, who)
    except BeadsError:
        return None, None, ""
    return issue or None, bool(issue), agent.fields.agent_state if agent else ""


def _named_hook(world: FullWorld, agent: AgentBead | None, who: str) -> str:
    """The bead that an agent bead names, unless the store says that it is closed or no longer that polecat's."""
    named = agent.fields.hook_bead if agent and agent.is_open else ""
    bead = world.beads.bead(named) if named else None
    return named if bead is None or (holds(bead, who) and bead.status in HELD_STATUSES) else ""


def _count_work(world: FullWorld, repo: Repo, worktree: Worktree) -> WorkStatus | None:
    """Count the work that exists nowhere else; None if that is unknown."""
    facts = world.git.facts(repo, worktree)
    return None if facts.problems else facts.status()


def _or_none(read: Callable[[], T | None]) -> T | None:
    try:
        return read()
    except (PolecatError, OSError, ValueError):
        return None
