"""When is an agent ready? Decided here from what its pane shows; pure, time comes in as a number.

It is seen, not timed: a known question on the screen comes first; then its prompt, where that is known, once it stands still. Of an
agent of which nothing is known the screen has to settle on something. A blank screen is never ready, and an agent that draws its screen
itself is not while the terminal still reads whole lines. Settings may name a process or a delay instead. An agent that ends meanwhile,
with any status, has failed.
"""

from __future__ import annotations

from typing import Literal

from attrs import evolve, field, frozen

from polecat.core.agent_model import Agent
from polecat.core.screens import Dialog, ScreenState, Signs, is_starting, judge_screen, shows
from polecat.ports import PaneStatus, Screen, Watch

Outcome = Literal["pending", "ready", "waiting", "answer", "died", "gone", "late"]

SURVIVAL_WINDOW_S = 0.25
"""How long a process that settings name must live to count as started."""

SETTLED_S = 1.0
"""How long the screen of an agent of which nothing is known must stand still."""

LOOK_S = 0.1
"""The time between two looks at a screen that has to stand still."""

BEGUN_S = 10.0
"""How long a prompt must stand still that may be a splash screen's: no splash screen we saw stood that long, on a loaded machine either."""

_RESTLESS = 10
"""A prompt that has been there for so many times its settling time is believed although something on the screen moves: a clock."""


@frozen(kw_only=True)
class Awaited:
    """One agent that is being waited for.

    Attributes:
        pane_id: its pane.
        instance: the stamp of its session.
        agent: how this agent shows that it is ready.
        accepts_trust: the settings allow to answer a trust question.
        began_s: when it was started, on a monotonic clock.
        deadline_s: when it is too late.
        asked: the dialog to be answered that the last look saw; it is answered once a second look sees the same one.
        answered: names of the dialogs answered so far; none is answered twice.
        seen_s: when its process was first seen, where that counts.
        looked_s: when its screen was last looked at.
        shown_s: since when its prompt is on the screen, or anything where nothing is known of it.
        still_s: since when the screen has not changed.
        still: that screen: its text and the position of its cursor.
    """

    pane_id: str
    instance: str
    agent: Agent
    accepts_trust: bool
    began_s: float
    deadline_s: float
    asked: Dialog | None = None
    answered: tuple[str, ...] = ()
    seen_s: float | None = None
    looked_s: float = 0.0
    shown_s: float | None = None
    still_s: float = 0.0
    still: tuple[str, tuple[int, int]] = ("", (0, 0))

    @property
    def open_dialogs(self) -> tuple[Dialog, ...]:
        """The dialogs that may still come."""
        return tuple(d for d in self.agent.dialogs if d.name not in self.answered)

    @property
    def signs(self) -> Signs:
        """What its screen may still show."""
        return evolve(self.agent.signs, dialogs=self.open_dialogs)

    @property
    def is_timed(self) -> bool:
        """Settings name a process or a delay instead of something to see."""
        ready = self.agent.readiness
        return not self.agent.signs.prompt and bool(ready.process_names or ready.delay_s)

    @property
    def is_settling(self) -> bool:
        """Only looking again tells more: its screen has to stand still."""
        return self.asked is not None or (not self.is_timed and (self.shown_s is not None or not self.agent.signs.prompt))

    @property
    def settle_s(self) -> float:
        """How long its screen must stand still."""
        return self.agent.signs.settle_s if self.agent.signs.prompt else SETTLED_S

    @property
    def _wants_process(self) -> bool:
        return bool(self.agent.readiness.process_names) and self.is_timed

    @property
    def due_s(self) -> float:
        """When the next thing happens by the clock alone."""
        if self.is_settling:
            return min(self.deadline_s, max(self.began_s, self.looked_s) + LOOK_S)
        if not self.is_timed:
            return self.deadline_s
        if self._wants_process and self.seen_s is None:
            return self.deadline_s
        since_s = self.began_s if self.seen_s is None else self.seen_s
        return min(self.deadline_s, since_s + (self.agent.readiness.delay_s or SURVIVAL_WINDOW_S))

    def watch(self) -> Watch:
        """What to look for next: the dialogs that may come, then the prompt until it is there."""
        patterns = [d.pattern for d in self.open_dialogs]
        prompt = self.agent.signs.prompt if self.shown_s is None else ""
        if prompt:
            patterns.append(prompt)
        commands = self.agent.readiness.process_names if self._wants_process and self.seen_s is None else ()
        return Watch(
            pane_id=self.pane_id,
            instance=self.instance,
            patterns=tuple(patterns),
            commands=commands,
            release_on=len(patterns) - 1 if prompt and not self.settle_s else None,
        )


