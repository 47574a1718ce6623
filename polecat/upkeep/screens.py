"""What the screens of polecats mean, read from their panes with one call for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from polecat.adapters.world import FullWorld
from polecat.core.agents import find_agent
from polecat.core.presets import PRESETS
from polecat.core.screens import ScreenState, Signs, judge_screen
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Screen, Session, Watch
from polecat.town.config import load_agent_registry
from polecat.town.settings import load_rig_settings, load_town_settings


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
