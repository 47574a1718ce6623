"""Watching polecats, and waiting for them."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    Ended,
    PolecatNotFoundError,
    PolecatState,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    WaitTimeoutError,
    clear_issue,
    remove_polecat,
    spawn_for_sling,
    spawn_many,
    start_polecat,
    wait_polecats,
    watch_polecats,
)
from polecat.adapters.processes.clock import SystemClock
from polecat.testing import FakeWorld, Fault, fake_world

ASKS = "Do you trust the files in this folder?\n❯ 1. Yes, proceed"
BUSY = "✻ Thinking… (esc to interrupt)"

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A rig and a pretend world."""
    return fake_world(tmp_path)


def _two(place: Place) -> tuple[SpawnedPolecat, SpawnedPolecat]:
    rig, world = place
    first, second = spawn_many(rig, [SpawnOptions(hook_bead="gt-1"), SpawnOptions()], world=world)
    assert isinstance(first, SpawnedPolecat) and isinstance(second, SpawnedPolecat)
    for cat in (first, second):
        world.tmux.show(cat.session_name, BUSY)
    return first, second


def test_everybody_first_then_each_change_once_in_order(place: Place) -> None:
    """Found, asking, at its prompt, ended, gone and appeared: each is told once, with how it was before."""
    rig, world = place
    first, second = _two(place)
    plan = [
        lambda: world.tmux.show(first.session_name, ASKS),
        lambda: world.tmux.show(first.session_name, "> "),
        lambda: world.tmux.crash(first.session_name, signal=9),
        lambda: remove_polecat(rig, second, world=world),
        lambda: spawn_for_sling(rig, SpawnOptions(name="slit"), world=world),
        lambda: world.tmux.show("gt-gastown-slit", BUSY),
    ]
    for at, do in enumerate(plan):
        world.clock.later(20 * (at + 1), do)

    told = [
        (change.kind, change.polecat.name, change.before and change.before.state.value, change.polecat.state.value)
        for change in watch_polecats(rig, world=world, timeout_s=200)
    ]

    names = {"first": first.polecat_name, "second": second.polecat_name}
    assert [line for line in told if line[1] != "slit"] == [
        *sorted([("found", name, None, "working") for name in names.values()], key=lambda line: line[1]),
        ("changed", names["first"], "working", "waiting"),
        ("changed", names["first"], "waiting", "working"),
        ("changed", names["first"], "working", "idle"),
        ("ended", names["first"], "idle", "failed"),
        ("gone", names["second"], "working", "working"),
    ]
    assert next(line[0] for line in told if line[1] == "slit") == "appeared"


def test_at_rest_a_look_costs_one_call(place: Place) -> None:
    """While nothing changes, sessions are listed and nothing else is asked; only now and then is everybody looked at."""
    rig, world = place
    first, second = _two(place)
    for cat in (first, second):
        world.tmux.show(cat.session_name, "> ")
    count = Fault()

    list(watch_polecats(rig, world=count.around(world), timeout_s=600))

    asked = [str(call) for call in count.calls]
    assert asked.count("tmux.list_sessions") > 100
    assert 15 < asked.count("beads.holdings") < 30
    assert len(asked) < 300


def test_an_end_is_seen_at_once(place: Place) -> None:
    """The feed grows when an agent ends, and that wakes the watch, however seldom it looks."""
    rig, world = place
    first, _ = _two(place)
    world.clock.later(60, lambda: world.tmux.crash(first.session_name))
    world.clock.later(60, lambda: (rig.town_root / ".events.jsonl").write_text("{}\n"))
    began_s = world.clock.monotonic_s()

    watch = watch_polecats(rig, world=world, every_s=3600)
    change = next(one for one in watch if one.kind == "ended")

    assert change.polecat.ended == Ended(reason="exit", status=1)
    assert world.clock.monotonic_s() - began_s < 61


def test_a_start_is_another_instance(place: Place) -> None:
    """A polecat that is started again is gone as the one, and appears as the other."""
    rig, world = place
    first, second = _two(place)
    world.tmux.crash(first.session_name)
    world.clock.later(10, lambda: start_polecat(rig, first, world=world))

    told = [(one.kind, one.polecat.name) for one in watch_polecats(rig, world=world, timeout_s=15)]

    assert [kind for kind, name in told if name == first.polecat_name][:3] == ["found", "gone", "appeared"]
    assert second.polecat_name in {name for _, name in told}