@frozen(kw_only=True)
class Judgement:
    """What a look at a pane means.

    Attributes:
        outcome: ``pending`` go on; ``ready``; ``waiting`` a person must answer *dialog*; ``answer`` press *dialog*'s keys and go on;
            ``died`` the process ended; ``gone`` the session is not there any more; ``late`` the deadline passed.
        awaited: the agent, with what is now known.
        dialog: the dialog on the screen.
    """

    outcome: Outcome
    awaited: Awaited
    dialog: Dialog | None = field(default=None)


def judge(awaited: Awaited, status: PaneStatus, *, now_s: float) -> Judgement:
    """Decide what one look at a pane means.

    Args:
        awaited: the agent; the status must come from its `Awaited.watch`.
        status: how the pane is.
        now_s: the time of the look, on the clock of ``awaited.began_s``.

    Source:
        Incidents T-33 to T-38.
    """
    if not status.exists:
        return Judgement(outcome="gone", awaited=awaited)
    if status.is_dead:
        return Judgement(outcome="died", awaited=awaited)
    state = judge_screen(status.screen, awaited.signs)
    if state.dialog is not None:
        return _judge_dialog(awaited, state.dialog, now_s)
    awaited = evolve(awaited, asked=None)
    awaited, is_ready = _by_the_clock(awaited, status, now_s) if awaited.is_timed else _by_sight(awaited, status, state, now_s)
    if is_ready:
        return Judgement(outcome="ready", awaited=awaited)
    return Judgement(outcome="late" if now_s >= awaited.deadline_s else "pending", awaited=awaited)


def _judge_dialog(awaited: Awaited, dialog: Dialog, now_s: float) -> Judgement:
    """Answer what may be answered; a question of which half is drawn looks like another form of it, with other keys."""
    if dialog.policy == "report" or (dialog.policy == "trust" and not awaited.accepts_trust):
        return Judgement(outcome="waiting", awaited=awaited, dialog=dialog)
    if awaited.asked != dialog and now_s < awaited.deadline_s:
        return Judgement(outcome="pending", awaited=evolve(awaited, asked=dialog, looked_s=now_s))
    known = evolve(awaited, asked=None, answered=(*awaited.answered, dialog.name), shown_s=None)
    return Judgement(outcome="answer", awaited=known, dialog=dialog)


def _by_the_clock(awaited: Awaited, status: PaneStatus, now_s: float) -> tuple[Awaited, bool]:
    """Judge by a process or a delay that settings name."""
    names = awaited.agent.readiness.process_names
    if names and awaited.seen_s is None and status.command in names:
        awaited = evolve(awaited, seen_s=now_s)
    has_started = awaited.seen_s is not None or not names
    return awaited, has_started and awaited.due_s <= now_s and awaited.due_s < awaited.deadline_s


def _by_sight(awaited: Awaited, status: PaneStatus, state: ScreenState, now_s: float) -> tuple[Awaited, bool]:
    """Judge by the screen: it must show what counts, and stand still, except for an agent that already works."""
    screen, signs = status.screen or Screen(), awaited.agent.signs
    awaited = evolve(awaited, looked_s=now_s)
    if not _shows_start(screen, state, signs):
        return evolve(awaited, shown_s=None), False
    settle_s = awaited.settle_s if not signs.begun or shows(screen, signs.begun) else BEGUN_S
    still = (screen.text, screen.cursor)
    shown_s = now_s if awaited.shown_s is None else awaited.shown_s
    if awaited.shown_s is None or awaited.still != still:
        awaited = evolve(awaited, shown_s=shown_s, still=still, still_s=now_s)
    shown_for_s = now_s - shown_s
    if state.kind == "busy" or (signs.prompt and shown_for_s >= _RESTLESS * settle_s):
        return awaited, shown_for_s >= settle_s
    return awaited, now_s - awaited.still_s >= settle_s


def _shows_start(screen: Screen, state: ScreenState, signs: Signs) -> bool:
    """Say whether a screen shows that its agent has started, and can be typed to."""
    if screen.is_blank or is_starting(screen, signs) or (signs.is_full_screen and screen.is_raw is False):
        return False
    return state.kind in ("idle", "busy") or not signs.prompt
