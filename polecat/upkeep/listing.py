"""Listing polecats: their state, their bead, which of their work exists nowhere else, and which of them are stale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from attrs import evolve, frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.core.bead_rules import HELD_STATUSES, holds
from polecat.core.risk import assess_staleness
from polecat.core.screens import ScreenState, Signs, judge_screen
from polecat.core.sessions import index_sessions
from polecat.core.states import Signals, judge_state
from polecat.errors import BeadsError, PolecatError, UnknownStateError, publish
from polecat.model import Ended, Polecat, Rig, SpawnedPolecat, WorkStatus
from polecat.names import agent_bead_id, agent_id
from polecat.place.gas_town_files import work_facts
from polecat.ports import GitBranches, GitLists, Holdings, Repo, Screen, Worktree, World, needs, optional
from polecat.town.files import why_not
from polecat.town.find import find_repo
from polecat.town.homes import clone_path, list_homes
from polecat.town.locks import is_held, polecat_lock
from polecat.town.records import Record, read_claim, read_current
from polecat.upkeep.addressing import as_rig, find_target
from polecat.upkeep.inspection import base_ref
from polecat.upkeep.liveness import Life, Look, how_it_ended, look_at, signs_by_agent

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


@frozen(kw_only=True)
class _Seen:
    """What is read once for all polecats of a rig; what could not be read is the reason why not."""

    look: Look
    screens: Mapping[str, Screen] | PolecatError
    signs: Callable[[str], Signs]
    holdings: Mapping[str, Holdings | BeadsError] | PolecatError
    worktrees: Mapping[Path, Worktree | PolecatError]


def _find(world: FullWorld, rig: Rig, names: Sequence[str], *, with_work: bool) -> list[Polecat]:
    """Find polecats by their names: sessions, screens and store are asked once for all, their work is counted side by side."""
    repo, paths = find_repo(rig), {name: clone_path(rig, name) for name in names}
    sessions = _or_why(lambda: index_sessions(world.tmux.list_sessions(), rig))
    own = [] if isinstance(sessions, PolecatError) else [sessions.own[name] for name in names if name in sessions.own]
    seen = _Seen(
        look=Look(world=world, rig=rig, sessions=sessions),
        screens=_or_why(lambda: look_at(world, own)),
        signs=signs_by_agent(rig),
        holdings=_or_why(lambda: _holdings(world, rig, names)),
        worktrees=_worktrees(world, repo, paths.values()),
    )

    def found(name: str) -> Polecat:
        reading = _Reading()
        cat, worktree = _found(reading, seen, name, paths[name])
        if with_work and worktree is not None:
            cat = _counted(reading, world, rig, repo, cat, worktree)
        elif with_work:
            reading.miss("work ahead behind is_merged", f"{paths[name]} is no worktree of {repo.path}")
        return evolve(cat, unknown=reading.unknown)

    if not with_work:
        return list(map(found, names))
    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="polecat") as pool:
        return list(pool.map(found, names))


def _holdings(world: FullWorld, rig: Rig, names: Iterable[str]) -> Mapping[str, Holdings | BeadsError]:
    who = {name: agent_id(rig.name, name) for name in names}
    answers = world.beads.holdings({who[name]: agent_bead_id(rig.prefix, rig.name, name) for name in who})
    return {name: answers[who[name]] for name in who}


def _worktrees(world: FullWorld, repo: Repo, paths: Collection[Path]) -> Mapping[Path, Worktree | PolecatError]:
    """Find the worktrees, many in one look where git can; what is none is left out, and of what is not found then it is asked why."""
    lists = optional(world.git, GitLists)
    listed = _or_why(lambda: lists.find_worktrees(repo, paths) if lists else {})
    found: dict[Path, Worktree | PolecatError] = {} if isinstance(listed, PolecatError) else {**listed}
    each = ((path, _or_why(partial(world.git.find_worktree, repo, path))) for path in paths if path not in found)
    return found | {path: worktree for path, worktree in each if worktree is not None}


def _or_why(read: Callable[[], T]) -> T | PolecatError:
    try:
        return read()
    except PolecatError as why:
        return why


def _told(answer: T | PolecatError) -> T:
    if isinstance(answer, PolecatError):
        raise answer
    return answer


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
        for name in fields.split(" "):
            self.unknown.setdefault(name, why)


def _found(reading: _Reading, seen: _Seen, name: str, path: Path) -> tuple[Polecat, Worktree | None]:
    rig = seen.look.rig
    claim = reading.get("state instance created_at", lambda: read_claim(rig, name))
    record = reading.get(
        "state instance created_at is_running session_name active_at ended hook_bead screen", lambda: read_current(rig, name)
    )
    life, ended = _life_of(reading, seen.look, name, record)
    lives = {"alive": True, "dead": False, "unknown": None}[life.verdict]
    held = reading.get("issue state", lambda: _told(_told(seen.holdings)[name]))
    issue, holds_work, agent_state = (None, None, "") if held is None else _work_of(held, agent_id(rig.name, name))
    worktree = reading.get("branch work ahead behind is_merged", lambda: _told(seen.worktrees.get(path)))
    shown = _shown(reading, seen, life, record.agent if record else "")
    signals = Signals(
        is_claimed=None if "instance" in reading.unknown else claim is not None,
        claimant_lives=claim is not None and is_held(polecat_lock(rig, name)),
        session_lives=lives,
        holds_work=holds_work,
        agent_state=agent_state,
        was_given_work=record is None or bool(record.hook_bead),
        ended=ended,
        screen=shown.kind,
    )
    cat = Polecat(
        name=name,
        rig_name=rig.name,
        state=judge_state(signals),
        clone_path=path,
        branch=(worktree.branch or "") if worktree else "",
        issue=issue,
        hook_bead=record.hook_bead or None if record else None,
        ended=ended,
        session_name=life.session.name if life.session else rig.session_name(name),
        is_running=lives,
        instance=record.instance if record else "",
        created_at=reading.get("created_at", lambda: datetime.fromisoformat(record.since) if record and record.since else None),
        active_at=datetime.fromtimestamp(life.session.active_at_s, UTC) if life.session and life.session.active_at_s else None,
        screen=shown.kind,
        waiting_for=shown.asks,
        key=record.key if record else "",
    )
    return cat, worktree


def _life_of(reading: _Reading, look: Look, name: str, record: Record | None) -> tuple[Life, Ended | None]:
    """Whether its agent lives, and how it ended. Whose record cannot be read may live anywhere, unless a session proves to be its own."""
    life, ended = look.life(name, record), None
    if life.verdict == "dead" and "is_running" in reading.unknown:
        life = evolve(life, verdict="unknown")
    if life.verdict == "dead":
        ended = reading.get("ended state", lambda: how_it_ended(look.world, look.rig, record, life.session))
    if life.session is not None and ended is not None and ended.reason == "unknown":  # the server will know how, within seconds
        life, ended = evolve(life, verdict="unknown", why="its process has just ended"), None
    if life.verdict == "unknown":
        reading.miss("is_running state ended", life.why)
    if life.unseen:
        reading.miss("session_name active_at screen waiting_for", life.unseen)
    return life, ended


def _shown(reading: _Reading, seen: _Seen, life: Life, agent: str) -> ScreenState:
    """What its screen means; only an agent that lives has one."""
    if life.session is None or life.verdict != "alive":
        return ScreenState()
    screens = reading.get("screen waiting_for state", lambda: _told(seen.screens)) or {}
    now_s = seen.look.world.clock.now().timestamp()
    return judge_screen(screens.get(life.session.pane_id), seen.signs(agent), now_s=now_s)


def _work_of(held: Holdings, who: str) -> tuple[str | None, bool, str]:
    """The bead that it holds, whether it holds any, and what it said of itself."""
    issue = held.held[0].id if held.held else _named_hook(held, who)
    return issue or None, bool(issue), held.agent.fields.agent_state if held.agent else ""


def _named_hook(held: Holdings, who: str) -> str:
    """The bead that an agent bead names, unless the store says that it is closed or no longer that polecat's."""
    agent, bead = held.agent, held.named
    named = agent.fields.hook_bead if agent and agent.is_open else ""
    return named if bead is None or (holds(bead, who) and bead.status in HELD_STATUSES) else ""


