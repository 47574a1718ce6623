"""What one look at a pane means; pure, with time as a number."""

from __future__ import annotations

import pytest
from attrs import evolve

from polecat.core.agent_model import Agent, Readiness
from polecat.core.presets import CLAUDE
from polecat.core.readiness import Awaited, Judgement, judge
from polecat.core.screens import Dialog, Signs
from polecat.ports import PaneStatus, Screen, Watch

PROMPT = Agent(name="a", command="a", signs=Signs(prompt="^>( |$)"))
NAMED = Agent(name="a", command="a", readiness=Readiness(process_names=("node",)))
DELAYED = Agent(name="a", command="a", readiness=Readiness(delay_s=3.0))
UNKNOWN = Agent(name="a", command="a", readiness=Readiness())
SETTLING = Agent(name="a", command="a", signs=Signs(prompt="^> ?", busy="working", starting="loading", settle_s=0.5))
FULL_SCREEN = Agent(name="a", command="a", signs=Signs(prompt="^> ?", is_full_screen=True))
ASKING = Agent(
    name="a",
    command="a",
    signs=Signs(
        prompt="^>( |$)",
        dialogs=(
            Dialog(name="flag", pattern="flag", keys=("Down", "Enter"), policy="answer-once"),
            Dialog(name="trust", pattern="trust", keys=("Enter",), policy="trust"),
            Dialog(name="trust", pattern="sure", keys=("y",), policy="trust"),
            Dialog(name="login", pattern="login"),
        ),
    ),
)


def awaited(agent: Agent, *, accepts_trust: bool = False) -> Awaited:
    return Awaited(pane_id="%1", instance="i", agent=agent, accepts_trust=accepts_trust, began_s=100.0, deadline_s=110.0)


def look(
    one: Awaited, now_s: float, text: str = "", *, command: str = "", is_raw: bool | None = True, **how: object
) -> Judgement:
    """Judge a look that saw this text."""
    screen = Screen(text=text, is_raw=is_raw)
    status = PaneStatus(pane_id="%1", command=command, screen=screen, **how)  # type: ignore[arg-type]  # a test names what it needs
    return judge(one, status, now_s=now_s)


def looks(one: Awaited, *seen: tuple[float, str]) -> Judgement:
    """Judge looks one after the other, until the wait is over."""
    for now_s, text in seen:
        judgement = look(one, now_s, text)
        if judgement.outcome != "pending":
            break
        one = judgement.awaited
    return judgement


@pytest.mark.parametrize("agent", [PROMPT, NAMED, DELAYED, UNKNOWN, ASKING])
def test_an_agent_that_ended_has_failed(agent: Agent) -> None:
    """Whatever is awaited and whatever is on the screen: an agent that ended, with any status, has failed (T-38)."""
    for code in (0, 3):
        assert look(awaited(agent), 105.0, "> ", is_dead=True, exit_code=code).outcome == "died"
    assert look(awaited(agent), 105.0, "> ", exists=False).outcome == "gone"


@pytest.mark.parametrize(
    ("agent", "now_s", "seen", "command", "outcome"),
    [
        (PROMPT, 100.0, "", "", "pending"),
        (PROMPT, 109.9, "hello", "", "pending"),
        (PROMPT, 110.0, "hello", "", "late"),
        (PROMPT, 100.0, "> ready", "", "ready"),
        (PROMPT, 111.0, "> ready", "", "ready"),
        (NAMED, 105.0, "", "sh", "pending"),
        (NAMED, 105.0, "", "node", "pending"),
        (NAMED, 110.0, "", "sh", "late"),
        (DELAYED, 102.9, "", "", "pending"),
        (DELAYED, 103.0, "", "", "ready"),
        (UNKNOWN, 109.9, "", "", "pending"),
        (UNKNOWN, 110.0, "", "", "late"),
    ],
)
def test_what_counts(agent: Agent, now_s: float, seen: str, command: str, outcome: str) -> None:
    """The best sign that is known for an agent counts, and nothing before it; a blank screen never does (T-35)."""
    assert look(awaited(agent), now_s, seen, command=command).outcome == outcome


def test_an_unknown_agent_is_ready_when_its_screen_has_settled() -> None:
    """Of an agent of which nothing is known the screen must show something and stand still for a second."""
    assert looks(awaited(UNKNOWN), (100.0, "hi"), (100.9, "hi")).outcome == "pending"
    assert looks(awaited(UNKNOWN), (100.0, "hi"), (100.5, "hi"), (101.0, "hi")).outcome == "ready"
    assert looks(awaited(UNKNOWN), (100.0, "hi"), (100.9, "ho"), (101.8, "ho")).outcome == "pending"
    assert looks(awaited(UNKNOWN), (100.0, "hi"), (100.9, ""), (101.0, "hi"), (101.9, "hi")).outcome == "pending"
    assert looks(awaited(UNKNOWN), *((100 + at * 0.1, str(at)) for at in range(101))).outcome == "late"
    assert awaited(UNKNOWN).due_s <= 100.2, "it is looked at again soon"


