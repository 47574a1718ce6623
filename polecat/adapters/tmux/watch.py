"""Looking at panes: waiting inside the server for one, one shared look for many. Pure; `polecat.adapters.tmux.cli` runs it.

For one pane the server itself looks again every few milliseconds, for up to a second a call: an agent that shows its prompt
at once costs one call and a few milliseconds of lag. For many panes one listing shows them all.
"""

from __future__ import annotations

from collections.abc import Sequence

from polecat.adapters.tmux.commands import (
    AGENT,
    RELEASED,
    Command,
    Fields,
    all_of,
    equals,
    guarded,
    literal,
    read_number,
    read_signal,
)
from polecat.adapters.tmux.start import LOST_STATUS, release_commands
from polecat.ports import PaneStatus, Watch

EAGER_STEPS_S = (0.008,) * 8 + (0.02,) * 10 + (0.04,) * 17
"""Waits between looks while an agent may just be starting: 0.94 s in all."""

STEADY_STEPS_S = (0.05,) * 19
"""Waits between looks later on: 0.95 s in all."""

POLLS_S = (0.02, 0.02, 0.03, 0.05, 0.07, 0.1)
"""Waits between listings of many panes; the last one repeats."""

_MAX_STEP_BYTES = 11_000
_STEP_OVERHEAD_BYTES = 50
FEWEST_LOOKS = 8
"""A watch that cannot look so often in one call is better asked again and again."""

_NUDGE_S = 0.03


def _found(pattern: str) -> str:
    return "#{C/r:" + literal(pattern) + "}"


def _waits(watch: Watch) -> str:
    """Write the condition under which there is nothing to report yet."""
    looks = [_found(pattern) for pattern in watch.patterns]
    looks += [equals("pane_current_command", command) for command in watch.commands]
    nothing = "#{==:" + "".join(looks) + "," + "0" * len(looks) + "}"
    here = (equals(AGENT, watch.instance), "#{==:#{pane_dead},0}")
    return all_of(*here, nothing) if looks else all_of(*here)


def looks_in_one_call(watch: Watch) -> int:
    """How often a watch can look in one call, which is limited in length."""
    return _MAX_STEP_BYTES // (len(_waits(watch).encode("utf-8", "surrogateescape")) + _STEP_OVERHEAD_BYTES)


def release_on_sight(watches: Sequence[Watch]) -> list[Command]:
    """Write what ends the start of every pane that shows the pattern it waits for, and no other; nothing where that gets too long."""
    commands: list[Command] = []
    for watch in watches:
        if watch.release_on is None:
            continue
        others = [pattern for at, pattern in enumerate(watch.patterns) if at != watch.release_on]
        shows = "#{!=:" + _found(watch.patterns[watch.release_on]) + ",0}"
        alone = ["#{==:" + _found(pattern) + ",0}" for pattern in others]
        ready = all_of(equals(AGENT, watch.instance), "#{==:#{pane_dead},0}", shows, *alone)
        commands.append(guarded(watch.pane_id, ready, release_commands(watch.pane_id)))
    size = sum(len(word.encode("utf-8", "surrogateescape")) + 1 for command in commands for word in command)
    return commands if size < _MAX_STEP_BYTES else []


def wait_commands(watch: Watch, steps_s: Sequence[float]) -> list[Command]:
    """Write the looks and waits of one call."""
    condition = _waits(watch)
    return [guarded(watch.pane_id, condition, [("run-shell", "-d", f"{step_s:.3f}")]) for step_s in steps_s]


def nudge_commands(pane_id: str) -> list[Command]:
    """Write what makes the server notice how a process ended whose signal it missed: any child of its own that ends."""
    return [guarded(pane_id, LOST_STATUS, [("run-shell", "true"), ("run-shell", "-d", str(_NUDGE_S))])]


def patterns_of(watches: Sequence[Watch]) -> tuple[str, ...]:
    """List the patterns of all watches, each once."""
    return tuple(dict.fromkeys(pattern for watch in watches for pattern in watch.patterns))


def look_command(watches: Sequence[Watch], fields: Fields) -> Command:
    """Write the listing of the watched panes."""
    command = "#{pane_current_command}" if any(watch.commands for watch in watches) else ""
    columns = ("pane_id", AGENT, "pane_dead", "pane_dead_status", "pane_dead_signal", "pane_pid", RELEASED)
    seen = " ".join(_found(pattern) for pattern in patterns_of(watches))
    row = fields.row(*("#{" + column + "}" for column in columns), command, seen)
    if len(watches) == 1:
        return ("list-panes", "-t", watches[0].pane_id, "-f", equals("pane_id", watches[0].pane_id), "-F", row)
    return ("list-panes", "-a", "-f", "#{" + AGENT + "}", "-F", row)


def read_look(text: str, watches: Sequence[Watch], fields: Fields) -> tuple[PaneStatus, ...]:
    """Read the listing.

    Raises:
        ValueError: it is something else.
    """
    patterns = patterns_of(watches)
    rows = {row[0]: row for row in fields.read(text, 9)}
    return tuple(_status(watch, rows.get(watch.pane_id), patterns) for watch in watches)


def _status(watch: Watch, row: tuple[str, ...] | None, patterns: tuple[str, ...]) -> PaneStatus:
    if row is None or row[1] != watch.instance:
        return gone(watch)
    _, _, dead, status, signal, pid, released, command, seen = row
    lines = dict(zip(patterns, seen.split(" "), strict=True)) if patterns else {}
    return PaneStatus(
        pane_id=watch.pane_id,
        is_dead=dead == "1",
        exit_code=read_number(status),
        signal=read_signal(signal),
        pid=int(pid or 0),  # after 3.7 a dead pane has none
        command=command,
        matched=tuple(int(lines[pattern]) > 0 for pattern in watch.patterns),
        is_released=released == "1",
    )


def gone(watch: Watch) -> PaneStatus:
    """Say that a pane is not there, or not ours any more."""
    return PaneStatus(pane_id=watch.pane_id, exists=False, matched=(False,) * len(watch.patterns))


def is_news(watch: Watch, status: PaneStatus) -> bool:
    """Say whether a look shows something worth returning for."""
    return not status.exists or status.is_dead or any(status.matched) or status.command in watch.commands


def is_lost(status: PaneStatus) -> bool:
    """Say whether the process ended and the server does not know how."""
    return status.is_dead and status.exit_code is None and status.signal is None


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