def _counted(reading: _Reading, world: FullWorld, rig: Rig, repo: Repo, cat: Polecat, worktree: Worktree) -> Polecat:
    """Add how much work exists nowhere else, and how the branch stands."""
    branches, head, standing = optional(world.git, GitBranches), worktree.head, None
    if head is None:
        reading.miss("ahead behind is_merged", f"the branch {worktree.branch!r} has no commit")
    elif branches is not None:
        standing = reading.get("ahead behind is_merged", lambda: branches.standing(repo, head, base_ref(rig)))
    return evolve(
        cat,
        work=reading.get("work", lambda: _count_work(world, rig, repo, worktree)),
        ahead=standing.ahead if standing else None,
        behind=standing.behind if standing else None,
        is_merged=None if standing is None or standing.merged == "unknown" else standing.merged != "no",
    )


def _count_work(world: FullWorld, rig: Rig, repo: Repo, worktree: Worktree) -> WorkStatus:
    """Count the work that exists nowhere else.

    Raises:
        UnknownStateError: something could not be found out.
    """
    facts = work_facts(world.git, rig, repo, worktree)
    if facts.problems:
        raise UnknownStateError("; ".join(facts.problems))
    return facts.status()


@publish
@frozen(kw_only=True)
class Staleness:
    """What is known about how stale a polecat is.

    Attributes:
        name: the polecat.
        is_stale: it may be removed.
        reason: why, or why not.
        commits_behind: how many commits of the default branch it lacks; None if that could not be counted.
    """

    name: str
    is_stale: bool
    reason: str
    commits_behind: int | None = None