def test_a_prompt_must_stand_still() -> None:
    """A prompt that is drawn and gone again, or is still moving, is not the prompt; one beside a clock is believed in the end."""
    assert looks(awaited(SETTLING), (100.0, "> "), (100.4, "> ")).outcome == "pending"
    assert looks(awaited(SETTLING), (100.0, "> "), (100.4, "> "), (100.5, "> ")).outcome == "ready"
    assert looks(awaited(SETTLING), (100.0, "> "), (100.4, "x"), (100.6, "> "), (100.9, "> ")).outcome == "pending"
    clock = [(100 + at * 0.25, f"> \n12:00:{at}") for at in range(21)]
    assert looks(awaited(SETTLING), *clock[:-1]).outcome == "pending"
    assert looks(awaited(SETTLING), *clock).outcome == "ready"
    assert looks(awaited(SETTLING), (100.0, "> \nworking 1"), (100.5, "> \nworking 2")).outcome == "ready"


def test_a_splash_screen_is_not_the_start() -> None:
    """A prompt without the sign that the agent has begun, or with the sign that it is starting, is a splash screen's (T-35)."""
    assert looks(awaited(SETTLING), (100.0, "> \nloading"), (105.0, "> \nloading")).outcome == "pending"
    splash = evolve(SETTLING, signs=evolve(SETTLING.signs, begun="v1"))
    assert looks(awaited(splash), (100.0, "> "), (109.9, "> ")).outcome == "pending"
    assert looks(awaited(splash), (100.0, "v1\n> "), (100.5, "v1\n> ")).outcome == "ready"
    long = evolve(awaited(splash), deadline_s=200.0)
    assert looks(long, (100.0, "> "), (110.0, "> ")).outcome == "ready", "another version may not show it"


def test_an_agent_that_draws_its_screen_has_not_begun_in_a_terminal_that_reads_lines() -> None:
    """What stands there is not the agent's, whatever it looks like; where that cannot be told it counts."""
    assert look(awaited(FULL_SCREEN), 105.0, "> ", is_raw=False).outcome == "pending"
    assert look(awaited(FULL_SCREEN), 105.0, "> ", is_raw=True).outcome == "ready"
    assert look(awaited(FULL_SCREEN), 105.0, "> ", is_raw=None).outcome == "ready"


def test_a_process_must_be_seen_and_then_live() -> None:
    """Where the process counts, the window begins when it was first seen, not when the wrapper started (T-33)."""
    first = look(awaited(NAMED), 105.0, command="node")
    assert (first.outcome, first.awaited.seen_s) == ("pending", 105.0)
    assert first.awaited.due_s == 105.25
    assert look(first.awaited, 105.2, command="node").outcome == "pending"
    assert look(first.awaited, 105.25, command="node").outcome == "ready"


def test_a_process_that_becomes_its_child_stays_seen() -> None:
    """An agent that runs a tool in the foreground is still the agent (T-33)."""
    seen = look(awaited(NAMED), 105.0, command="node").awaited
    assert look(seen, 105.3, command="git").outcome == "ready"


def test_a_delay_longer_than_the_limit_is_late() -> None:
    """A configured delay does not stretch the time limit (T-35)."""
    slow = Agent(name="a", command="a", readiness=Readiness(delay_s=60.0))
    assert awaited(slow).due_s == 110.0
    assert look(awaited(slow), 110.0).outcome == "late"


def test_a_question_beats_the_prompt() -> None:
    """A prompt's arrow is often part of a question; then the question counts (T-36)."""
    assert look(awaited(ASKING), 101.0, "login\n> 1. Yes").outcome == "waiting"


def test_a_question_about_our_own_flag_is_answered_once() -> None:
    """It is answered with its own keys; if it is still there at the next look, that is not a second question (T-36)."""
    first = looks(awaited(ASKING), (101.0, "flag"), (101.1, "flag"))
    assert first.outcome == "answer" and first.dialog is not None and first.dialog.keys == ("Down", "Enter")
    assert look(first.awaited, 102.0, "flag").outcome == "pending"
    assert look(first.awaited, 110.0, "flag").outcome == "late"
    assert look(first.awaited, 102.0, "> ").outcome == "ready"


