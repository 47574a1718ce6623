"""Listing polecats: their state, their bead, and which of their work exists nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from attrs import evolve

from polecat.adapters.world import FullWorld, full_world
from polecat.core.bead_rules import HELD_STATUSES, holds
from polecat.core.sessions import SessionIndex, index_sessions
from polecat.core.states import Signals, judge_state
from polecat.errors import PolecatError, UnknownStateError
from polecat.model import Polecat, Rig, SpawnedPolecat, WorkStatus
from polecat.names import agent_bead_id, agent_id, session_name
from polecat.ports import AgentBead, Repo, Worktree, World
from polecat.town.files import why_not
from polecat.town.find import find_repo
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import is_held, polecat_lock
from polecat.town.records import Record, read_claim, read_current
from polecat.upkeep.addressing import as_rig, find_target
from polecat.upkeep.liveness import Life, liveness

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
    sessions: SessionIndex | PolecatError
    try:
        sessions = index_sessions(world.tmux.list_sessions(), rig)
    except PolecatError as error:
        sessions = error
    return partial(_found, world, rig, find_repo(rig), sessions, with_work=with_work)


class _Reading:
    """Reads what a polecat is; whatever depends on a read that failed is named in *unknown*, with why."""

    def __init__(self) -> None:
        self.unknown: dict[str, str] = {}

    def get(self, fields: str, read: Callable[[], T]) -> T | None:
        """Read something that these fields depend on; None if it cannot be read."""
        try:
            return read()
        except (PolecatError, OSError, ValueError) as error:
            self.miss(fields, why_not(error) if isinstance(error, (PolecatError, OSError)) else str(error))
            return None

    def miss(self, fields: str, why: str) -> None:
        """Some fields could not be told."""
        for name in fields.split():
            self.unknown.setdefault(name, why)


def _found(
    world: FullWorld, rig: Rig, repo: Repo, sessions: SessionIndex | PolecatError, name: str, *, with_work: bool
) -> Polecat:
    reading, path = _Reading(), clone_path(rig, name)
    claim = reading.get("state instance created_at", lambda: read_claim(rig, name))
    record = reading.get("state instance created_at is_running session_name active_at", lambda: read_current(rig, name))
    life = _life_of(reading, world, rig, name, record, sessions)
    issue, holds_work, agent_state = reading.get("issue state", lambda: _work_of(world, rig, name)) or (None, None, "")
    signals = Signals(
        is_claimed=None if "instance" in reading.unknown else claim is not None,
        claimant_lives=claim is not None and is_held(polecat_lock(rig, name)),
        session_lives={"alive": True, "dead": False, "unknown": None}[life.verdict],
        holds_work=holds_work,
        agent_state=agent_state,
    )
    worktree = reading.get("branch work", lambda: world.git.find_worktree(repo, path))
    if worktree is None and with_work:
        reading.miss("work", f"{path} is no worktree of {repo.path}")
    created_at = reading.get("created_at", lambda: datetime.fromisoformat(record.since) if record and record.since else None)
    session = life.session
    return Polecat(
        name=name,
        rig_name=rig.name,
        state=judge_state(signals),
        clone_path=path,
        branch=(worktree.branch or "") if worktree else "",
        issue=issue,
        session_name=session.name if session else session_name(rig.name, name),
        is_running=signals.session_lives,
        work=reading.get("work", lambda: _count_work(world, repo, worktree)) if with_work and worktree else None,
        instance=record.instance if record else "",
        created_at=created_at,
        active_at=datetime.fromtimestamp(session.active_at_s, UTC) if session and session.active_at_s else None,
        key=record.key if record else "",
        unknown=reading.unknown,
    )


def _life_of(
    reading: _Reading, world: FullWorld, rig: Rig, name: str, record: Record | None, sessions: SessionIndex | PolecatError
) -> Life:
    """Whether its agent lives. Whose record cannot be read may live anywhere, unless a session proves to be its own."""
    life = liveness(world, rig, name, record, sessions)
    if life.verdict == "dead" and "is_running" in reading.unknown:
        life = evolve(life, verdict="unknown")
    if life.verdict == "unknown":
        reading.miss("is_running state", life.why)
    if life.unseen:
        reading.miss("session_name active_at", life.unseen)
    return life


def _work_of(world: FullWorld, rig: Rig, name: str) -> tuple[str | None, bool, str]:
    """The bead that it holds, whether it holds any, and what it said of itself."""
    who = agent_id(rig.name, name)
    held = world.beads.held_by(who)
    agent = world.beads.agent(agent_bead_id(rig.prefix, rig.name, name))
    issue = held[0].id if held else _named_hook(world, agent, who)
    return issue or None, bool(issue), agent.fields.agent_state if agent else ""


def _named_hook(world: FullWorld, agent: AgentBead | None, who: str) -> str:
    """The bead that an agent bead names, unless the store says that it is closed or no longer that polecat's."""
    named = agent.fields.hook_bead if agent and agent.is_open else ""
    bead = world.beads.bead(named) if named else None
    return named if bead is None or (holds(bead, who) and bead.status in HELD_STATUSES) else ""


def _count_work(world: FullWorld, repo: Repo, worktree: Worktree) -> WorkStatus:
    """Count the work that exists nowhere else.

    Raises:
        UnknownStateError: something could not be found out.
    """
    facts = world.git.facts(repo, worktree)
    if facts.problems:
        raise UnknownStateError("; ".join(facts.problems))
    return facts.status()
