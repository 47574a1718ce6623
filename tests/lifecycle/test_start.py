"""Starting a polecat again in the place it has."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    AgentDiedError,
    Ended,
    Event,
    PolecatError,
    PolecatNotFoundError,
    PolecatState,
    Process,
    SpawnedPolecat,
    SpawnOptions,
    SpawnRefusedError,
    UnknownStateError,
    clear_issue,
    get_polecat,
    list_polecats,
    reconcile_pool,
    set_state,
    spawn_for_sling,
    spawn_many,
    start_polecat,
    start_polecats,
    stop_polecat,
)
from polecat.model import Rig
from polecat.testing import FakeAgent, FakeProcesses, FakeTmux, FakeWorld, fake_world


@pytest.fixture
def place(tmp_path: Path) -> tuple[Rig, FakeWorld]:
    """A rig and a pretend world."""
    return fake_world(tmp_path)


Place = tuple[Rig, FakeWorld]


def _crashed(place: Place, **opts: object) -> SpawnedPolecat:
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1", **opts), world=world)  # type: ignore[arg-type]
    world.git.edit(cat.clone_path, "draft.txt", b"half")
    world.tmux.crash(cat.session_name, signal=9)
    return cat


def test_everything_stays_but_the_instance(place: Place) -> None:
    """Branch, files, bead and ports are as they were; session, instance and agent are new, and the old end is forgotten."""
    rig, world = place
    cat = _crashed(place)
    before = get_polecat(rig, cat, world=world)

    again = start_polecat(rig, cat, world=world)

    found = get_polecat(rig, again, world=world)
    assert (before.state, found.state, found.ended) == (PolecatState.FAILED, PolecatState.WORKING, None)
    assert (again.branch, again.base_commit, again.hook_bead, found.issue) == (cat.branch, cat.base_commit, "gt-1", "gt-1")
    assert (cat.clone_path / "draft.txt").read_bytes() == b"half"
    assert again.instance != cat.instance
    assert found.created_at == before.created_at
    environ = world.tmux.request(again.session_name).environment
    assert (environ["POLECAT_ID"], environ["GT_POLECAT"]) == (again.instance, "furiosa")
    assert "POLECAT_PORT_BASE" in environ
    assert list((rig.runtime_dir / "ended").iterdir()) == []
    with pytest.raises(PolecatNotFoundError):
        start_polecat(rig, cat, world=world)


def test_an_agent_continues_its_conversation_where_that_is_known(place: Place) -> None:
    """Claude gets ``--continue``; with ``resume=False`` it begins anew; an agent of which nobody knows how is refused with the reason."""
    rig, world = place
    cat = _crashed(place)
    again = start_polecat(rig, cat, prompt="go on", world=world)
    assert world.tmux.request(again.session_name).argv == ("claude", "--dangerously-skip-permissions", "--continue", "go on")
    stop_polecat(rig, again, world=world)
    afresh = start_polecat(rig, "furiosa", resume=False, world=world)
    assert "--continue" not in world.tmux.request(afresh.session_name).argv
    stop_polecat(rig, afresh, world=world)
    (Path(world.environ["PATH"]) / "aider").symlink_to(Path(world.environ["PATH"]) / "claude")

    with pytest.raises(SpawnRefusedError, match="nobody told how agent 'aider' continues its conversation") as refused:
        start_polecat(rig, "furiosa", agent="aider", world=world)

    assert "--fresh" in refused.value.hint
    assert get_polecat(rig, afresh, world=world).ended == Ended(reason="stopped")


def test_one_that_runs_or_may_run_is_refused(place: Place) -> None:
    """While its agent runs, or that cannot be told, nothing is started and nothing touched."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    with pytest.raises(SpawnRefusedError, match="the agent of gastown/polecats/furiosa runs"):
        start_polecat(rig, cat, world=world)
    world.tmux.crash(cat.session_name)
    world.processes.add(4711, instance=cat.instance)  # it outlived its pane
    with pytest.raises(SpawnRefusedError, match="runs"):
        start_polecat(rig, cat, world=world)
    world.processes.forget(4711)
    with pytest.raises(UnknownStateError):
        start_polecat(rig, cat, world=evolve(world, processes=_Blind()))
    assert world.tmux.sessions() == []
    assert start_polecat(rig, cat, world=world).session_name == cat.session_name


