"""Neighbours of a polecat, and servers and places that change: what is somebody else's is never touched, who lives is never given up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    PolecatError,
    PolecatState,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    clean_branches,
    get_polecat,
    nudge_polecat,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
    stop_polecat,
    work_at_risk,
)
from polecat.errors import BeadTakenError, SessionNotFoundError, SpawnRefusedError, UnknownStateError
from polecat.ports import StaleRegistration
from polecat.testing import FakeWorld, fake_world
from polecat.town.find import find_repo
from polecat.town.records import read_record

Place = tuple[Rig, FakeWorld]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return fake_world(tmp_path)


def _spawn(place: Place, name: str = "nux", **options: str) -> SpawnedPolecat:
    rig, world = place
    cat = spawn_for_sling(rig, SpawnOptions(name=name, **options), world=world)  # type: ignore[arg-type]
    world.clock.sleep(60)
    return cat


ENDINGS: dict[str, Callable[[Rig, FakeWorld], object]] = {
    "stop": lambda rig, world: stop_polecat(rig, "nux", world=world),
    "remove": lambda rig, world: remove_polecat(rig, "nux", world=world),
    "repair": lambda rig, world: repair_polecat(rig, "nux", world=world),
}


# ------------------------------------------------------------------------------------------------- kind 1: neighbours


@pytest.mark.parametrize("verb", ENDINGS)
def test_a_persons_pane_outlives_the_agent_beside_it(place: Place, verb: str) -> None:
    """Whatever ends an agent ends its pane alone; the shell that a person opened in its session goes on."""
    rig, world = place
    cat = _spawn(place)
    person = world.tmux.split(cat.session_name)

    ENDINGS[verb](rig, world)

    assert world.processes.identify(person.pane_pid) is not None
    assert world.processes.identify(cat.pid) is None
    assert [one.instance for one in world.tmux.list_sessions()] == [""]


@pytest.mark.parametrize("verb", ENDINGS)
def test_a_record_that_was_copied_leads_to_nobody_else(place: Place, verb: str) -> None:
    """Somebody put a neighbour's record in the place of a polecat's own: no verb about the one touches the other, both stay."""
    rig, world = place
    cat, other = _spawn(place), _spawn(place, "slit")
    records = rig.runtime_dir / "polecats"
    shutil.copy(records / "slit.json", records / "nux.json")

    with pytest.raises(UnknownStateError, match="it is about gastown/slit"):
        ENDINGS[verb](rig, world)

    assert all(world.processes.identify(one.pid) and one.clone_path.is_dir() for one in (cat, other))
    assert get_polecat(rig, "slit", world=world).is_running
    assert get_polecat(rig, "nux", world=world).state == PolecatState.UNKNOWN


@pytest.mark.parametrize("verb", ENDINGS)
def test_a_copy_of_the_town_reaches_no_agent_of_it(place: Place, tmp_path: Path, verb: str) -> None:
    """Somebody copied the whole town, as a backup: what is done there about a polecat does not reach the living one."""
    rig, world = place
    cat = _spawn(place)
    shutil.copytree(rig.town_root, tmp_path / "copy", symlinks=True)
    copy = evolve(rig, path=tmp_path / "copy" / rig.name)

    with pytest.raises(UnknownStateError, match="it is a copy"):
        ENDINGS[verb](copy, world)
    reconcile_pool(copy, world=world)

    assert world.processes.identify(cat.pid) is not None
    assert get_polecat(rig, cat, world=world).is_running


def test_what_is_left_in_a_session_is_no_agent(place: Place) -> None:
    """The agent has ended and a person's pane is left in its session: it is not taken for the agent, not typed to and not ended."""
    rig, world = place
    cat = _spawn(place)
    person = world.tmux.split(cat.session_name)
    world.processes.forget(cat.pid)

    assert get_polecat(rig, "nux", world=world).is_running is False
    with pytest.raises(SessionNotFoundError):
        nudge_polecat(rig, "nux", "rm -rf /", world=world)
    with pytest.raises(SessionNotFoundError):
        stop_polecat(rig, "nux", world=world)
    remove_polecat(rig, "nux", world=world)
    reconcile_pool(rig, world=world)
    assert world.processes.identify(person.pane_pid) is not None
    assert world.tmux.typed_to_people() == []


