"""Sessions of polecats: their options, their exit command, and waiting for their agents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from polecat.core.readiness import Awaited, Judgement, judge
from polecat.core.themes import status_theme
from polecat.errors import PolecatError, SessionNotFoundError
from polecat.lifecycle.delivery import Typist
from polecat.model import Rig
from polecat.ports import Clock, PaneStatus, Tmux
from polecat.town.events import EVENTS_FILE

SCREEN_LINES = 60
"""How much of a dying agent's screen an error shows at most."""


def status_options(rig: str, name: str, session: str, *, has_gt: bool) -> tuple[tuple[str, str], ...]:
    """The session options of a polecat: status bar in the rig's colours, and the mouse.

    Args:
        rig: the rig's name.
        name: the polecat's name.
        session: the session's name.
        has_gt: Gas Town's program is installed and fills the right half of the bar.

    Source:
        Contract §9.4 steps 12 to 19; the left half is wide enough for the whole identity, which the reference cuts.
    """
    right = f"#(gt status-line --session={session} 2>/dev/null) %H:%M" if has_gt else "%H:%M"
    left = f"😺 {rig}/{name} "
    return (
        ("status-style", status_theme(rig).style),
        ("status-left-length", str(max(25, len(left) + 1))),
        ("status-left", left),
        ("status-right-length", "80"),
        ("status-interval", "5"),
        ("status-right", right),
        ("mouse", "on"),
    )


@frozen(kw_only=True)
class WaitResult:
    """How waiting for one agent ended.

    Attributes:
        judgement: ready, waiting, died, gone or late.
        status: the pane's last status.
        screen: what the pane showed, where the agent is not ready.
        waited_s: how long it took.
    """

    judgement: Judgement
    status: PaneStatus
    screen: str = ""
    waited_s: float = 0.0


def await_agents(tmux: Tmux, awaited: Sequence[Awaited], *, clock: Clock) -> Iterator[tuple[int, WaitResult]]:
    """Wait for several agents with the same calls; yield each result as soon as it is known.

    Args:
        tmux: their server.
        awaited: the agents.
        clock: the clock their ``began_s`` is on.

    Yields:
        The position in *awaited* and the result, in the order in which the waits ended.

    Raises:
        TmuxError: the server could not be asked.
    """
    pending = dict(enumerate(awaited))
    while pending:
        wait_s = max(0.0, min(a.due_s for a in pending.values()) - clock.monotonic_s())
        if any(a.is_settling for a in pending.values()):
            clock.sleep(wait_s)
            wait_s = 0.0
        statuses = tmux.watch([a.watch() for a in pending.values()], timeout_s=wait_s)
        now_s = clock.monotonic_s()
        for (at, one), status in zip(list(pending.items()), statuses, strict=True):
            verdict = judge(one, status, now_s=now_s)
            if verdict.outcome == "answer" and verdict.dialog is not None:
                with suppress(SessionNotFoundError):  # it has just ended; the next status says how
                    Typist(tmux, one.pane_id, instance=one.instance, clock=clock).press(verdict.dialog.keys)
            if verdict.outcome in ("pending", "answer"):
                pending[at] = verdict.awaited
                continue
            del pending[at]
            screen = "" if verdict.outcome in ("ready", "gone") else last_screen(tmux, one.pane_id)
            yield at, WaitResult(judgement=verdict, status=status, screen=screen, waited_s=now_s - one.began_s)


def last_screen(tmux: Tmux, pane_id: str) -> str:
    """Read what a pane shows, for an error; empty where that cannot be read."""
    with suppress(PolecatError):
        return "\n".join(tmux.capture(pane_id, lines=SCREEN_LINES).split("\n")[-SCREEN_LINES:])
    return ""


def indent(screen: str, *, lines: int = 12) -> str:
    """Indent the last lines of a screen, for an error message.

    Examples:
        >>> indent("a\\nb")
        '    a\\n    b'
    """
    kept = [said for line in screen.split("\n") if (said := line.rstrip(" \t\r"))][-lines:]
    return "\n".join(f"    {line}" for line in kept)


def on_exit_command(rig: Rig, name: str, session: str, instance: str) -> tuple[str, ...]:
    """The command that the tmux server runs when the agent's process ends; exit status and signal are appended.

    It writes to the activity feed and, where Gas Town is installed, notifies it. See ``adapters/tmux/on_exit.sh``.
    """
    script = Path(__file__).parents[1] / "adapters" / "tmux" / "on_exit.sh"
    return ("/bin/sh", str(script), str(rig.town_root / EVENTS_FILE), rig.name, name, session, instance)
