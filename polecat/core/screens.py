"""What does an agent's screen mean? One judgement, the same at a spawn, in a list, and before text is typed. Pure.

Patterns are POSIX extended regular expressions, matched against one line of the screen at a time with its trailing blanks cut off,
because tmux reads them as well. They hold nothing that means something else in Python's `re`. Agents draw some of their blanks as
U+00A0, which a dot stands for as well. They are short, because tmux gets them with every look, many times in one call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from attrs import field, frozen

from polecat.model import ScreenKind
from polecat.ports import Screen

DialogPolicy = Literal["answer-once", "trust", "report"]

BLANK = "[ \u00a0]"
"""Either blank, in a pattern."""

_BETWEEN = re.compile("[\\s\u200b│┃|]+")

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
        start: what the line it begins at starts with, as an extended regular expression; the last such line counts. Empty where
            nothing is known of it.
        end: the first line below that is no part of it; empty for none.
        placeholder: what stands there for a long text.
        pause_s: how long to wait between a paste that is seen and Enter: some take an Enter right behind a paste for a part of it.
    """

    start: str = ""
    end: str = ""
    placeholder: str = ""
    pause_s: float = 0.0


@frozen(kw_only=True)
class Signs:
    """What is known about an agent's screen; what is not known is empty.

    Attributes:
        prompt: a line that shows that text can be typed.
        busy: a line that shows that it works, also where its prompt is on the screen.
        starting: a line that shows that it is still starting, or starts anew, also where its prompt is on the screen; until what shows
            that it has begun stands below.
        footer: a line that is drawn below all others where text can be typed: a question above it is over.
        begun: a line that is on the screen once it has started; without it the prompt may be a splash screen's. Empty where that
            does not happen.
        dialogs: what it may ask, most specific first.
        composer: where its text is written.
        is_full_screen: it draws its screen itself: in a terminal that still reads whole lines it has not begun.
        settle_s: how long its prompt must stand still until it counts as ready, seconds.
    """

    prompt: str = ""
    busy: str = ""
    starting: str = ""
    footer: str = ""
    begun: str = ""
    dialogs: tuple[Dialog, ...] = ()
    composer: Composer = field(factory=Composer)
    is_full_screen: bool = False
    settle_s: float = 0.0


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

    A question that was asked and answered, or that is only talked about, stands above the prompt; where the agent draws a footer there
    that no question has, it does not count.

    Args:
        screen: what is seen of the pane; None if it could not be seen.
        signs: what is known about its agent's screen.
        now_s: the time of the look, Unix seconds; then a screen that has just changed is that of an agent that works. Not given where
            the caller itself sees whether the screen stands still.

    Examples:
        >>> signs = Signs(prompt="^> ", busy="esc to stop", dialogs=(Dialog(name="trust", pattern="Trust it[?]"),))
        >>> [judge_screen(Screen(text=text), signs).kind for text in ("> ready", "esc to stop\\n> ", "Trust it?\\n> 1. Yes", "hello", "")]
        ['idle', 'busy', 'asks', 'unknown', 'unknown']

    Source:
        Incidents T-33 to T-38.
    """
    if screen is None or screen.is_blank:
        return ScreenState()
    ends_at = _last_line(screen, signs.footer)
    for dialog in signs.dialogs:
        if _last_line(screen, dialog.pattern) > ends_at:
            return ScreenState(kind="asks", dialog=dialog)
    if signs.is_full_screen and screen.is_raw is False:
        return ScreenState()
    if shows(screen, signs.busy) or is_starting(screen, signs):
        return ScreenState(kind="busy")
    if now_s is not None and now_s - screen.changed_at_s < MOVING_S:
        return ScreenState(kind="busy")
    return ScreenState(kind="idle" if shows(screen, signs.prompt) else "unknown")


def is_starting(screen: Screen, signs: Signs) -> bool:
    """Say whether a screen shows that its agent is still starting, or starts anew.

    Examples:
        >>> signs = Signs(starting="restarting", begun="^Agent v")
        >>> [is_starting(Screen(text=text), signs) for text in ("Agent v1", "Agent v1\\nrestarting", "restarting\\nAgent v1")]
        [False, True, False]
    """
    return _last_line(screen, signs.starting) > _last_line(screen, signs.begun)


def shows(screen: Screen, pattern: str) -> bool:
    """Say whether a line of the screen has a pattern; the empty pattern is on no screen.

    Examples:
        >>> shows(Screen(text="a\\n> "), "^>$"), shows(Screen(text="a"), "")
        (True, False)
    """
    return _last_line(screen, pattern) >= 0


def _last_line(screen: Screen, pattern: str) -> int:
    """Find the last line that has a pattern; -1 for none."""
    return max(_lines_with(screen.lines, pattern), default=-1)


def _lines_with(lines: Sequence[str], pattern: str) -> list[int]:
    has_it = re.compile(pattern).search
    return [at for at, line in enumerate(lines if pattern else ()) if has_it(line)]


def written(screen: Screen, composer: Composer) -> str | None:
    """Read what stands in a composer, without its blanks and frame; None if it is not on the screen.

    Examples:
        >>> composer = Composer(start="^> ?", end="^---")
        >>> written(Screen(text="> old\\nanswer\\n> fix\\n  it\\n---\\nfooter"), composer)
        'fixit'
    """
    lines = screen.lines
    starts = _lines_with(lines, composer.start)
    if not starts:
        return None
    first = re.sub(composer.start, "", lines[starts[-1]], count=1)
    rest = lines[starts[-1] + 1 :]
    ends = _lines_with(rest, composer.end)
    return squeezed("".join([first, *rest[: ends[0] if ends else None]]))


def squeezed(text: str) -> str:
    """Take the blanks and frames out of a text, so that it is the same however an agent wraps it.

    Examples:
        >>> squeezed("│ a b\\u200b │")
        'ab'
    """
    return _BETWEEN.sub("", text)
