"""Watching panes on a server. What is said to tmux is written by `tmux_watch`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from polecat.adapters.tmux.commands import Command, Fields, means_not_found
from polecat.adapters.tmux.server import TmuxServer
from polecat.adapters.tmux.watch import (
    EAGER_STEPS_S,
    FEWEST_LOOKS,
    POLLS_S,
    STEADY_STEPS_S,
    gone,
    is_lost,
    is_news,
    look_command,
    looks_in_one_call,
    nudge_commands,
    read_look,
    release_on_sight,
    steps_within,
    wait_commands,
)
from polecat.ports import PaneStatus, Watch


def watch(server: TmuxServer, watches: Sequence[Watch], *, timeout_s: float) -> tuple[PaneStatus, ...]:
    """Wait for news of panes. See `polecat.adapters.tmux.cli.TmuxCli.watch`."""
    deadline_s = time.monotonic() + timeout_s
    most = looks_in_one_call(watches[0]) if len(watches) == 1 else 0
    alone = most >= FEWEST_LOOKS
    looks = 0
    while watches:
        left_s = deadline_s - time.monotonic()
        steps_s = steps_within(STEADY_STEPS_S if looks else EAGER_STEPS_S, left_s)[:most] if alone else []
        statuses = _look(server, watches, steps_s)
        if any(map(is_news, watches, statuses)) or time.monotonic() >= deadline_s:
            return _with_ends(server, watches, statuses)
        if not alone:
            time.sleep(max(0.0, min(POLLS_S[min(looks, len(POLLS_S) - 1)], deadline_s - time.monotonic())))
        looks += 1
    return ()


def _look(server: TmuxServer, watches: Sequence[Watch], steps_s: Sequence[float]) -> tuple[PaneStatus, ...]:
    fields = Fields()
    waits: list[Command] = []
    if len(watches) == 1:
        waits = [*wait_commands(watches[0], steps_s), *nudge_commands(watches[0].pane_id)]
    answer = server.ask([*waits, *release_on_sight(watches), look_command(watches, fields)], extra_s=sum(steps_s))
    if answer.exit_code != 0 and means_not_found(answer.error_text):
        return tuple(map(gone, watches))
    if answer.exit_code != 0 or answer.error_text:
        server.raise_unusable(answer)
    try:
        return read_look(answer.text, watches, fields)
    except ValueError as error:
        server.raise_unusable(answer, error)


def _with_ends(server: TmuxServer, watches: Sequence[Watch], statuses: tuple[PaneStatus, ...]) -> tuple[PaneStatus, ...]:
    lost = [status.pane_id for status in statuses if is_lost(status)]
    if not lost or len(watches) == 1:
        return statuses
    fields = Fields()
    answer = server.ask([*nudge_commands(lost[0]), look_command(watches, fields)])
    try:
        return read_look(answer.text, watches, fields) if answer.exit_code == 0 else statuses
    except ValueError:
        return statuses
