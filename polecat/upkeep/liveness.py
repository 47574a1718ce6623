"""Whether a polecat's agent lives, asked of the server that its record names and of the process table; and what its screen means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from polecat.adapters.world import FullWorld
from polecat.core.agents import find_agent
from polecat.core.presets import PRESETS
from polecat.core.screens import ScreenState, Signs, judge_screen
from polecat.core.sessions import Liveness, Seen, SessionIndex, index_sessions, judge_liveness
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Screen, Session, Watch
from polecat.town.config import load_agent_registry
from polecat.town.records import Record
from polecat.town.settings import load_rig_settings, load_town_settings


def liveness(world: FullWorld, rig: Rig, name: str, record: Record | None, sessions: SessionIndex | None) -> Liveness:
    """Say whether a polecat's agent lives. Where that cannot be told it is *unknown*, which is not dead.

    Args:
        world: the outside.
        rig: the rig.
        name: the polecat.
        record: its record; None if polecat did not make it, and then only a session can tell.
        sessions: those of the world's own server; None if that could not be asked.

    Source:
        Design §7.
    """
    pane = _seen(
        None if sessions is None else sessions.of(name, record.instance if record else ""), is_asked=sessions is not None
    )
    if record is None or pane == "running":
        return judge_liveness(pane=pane, process="absent")
    try:
        server = world.tmux.at(record.socket_path) if record.socket_path else world.tmux
    except PolecatError:
        return judge_liveness(pane="unknown", process=_process(world, record))
    if server is not world.tmux:
        pane = _pane_on(world, rig, name, record)
    return judge_liveness(pane=pane, process=_process(world, record))


def _seen(session: Session | None, *, is_asked: bool) -> Seen:
    if session is None:
        return "absent" if is_asked else "unknown"
    return "ended" if session.is_dead else "running"


def _pane_on(world: FullWorld, rig: Rig, name: str, record: Record) -> Seen:
    try:
        sessions = index_sessions(world.tmux.at(record.socket_path).list_sessions(), rig)
    except PolecatError:
        return "unknown"
    return _seen(sessions.of(name, record.instance), is_asked=True)


def _process(world: FullWorld, record: Record) -> Seen:
    """Look for the recorded process, by its id and start time, and for any that bears the instance id."""
    try:
        is_there = recorded_process_runs(world, record) or world.processes.family([], instance=record.instance)
    except PolecatError:
        return "unknown"
    return "running" if is_there else "absent"


def recorded_process_runs(world: FullWorld, record: Record) -> bool:
    """Say whether exactly the process that a record names as the agent's runs, wherever its pane is."""
    process = world.processes.identify(record.agent_pid) if record.agent_started else None
    return process is not None and process.start_time == record.agent_started


# ---------------------------------------------------------------------------------------------------------- screens


def signs_by_agent(rig: Rig) -> Callable[[str], Signs]:
    """Make a function that says what is known of an agent's screen; the files are read once, here.

    Of an agent that nobody defines any more, or where a file cannot be read, what is built in counts, or else nothing is known.
    """
    try:
        settings, town = load_rig_settings(rig.path), load_town_settings(rig.town_root)
        registries = [load_agent_registry(root / "settings" / "agents.json") for root in (rig.path, rig.town_root)]
    except PolecatError:
        return lambda name: PRESETS[name].signs if name in PRESETS else Signs()

    def signs(name: str) -> Signs:
        agent = find_agent(name, rig_settings=settings, town_settings=town, registries=registries)
        return agent.signs if agent else Signs()

    return signs


def look_at(world: FullWorld, sessions: Iterable[Session]) -> Mapping[str, Screen]:
    """Read the screens of sessions, all in one call: pane id → what is seen of it. One that cannot be seen is left out."""
    watches = [Watch(pane_id=one.pane_id, instance=one.instance) for one in sessions if one.pane_id and not one.is_dead]
    try:
        statuses = world.tmux.watch(watches, timeout_s=0) if watches else ()
    except PolecatError:
        return {}
    return {status.pane_id: status.screen for status in statuses if status.screen is not None and not status.is_dead}


def state_of(world: FullWorld, screen: Screen | None, signs: Signs) -> ScreenState:
    """Say what a screen means now."""
    return judge_screen(screen, signs, now_s=world.clock.now().timestamp())
