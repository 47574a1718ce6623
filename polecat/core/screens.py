"""What does an agent's screen mean? One judgement, the same at a spawn, in a list, and before text is typed. Pure.

Patterns are POSIX extended regular expressions, matched against one line of the screen at a time with its trailing blanks cut off,
because tmux reads them as well. They hold nothing that means something else in Python's `re`. Agents draw some of their blanks as
U+00A0, which a dot stands for as well. They are short, because tmux gets them with every look, many times in one call.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

from attrs import field, frozen

from polecat.model import ScreenKind
from polecat.ports import Screen

DialogPolicy = Literal["answer-once", "trust", "report"]

BLANK = "[ \u00a0]"
"""Either blank, in a pattern."""

MOVING_S = 2
"""A screen that changed so recently still moves: tmux tells the time of a change in whole seconds."""


@frozen(kw_only=True)
class Dialog:
    """A question an agent may ask.

    Several entries of one name are variants of one question: it is answered once, with the keys of the first that is seen.

    Attributes:
        name: what it is about.
        pattern: a line of the screen that shows it, as an extended regular expression.
        keys: what to press, by tmux's names, one after the other; none for a question that is never answered.
        policy: ``answer-once`` confirms what the command line already asked for; ``trust`` is answered where the settings say so;
            ``report`` is left to a person.
    """

    name: str
    pattern: str
    keys: tuple[str, ...] = ()
    policy: DialogPolicy = "report"


@frozen(kw_only=True)
class Composer:
    """Where an agent's text is written before Enter, and how it takes what is pasted there.

    Attributes:
        start: the line it begins at, as an extended regular expression; the last such line counts. Empty where that is not known.
        placeholder: what stands there for a long text.
        pause_s: how long to wait between a paste that is seen and Enter: some take an Enter right behind a paste for a part of it.
    """

    start: str = ""
    placeholder: str = ""
    pause_s: float = 0.0


@frozen(kw_only=True)
class Signs:
    """What is known about an agent's screen; what is not known is empty.

    Attributes:
        prompt: a line that shows that text can be typed.
        busy: a line that shows that it works, also where its prompt is on the screen, or that it is still starting.
        dialogs: what it may ask, most specific first.
        composer: where its text is written.
        is_full_screen: it draws its screen itself: in a terminal that still reads whole lines it has not begun.
    """

    prompt: str = ""
    busy: str = ""
    dialogs: tuple[Dialog, ...] = ()
    composer: Composer = field(factory=Composer)
    is_full_screen: bool = False


@frozen(kw_only=True)
class ScreenState:
    """What a screen means.

    Attributes:
        kind: ``asks`` a known question is on it; ``busy`` the agent works, or still starts; ``idle`` it sits at its prompt;
            ``unknown`` nothing of this is seen.
        dialog: the question.
    """

    kind: ScreenKind = "unknown"
    dialog: Dialog | None = None

    @property
    def asks(self) -> str:
        """What it asks; empty if nothing."""
        return self.dialog.name if self.dialog else ""


def judge_screen(screen: Screen | None, signs: Signs, *, now_s: float | None = None) -> ScreenState:
    """Say what a screen means. A question wins over everything else, because a prompt's arrow is often part of it.

    Args:
        screen: what is seen of the pane; None if it could not be seen.
        signs: what is known about its agent's screen.
        now_s: the time of the look, Unix seconds. Where neither prompt nor work can be recognised, a screen that has just changed
            is busy.

    Examples:
        >>> signs = Signs(prompt="^> ", busy="esc to stop", dialogs=(Dialog(name="trust", pattern="Trust it[?]"),))
        >>> [judge_screen(Screen(text=text), signs).kind for text in ("> ready", "esc to stop\\n> ", "Trust it?\\n> 1. Yes", "hello", "")]
        ['idle', 'busy', 'asks', 'unknown', 'unknown']

    Source:
        Incidents T-33 to T-38.
    """
    if screen is None or screen.is_blank:
        return ScreenState()
    for dialog in signs.dialogs:
        if shows(screen, dialog.pattern):
            return ScreenState(kind="asks", dialog=dialog)
    if signs.is_full_screen and screen.is_raw is False:
        return ScreenState()
    if shows(screen, signs.busy):
        return ScreenState(kind="busy")
    if shows(screen, signs.prompt):
        return ScreenState(kind="idle")
    knows = signs.prompt or signs.busy
    if not knows and now_s is not None and now_s - screen.changed_at_s < MOVING_S:
        return ScreenState(kind="busy")
    return ScreenState()


def shows(screen: Screen, pattern: str) -> bool:
    """Say whether a line of the screen has a pattern; the empty pattern is on no screen.

    Examples:
        >>> shows(Screen(text="a\\n> "), "^>$"), shows(Screen(text="a"), "")
        (True, False)
    """
    return bool(pattern) and any(_compiled(pattern).search(line) for line in screen.lines)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