@pytest.mark.parametrize("verb", ENDINGS)
def test_a_moved_pane_is_ended_and_its_host_stays(place: Place, verb: str) -> None:
    """A person has moved the agent's pane into a session of his own: the agent is found there, and only its pane ends."""
    rig, world = place
    cat = _spawn(place)
    person = world.tmux.person("mine")
    world.tmux.move(cat.session_name, "mine")
    assert get_polecat(rig, "nux", world=world).is_running is True

    done = ENDINGS[verb](rig, world)

    assert world.processes.identify(cat.pid) is None
    assert world.processes.identify(person.pane_pid) is not None
    assert world.tmux.sessions() == ["mine"]
    assert "mine" not in str(done), "a session is said to have ended that is there"


def test_an_orphan_that_somebody_looks_at_is_not_ended(place: Place) -> None:
    """A session whose home is gone is kept while another session shows its pane; its name is not given out."""
    rig, world = place
    cat = _spawn(place)
    world.tmux.view(cat.session_name, "mine")
    shutil.rmtree(rig.home_dir("nux"))

    done = reconcile_pool(rig, world=world)

    assert done.orphans == () and "another session shows its pane" in " ".join(done.kept)
    assert world.processes.identify(cat.pid) is not None
    with pytest.raises(SpawnRefusedError):
        spawn_for_sling(rig, SpawnOptions(name="nux"), world=world)


@pytest.mark.parametrize("act", [remove_polecat, repair_polecat], ids=["remove", "repair"])
def test_a_branch_that_is_not_the_records_stays(place: Place, act: Callable[..., object]) -> None:
    """An agent has checked out the branch of a polecat that is gone: it is not dropped with the worktree, though its name begins alike."""
    rig, world = place
    cat, repo = _spawn(place), world.git.repo(find_repo(rig))
    repo.heads["polecat/slit-1"] = tip = world.git.record(repo.tracking["main"], {"old.txt": b"old"})
    world.git.switch(cat.clone_path, "polecat/slit-1")

    act(rig, "nux", nuclear=True, world=world)

    assert repo.heads["polecat/slit-1"] == tip


def test_where_rescue_and_count_fail_the_branch_stays(place: Place) -> None:
    """A removal at any price, of which neither the commits could be counted nor the work be saved, drops no branch."""
    rig, world = place
    cat = _spawn(place)
    tip = world.git.commit(cat.clone_path, {"only.txt": "here"})
    world.git.set_facts(cat.clone_path, problems=("commits: git exited 128",), unpushed=0)
    world.git.fail_next("rescue")

    done = remove_polecat(rig, "nux", nuclear=True, world=world)

    assert not done.branch_deleted and done.kept is not None
    assert world.git.repo(find_repo(rig)).heads[cat.branch] == tip


# ----------------------------------------------------------------------------------------------- kind 2: other servers


def _elsewhere(world: FakeWorld, how: str) -> FakeWorld:
    """Let the agents be where nobody asks any more."""
    if how == "setting changed":
        return evolve(world, tmux=world.tmux.neighbour("other"))
    world.tmux.lose_socket()
    return world


ELSEWHERE = pytest.mark.parametrize("how", ["setting changed", "socket deleted"])


