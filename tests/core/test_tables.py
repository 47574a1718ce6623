"""The tables that the documentation is made from say what the code does: events, log lines, steps, states."""

from __future__ import annotations

import ast
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from attrs import evolve

import polecat
from polecat import Ended, Event, PolecatError, PolecatState, SpawnFailedError, SpawnOptions, spawn_for_sling
from polecat.core.event_names import EVENTS, LOGGED
from polecat.core.states import STATE_RULES, Signals, judge_state, rule_of
from polecat.core.steps import BY_NAME, STEPS
from polecat.model import ScreenKind
from polecat.ports import World
from polecat.testing import FailAt, FakeAgent, FakeTmux, FakeWorld, fake_world
from polecat.town.records import Record, publish_claim

TRUST = "Do you trust the files in this folder?\n❯ 1. Yes, I trust this folder"
SOURCES = sorted(Path(str(polecat.__file__)).parent.rglob("*.py"))


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node


def _word(call: ast.Call, at: int, key: str = "") -> str | None:
    found = next((word.value for word in call.keywords if word.arg == key), None)
    if found is None and len(call.args) > at:
        found = call.args[at]
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else None


def _emitted() -> set[str]:
    """Every name that stands as a constant in a call that emits."""
    found = {step.event for step in STEPS if step.event}
    for function, call in _calls():
        if function == "Event":
            found.add(_word(call, 0, "name") or "")
        elif function == "steps.make_record":
            found.add(_word(call, 2, "event") or "")
        elif function in ("attempt.emit", "self.emit", "self._emit"):
            found.add(_word(call, 0) or "")
    return found - {""}


def test_the_code_names_the_events_of_the_table_and_no_others() -> None:
    """Whatever is emitted is in the table, and nothing is in it that nobody emits."""
    assert _emitted() == set(EVENTS)


def test_the_code_logs_the_lines_of_the_table_and_no_others() -> None:
    """Likewise for the lines that only the log gets."""
    logged = {_word(call, 1) for function, call in _calls() if function == "log" and _word(call, 1)}

    assert logged == set(LOGGED)


def _act(rig: polecat.Rig, world: FakeWorld, heard: list[Event]) -> None:
    """Make everything happen that an event tells of."""
    on_event = heard.append
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=evolve(world, on_event=on_event))
    polecat.nudge_polecat(rig, cat.polecat_name, "hello", world=World(tmux=world.tmux, on_event=on_event))
    world.clock.sleep(1)
    polecat.repair_polecat(rig, cat.polecat_name, world=evolve(world, on_event=on_event))
    polecat.remove_polecat(rig, cat.polecat_name, force=True, world=evolve(world, on_event=on_event))
    other = spawn_for_sling(rig, world=evolve(world, on_event=on_event))
    polecat.stop_polecat(rig, other.polecat_name, world=evolve(world, on_event=on_event))
    polecat.start_polecat(rig, other.polecat_name, world=evolve(world, on_event=on_event))
    with pytest.raises(PolecatError):
        spawn_for_sling(rig, SpawnOptions(name=other.polecat_name), world=evolve(world, on_event=on_event))


def _act_on_leavings(rig: polecat.Rig, world: FakeWorld, heard: list[Event]) -> None:
    """Make a reconcile find one of everything."""
    gone = spawn_for_sling(rig, SpawnOptions(name="gone"), world=world)
    gone.clone_path.joinpath(".git").unlink(missing_ok=True)
    for path in sorted(rig.home_dir("gone").rglob("*"), reverse=True):
        path.unlink() if not path.is_dir() else path.rmdir()
    rig.home_dir("gone").rmdir()
    publish_claim(rig, Record(instance="i1", polecat="dead", rig=rig.name))
    living = spawn_for_sling(rig, SpawnOptions(name="living"), world=world)
    record = rig.runtime_dir / "polecats" / "living.json"
    record.rename(rig.home_dir(living.polecat_name) / ".claim.json")
    rig.home_dir("shell").mkdir()
    os.utime(rig.home_dir("shell"), (0, 0))  # an empty home may be one that is just being made
    polecat.reconcile_pool(rig, world=evolve(world, on_event=heard.append))


def test_every_event_carries_the_keys_of_the_table(tmp_path: Path) -> None:
    """Each event was heard, with exactly the facts that the table names, and with a duration where it says so."""
    heard: list[Event] = []
    for at, act in enumerate((_act, _act_on_leavings)):
        rig, world = fake_world(tmp_path / str(at))
        act(rig, world, heard)
    rig, world = fake_world(tmp_path / "asks")
    tmux = FakeTmux(agent=FakeAgent(screen=TRUST), processes=world.processes, clock=world.clock)
    spawn_for_sling(rig, world=evolve(world, tmux=tmux, on_event=heard.append))

    assert {event.name for event in heard} == set(EVENTS)
    for event in heard:
        assert set(event.facts) == set(EVENTS[event.name].facts), event
        assert (event.duration_s is not None) == EVENTS[event.name].is_timed, event


