"""Was a text taken? Decided from what the screen showed before it was pasted, when it was there, and after Enter. Pure.

An agent with a known composer has taken its text when the composer has given it up. Of any other program only this can be seen: the
screen changed, or it did not. A program that shows nothing at all leaves it open, and that is an answer.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from polecat.core.screens import Composer, ScreenState, Signs, judge_screen, squeezed, written
from polecat.ports import Screen

SHOWN_WITHIN_S = 10.0
"""How long a paste may take to be seen in a known composer."""

CHANGED_WITHIN_S = 0.5
"""How long to wait for a change of a screen of which nothing is known."""

PRESS_AGAIN_S = (1.0, 2.0, 4.0, 8.0)
"""How long each press of Enter may take to be seen once the agent has drawn anything after it; longer where the paste took longer."""

STILL_S = 8.0
"""How long to wait where the agent has drawn nothing at all: one that is stuck takes all the Enters at once when it goes on, and the text
with each of them."""

UNKNOWN_PAUSE_S = 0.5
"""The pause before Enter where nothing is known of the composer and the program reads single keys: long enough for all we tried."""

_TAIL = 24
_FEWEST = 6


@frozen(kw_only=True)
class Parcel:
    """A text on its way into a composer.

    Attributes:
        text: the text.
        signs: what is known about the agent's screen.
        before: the screen before it was pasted.
        shown: the last screen before Enter.
    """

    text: str
    signs: Signs
    before: Screen = field(factory=Screen)
    shown: Screen = field(factory=Screen)

    @property
    def _composer(self) -> Composer:
        return self.signs.composer

    @property
    def knows_composer(self) -> bool:
        """Something is known of the agent's composer."""
        return bool(self._composer.start)

    @property
    def shown_within_s(self) -> float:
        """How long to wait until the paste is seen."""
        return SHOWN_WITHIN_S if self.knows_composer else CHANGED_WITHIN_S

    @property
    def pause_s(self) -> float:
        """How long to wait between the paste that is seen and Enter; a terminal that reads lines for its program needs none."""
        if self.knows_composer:
            return self._composer.pause_s
        return 0.0 if self.shown.is_raw is False else UNKNOWN_PAUSE_S

    def press_again_s(self, patience_s: float, *, took_s: float, drew_s: float | None) -> float:
        """Say how long after Enter to press it again.

        Args:
            patience_s: the patience of this press, one of `PRESS_AGAIN_S`.
            took_s: how long the paste took to be seen.
            drew_s: how long after Enter the agent drew something; None if it has not.
        """
        if not self.knows_composer:
            return CHANGED_WITHIN_S
        return STILL_S if drew_s is None else drew_s + patience_s * max(1.0, took_s)

    def is_shown(self, screen: Screen) -> bool:
        """Say whether the paste can be seen."""
        if not self.knows_composer:
            return has_changed(self.before, screen)
        now, was = written(screen, self._composer), written(self.before, self._composer)
        return now is not None and now != was and self._is_in(now)

    def is_taken(self, screen: Screen) -> bool | None:
        """Say whether the text was taken after Enter; None if that cannot be told yet."""
        if not self.knows_composer:
            return True if has_changed(self.shown, screen) else None
        if self.state(screen).dialog is not None:  # it did not stand there when Enter was pressed
            return True
        now = written(screen, self._composer)
        if now is None:
            return None
        return not (now == written(self.shown, self._composer) or (len(squeezed(self.text)) >= _FEWEST and self._is_in(now)))

    def may_press(self, screen: Screen) -> bool:
        """Say whether Enter can only mean the text: no question is on the screen that it would answer."""
        return self.state(screen).dialog is None and self.is_taken(screen) is False

    def state(self, screen: Screen) -> ScreenState:
        """What the agent's screen means."""
        return judge_screen(screen, self.signs)

    def _is_in(self, composed: str) -> bool:
        placeholder = self._composer.placeholder
        if placeholder and re.search(placeholder, composed):
            return True
        return squeezed(self.text)[-_TAIL:] in composed


def has_changed(one: Screen, other: Screen) -> bool:
    """Say whether a screen, or the place of its cursor, is another."""
    return (one.lines, one.cursor) != (other.lines, other.cursor)
