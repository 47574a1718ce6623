"""Polecats as they are found: what they do, judged from independent signs, with unknown as an answer."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from polecat import (
    PolecatNotFoundError,
    PolecatState,
    Rig,
    SpawnOptions,
    UnknownStateError,
    get_polecat,
    list_polecats,
    spawn_for_sling,
)
from polecat.core.states import Signals, judge_state
from polecat.testing import FailAt, Fault, fake_world
from polecat.testing.worlds import FakeWorld
from polecat.town.locks import polecat_lock, take
from polecat.town.records import Record, publish_claim

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A rig in a town on disk, and a pretend world round it."""
    return fake_world(tmp_path)


@pytest.mark.parametrize(
    ("lives", "works", "said", "state"),
    [
        (True, True, "working", PolecatState.WORKING),
        (True, None, "", PolecatState.WORKING),
        (True, False, "working", PolecatState.WORKING),
        (True, False, "done", PolecatState.ZOMBIE),
        (True, None, "done", PolecatState.WORKING),
        (False, True, "working", PolecatState.STALLED),
        (False, False, "done", PolecatState.DONE),
        (False, False, "", PolecatState.STALLED),
        (False, None, "", PolecatState.UNKNOWN),
        (None, True, "working", PolecatState.UNKNOWN),
        (None, None, "", PolecatState.UNKNOWN),
        (True, True, "stuck", PolecatState.STUCK),
        (False, True, "awaiting-gate", PolecatState.STUCK),
    ],
)
def test_what_a_polecat_does(lives: bool | None, works: bool | None, said: str, state: PolecatState) -> None:
    """Two independent signs must agree; where one cannot be told, unknown is the answer (T-25, T-26)."""
    assert judge_state(Signals(session_lives=lives, holds_work=works, agent_state=said)) is state


def test_unknown_is_never_dead() -> None:
    """Of all combinations, none with an unknown session says that nobody works there (T-25)."""
    for works, said in itertools.product((True, False, None), ("", "working", "done", "stuck")):
        assert judge_state(Signals(session_lives=None, holds_work=works, agent_state=said)) not in (
            PolecatState.DONE,
            PolecatState.STALLED,
            PolecatState.ZOMBIE,
        )


def test_a_claim_says_spawning_while_its_claimant_lives(place: Place) -> None:
    """With the lock held it is being made; with the lock free it is stalled (T-05)."""
    rig, world = place
    publish_claim(rig, Record(instance="i1", polecat="nux", rig=rig.name))
    lock = take(polecat_lock(rig, "nux"), what="test")
    try:
        assert get_polecat(rig, "nux", world=world).state is PolecatState.SPAWNING
    finally:
        lock.release()
    assert get_polecat(rig, "nux", world=world).state is PolecatState.STALLED


@pytest.mark.parametrize("let_go", ["handed back", "closed"])
def test_a_bead_that_was_let_go_is_no_work_any_more(place: Place, let_go: str) -> None:
    """An agent that handed its bead back, or closed it, and ended is done, whatever its agent bead still says."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    if let_go == "closed":
        world.beads.set_status("gt-1", "closed")
    else:
        world.beads.unassign("gt-1", expected=cat.agent_id)
    world.tmux.crash(cat.session_name, exit_code=0)
    found = get_polecat(rig, "furiosa", world=world)
    assert (found.state, found.issue) == (PolecatState.DONE, None)


def test_a_bead_that_the_store_does_not_know_is_still_work(place: Place) -> None:
    """A hook that only the agent bead tells of, such as a bead of another store, counts."""
    rig, world = place
    spawn_for_sling(rig, world=world)
    world.beads.update_agent("gt-gastown-polecat-furiosa", hook_bead="hq-7")
    world.tmux.crash("gt-gastown-furiosa")
    found = get_polecat(rig, "furiosa", world=world)
    assert (found.state, found.issue) == (PolecatState.FAILED, "hq-7")


def test_everything_about_one(place: Place) -> None:
    """Branch, bead, session, work, instance and times of a polecat that works."""
    rig, world = place
    began = world.clock.now()
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    found = get_polecat(rig, "furiosa", world=world)
    assert (found.agent_id, found.branch, found.issue) == (cat.agent_id, cat.branch, "gt-1")
    assert (found.session_name, found.is_running, found.instance) == (cat.session_name, True, cat.instance)
    assert found.work is not None and found.work.is_clean
    assert found.created_at == began


def test_a_dirty_tree_is_counted(place: Place) -> None:
    """What exists nowhere else is counted."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    (cat.clone_path / "draft.txt").write_text("draft")
    assert str(get_polecat(rig, "furiosa", world=world).work) == "1 uncommitted change(s)"


def test_a_renamed_session_is_still_its_own(place: Place) -> None:
    """A polecat whose session a person renamed works on (T-28)."""
    rig, world = place
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.tmux.rename("gt-gastown-furiosa", "favourite")
    found = get_polecat(rig, "furiosa", world=world)
    assert (found.state, found.session_name) == (PolecatState.WORKING, "favourite")


def test_a_session_of_an_earlier_server_is_none(place: Place) -> None:
    """After the server ended, a polecat with work is stalled; ids that are used again prove nothing (T-06)."""
    rig, world = place
    spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.tmux.restart_server()
    assert get_polecat(rig, "furiosa", world=world).state is PolecatState.STALLED


def test_every_failing_call_leaves_it_in_the_list(place: Place) -> None:
    """Whichever call fails, the polecat is listed; nothing that failed is read as 'dead' or 'clean' (T-25)."""
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    count = Fault()
    list_polecats(rig, world=count.around(world))
    assert len(count.calls) >= 4
    for call in count.calls:
        [found] = list_polecats(rig, world=FailAt(call.number).around(world))
        assert found.name == "furiosa", call
        assert found.state in (PolecatState.WORKING, PolecatState.UNKNOWN), call
        if call.method == "facts":
            assert found.work is None, call
        if call.port == "tmux":  # the process table tells of the recorded process, whatever tmux says
            assert found.is_running is True and found.state is PolecatState.WORKING, call
    world.processes.forget(cat.pid)
    world.tmux.unreachable = True
    [found] = list_polecats(rig, world=world)
    assert found.is_running is None and found.state is PolecatState.UNKNOWN


def test_a_directory_that_cannot_be_listed(place: Place) -> None:
    """polecats/ that cannot be listed is no empty list (T-24)."""
    rig, world = place
    rig.polecats_dir.rmdir()
    rig.polecats_dir.write_text("what is this")
    with pytest.raises(UnknownStateError):
        list_polecats(rig, world=world)


def test_one_broken_polecat_hides_no_other(place: Place) -> None:
    """A polecat that cannot be judged stands in the list beside the others."""
    rig, world = place
    spawn_for_sling(rig, world=world)
    rig.home_dir("ace").mkdir()
    (rig.home_dir("ace") / ".claim.json").write_text("{")
    assert [cat.name for cat in list_polecats(rig, world=world)] == ["ace", "furiosa"]


def test_a_polecat_that_is_not_there(place: Place) -> None:
    """An unknown name is an error that says what was probably meant."""
    rig, world = place
    spawn_for_sling(rig, world=world)
    with pytest.raises(PolecatNotFoundError, match="did you mean 'furiosa'") as caught:
        get_polecat(rig, "furios", world=world)
    assert caught.value.known == ("furiosa",)
