"""What screens mean: those of real agents, written down by hand in ``screens/``, and the rules of the judgement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from polecat.core.agent_model import Agent
from polecat.core.agent_screens import CLAUDE_SIGNS, CODEX_SIGNS, GEMINI_SIGNS, QWEN_SIGNS
from polecat.core.readiness import Awaited, judge
from polecat.core.screens import Composer, Dialog, Signs, judge_screen, written
from polecat.ports import PaneStatus, Screen

SIGNS = {"claude": CLAUDE_SIGNS, "codex": CODEX_SIGNS, "gemini": GEMINI_SIGNS, "qwen": QWEN_SIGNS}
ASKING = Signs(
    prompt="^> ", busy="esc to stop", footer="^--", dialogs=(Dialog(name="trust", pattern="Trust it\\?"),), is_full_screen=True
)


def recorded() -> Iterator[tuple[str, str, str, str, str]]:
    """The screens in the files: agent, name of the screen, what it means, more of that, text."""
    for path in sorted((Path(__file__).parent / "screens").glob("*.txt")):
        for part in re.split(r"(?m)^=== ", path.read_text("utf-8"))[1:]:
            head, _, text = part.partition("\n")
            name, _, meaning = head.partition(": ")
            kind, _, more = meaning.partition(" ")
            yield path.stem, name, kind, more, text.rstrip("\n")


RECORDED = list(recorded())
IDS = [f"{agent}-{name}" for agent, name, *_ in RECORDED]


@pytest.mark.parametrize(("agent", "name", "kind", "more", "text"), RECORDED, ids=IDS)
def test_recorded_screens_mean_what_they_meant(agent: str, name: str, kind: str, more: str, text: str) -> None:
    """Each screen of a real agent is judged as what it was."""
    state = judge_screen(Screen(text=text, is_raw=True), SIGNS[agent])

    assert (state.kind, state.asks) == (kind, more if kind == "asks" else "")


@pytest.mark.parametrize(("agent", "name", "kind", "more", "text"), RECORDED, ids=IDS)
def test_an_agent_is_ready_only_on_the_screens_that_take_text(agent: str, name: str, kind: str, more: str, text: str) -> None:
    """A blank screen, a splash screen, a question and an error before the prompt are not the start, however long they stand; the rest is."""
    one = Awaited(
        pane_id="%1",
        instance="i",
        agent=Agent(name=agent, command=agent, signs=SIGNS[agent]),
        accepts_trust=False,
        began_s=0.0,
        deadline_s=9.0,
    )
    for now_s in (1.0, 2.0, 3.0, 9.0):
        judgement = judge(one, PaneStatus(pane_id="%1", screen=Screen(text=text, is_raw=True)), now_s=now_s)
        one = judgement.awaited
        if judgement.outcome != "pending":
            break

    asks = {"trust-folder": "waiting", "set-up": "waiting", "permission": "waiting", "bypass-permissions": "answer"}
    starts = kind in ("idle", "busy") and more != "splash" and _has_begun(agent, text)
    assert judgement.outcome == (asks[more] if kind == "asks" else "ready" if starts else "late")


def _has_begun(agent: str, text: str) -> bool:
    return not SIGNS[agent].begun or re.search(SIGNS[agent].begun, text, re.MULTILINE) is not None


@pytest.mark.parametrize("agent", SIGNS)
def test_every_agent_has_its_screens(agent: str) -> None:
    """Of each agent that is checked there are the screens that matter."""
    names = {name for one, name, *_ in RECORDED if one == agent}

    assert names >= {"blank", "splash", "log-in", "trust", "prompt", "busy", "permission", "error"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "unknown"),
        ("  \n ", "unknown"),
        ("hello", "unknown"),
        ("> ready", "idle"),
        ("esc to stop\n> ready", "busy"),
        ("Trust it?\n> 1. Yes", "asks"),
        ("> ready\nTrust it?", "asks"),
        ("Trust it? esc to stop", "asks"),
        ("Trust it?\n> ready\n-- footer", "idle"),
        ("-- footer\nTrust it?", "asks"),
    ],
)
def test_the_order_of_the_rules(text: str, kind: str) -> None:
    """A question beats work, work beats the prompt; a question above the footer of the prompt is over."""
    assert judge_screen(Screen(text=text), ASKING).kind == kind


def test_a_terminal_that_reads_lines_is_not_a_full_screen_agents() -> None:
    """Its prompt counts for nothing then; a question does, because set-up is often asked line by line."""
    assert judge_screen(Screen(text="> ready", is_raw=False), ASKING).kind == "unknown"
    assert judge_screen(Screen(text="Trust it?", is_raw=False), ASKING).kind == "asks"
    assert judge_screen(Screen(text="> ready", is_raw=False), evolve(ASKING, is_full_screen=False)).kind == "idle"


def test_a_screen_that_moves_is_that_of_an_agent_that_works() -> None:
    """With the time of the look, a change in the last two seconds counts as work, of a known agent and of an unknown one."""
    screen = Screen(text="> ready", changed_at_s=100)
    assert [judge_screen(screen, ASKING, now_s=now_s).kind for now_s in (101.9, 102.0)] == ["busy", "idle"]
    assert [judge_screen(screen, Signs(), now_s=now_s).kind for now_s in (101.9, 102.0)] == ["busy", "unknown"]
    assert judge_screen(None, ASKING, now_s=100.0).kind == "unknown"


def test_what_stands_in_a_composer() -> None:
    """The last composer on the screen counts, without blanks and frame, up to the line that ends it."""
    composer = Composer(start="^❯ ?", end="^─{3}")
    assert written(Screen(text="❯ old\nanswer\n❯ fix\n  it \u200b\n────\nfooter"), composer) == "fixit"
    assert written(Screen(text="❯\n────"), composer) == ""
    assert written(Screen(text="│ > a b │\n│   c   │"), Composer(start="^│ > ")) == "abc"
    assert written(Screen(text="no composer"), composer) is None
    assert written(Screen(text="❯ x"), Composer()) is None