def test_trust_is_given_only_where_the_settings_say_so() -> None:
    """Otherwise the polecat waits for a person (T-36)."""
    asked = look(awaited(ASKING), 101.0, "trust")
    assert asked.outcome == "waiting" and asked.dialog is not None and asked.dialog.name == "trust"
    assert looks(awaited(ASKING, accepts_trust=True), (101.0, "trust"), (101.1, "trust")).outcome == "answer"


def test_a_question_half_drawn_is_not_answered() -> None:
    """A screen is read while it is being drawn: what is seen twice is answered, with its own keys (T-36)."""
    half, header = awaited(CLAUDE), "running in Bypass Permissions mode"
    whole = f"{header}\n ❯ 1. No, exit\n   2. Yes, I accept"
    first = look(half, 101.0, header)
    assert (first.outcome, first.awaited.due_s) == ("pending", 101.1)
    answered = looks(first.awaited, (101.1, whole), (101.2, whole))
    assert answered.outcome == "answer" and answered.dialog is not None and answered.dialog.keys == ("2",)
    assert looks(first.awaited, (101.1, "nothing of it"), (101.2, header)).outcome == "pending", "seen twice in a row"


def test_variants_of_one_question_are_one_question() -> None:
    """After one variant was answered the other is not: it is the same question, drawn once more (T-36)."""
    first = looks(awaited(ASKING, accepts_trust=True), (101.0, "sure"), (101.1, "sure"))
    assert first.dialog is not None and first.dialog.keys == ("y",)
    assert looks(first.awaited, (101.2, "trust"), (101.3, "trust")).outcome == "pending"


def test_two_questions_in_a_row() -> None:
    """Each is answered once, in whatever order they come (T-36)."""
    one = looks(awaited(ASKING, accepts_trust=True), (101.0, "trust"), (101.1, "trust"))
    two = looks(one.awaited, (102.0, "flag"), (102.1, "flag"))
    assert (one.outcome, two.outcome) == ("answer", "answer")
    assert set(two.awaited.answered) == {"trust", "flag"}
    assert look(two.awaited, 103.0, "> ").outcome == "ready"


def test_what_is_left_to_a_person_is_never_answered() -> None:
    """A sign-in is reported whatever the settings say (T-36)."""
    for accepts in (False, True):
        assert look(awaited(ASKING, accepts_trust=accepts), 101.0, "login").outcome == "waiting"


def test_every_question_of_claude_is_on_the_watch_before_its_prompt() -> None:
    """The watch asks for dialogs first and the prompt last, as the judgement reads them."""
    watch = awaited(CLAUDE).watch()
    assert watch.patterns[-1] == CLAUDE.signs.prompt
    assert list(watch.patterns[:-1]) == [dialog.pattern for dialog in CLAUDE.dialogs]


def test_what_is_looked_for() -> None:
    """The dialogs that may come, then the prompt, which alone ends the start; the process only where the prompt is not known."""
    assert awaited(ASKING).watch() == Watch(
        pane_id="%1", instance="i", patterns=("flag", "trust", "sure", "login", "^>( |$)"), release_on=4
    )
    assert awaited(NAMED).watch() == Watch(pane_id="%1", instance="i", commands=("node",))
    assert evolve(awaited(NAMED), seen_s=101.0).watch() == Watch(pane_id="%1", instance="i")
    assert awaited(UNKNOWN).watch() == Watch(pane_id="%1", instance="i")
    assert awaited(SETTLING).watch() == Watch(pane_id="%1", instance="i", patterns=("^> ?",)), "it must settle first"
    assert evolve(awaited(SETTLING), shown_s=101.0).watch() == Watch(pane_id="%1", instance="i")
    both = Agent(name="a", command="a", signs=Signs(prompt="^>( |$)"), readiness=Readiness(process_names=("node",)))
    assert awaited(both).watch() == Watch(pane_id="%1", instance="i", patterns=("^>( |$)",), release_on=0)


def test_a_judgement_carries_the_agent_it_is_about() -> None:
    """Whatever ends the wait, the agent goes on with what is known of it."""
    one, asking = awaited(PROMPT), awaited(ASKING)

    assert look(one, 100.0, exists=False).awaited == one
    assert look(one, 100.0, is_dead=True).awaited == one
    assert look(one, 110.0).awaited == evolve(one, looked_s=110.0)
    assert look(asking, 100.0, "login").awaited == asking


def test_a_pane_that_could_not_be_seen_proves_nothing() -> None:
    """A status without a screen is no prompt and no question."""
    assert judge(awaited(ASKING), PaneStatus(pane_id="%1"), now_s=100.0).outcome == "pending"
    assert judge(awaited(UNKNOWN), PaneStatus(pane_id="%1"), now_s=100.0).outcome == "pending"
