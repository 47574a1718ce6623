"""What polecat says of real agents is what they do: the first screen, prompts, nudges, questions, whose work it is, the end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

import pytest

from polecat import (
    AgentDiedError,
    PolecatError,
    SessionNotFoundError,
    SpawnedPolecat,
    remove_polecat,
    stop_polecat,
)
from tests.agents.places import PATIENCE_S, AgentPlace, processes_of, within
from tests.agents.recipes import AGENTS

WANTED = [name for name in os.environ.get("POLECAT_AGENTS_WANTED", "").split() if name in AGENTS]
WITH_MODEL = [name for name in WANTED if AGENTS[name].recipe is not None]
NUDGES = 10

PROMPT = """Read the file `README.md`; don't "fix" it.
$HOME is $(pwd) \\; — äöü €
  - the last line, with a blank behind it"""

Seen = Callable[[str, str], None]

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("agent", WANTED)
def test_first_screen_without_credentials(agent: str, place: AgentPlace, seen: Seen) -> None:
    """An agent that nobody has set up is never called ready: it waits for a person, has ended, or was not ready in time."""
    place.set_up_bare()
    try:
        cat = place.spawn()
    except PolecatError as error:
        verdict = "ended" if isinstance(error, AgentDiedError) else type(error).__name__
        seen("first screen", f"{verdict}: ok")
        return
    is_right = bool(cat.waiting_for) != AGENTS[agent].works_bare
    verdict = f"waits, {cat.waiting_for}" if cat.waiting_for else "ready"
    seen("first screen", f"{verdict}: ok" if is_right else f"**{verdict}: wrong**")
    assert is_right, place.screen(cat)


@pytest.mark.parametrize("agent", WITH_MODEL)
def test_trust_question(agent: str, place: AgentPlace, seen: Seen) -> None:
    """With ``ask`` the polecat waits, and takes nothing; once a person has said yes it takes its next line. Kill -9 is told."""
    place.set_up(trust="ask")
    place.answer_the_rest()
    cat = place.spawn()
    seen("trust question", "waits: ok" if cat.waiting_for == "trust-folder" else f"**{cat.waiting_for or 'ready'}: wrong**")
    assert cat.waiting_for == "trust-folder", place.screen(cat)
    assert place.nudge(cat, "not now") == "refused"

    place.answer_trust(cat)
    assert within(3 * PATIENCE_S, lambda: place.listed(cat).screen == "idle"), place.screen(cat)  # gemini starts anew first
    assert place.delivers(cat, "after the question"), place.screen(cat)
    assert place.model.times_heard("not now") == 0

    _kill(place, cat, seen)


def _kill(place: AgentPlace, cat: SpawnedPolecat, seen: Seen) -> None:
    """An agent that is killed outright is told in the feed and in the list, and its processes go."""
    family = processes_of(cat)
    os.kill(cat.pid, signal.SIGKILL)

    def told() -> list[object]:
        return [event.get("payload") for event in place.events() if event.get("type") == "session_death"]

    is_told = within(PATIENCE_S, lambda: bool(told()))
    with contextlib.suppress(SessionNotFoundError):
        place.nudge(cat, "too late")
        is_told = False
    gone = within(PATIENCE_S, lambda: not processes_of(cat) & family)
    listed = place.listed(cat)
    is_right = is_told and gone and "9" in str(told()) and str(listed.state) not in ("working", "PolecatState.WORKING")
    seen("kill -9", "told: ok" if is_right else f"**{told()}, {listed.state}, {'gone' if gone else 'processes left'}**")
    assert is_right


@pytest.mark.parametrize("agent", WITH_MODEL)
def test_permission_question(agent: str, place: AgentPlace, seen: Seen) -> None:
    """An agent that asks before it runs a command is listed as asking, and a nudge is not taken for the answer."""
    place.set_up(trust="accept", args=list(AGENTS[agent].careful))
    place.answer_the_rest()
    cat = place.spawn()
    asked = place.room / "asked"
    place.nudge(cat, f"ASK: touch {asked}")

    asks = within(3 * PATIENCE_S, lambda: place.listed(cat).waiting_for == "permission")  # qwen thinks about a command for long
    outcome = place.nudge(cat, "not an answer") if asks else "not tried"
    is_right = asks and outcome == "refused" and not asked.exists()
    seen("permission question", "asks, refuses: ok" if is_right else f"**{place.listed(cat).screen}, {outcome}**")
    assert is_right, place.screen(cat)


@pytest.mark.parametrize("agent", WITH_MODEL)
def test_work(agent: str, place: AgentPlace, seen: Seen) -> None:
    """Prompt and nudges arrive exactly and once; two polecats are two; what ends one ends all of it and nothing else."""
    place.set_up(trust="accept")
    first, second = place.spawn_two(PROMPT)
    wrong = [place.screen(cat) for cat in (first, second) if cat.waiting_for]
    heard = place.hears(PROMPT) and place.model.times_heard(PROMPT) == 1
    seen("prompt", "exact, once: ok" if heard and not wrong else "**wrong**")

    single = sum(place.delivers(second, f'nudge {n}: the parser\'s "edge" case, $HOME; 100 %') for n in range(NUDGES))
    lines = "first line\n  indented — äöü\n- a list\n/not a command\nlast"
    several = sum(place.delivers(second, f"nudge {n} of several lines\n{lines}") for n in range(NUDGES))
    seen("nudges of one line", f"{single}/{NUDGES}")
    seen("nudges of several lines", f"{several}/{NUDGES}")

    remove_polecat(place.town.rig, first, world=place.world, force=True, nuclear=True)
    name, author, above = place.who_runs(second)
    own = (name, author) == (second.polecat_name, second.polecat_name) and second.pid in above
    seen("its own work", "own name, own processes: ok" if own else f"**as {name}, {author}**")

    family = processes_of(second)
    stop_polecat(place.town.rig, second, world=place.world)
    left = processes_of(second) & family
    seen("stop", f"{len(family)} processes gone: ok" if not left else f"**{len(left)} of {len(family)} left**")

    assert (wrong, heard, single, several, own, left) == ([], True, NUDGES, NUDGES, True, set())


@pytest.mark.parametrize("agent", [name for name in WITH_MODEL if name == "codex"])
def test_work_of_another_process_is_found(agent: str, place: AgentPlace) -> None:
    """What the table calls *its own work* can fail: without ``--no-daemon``, codex does the second polecat's work as the first."""
    place.set_up(trust="accept", args=["--yolo"])
    first, second = place.spawn_two(None)
    assert all(any("--no-daemon" in warning for warning in cat.warnings) for cat in (first, second))

    runs = [place.who_runs(cat) for cat in (first, second)]

    owners = {name for name, _, _ in runs}
    assert len(owners) == 1 or not all(cat.pid in run[2] for cat, run in zip((first, second), runs, strict=True))