@ELSEWHERE
def test_an_agent_on_another_server_lives(place: Place, how: str) -> None:
    """The recorded server or the process table tells that it lives; its bead is not given away and its place not removed silently."""
    rig, world = place
    cat = _spawn(place, hook_bead="gt-1")
    world = _elsewhere(world, how)

    assert get_polecat(rig, "nux", world=world).is_running is True
    with pytest.raises(BeadTakenError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    reconcile_pool(rig, world=world)
    assert world.processes.identify(cat.pid) is not None
    assert read_record(rig, "nux") is not None


@ELSEWHERE
@pytest.mark.parametrize("verb", ENDINGS)
def test_an_agent_on_another_server_is_ended_first(place: Place, how: str, verb: str) -> None:
    """Stopping, removing and repairing end it where it is; none leaves an agent alive without a place."""
    rig, world = place
    cat = _spawn(place)
    world = _elsewhere(world, how)
    assert work_at_risk(rig, "nux", world=world).is_safe  # its own agent is no stranger in its directory

    ENDINGS[verb](rig, world)

    assert world.processes.identify(cat.pid) is None


def test_text_goes_to_the_recorded_server(place: Place) -> None:
    """The setting names another server by now; the agent gets the text all the same."""
    rig, world = place
    cat = _spawn(place)

    nudge_polecat(rig, "nux", "hello", world=evolve(world, tmux=world.tmux.neighbour("other")))

    assert world.tmux.typed(cat.pane) == ["hello"]


@ELSEWHERE
def test_a_name_whose_agent_lives_is_not_given_out(place: Place, how: str) -> None:
    """Somebody deleted the home of an agent that lives where nobody looks: name, record and bead stay its own until it ends."""
    rig, world = place
    cat = _spawn(place, "furiosa", hook_bead="gt-1")
    shutil.rmtree(rig.home_dir("furiosa"))
    world = _elsewhere(world, how)

    done = reconcile_pool(rig, world=world)
    other = spawn_for_sling(rig, world=world)

    assert "agent lives or may live" in " ".join(done.kept)
    assert other.polecat_name != "furiosa"
    with pytest.raises(BeadTakenError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.processes.forget(cat.pid)
    assert "furiosa" in reconcile_pool(rig, world=world).forgotten
    assert spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world).polecat_name == "furiosa"


# -------------------------------------------------------------------------------------------------- kind 3: moved towns


def test_a_moved_town_loses_nothing(place: Place, tmp_path: Path) -> None:
    """After a move no registration is dropped, no branch deleted and no agent ended; ``git worktree repair`` makes all whole again."""
    rig, world = place
    cat = _spawn(place, hook_bead="gt-1")
    (cat.clone_path / "new.txt").write_text("work")
    moved = tmp_path / "moved"
    rig.town_root.rename(moved)
    world.git.moved(rig.town_root, moved)
    rig = evolve(rig, path=moved / rig.name)

    done = reconcile_pool(rig, world=world)
    cleaned = clean_branches(rig, world=world)

    assert (done.stale, done.orphans, cleaned.deleted) == ((), (), ())
    assert get_polecat(rig, "nux", world=world).is_running is True
    with pytest.raises(PolecatError):
        remove_polecat(rig, "nux", force=True, world=world)
    world.git.repair(find_repo(rig), rig.home_dir("nux") / rig.name)
    assert work_at_risk(rig, "nux", world=world).reasons == ("uncommitted", "hooked")


def test_one_registration_that_cannot_be_dropped_spoils_no_other(place: Place) -> None:
    """Of two stale registrations the second is dropped although the first could not be."""
    rig, world = place
    cats = [_spawn(place, name) for name in ("nux", "slit")]
    for cat in cats:
        shutil.rmtree(rig.home_dir(cat.polecat_name))
    world.git.fail_next("drop_stale")

    done = reconcile_pool(rig, world=world)

    left: tuple[StaleRegistration, ...] = world.git.stale_registrations(find_repo(rig))
    assert (len(done.stale), len(left)) == (1, 1)
    assert "registration of" in " ".join(done.kept)


# ------------------------------------------------------------------------------------- kind: what outlives a removed home


@pytest.mark.parametrize("reconciles", [False, True], ids=["at once", "after a reconcile"])
def test_work_of_a_polecat_that_gas_town_nuked_is_not_inherited(place: Place, reconciles: bool) -> None:
    """`gt polecat nuke --force` leaves the bead hooked: the next polecat of the name has no work, and others may have the bead."""
    rig, world = place
    cat = _spawn(place, hook_bead="gt-w1")
    world.tmux.kill(cat.session_id, name=cat.session_name)
    shutil.rmtree(rig.home_dir("nux"))
    assert [bead.status for bead in world.beads.held_by(cat.agent_id)] == ["hooked"]
    if reconciles:
        reconcile_pool(rig, world=world)

    again = _spawn(place)

    assert again.hook_bead is None
    assert world.beads.held_by(again.agent_id) == ()
    assert _spawn(place, "slit", hook_bead="gt-w1").hook_bead == "gt-w1"
