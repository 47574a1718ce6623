"""Whether a text is seen, whether it was taken, and when Enter is pressed again; decided from screens alone."""

from __future__ import annotations

import pytest
from attrs import evolve

from polecat.core.agent_screens import CLAUDE_SIGNS
from polecat.core.delivery import CHANGED_WITHIN_S, STILL_S, UNKNOWN_PAUSE_S, Parcel
from polecat.core.screens import Signs
from polecat.ports import Screen

RULE = "─" * 30


def composer(text: str, above: str = "❯ an older text\n● its answer") -> Screen:
    return Screen(text=f"{above}\n{RULE}\n❯ {text}\n{RULE}\n  ⏵⏵ bypass permissions on (shift+tab to cycle)", is_raw=True)


def parcel(text: str, signs: Signs = CLAUDE_SIGNS) -> Parcel:
    return Parcel(text=text, signs=signs, before=composer(""), shown=composer(text))


@pytest.mark.parametrize(
    ("text", "shown", "is_it"),
    [
        ("hello", "hello", True),
        ("hello", "", False),
        ("hello", "hel", False),
        ("hello", "a draft of a personhello", True),
        ("one\n  two\tthree", "one\n    two   three", True),
        ("x" * 500, "x" * 150 + "\n  " + "x" * 350, True),
        ("line\n" * 40, "[Pasted text #1 +40 lines]", True),
        ("x" * 500, "x" * 20, False),
    ],
)
def test_a_paste_is_seen_when_its_end_or_its_placeholder_stands_in_the_composer(text: str, shown: str, is_it: bool) -> None:
    """However it is wrapped; not before all of it is there."""
    assert parcel(text).is_shown(composer(shown)) is is_it


def test_what_stood_there_before_is_not_the_paste() -> None:
    """The composer has to change: the same words may be a draft, or stand in the text above."""
    before = composer("hello")
    assert evolve(parcel("hello"), before=before).is_shown(before) is False
    assert parcel("hello").is_shown(composer("", above="❯ hello")) is False
    assert parcel("hello").is_shown(Screen(text="hello")) is False


@pytest.mark.parametrize(
    ("text", "now", "is_it"),
    [
        ("hello there", composer("", above="❯ hello there"), True),
        ("hello there", composer("hello there"), False),
        ("hello there", composer("hello there\n "), False),
        ("hello there", composer("hello there and more"), False),
        ("y", composer("y"), False),
        ("y", composer('Try "fix my tests"'), True),
        ("hello there", composer("Press up to edit queued messages"), True),
        ("hello there", Screen(text="nothing to be seen"), None),
        ("hello there", Screen(text=f"❯ hello there\n{RULE}\n Do you want to proceed?\n ❯ 1. Yes"), True),
    ],
)
def test_a_text_is_taken_when_the_composer_gives_it_up(text: str, now: Screen, is_it: bool | None) -> None:
    """A composer that is gone without a question leaves it open; a question that has come is the answer to the text."""
    assert parcel(text).is_taken(now) is is_it


def test_enter_is_never_pressed_into_a_question_or_an_empty_composer() -> None:
    """Only where the composer holds the text can Enter mean nothing else."""
    one = parcel("hello there")
    assert one.may_press(composer("hello there"))
    assert not one.may_press(composer(""))
    assert not one.may_press(Screen(text=f"❯ hello there\n{RULE}\n Do you want to proceed?\n ❯ 1. Yes"))
    assert not one.may_press(Screen(text="nothing to be seen"))


def test_when_enter_is_pressed_again() -> None:
    """Not before the agent has drawn something, or for long; later where it is slow."""
    one = parcel("hello")
    assert one.press_again_s(2.0, took_s=0.1, drew_s=None) == STILL_S
    assert one.press_again_s(2.0, took_s=0.1, drew_s=0.5) == 2.5
    assert one.press_again_s(2.0, took_s=3.0, drew_s=0.5) == 6.5
    assert parcel("hello", Signs()).press_again_s(2.0, took_s=0.1, drew_s=None) == CHANGED_WITHIN_S


def test_the_pause_before_enter() -> None:
    """As long as the agent needs; half a second where nothing is known; none where the terminal reads lines."""
    unknown = parcel("hello", Signs())
    assert parcel("hello").pause_s == CLAUDE_SIGNS.composer.pause_s > 0
    assert unknown.pause_s == UNKNOWN_PAUSE_S
    assert evolve(unknown, shown=Screen(text="hello", is_raw=False)).pause_s == 0
