"""Agents that outlived their spawner: what they made is judged like any polecat's, and never simply undone."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    Ended,
    PolecatState,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    clear_issue,
    get_polecat,
    list_polecats,
    reconcile_pool,
    remove_polecat,
    set_state,
    spawn_for_sling,
)
from polecat.ports import Event
from polecat.testing import CrashAt, Crashed, FakeWorld, Fault, fake_world

Place = tuple[Rig, FakeWorld]


def _orphaned(tmp_path: Path, at: str = "tmux.watch") -> tuple[Rig, FakeWorld, SpawnedPolecat]:
    """A rig whose spawner died right after a call, when its agent already ran."""
    rig, world = fake_world(tmp_path)
    opts = SpawnOptions(hook_bead="gt-1", prompt="begin")
    count = Fault()
    spawn_for_sling(rig, opts, world=count.around(world))
    remove_polecat(rig, "furiosa", force=True, world=world)
    world.clock.sleep(1)
    number = next(call.number for call in count.calls if str(call) == at)
    with pytest.raises(Crashed):
        spawn_for_sling(rig, opts, world=CrashAt(number, after=True).around(world))
    name, session = "furiosa", "gt-gastown-furiosa"
    path = rig.home_dir(name) / rig.name
    return (
        rig,
        world,
        SpawnedPolecat(
            rig_name=rig.name, polecat_name=name, clone_path=path, session_name=session, pane="", branch="", base_commit=""
        ),
    )


@pytest.mark.parametrize("at", ["tmux.start", "processes.identify", "beads.update_agent", "tmux.watch"])
def test_an_agent_that_finished_well_is_kept_and_done(tmp_path: Path, at: str) -> None:
    """Wherever its spawner died: its commit, its bead and its exit status are those of a polecat that is done; doing it twice changes nothing."""
    rig, world, cat = _orphaned(tmp_path, at)
    world.git.commit(cat.clone_path, {"done.txt": "1"})
    world.git.push(cat.clone_path)
    clear_issue(rig, "furiosa", world=world)
    world.tmux.crash(cat.session_name, exit_code=0)

    settled = [reconcile_pool(rig, world=world) for _ in range(2)]

    (found,) = list_polecats(rig, world=world)
    assert [one.adopted for one in settled] == [("furiosa",), ()]
    assert (found.state, found.hook_bead, found.issue, found.ended) == (
        PolecatState.DONE,
        "gt-1",
        None,
        Ended(reason="exit", status=0),
    )
    assert world.tmux.sessions() == []
    assert remove_polecat(rig, found, world=world).branch


def test_work_of_an_agent_that_failed_is_kept(tmp_path: Path) -> None:
    """What it left uncommitted stands where it was, its bead stays on its hook, and its state says that it failed."""
    rig, world, cat = _orphaned(tmp_path)
    world.git.edit(cat.clone_path, "draft.txt", b"half")
    world.tmux.crash(cat.session_name, signal=9)

    assert reconcile_pool(rig, world=world).adopted == ("furiosa",)

    found = get_polecat(rig, "furiosa", world=world)
    assert (found.state, found.issue, str(found.ended)) == (PolecatState.FAILED, "gt-1", "signal 9")
    assert (cat.clone_path / "draft.txt").read_bytes() == b"half"


def test_an_agent_that_handed_its_bead_back_is_done_whatever_its_status(tmp_path: Path) -> None:
    """Handing the bead back says that it is done; so does its own word."""
    for at, say in enumerate(("clear", "done")):
        rig, world, cat = _orphaned(tmp_path / str(at))
        if say == "clear":
            clear_issue(rig, "furiosa", world=world)
        else:
            set_state(rig, "furiosa", "done", world=world)
        world.tmux.crash(cat.session_name, exit_code=130)

        assert reconcile_pool(rig, world=world).adopted == ("furiosa",)

        assert get_polecat(rig, "furiosa", world=world).state is PolecatState.DONE


def test_what_goes_is_named_with_bead_and_branch(tmp_path: Path) -> None:
    """An agent that failed and left nothing is taken back, as its spawner would have done; result and event say which bead and branch."""
    rig, world, cat = _orphaned(tmp_path)
    world.tmux.crash(cat.session_name, exit_code=1)
    heard: list[Event] = []

    will = reconcile_pool(rig, world=world, dry_run=True)
    done = reconcile_pool(rig, world=evolve(world, on_event=heard.append))

    (line,) = done.taken_back
    assert will.taken_back == done.taken_back
    assert line.startswith("furiosa: bead gt-1, branch polecat/furiosa-")
    (event,) = [event for event in heard if event.name == "claim_recovered"]
    assert event.facts["bead"] == "gt-1" and str(event.facts["branch"]) in line
    assert (list_polecats(rig, world=world), world.beads.bead("gt-1").status) == ([], "open")  # type: ignore[union-attr]
    assert not list((rig.runtime_dir / "ended").iterdir())


def test_work_is_kept_when_the_server_went_too(tmp_path: Path) -> None:
    """After a reboot nothing says how the agent ended; its commit alone keeps the polecat, and nobody takes it for done."""
    rig, world, cat = _orphaned(tmp_path)
    world.git.commit(cat.clone_path, {"half.txt": "1"})
    world.tmux.restart_server()

    assert reconcile_pool(rig, world=world).adopted == ("furiosa",)

    found = get_polecat(rig, "furiosa", world=world)
    assert (found.state, found.ended) == (PolecatState.STALLED, Ended(reason="server gone"))
