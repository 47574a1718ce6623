"""Watching panes on a server: waiting inside it for one, one shared look for many.

For one pane the server itself looks again every few milliseconds, for up to a second a call: an agent that shows its prompt
at once costs one call and a few milliseconds of lag. For many panes one listing shows them all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from polecat.adapters.tmux.commands import (
    AGENT,
    Command,
    all_of,
    call_bytes,
    equals,
    guarded,
    means_not_found,
    shown_on,
)
from polecat.adapters.tmux.screen import Look, Seen
from polecat.adapters.tmux.server import TmuxServer
from polecat.adapters.tmux.start import LOST_STATUS, release_commands
from polecat.errors import TmuxError
from polecat.ports import PaneStatus, Watch

_EAGER_STEPS_S = (0.008,) * 8 + (0.02,) * 10 + (0.04,) * 17
"""Waits between looks while an agent may just be starting: 0.94 s in all."""

_STEADY_STEPS_S = (0.05,) * 19
"""Waits between looks later on: 0.95 s in all."""

_POLLS_S = (0.02, 0.02, 0.03, 0.05, 0.07, 0.1)
"""Waits between listings of many panes; the last one repeats."""

_MAX_STEP_BYTES = 11_000
_STEP_OVERHEAD_BYTES = 50
_FEWEST_LOOKS = 8
"""A watch that cannot look so often in one call is better asked again and again."""

_MOST_PANES = 60
"""How many panes one call looks at."""

_NUDGE_S = 0.03


def watch_panes(server: TmuxServer, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
    """Wait until a pane shows what is waited for. See `polecat.adapters.tmux.cli.TmuxCli.watch`."""
    deadline_s = time.monotonic() + timeout_s
    most = _looks_in_one_call(watches[0]) if len(watches) == 1 else 0
    waits_inside = most >= _FEWEST_LOOKS
    looks = 0
    while watches:
        left_s = deadline_s - time.monotonic()
        steps_s = steps_within(_STEADY_STEPS_S if looks else _EAGER_STEPS_S, left_s)[:most] if waits_inside else []
        statuses = _look(server, watches, steps_s)
        if any(map(_ends_wait, watches, statuses)) or time.monotonic() >= deadline_s:
            return _with_ends(server, watches, statuses)
        if not waits_inside:
            time.sleep(max(0.0, min(_POLLS_S[min(looks, len(_POLLS_S) - 1)], deadline_s - time.monotonic())))
        looks += 1
    return ()


def _look(server: TmuxServer, watches: Sequence[Watch], steps_s: Sequence[float]) -> tuple[PaneStatus, ...]:
    """Wait, where one pane is waited for, and look; as many panes at a time as fit into one call."""
    waits: list[Command] = []
    if len(watches) == 1:
        (watch,) = watches
        waits = [guarded(watch.pane_id, _waits(watch), [("run-shell", "-d", f"{step_s:.3f}")]) for step_s in steps_s]
        waits += _nudge_commands(watch.pane_id)
    waits += _release_on_sight(watches)
    parts = [watches[at : at + _MOST_PANES] for at in range(0, len(watches), _MOST_PANES)]
    return tuple(status for at, part in enumerate(parts) for status in _look_at(server, part, [] if at else waits, steps_s))


def _look_at(
    server: TmuxServer, watches: Sequence[Watch], first: Sequence[Command], steps_s: Sequence[float] = ()
) -> tuple[PaneStatus, ...]:
    patterns = tuple(dict.fromkeys(pattern for watch in watches for pattern in watch.patterns))
    command = "#{pane_current_command}" if any(watch.commands for watch in watches) else ""
    look = Look([watch.pane_id for watch in watches], extra=(command, " ".join(map(shown_on, patterns))))
    answer = server.ask([*first, *look.commands()], extra_s=sum(steps_s))
    if answer.exit_code != 0 and means_not_found(answer.error_text):
        return tuple(map(_gone, watches))
    if answer.exit_code != 0 or answer.error_text:
        server.raise_unusable(answer)
    try:
        seen = look.read(answer.text)
        return tuple(_status(watch, seen.get(watch.pane_id), patterns) for watch in watches)
    except ValueError as error:
        server.raise_unusable(answer, error)


def _with_ends(server: TmuxServer, watches: Sequence[Watch], statuses: tuple[PaneStatus, ...]) -> tuple[PaneStatus, ...]:
    """Look once more if a process ended and the server does not know how; for one pane that was done on the way."""
    lost = [s.pane_id for s in statuses if s.is_dead and s.exit_code is None and s.signal is None]
    if not lost or len(watches) == 1:
        return statuses
    with suppress(TmuxError):
        return _look_at(server, watches, _nudge_commands(lost[0]))
    return statuses


def _ends_wait(watch: Watch, status: PaneStatus) -> bool:
    return not status.exists or status.is_dead or any(status.matched) or status.command in watch.commands


def _waits(watch: Watch) -> str:
    """Write the condition under which there is nothing to report yet."""
    looks = [shown_on(pattern) for pattern in watch.patterns]
    looks += [equals("pane_current_command", command) for command in watch.commands]
    nothing = "#{==:" + "".join(looks) + "," + "0" * len(looks) + "}"
    here = (equals(AGENT, watch.instance), "#{==:#{pane_dead},0}")
    return all_of(*here, nothing) if looks else all_of(*here)


def _looks_in_one_call(watch: Watch) -> int:
    """How often a watch can look in one call, which is limited in length."""
    return _MAX_STEP_BYTES // (call_bytes([_waits(watch)]) + _STEP_OVERHEAD_BYTES)


def _release_on_sight(watches: Sequence[Watch]) -> list[Command]:
    """Write what ends the start of every pane that shows the pattern it waits for, and no other; nothing where that gets too long."""
    commands: list[Command] = []
    for watch in watches:
        if watch.release_on is None:
            continue
        others = [pattern for at, pattern in enumerate(watch.patterns) if at != watch.release_on]
        shows = "#{!=:" + shown_on(watch.patterns[watch.release_on]) + ",0}"
        alone = ["#{==:" + shown_on(pattern) + ",0}" for pattern in others]
        ready = all_of(equals(AGENT, watch.instance), "#{==:#{pane_dead},0}", shows, *alone)
        commands.append(guarded(watch.pane_id, ready, release_commands(watch.pane_id)))
    return commands if sum(map(call_bytes, commands)) < _MAX_STEP_BYTES else []


def _nudge_commands(pane_id: str) -> list[Command]:
    """Write what makes the server notice how a process ended whose signal it missed: any child of its own that ends."""
    return [guarded(pane_id, LOST_STATUS, [("run-shell", "true"), ("run-shell", "-d", str(_NUDGE_S))])]


def _status(watch: Watch, seen: Seen | None, patterns: tuple[str, ...]) -> PaneStatus:
    if seen is None or seen.columns[AGENT] != watch.instance:
        return _gone(watch)
    command, found = seen.extra
    lines = dict(zip(patterns, found.split(" "), strict=True)) if patterns else {}
    return seen.status(command=command, matched=tuple(int(lines[pattern]) > 0 for pattern in watch.patterns))


def _gone(watch: Watch) -> PaneStatus:
    """Say that a pane is not there, or not ours any more."""
    return PaneStatus(pane_id=watch.pane_id, exists=False, matched=(False,) * len(watch.patterns))


def steps_within(steps_s: Sequence[float], left_s: float) -> list[float]:
    """Take the waits that fit; the last one is shortened.

    Examples:
        >>> steps_within((0.5, 0.5, 0.5), 0.7)
        [0.5, 0.2]
    """
    taken: list[float] = []
    for step_s in steps_s:
        rest_s = round(left_s - sum(taken), 3)
        if rest_s <= 0:
            break
        taken.append(min(step_s, rest_s))
    return taken