class _Blind(FakeProcesses):
    """A process table that cannot be read."""

    def identify(self, pid: int) -> Process | None:
        raise UnknownStateError("the process table cannot be read")

    def instances(self) -> frozenset[str]:
        raise UnknownStateError("the process table cannot be read")


def test_a_start_that_fails_leaves_the_polecat_as_it_was(place: Place) -> None:
    """An agent that dies at once is an error with its last words; the polecat keeps its instance, its end and its agent's word."""
    rig, world = place
    cat = _crashed(place)
    set_state(rig, cat, "stuck", world=world)
    frail = FakeTmux(
        agent=FakeAgent(screen="No conversation found to continue", exits=1), processes=world.processes, clock=world.clock
    )

    with pytest.raises(AgentDiedError, match="No conversation found") as failed:
        start_polecat(rig, cat, world=evolve(world, tmux=frail))

    found = get_polecat(rig, cat, world=world)
    assert (failed.value.undone, failed.value.left_behind) == (("session", "claim"), ())
    assert (found.instance, found.ended, found.state) == (cat.instance, Ended(reason="signal", signal=9), PolecatState.STUCK)
    assert [path.name for path in (rig.runtime_dir / "ended").iterdir()] == [f"furiosa.{cat.instance}"]


def test_who_said_done_works_again(place: Place) -> None:
    """A polecat that is done can be started again, and then works; it is no zombie."""
    rig, world = place
    cat = spawn_for_sling(rig, world=world)
    set_state(rig, cat, "done", world=world)
    world.tmux.crash(cat.session_name, exit_code=0)

    again = start_polecat(rig, cat, world=world)

    assert get_polecat(rig, again, world=world).state is PolecatState.WORKING


def test_after_a_reboot_everybody_goes_on_but_who_is_done(place: Place) -> None:
    """All whose server went away are started at once; who failed before, was stopped, or is done is left alone."""
    rig, world = place
    cats = spawn_many(rig, [SpawnOptions(hook_bead=f"gt-{n}") for n in range(5)], world=world)
    failed, stopped, done, *others = [one for one in cats if isinstance(one, SpawnedPolecat)]
    world.tmux.crash(failed.session_name)
    stop_polecat(rig, stopped, world=world)
    clear_issue(rig, done, world=world)
    world.tmux.restart_server()
    assert {cat.name: cat.state.value for cat in list_polecats(rig, world=world)} == {
        failed.polecat_name: "failed",
        stopped.polecat_name: "stalled",
        done.polecat_name: "done",
        **{one.polecat_name: "stalled" for one in others},
    }

    heard: list[Event] = []
    started = start_polecats(rig, world=evolve(world, on_event=heard.append))

    assert [one.polecat_name for one in started if isinstance(one, SpawnedPolecat)] == sorted(one.polecat_name for one in others)
    assert [event.polecat for event in heard if event.name == "polecat_started"] == sorted(one.polecat_name for one in others)
    assert start_polecats(rig, world=world) == []


def test_one_that_cannot_be_started_stops_no_other(place: Place) -> None:
    """Each has a result of its own."""
    rig, world = place
    spawn_many(rig, [SpawnOptions()] * 2, world=world)
    world.tmux.crash("gt-gastown-nux")

    refused, started = start_polecats(rig, ["furiosa", "nux"], world=world)

    assert isinstance(refused, PolecatError)
    assert isinstance(started, SpawnedPolecat)


def test_a_polecat_of_gas_town_can_be_started(place: Place) -> None:
    """One that polecat did not make gets a record with its start."""
    rig, world = place
    cat = _crashed(place)
    (rig.runtime_dir / "polecats" / "furiosa.json").unlink()

    again = start_polecat(rig, "furiosa", world=world)

    assert (again.branch, get_polecat(rig, again, world=world).instance) == (cat.branch, again.instance)
    assert reconcile_pool(rig, world=world).is_quiet
