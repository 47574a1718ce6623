"""Typing to an agent so that it is known what became of it: paste, see it, press Enter, see it go. Nothing is pasted twice.

What is decided from the screens is in `polecat.core.delivery`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from attrs import evolve, frozen

from polecat.core.delivery import PRESS_AGAIN_S, Parcel, has_changed
from polecat.core.screens import Signs, is_starting, judge_screen
from polecat.errors import SessionNotFoundError, publish
from polecat.ports import Clock, PaneStatus, Screen, Tmux, Typed, Watch

LOOK_AFTER_S = 0.02
"""How soon after typing the first look is taken; an agent that is quick needs no other."""

_LOOKS_S = (0.05, 0.1, 0.2, 0.3)
"""Waits between further looks; the last one repeats."""

STARTED_WITHIN_S = 20.0
"""How long an agent that shows that it is still starting may take; what is typed to it earlier is lost."""

KEY_WITHIN_S = 3.0
"""How long a key may take to show its effect before the next one is pressed."""


DeliveryOutcome = Literal["taken", "not taken", "refused", "unknown"]


@publish
@frozen(kw_only=True)
class Delivery:
    """What became of a text that was typed to an agent.

    Attributes:
        outcome: ``taken`` the agent has it; ``not taken`` it was shown and stayed where it was, however often Enter was pressed;
            ``refused`` nothing was typed, because the agent asks something or has not begun to read; ``unknown`` it was typed, and
            the screen does not tell what became of it.
        asks: the question it was refused for; empty if it has not begun.
        session_name: the tmux session.
        presses: how often Enter was pressed.
        waited_s: how long it took, seconds.
        has_ended: its agent ended after the text was pasted, so it is ``unknown`` whether it had read it.
    """

    outcome: DeliveryOutcome
    asks: str = ""
    session_name: str = ""
    presses: int = 0
    waited_s: float = 0.0
    has_ended: bool = False

    @property
    def is_taken(self) -> bool:
        """The agent has it."""
        return self.outcome == "taken"

    def __str__(self) -> str:
        if self.outcome == "refused":
            return f"nothing was typed: it asks '{self.asks}'" if self.asks else "nothing was typed: it does not read yet"
        if self.has_ended:
            return "typed, but the agent has ended; whether it was taken cannot be seen"
        return {"taken": "taken", "not taken": "shown, but not taken", "unknown": "typed; whether it was taken cannot be seen"}[
            self.outcome
        ]


class Typist:
    """Types into one pane.

    Args:
        tmux: its server.
        pane_id: the pane.
        instance: the stamp it must bear; empty means that none is checked.
        clock: measures and waits.
    """

    def __init__(self, tmux: Tmux, pane_id: str, *, instance: str, clock: Clock) -> None:
        self._tmux, self._clock = tmux, clock
        self._watch = Watch(pane_id=pane_id, instance=instance)
        self._began_s = clock.monotonic_s()
        self._presses = 0

    def deliver(self, text: str, signs: Signs) -> Delivery:
        """Type a text and Enter, and say what became of it.

        Args:
            text: what is typed.
            signs: what is known about the agent's screen.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more; nothing was typed.

        Source:
            Incidents T-40 to T-42.
        """
        if signs.dialogs or signs.is_full_screen:
            status = self._until(lambda now: not is_starting(now, signs), STARTED_WITHIN_S, self._look())
            screen = status.screen or Screen()
            state = judge_screen(screen, signs)
            if state.dialog is not None or (signs.is_full_screen and screen.is_raw is False) or is_starting(screen, signs):
                return self._answer("refused", asks=state.asks)
        typed = self._tmux.send_text(
            self._watch.pane_id, text, instance=self._watch.instance, enter=False, look_after_s=LOOK_AFTER_S
        )
        parcel = Parcel(text=text, signs=signs, before=typed.before)
        status = self._until(parcel.is_shown, parcel.shown_within_s, typed.after)
        if not _lives(status):
            return self._answer("unknown", has_ended=True)
        parcel = evolve(parcel, shown=status.screen or Screen())
        took_s = self._clock.monotonic_s() - self._began_s
        self._clock.sleep(parcel.pause_s)
        return self._press_enter(parcel, took_s)

    def press(self, keys: Sequence[str]) -> None:
        """Press keys, each once the one before has shown its effect: several at once are read as one by some agents.

        Raises:
            SessionNotFoundError: the pane is gone, dead, or not ours any more.
        """
        for at, key in enumerate(keys):
            is_last = at == len(keys) - 1
            typed = self._tmux.send_keys(
                self._watch.pane_id, [key], instance=self._watch.instance, look_after_s=0.0 if is_last else LOOK_AFTER_S
            )
            was = typed.before
            if not is_last:
                self._until(lambda now, was=was: has_changed(was, now), KEY_WITHIN_S, typed.after)  # type: ignore[misc]

    def _press_enter(self, parcel: Parcel, took_s: float) -> Delivery:
        """Press Enter until the text is taken, within the limit, and never when a question would take it for its answer."""
        for patience_s in PRESS_AGAIN_S if parcel.knows_composer else PRESS_AGAIN_S[:1]:
            try:
                typed = self._tmux.send_keys(
                    self._watch.pane_id, ["Enter"], instance=self._watch.instance, look_after_s=LOOK_AFTER_S
                )
            except SessionNotFoundError:  # it has ended meanwhile
                return self._answer("unknown", has_ended=True)
            self._presses += 1
            parcel = evolve(parcel, shown=typed.before if parcel.is_shown(typed.before) else parcel.shown)
            status = self._await_taken(parcel, typed, patience_s, took_s)
            if not _lives(status):
                return self._answer("unknown", has_ended=True)
            if parcel.is_taken(status.screen or Screen()):
                return self._answer("taken")
            if not parcel.may_press(status.screen or Screen()):
                return self._answer("unknown")
        return self._answer("not taken")

    def _await_taken(self, parcel: Parcel, typed: Typed, patience_s: float, took_s: float) -> PaneStatus:
        """Look until the text is taken, or it is time to press Enter again; return the last look."""
        pressed_s, drew_s, status, looks = self._clock.monotonic_s(), None, typed.after, 0
        while _lives(status) and not parcel.is_taken(screen := status.screen or Screen()):
            past_s = self._clock.monotonic_s() - pressed_s
            if drew_s is None and has_changed(typed.before, screen):
                drew_s = past_s
            left_s = parcel.press_again_s(patience_s, took_s=took_s, drew_s=drew_s) - past_s
            if left_s <= 0:
                break
            status, looks = self._look(after_s=self._pause_s(looks, left_s)), looks + 1
        return status

    def _until(self, is_so: Callable[[Screen], bool], within_s: float, status: PaneStatus) -> PaneStatus:
        """Look until a screen is as it should be, or the time is up; return the last look."""
        deadline_s = self._clock.monotonic_s() + within_s
        looks = 0
        while _lives(status) and not is_so(status.screen or Screen()):
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0:
                break
            status, looks = self._look(after_s=self._pause_s(looks, left_s)), looks + 1
        return status

    def _pause_s(self, looks: int, left_s: float) -> float:
        return min(left_s, _LOOKS_S[min(looks, len(_LOOKS_S) - 1)])

    def _look(self, *, after_s: float = 0.0) -> PaneStatus:
        self._clock.sleep(after_s)
        return self._tmux.watch([self._watch], timeout_s=0)[0]

    def _answer(self, outcome: DeliveryOutcome, *, asks: str = "", has_ended: bool = False) -> Delivery:
        took_s = round(self._clock.monotonic_s() - self._began_s, 3)
        return Delivery(outcome=outcome, asks=asks, presses=self._presses, waited_s=took_s, has_ended=has_ended)


def _lives(status: PaneStatus) -> bool:
    return status.exists and not status.is_dead