def test_a_tmux_that_cannot_be_asked_ends_nothing(place: Place) -> None:
    """While tmux cannot be asked the watch goes on, and nobody is taken for ended; what happens afterwards is told."""
    rig, world = place
    first, _ = _two(place)
    world.clock.later(10, lambda: setattr(world.tmux, "unreachable", True))
    world.clock.later(20, lambda: setattr(world.tmux, "unreachable", False))
    world.clock.later(30, lambda: world.tmux.crash(first.session_name, exit_code=0))

    told = [one for one in watch_polecats(rig, world=world, timeout_s=40) if one.polecat.name == first.polecat_name]

    assert [one.kind for one in told if one.kind != "changed"] == ["found", "ended"]
    assert told[-1].polecat.ended == Ended(reason="exit", status=0)


def test_a_closed_watch_ends_for_whoever_waits(place: Place) -> None:
    """Closed from another thread, the iterator ends within a moment; the thread is not left behind."""
    rig, world = place
    _two(place)
    watch = watch_polecats(rig, world=evolve(world, clock=SystemClock()))  # type: ignore[arg-type]  # real time
    told: list[str] = []
    thread = threading.Thread(target=lambda: told.extend(one.kind for one in watch))
    thread.start()
    deadline_s = time.monotonic() + 30
    while len(told) < 2 and thread.is_alive() and time.monotonic() < deadline_s:
        threading.Event().wait(0.01)

    watch.close()
    thread.join(timeout=10)

    assert not thread.is_alive()
    assert told[:2] == ["found", "found"]


def test_a_cancelled_task_leaves_nothing(place: Place) -> None:
    """Under asyncio a task that is cancelled ends its watch, without a warning."""
    rig, world = place
    real = evolve(world, clock=SystemClock())  # type: ignore[arg-type]

    async def follow() -> None:
        with watch_polecats(rig, world=real) as watch:
            while await asyncio.to_thread(next, watch, None):
                pass

    async def main() -> None:
        task = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
    assert not [one for one in threading.enumerate() if one.name.startswith("asyncio")]


# ------------------------------------------------------------------------------------------------------------- waiting


def test_waiting_for_all_and_for_any(place: Place) -> None:
    """All of them, or the first; what they are is told in the order in which they were given."""
    rig, world = place
    first, second = _two(place)
    world.clock.later(60, lambda: world.tmux.crash(second.session_name, exit_code=0))
    world.clock.later(90, lambda: world.tmux.show(first.session_name, ASKS))

    [early] = wait_polecats(rig, [first, second], any_of=True, world=world)
    both = wait_polecats(rig, [first, second], world=world)

    assert (early.name, early.state) == (second.polecat_name, PolecatState.DONE)
    assert [(cat.state.value, cat.waiting_for) for cat in both] == [("waiting", "trust-folder"), ("done", "")]


def test_only_what_is_asked_ends_the_wait(place: Place) -> None:
    """Until it has ended, neither a question nor its prompt ends the wait; when time is up the error says who does what."""
    rig, world = place
    first, _ = _two(place)
    world.clock.later(10, lambda: world.tmux.show(first.session_name, ASKS))

    with pytest.raises(WaitTimeoutError, match=r"not ended within 60 s: \w+ is waiting") as late:
        wait_polecats(rig, [first], until=["ended"], timeout_s=60, world=world)

    assert [getattr(cat, "waiting_for", "") for cat in late.value.polecats] == ["trust-folder"]
    with pytest.raises(ValueError, match="until is some of"):
        wait_polecats(rig, [first], until=["over"], world=world)  # type: ignore[list-item]


def test_one_that_is_removed_meanwhile_has_ended(place: Place) -> None:
    """Nobody waits for ever for a polecat that somebody else removed; one that is gone before is an error."""
    rig, world = place
    first, second = _two(place)
    world.clock.later(10, lambda: clear_issue(rig, first, world=world))
    world.clock.later(10, lambda: remove_polecat(rig, first, world=world))

    [cat] = wait_polecats(rig, [first], until=["ended"], world=world)

    assert (cat.ended, cat.is_running) == (Ended(reason="removed"), False)
    with pytest.raises(PolecatNotFoundError):
        wait_polecats(rig, [first], world=world)
    assert wait_polecats(rig, [], world=world) == []
    assert second.instance
