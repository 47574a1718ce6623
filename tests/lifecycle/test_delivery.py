"""What becomes of a text that is typed to an agent, with pretend agents that draw, swallow, ask and stay silent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from polecat import Delivery, SessionRequest, SpawnedPolecat, SpawnOptions, get_polecat, nudge_polecat, spawn_for_sling
from polecat.core.agent_screens import CLAUDE_SIGNS
from polecat.core.screens import Composer, Signs
from polecat.errors import SessionNotFoundError
from polecat.lifecycle.delivery import Typist
from polecat.model import Rig
from polecat.testing import Call, FakeAgent, FakeClock, FakeStep, FakeTmux, FakeWorld, Fault, fake_world

RULE = "─" * 40
CLAUDE = f"{RULE}\n❯ ▮\n{RULE}\n  ⏵⏵ bypass permissions on (shift+tab to cycle)"
TRUST = " Do you trust the files in this folder?\n ❯ 1. Yes, proceed\n   2. No, exit"
BYPASS = " WARNING: Claude Code running in Bypass Permissions mode\n ❯ 1. No, exit\n   2. Yes, I accept"
PERMISSION = f"{RULE}\n Bash command\n\n Do you want to proceed?\n ❯ 1. Yes\n   2. No"
TEXTS = ["hello", "y", "two\nlines", "grüße ❯ 日本語", "-x --flag;", "/looks like a command", "x" * 20_000, "long\n" * 4_000]


def typist(tmp_path: Path, agent: FakeAgent, *, fault: Fault | None = None) -> tuple[Typist, FakeTmux, str]:
    """A typist, the fake server and the pane of an agent that has just been started."""
    clock = FakeClock()
    tmux = FakeTmux(agent=agent, clock=clock)
    made = tmux.start(SessionRequest(name="one", instance="i", cwd=tmp_path, argv=("agent",), scratch_dir=tmp_path))
    seen = fault.wrap(tmux, "tmux") if fault else tmux
    return Typist(seen, made.pane_id, instance="i", clock=clock), tmux, made.pane_id


def deliver(tmp_path: Path, agent: FakeAgent, text: str, signs: Signs = CLAUDE_SIGNS) -> tuple[Delivery, FakeTmux, str]:
    typing, tmux, pane = typist(tmp_path, agent)
    return typing.deliver(text, signs), tmux, pane


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("signs", [CLAUDE_SIGNS, Signs()], ids=["known", "unknown"])
def test_a_text_is_pasted_once_and_taken(tmp_path: Path, text: str, signs: Signs) -> None:
    """Any text arrives whole, with one Enter, and is known to be taken, be the composer known or not (T-41)."""
    delivery, tmux, pane = deliver(tmp_path, FakeAgent(screen=CLAUDE), text, signs)

    assert (delivery.outcome, delivery.presses, delivery.is_taken) == ("taken", 1, True)
    assert (tmux.typed(pane), tmux.pressed(pane)) == ([text], ["Enter"])


def test_an_agent_of_which_nothing_is_known_costs_two_exchanges(tmp_path: Path) -> None:
    """One that shows and takes its text at once is answered with the paste and the Enter: one exchange more than both in one."""
    count = Fault()
    typing, _, _ = typist(tmp_path, FakeAgent(), fault=count)

    assert typing.deliver("hello", Signs()).is_taken
    assert [str(call) for call in count.calls] == ["tmux.send_text", "tmux.send_keys"]


@pytest.mark.parametrize("swallows", [1, 3])
@pytest.mark.parametrize("text", ["hello", "two\nlines"])
def test_a_swallowed_enter_is_pressed_again(tmp_path: Path, swallows: int, text: str) -> None:
    """An Enter that the agent takes for a part of the paste is pressed again; the text is not pasted again."""
    agent = FakeAgent(screen=CLAUDE, swallows=swallows, placeholder="[Pasted text #1 +1 lines]")
    delivery, tmux, pane = deliver(tmp_path, agent, text)

    assert (delivery.outcome, delivery.presses) == ("taken", swallows + 1)
    assert tmux.typed(pane) == [text]


def test_a_text_that_stays_is_told(tmp_path: Path) -> None:
    """Within the limit Enter is pressed a few times, with growing pauses; then it is *not taken*."""
    delivery, tmux, pane = deliver(tmp_path, FakeAgent(screen=CLAUDE, swallows=99), "hello")

    assert (delivery.outcome, delivery.presses) == ("not taken", 4)
    assert 15 < delivery.waited_s < 60
    assert tmux.typed(pane) == ["hello"]
    assert str(delivery) == "shown, but not taken"


@pytest.mark.parametrize(
    ("question", "asks"), [(TRUST, "trust-folder"), (PERMISSION, "permission"), (BYPASS, "bypass-permissions")]
)
def test_an_agent_that_asks_gets_nothing(tmp_path: Path, question: str, asks: str) -> None:
    """A text would be the answer to its question: it is refused, and nothing is typed or pressed."""
    delivery, tmux, pane = deliver(tmp_path, FakeAgent(screen=question), "hello")

    assert (delivery.outcome, delivery.asks, delivery.presses) == ("refused", asks, 0)
    assert (tmux.typed(pane), tmux.pressed(pane)) == ([], [])
    assert str(delivery) == f"nothing was typed: it asks '{asks}'"


def test_a_question_that_comes_after_enter_is_not_answered(tmp_path: Path) -> None:
    """The text was taken; the question it led to is left alone, although the text still stands on the screen."""
    agent = FakeAgent(screen=CLAUDE, then=(FakeStep(screen=f"❯ rm it\n{PERMISSION}", until="1"),))
    delivery, tmux, pane = deliver(tmp_path, agent, "rm it")

    assert (delivery.outcome, tmux.pressed(pane)) == ("taken", ["Enter"])


def test_an_agent_that_has_not_begun_gets_nothing(tmp_path: Path) -> None:
    """A text typed into the terminal before its program reads would be lost."""
    delivery, tmux, pane = deliver(tmp_path, FakeAgent(screen=CLAUDE, ready_after_looks=9), "hello")

    assert (delivery.outcome, delivery.asks, tmux.typed(pane)) == ("refused", "", [])
    assert str(delivery) == "nothing was typed: it does not read yet"


@pytest.mark.parametrize("signs", [CLAUDE_SIGNS, Signs()], ids=["known", "unknown"])
def test_a_silent_agent_leaves_it_open(tmp_path: Path, signs: Signs) -> None:
    """A program that shows nothing got the text and one Enter; whether it took it is unknown."""
    delivery, tmux, pane = deliver(tmp_path, FakeAgent(screen="hush", is_silent=True), "hello", signs)

    assert (delivery.outcome, delivery.presses) == ("unknown", 1)
    assert (tmux.typed(pane), tmux.pressed(pane)) == (["hello"], ["Enter"])
    assert "cannot be seen" in str(delivery)


class Ends(Fault):
    """The agent ends right before or right after Enter is pressed."""

    def __init__(self, *, before: bool) -> None:
        super().__init__()
        self.before = before
        self.crash: Callable[[], None] = lambda: None

    def hits(self, call: Call) -> bool:
        """See `Fault.hits`."""
        return call.method == "send_keys"

    def strike(self, call: Call, do: Callable[[], object]) -> object:
        """See `Fault.strike`."""
        if self.before:
            self.crash()
        answer = do()
        self.crash()
        return answer


@pytest.mark.parametrize("before", [True, False])
def test_an_agent_that_ends_meanwhile_is_told(tmp_path: Path, before: bool) -> None:
    """Whether an agent that ended around Enter had read the text nobody knows; that it ended is said, and it is not *taken*."""
    fault = Ends(before=before)
    typing, tmux, _ = typist(tmp_path, FakeAgent(screen="hush", is_silent=True), fault=fault)
    fault.crash = lambda: tmux.crash("one")

    delivery = typing.deliver("hello", CLAUDE_SIGNS)

    assert (delivery.outcome, delivery.has_ended, delivery.presses) == ("unknown", True, 0 if before else 1)
    assert str(delivery) == "typed, but the agent has ended; whether it was taken cannot be seen"


@pytest.mark.parametrize(("looks", "outcome"), [(3, "taken"), (999, "refused")])
def test_an_agent_that_starts_anew_is_waited_for(tmp_path: Path, looks: int, outcome: str) -> None:
    """What is typed to a composer that does not listen yet would be lost: it is typed once the agent has begun, or not at all."""
    signs = Signs(prompt="^> ", starting="starts anew", begun="^Agent v", composer=Composer(start="^> "), is_full_screen=True)
    agent = FakeAgent(screen="Agent v1\n> ▮", steps=(FakeStep(screen="Agent v1\nstarts anew\n> ", looks=looks),))

    delivery, tmux, pane = deliver(tmp_path, agent, "hello", signs)

    assert (delivery.outcome, delivery.asks) == (outcome, "")
    assert tmux.typed(pane) == (["hello"] if outcome == "taken" else [])


def test_what_is_gone_or_anothers_gets_nothing(tmp_path: Path) -> None:
    """The pane must be there, alive and ours; otherwise it is an error, as for every nudge (T-44)."""
    _, tmux, pane = typist(tmp_path, FakeAgent())
    for pane_id, instance in (("%98", "i"), (pane, "another")):
        with pytest.raises(SessionNotFoundError):
            Typist(tmux, pane_id, instance=instance, clock=FakeClock()).deliver("hello", Signs())
    assert tmux.typed(pane) == []


def test_keys_wait_for_the_effect_of_the_one_before(tmp_path: Path) -> None:
    """Two keys are two exchanges, and the second is pressed when the first has changed the screen."""
    steps = (FakeStep(screen="> No\n  Yes", until="Down"), FakeStep(screen="  No\n> Yes", until="Enter"))
    count = Fault()
    typing, tmux, pane = typist(tmp_path, FakeAgent(steps=steps), fault=count)

    typing.press(("Down", "Enter"))

    assert [str(call) for call in count.calls] == ["tmux.send_keys", "tmux.send_keys"]
    assert (tmux.pressed(pane), tmux.capture(pane)) == (["Down", "Enter"], ">")


# ------------------------------------------------------------------------------------------------- a whole beginning


def world_of(tmp_path: Path, agent: FakeAgent) -> tuple[Rig, FakeWorld]:
    rig, world = fake_world(tmp_path)
    return rig, evolve(world, tmux=FakeTmux(agent=agent, processes=world.processes, clock=world.clock))


def started(tmp_path: Path, agent: FakeAgent, **options: object) -> tuple[Rig, FakeWorld, SpawnedPolecat]:
    rig, world = world_of(tmp_path, agent)
    return rig, world, spawn_for_sling(rig, SpawnOptions(**options), world=world)  # type: ignore[arg-type]  # a test names what it wants


def test_from_splash_to_work(tmp_path: Path) -> None:
    """A splash screen, the question about our own flag, the prompt, a text, work, and the prompt again, as a list shows them."""
    agent = FakeAgent(
        screen=CLAUDE,
        steps=(FakeStep(screen="Welcome to Claude Code", looks=3), FakeStep(screen=BYPASS, until="2")),
        busy="✻ Cooking… (esc to interrupt)",
        busy_looks=3,
    )
    rig, world, cat = started(tmp_path, agent, nudge="begin")

    assert (cat.readiness, cat.warnings) == ("ready", ())
    assert (world.tmux.typed(cat.pane), world.tmux.pressed(cat.pane)) == (["begin"], ["2", "Enter"])
    assert get_polecat(rig, cat, world=world).screen == "busy"
    for _ in range(3):
        world.clock.sleep(5)
        found = get_polecat(rig, cat, world=world)
    assert (found.screen, found.waiting_for) == ("idle", "")
    assert found.active_at is not None and found.active_at < world.clock.now()


def test_what_an_agent_asks_is_in_the_list(tmp_path: Path) -> None:
    """A polecat that asks says what, at any time, and a nudge is refused for it."""
    rig, world, cat = started(tmp_path, FakeAgent(screen=TRUST))

    assert (cat.readiness, cat.waiting_for) == ("waiting", "trust-folder")
    found = get_polecat(rig, cat, world=world)
    assert (found.screen, found.waiting_for) == ("asks", "trust-folder")
    assert nudge_polecat(rig, cat, "hello", world=world).outcome == "refused"

    world.tmux.show(cat.session_name, CLAUDE)
    assert nudge_polecat(rig, cat, "hello", world=world).is_taken
    world.clock.sleep(3)
    assert get_polecat(rig, cat, world=world).screen == "idle"


def test_a_first_text_that_is_not_taken_is_a_warning(tmp_path: Path) -> None:
    """The spawn stands, and says that the text still waits for its Enter."""
    _, _, cat = started(tmp_path, FakeAgent(screen=CLAUDE, swallows=99), nudge="begin")

    assert cat.readiness == "ready"
    assert cat.warnings == ("the agent was ready, but did not take its first text: shown, but not taken",)
