"""One polecat is a name or a value: a name means whoever bears it, a value means one spawn and no later one of the name."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from polecat import (
    Polecat,
    PolecatError,
    PolecatNotFoundError,
    PolecatState,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    assign_issue,
    assigned_issue,
    attach_command,
    capture_polecat,
    clear_issue,
    get_polecat,
    nudge_polecat,
    remove_polecat,
    repair_polecat,
    set_state,
    spawn_for_sling,
    stop_polecat,
    work_at_risk,
)
from polecat.errors import InvalidNameError, SessionNotFoundError, UnknownStateError
from polecat.lifecycle.talk import nudge_lock
from polecat.ports import World
from polecat.testing import FakeWorld, fake_world
from polecat.town.locks import polecat_lock, take
from polecat.town.records import Record, read_record, settle, write_claim
from tests.faults.pretend import Scene, picture
from tests.spawn_fixtures import HandTown, processes_of

Named = str | Polecat | SpawnedPolecat
Call = Callable[[Rig, Named, World], object]

READING: dict[str, Call] = {
    "get_polecat": lambda rig, cat, world: get_polecat(rig, cat, world=world),
    "work_at_risk": lambda rig, cat, world: work_at_risk(rig, cat, world=world),
    "assigned_issue": lambda rig, cat, world: assigned_issue(rig, cat, world=world),
    "capture_polecat": lambda rig, cat, world: capture_polecat(rig, cat, world=world),
    "attach_command": lambda rig, cat, world: attach_command(rig, cat, world=world),
}
ACTING: dict[str, Call] = {
    "nudge_polecat": lambda rig, cat, world: nudge_polecat(rig, cat, "hello", world=world),
    "set_state": lambda rig, cat, world: set_state(rig, cat, "done", world=world),
    "assign_issue": lambda rig, cat, world: assign_issue(rig, cat, "gt-2", world=world),
    "clear_issue": lambda rig, cat, world: clear_issue(rig, cat, world=world),
    "stop_polecat": lambda rig, cat, world: stop_polecat(rig, cat, world=world),
    "repair_polecat": lambda rig, cat, world: repair_polecat(rig, cat, nuclear=True, world=world),
    "remove_polecat": lambda rig, cat, world: remove_polecat(rig, cat, nuclear=True, world=world),
}
DRY: dict[str, Call] = {
    "stop_polecat, dry": lambda rig, cat, world: stop_polecat(rig, cat, dry_run=True, world=world),
    "repair_polecat, dry": lambda rig, cat, world: repair_polecat(rig, cat, nuclear=True, dry_run=True, world=world),
    "remove_polecat, dry": lambda rig, cat, world: remove_polecat(rig, cat, nuclear=True, dry_run=True, world=world),
}
CALLS = READING | ACTING | DRY


def _spawn(rig: Rig, world: FakeWorld, *, name: str = "nux") -> SpawnedPolecat:
    cat = spawn_for_sling(rig, SpawnOptions(name=name, hook_bead="gt-1"), world=world)
    world.clock.sleep(1)
    return cat


def _everything(rig: Rig, world: FakeWorld) -> object:
    """All that can be seen of a rig, and what was typed."""
    seen = picture(Scene(rig=rig, world=world, operate=lambda _rig, _world: None))
    return seen, [world.tmux.received(session.pane_id) for session in world.tmux.list_sessions()]


@pytest.fixture
def place(tmp_path: Path) -> tuple[Rig, FakeWorld]:
    return fake_world(tmp_path)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ["spawned", "found"])
def test_a_predecessors_value_does_nothing_to_the_successor(place: tuple[Rig, FakeWorld], call: Call, kind: str) -> None:
    """T-06: with a value of an earlier polecat of the name every function says that it is gone, and who has the name now."""
    rig, world = place
    spawned = _spawn(rig, world)
    first: Named = spawned if kind == "spawned" else get_polecat(rig, "nux", world=world)
    remove_polecat(rig, spawned, force=True, world=world)
    second = _spawn(rig, world)
    before = _everything(rig, world)

    with pytest.raises(PolecatNotFoundError, match=f"that polecat is gone, and the name is now instance {second.instance}"):
        call(rig, first, world)

    assert _everything(rig, world) == before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", ["name", "spawned", "found"])
def test_a_name_and_both_values_mean_the_same(place: tuple[Rig, FakeWorld], call: Call, kind: str) -> None:
    """While the polecat is there, it makes no difference how it is given; every function takes all three."""
    rig, world = place
    spawned = _spawn(rig, world)
    named: dict[str, Named] = {"name": "nux", "spawned": spawned, "found": get_polecat(rig, "nux", world=world)}

    call(rig, named[kind], world)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_value_of_another_rig_is_refused(place: tuple[Rig, FakeWorld], call: Call) -> None:
    """A polecat of another rig is not taken for the one of that name here."""
    rig, world = place
    elsewhere = evolve(_spawn(rig, world), rig_name="beads")
    before = _everything(rig, world)

    with pytest.raises(InvalidNameError, match="is of rig 'beads', not of 'gastown'"):
        call(rig, elsewhere, world)

    assert _everything(rig, world) == before


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_value_of_a_removed_polecat_is_not_found(place: tuple[Rig, FakeWorld], call: Call) -> None:
    """Where nobody has the name any more there is no such polecat."""
    rig, world = place
    cat = _spawn(rig, world)
    remove_polecat(rig, cat, force=True, world=world)

    with pytest.raises(PolecatNotFoundError, match="no polecat 'nux' in rig 'gastown'"):
        call(rig, cat, world)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_cannot_be_read_is_not_taken_for_the_one_meant(place: tuple[Rig, FakeWorld], call: Call) -> None:
    """A record that cannot be read may be anybody's, so a value is refused."""
    rig, world = place
    cat = _spawn(rig, world)
    (rig.runtime_dir / "polecats" / "nux.json").write_text("{")
    before = _everything(rig, world)

    with pytest.raises(UnknownStateError, match="cannot be read"):
        call(rig, cat, world)

    assert _everything(rig, world) == before