# --------------------------------------------------------------------------------------------------------------- steps


def test_a_spawn_takes_the_steps_of_the_table_in_their_order(tmp_path: Path) -> None:
    """The steps of a spawn that takes all of them are those of the table, except what is done once for a batch."""
    rig, world = fake_world(tmp_path)
    spawn_for_sling(rig, SpawnOptions(name="nux"), world=world)
    home = rig.home_dir("nux")
    home.rename(tmp_path / "elsewhere")
    world.clock.sleep(1)
    cat = spawn_for_sling(rig, SpawnOptions(name="nux", hook_bead="gt-1", key="order 7"), world=world)

    assert [name for name, _ in cat.timings.steps] == [step.name for step in STEPS if not step.is_shared]
    plain = spawn_for_sling(rig, SpawnOptions(wait="no"), world=world)
    assert [name for name, _ in plain.timings.steps] == [
        step.name for step in STEPS if not step.is_shared and not step.is_optional
    ]


def test_a_step_that_is_not_in_the_table_cannot_be_taken() -> None:
    """The table is the code's own: its steps and events are looked up there."""
    assert [step.name for step in STEPS] == list(BY_NAME)
    assert {step.event for step in STEPS} - {""} <= set(EVENTS)


def test_what_is_undone_is_what_the_table_says(tmp_path: Path) -> None:
    """Whichever call fails, what is undone is a beginning of the table's list, last made first."""
    made = [what for step in STEPS for what in step.undoes if what != "trust"]
    undone: list[tuple[str, ...]] = []
    for number in itertools.count(1):
        rig, world = fake_world(tmp_path / str(number))
        fault = FailAt(number)
        try:
            spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1", nudge="go"), world=fault.around(world))
        except SpawnFailedError as error:
            undone.append(error.undone)
        except PolecatError:
            pass
        if not fault.has_struck:
            break

    for seen in undone:
        assert list(seen) == made[: len(seen)][::-1]
    assert max(map(len, undone)) == len(made)


# -------------------------------------------------------------------------------------------------------------- states


def _all_signals() -> Iterator[Signals]:
    ends = (
        None,
        *(Ended(reason="exit", status=status) for status in (0, 3)),
        Ended(reason="signal", signal=9),
        Ended(reason="server gone"),
    )
    screens: tuple[ScreenKind, ...] = get_args(ScreenKind)
    for claimed, claimant, lives, work, said, given, ended, screen in itertools.product(
        (True, False, None),
        (True, False),
        (True, False, None),
        (True, False, None),
        ("", "working", "done", "closed", "stuck", "awaiting-gate"),
        (True, False),
        ends,
        screens,
    ):
        yield Signals(
            is_claimed=claimed,
            claimant_lives=claimant,
            session_lives=lives,
            holds_work=work,
            agent_state=said,
            was_given_work=given,
            ended=ended,
            screen=screen,
        )


def test_every_combination_of_signals_has_a_state() -> None:
    """The rules leave no combination out, each rule decides about some, and every state can be reached."""
    rules = {rule_of(signals) for signals in _all_signals()}

    assert rules == set(STATE_RULES)
    assert {rule.state for rule in rules} == set(PolecatState)


def test_unknown_is_never_read_as_an_end() -> None:
    """While the session cannot be asked about, nothing is done or stalled, unless a claim or a pause says more."""
    for signals in _all_signals():
        if signals.session_lives is None and not signals.is_claimed:
            assert judge_state(signals) in (PolecatState.UNKNOWN, PolecatState.STUCK)
        blind = evolve(signals, session_lives=False, holds_work=None, is_claimed=False, agent_state="")
        assert judge_state(blind) is PolecatState.UNKNOWN


def test_done_is_only_what_somebody_said() -> None:
    """Whatever is known besides: without an exit status of 0, a bead handed back or the agent's word, nothing is done; nor with work in hand."""
    for signals in _all_signals():
        if judge_state(signals) is PolecatState.DONE:
            said = signals.agent_state in ("done", "closed")
            assert signals.holds_work is False
            assert said or signals.was_given_work or (signals.ended is not None and signals.ended.is_success)
        crash = evolve(
            signals, session_lives=False, was_given_work=False, agent_state="", ended=Ended(reason="signal", signal=11)
        )
        assert judge_state(crash) is not PolecatState.DONE
