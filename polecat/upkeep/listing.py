"""Listing polecats: their state, their bead, and which of their work exists nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.bead_rules import HELD_STATUSES, holds
from polecat.core.screens import Signs
from polecat.core.sessions import index_sessions
from polecat.core.states import Signals, judge_state
from polecat.errors import BeadsError, PolecatError
from polecat.model import Polecat, Rig, SpawnedPolecat, WorkStatus
from polecat.names import agent_bead_id, agent_id, session_name
from polecat.ports import Holdings, Repo, Screen, Worktree, World
from polecat.town.find import find_repo
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import is_held, polecat_lock
from polecat.town.records import read_claim, read_record, stands_beside
from polecat.upkeep.addressing import as_rig, find_target
from polecat.upkeep.liveness import Look, how_it_ended
from polecat.upkeep.screens import look_at, signs_by_agent, state_of

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
    return _find(full_world(rig, world), rig, list_homes(rig).dirs, with_work=with_work)


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
    return _find(world, rig, (name,), with_work=True)[0]


def _find(world: FullWorld, rig: Rig, names: Sequence[str], *, with_work: bool) -> list[Polecat]:
    """Find polecats of a rig by their names: the sessions are listed once, the store is asked once, their work is counted side by side."""
    repo = find_repo(rig)
    sessions = _or_none(lambda: index_sessions(world.tmux.list_sessions(), rig))
    own = [] if sessions is None else [sessions.own[name] for name in names if name in sessions.own]
    seen = _Seen(
        look=Look(world=world, rig=rig, sessions=sessions), screens=look_at(world, own), signs=signs_by_agent(rig), repo=repo
    )
    holdings = _holdings(world, rig, names)
    found = [_found(seen, name, holdings[name]) for name in names]
    if not with_work:
        return [cat for cat, _ in found]

    def counted(cat: Polecat, worktree: Worktree | None) -> Polecat:
        return evolve(cat, work=_or_none(lambda: _count_work(world, repo, worktree))) if worktree else cat

    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="polecat") as pool:
        return list(pool.map(counted, *zip(*found, strict=True))) if found else []


@frozen(kw_only=True)
class _Seen:
    """What is read once for all polecats of a rig: sessions, processes, screens, and what is known of the agents' screens."""

    look: Look
    screens: Mapping[str, Screen]
    signs: Callable[[str], Signs]
    repo: Repo


def _found(seen: _Seen, name: str, holdings: Holdings | BeadsError) -> tuple[Polecat, Worktree | None]:
    look, world, rig = seen.look, seen.look.world, seen.look.rig
    path = clone_path(rig, name)
    claim = _or_none(lambda: read_claim(rig, name))
    record = claim if claim is not None and not stands_beside(claim) else _or_none(lambda: read_record(rig, name))
    session = None if look.sessions is None else look.sessions.of(name, record.instance if record else "")
    issue, holds_work, agent_state = _work_of(holdings, agent_id(rig.name, name))
    lives = {"alive": True, "dead": False, "unknown": None}[look.liveness(name, record)]
    ended = how_it_ended(world, rig, record, session) if lives is False else None
    if session is not None and ended is not None and ended.reason == "unknown":
        lives, ended = None, None  # its process has ended and the server does not know how yet; it will, within seconds
    shown = state_of(
        world, seen.screens.get(session.pane_id) if session and lives else None, seen.signs(record.agent if record else "")
    )
    signals = Signals(
        is_claimed=claim is not None,
        claimant_lives=claim is not None and is_held(polecat_lock(rig, name)),
        session_lives=lives,
        holds_work=holds_work,
        agent_state=agent_state,
        was_given_work=record is None or bool(record.hook_bead),
        ended=ended,
        screen=shown.kind,
    )
    worktree = _or_none(lambda: world.git.find_worktree(seen.repo, path))
    cat = Polecat(
        name=name,
        rig_name=rig.name,
        state=judge_state(signals),
        clone_path=path,
        branch=(worktree.branch or "") if worktree else "",
        issue=issue,
        hook_bead=record.hook_bead or None if record else None,
        ended=ended,
        session_name=session.name if session else session_name(rig.name, name),
        is_running=lives,
        instance=record.instance if record else "",
        created_at=_or_none(lambda: datetime.fromisoformat(record.since)) if record else None,
        active_at=datetime.fromtimestamp(session.active_at_s, UTC) if session and session.active_at_s else None,
        screen=shown.kind,
        waiting_for=shown.asks,
    )
    return cat, worktree


def _holdings(world: FullWorld, rig: Rig, names: Sequence[str]) -> Mapping[str, Holdings | BeadsError]:
    """What the store knows of each polecat; the same error for each where it could not be asked."""
    who = {name: agent_id(rig.name, name) for name in names}
    try:
        answers = world.beads.holdings({who[name]: agent_bead_id(rig.prefix, rig.name, name) for name in names})
    except BeadsError as error:
        return dict.fromkeys(names, error)
    return {name: answers[who[name]] for name in names}


def _work_of(holdings: Holdings | BeadsError, who: str) -> tuple[str | None, bool | None, str]:
    if isinstance(holdings, BeadsError):
        return None, None, ""
    issue = holdings.held[0].id if holdings.held else _named_hook(holdings, who)
    return issue or None, bool(issue), holdings.agent.fields.agent_state if holdings.agent else ""


def _named_hook(holdings: Holdings, who: str) -> str:
    """The bead that an agent bead names, unless the store says that it is closed or no longer that polecat's."""
    agent, bead = holdings.agent, holdings.named
    named = agent.fields.hook_bead if agent and agent.is_open else ""
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