def detect_stale(rig: Rig | str, *, threshold: int = 20, world: World | None = None) -> list[Staleness]:
    """Say which polecats are stale. One of which something could not be told is not, and its reason says what.

    Args:
        rig: the rig, or its name.
        threshold: this many commits behind make a polecat stale, 1 or more.
        world: as for `spawn_for_sling`.

    Returns:
        One value for each polecat, sorted by name.

    Examples:
        >>> from polecat import spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> _ = spawn_for_sling(rig, world=world)
        >>> [(one.name, one.is_stale, one.reason) for one in detect_stale(rig, world=world)]
        [('furiosa', False, 'session active')]

    Source:
        Contract §7.9.
    """
    rig = as_rig(rig)
    world = full_world(rig, world)
    needs(world.git, GitBranches, "count how far polecats are behind")
    cats, found = list_polecats(rig, world=world), []
    holdings = _or_why(lambda: _holdings(world, rig, [cat.name for cat in cats]))
    for cat in cats:
        held = holdings if isinstance(holdings, PolecatError) else holdings[cat.name]
        if cat.unknown or isinstance(held, PolecatError):
            why = "; ".join(dict.fromkeys(cat.unknown.values())) or str(held)
            found.append(Staleness(name=cat.name, is_stale=False, reason=f"could not be told: {why}"))
            continue
        is_stale, reason = assess_staleness(
            uncommitted=cat.work is None or not cat.work.is_clean,
            session_active=cat.is_running is not False,
            agent_state=held.agent.fields.agent_state if held.agent else "",
            commits_behind=0 if cat.behind is None else cat.behind,  # nothing to lack where the default branch has no commit
            threshold=threshold,
        )
        found.append(Staleness(name=cat.name, is_stale=is_stale, reason=reason, commits_behind=cat.behind))
    return found