@pytest.mark.parametrize("call", ACTING.values(), ids=ACTING)
def test_a_value_is_checked_under_the_lock(place: tuple[Rig, FakeWorld], call: Call) -> None:
    """Somebody else who gets the name while a call waits for the polecat's lock is safe from it."""
    rig, world = place
    cat = _spawn(rig, world)
    path = nudge_lock(rig, "nux") if call is ACTING["nudge_polecat"] else polecat_lock(rig, "nux")
    failed: list[PolecatError] = []

    def run() -> None:
        try:
            call(rig, cat, world)
        except PolecatError as error:
            failed.append(error)

    lock = take(path, what="be removed and spawned again")
    caller = threading.Thread(target=run)
    caller.start()
    caller.join(0.1)  # it has looked once, and waits for the lock
    record = read_record(rig, "nux")
    assert caller.is_alive() and record is not None
    settle(rig, evolve(record, instance="another"))
    before = _everything(rig, world)
    lock.release()
    caller.join(20)

    assert [type(error) for error in failed] == [PolecatNotFoundError]
    assert "is now instance another" in failed[0].message
    assert _everything(rig, world) == before


def test_a_session_with_another_stamp_is_not_typed_to(place: tuple[Rig, FakeWorld]) -> None:
    """A value's polecat that has lost its session gets nothing typed into one that took its name, nor its screen read."""
    rig, world = place
    cat = _spawn(rig, world)
    request = world.tmux.request(cat.session_name)
    world.tmux.kill("", name=cat.session_name, instance=cat.instance)
    world.tmux.start(evolve(request, instance="another"))

    for call in ("nudge_polecat", "capture_polecat", "attach_command"):
        with pytest.raises(SessionNotFoundError):
            CALLS[call](rig, cat, world)


def test_a_polecat_of_gas_towns_own_has_a_value_too(place: tuple[Rig, FakeWorld]) -> None:
    """One that polecat did not make has no instance; its value is good as long as polecat has made none of that name."""
    rig, world = place
    rig.home_dir("toast").mkdir(parents=True)
    toast = get_polecat(rig, "toast", world=world)
    set_state(rig, toast, "stuck", world=world)

    rig.home_dir("toast").rmdir()
    second = _spawn(rig, world, name="toast")
    with pytest.raises(PolecatNotFoundError, match=f"not one that polecat did not make any more.*instance {second.instance}"):
        set_state(rig, toast, "stuck", world=world)

    assert toast.instance == ""


def test_a_repaired_polecat_is_another_one(place: tuple[Rig, FakeWorld]) -> None:
    """A repair makes a new instance: whoever holds an older value is told so, and the result holds the new one."""
    rig, world = place
    cat = _spawn(rig, world)
    done = repair_polecat(rig, cat, force=True, world=world)

    with pytest.raises(PolecatNotFoundError, match=f"is now instance {done.polecat.instance}"):
        work_at_risk(rig, cat, world=world)
    assert work_at_risk(rig, done.polecat, world=world).reasons == ("hooked",)


def test_a_polecat_that_is_being_repaired_is_still_the_same(place: tuple[Rig, FakeWorld]) -> None:
    """The claim of a repair counts only once it has become the record; a repair that is taken back was none."""
    rig, world = place
    cat = _spawn(rig, world)
    write_claim(rig, Record(instance="half-made", polecat="nux", rig=rig.name, purpose="repair"))

    assert get_polecat(rig, cat, world=world).instance == cat.instance
    assert nudge_polecat(rig, cat, "hello", world=world).session_name == cat.session_name
    assert remove_polecat(rig, cat, force=True, world=world).unassigned == ("gt-1",)


def test_neither_a_name_nor_a_polecat(place: tuple[Rig, FakeWorld]) -> None:
    """What is neither is named in the error; a name that could be a path is no polecat's, and no lock is made for it."""
    rig, world = place
    loose: Any = stop_polecat

    with pytest.raises(TypeError, match="a polecat is its name as a string, a Polecat or a SpawnedPolecat; not 3"):
        loose(rig, 3, world=world)
    with pytest.raises(PolecatNotFoundError, match=r"no polecat '\.\./x'"):
        clear_issue(rig, "../x", world=world)
    assert not list(rig.runtime_dir.rglob("*x.lock"))


@pytest.mark.real
def test_a_predecessors_value_and_the_real_programs(town: HandTown) -> None:
    """T-06: on real git and tmux the successor's agent, session, worktree and bead are as they were."""
    world = World(tmux=town.server.cli())
    first = town.spawn(name="nux", hook_bead="gt-1")
    remove_polecat(town.rig, first, force=True, world=world)
    second = town.spawn(name="nux", hook_bead="gt-1")
    before = town.leftovers()

    for call in CALLS.values():
        with pytest.raises(PolecatNotFoundError, match=f"is now instance {second.instance}"):
            call(town.rig, first, world)

    found = get_polecat(town.rig, second, world=world)
    assert (found.state, found.issue, found.branch) == (PolecatState.WORKING, "gt-1", second.branch)
    assert town.leftovers() == before
    assert second.pid in processes_of(town.root)
    assert town.typed("nux") == b""
    assert nudge_polecat(town.rig, second, "hello", world=world).session_name == second.session_name
