"""An agent lives on the server that its record names, whichever one the settings name today: the verbs ask and act there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from polecat import (
    PolecatState,
    Rig,
    SpawnedPolecat,
    World,
    capture_polecat,
    get_polecat,
    list_polecats,
    nudge_polecat,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    stop_polecat,
    work_at_risk,
)
from polecat.errors import BeadTakenError, PolecatError, SessionNotFoundError, TmuxUnreachableError
from tests.spawn_fixtures import HandTown, processes_of, start_session, wait_for
from tests.tmux_fixtures import PrivateServer, eventually, private_server

pytestmark = pytest.mark.real


@pytest.fixture
def today() -> Iterator[PrivateServer]:
    """The server that the settings name today. A person works on it, in a session of the polecat's name."""
    with private_server() as server:
        start_session(server, "gt-gastown-furiosa")
        yield server


def _is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def _stop(rig: Rig, cat: SpawnedPolecat, world: World) -> object:
    return stop_polecat(rig, cat, world=world)


def _remove(rig: Rig, cat: SpawnedPolecat, world: World) -> object:
    return remove_polecat(rig, cat, world=world)


def _remove_by_force(rig: Rig, cat: SpawnedPolecat, world: World) -> object:
    return remove_polecat(rig, cat, nuclear=True, world=world)


def _repair(rig: Rig, cat: SpawnedPolecat, world: World) -> object:
    return repair_polecat(rig, cat, world=world)


VERBS = (_stop, _remove, _remove_by_force, _repair)


def test_looking_asks_the_recorded_server(town: HandTown, today: PrivateServer) -> None:
    """List, status and the verdict know of the agent; nudge and capture reach it, not the person's session of that name."""
    cat, world = town.spawn(), World(tmux=today.cli())

    [found] = list_polecats(town.rig, world=world)

    assert (found.state, found.is_running, dict(found.unknown)) == (PolecatState.WORKING, True, {})
    assert work_at_risk(town.rig, cat, world=world).is_safe
    assert nudge_polecat(town.rig, cat, "hello", world=world).session_name == cat.session_name
    wait_for(lambda: b"hello" in town.typed("furiosa"), True, "the agent got it")
    assert capture_polecat(town.rig, cat, world=world)
    assert "hello" not in today.run("capture-pane", "-p", "-t", "=gt-gastown-furiosa:")


@pytest.mark.parametrize("verb", VERBS)
def test_the_agent_is_ended_on_the_recorded_server(
    verb: Callable[[Rig, SpawnedPolecat, World], object], town: HandTown, today: PrivateServer
) -> None:
    """Stop, remove and repair end the agent where it lives; the person's session of that name on today's server stays."""
    cat = town.spawn()

    verb(town.rig, cat, World(tmux=today.cli()))

    eventually(lambda: not _is_alive(cat.pid), "the agent ended")
    assert town.sessions() == []
    assert today.run("list-sessions", "-F", "#{session_name}") == "gt-gastown-furiosa"


@pytest.mark.parametrize("verb", VERBS)
def test_where_the_recorded_server_cannot_be_asked_nothing_is_done(
    verb: Callable[[Rig, SpawnedPolecat, World], object], town: HandTown, today: PrivateServer
) -> None:
    """A recorded socket that leads in a circle is unknown: the verb refuses, the agent lives and keeps its place."""
    cat = town.spawn()
    aside = town.server.socket.with_name("aside.sock")
    town.server.socket.rename(aside)
    town.server.socket.symlink_to(town.server.socket)
    try:
        with pytest.raises(PolecatError):
            verb(town.rig, cat, World(tmux=today.cli()))
        assert get_polecat(town.rig, "furiosa", world=World(tmux=today.cli())).is_running is True
    finally:
        town.server.socket.unlink()
        aside.rename(town.server.socket)
    assert _is_alive(cat.pid) and (cat.clone_path / "README.md").exists()


@pytest.mark.parametrize("is_lost", [False, True], ids=["changed", "lost"])
def test_its_bead_is_not_given_away(town: HandTown, today: PrivateServer, is_lost: bool) -> None:
    """Whatever the settings name now, and with its server's socket gone too, the bead of an agent that lives is taken."""
    cat = town.spawn(hook_bead="gt-w1")
    aside = town.server.socket.with_name("aside.sock")
    if is_lost:
        town.server.socket.rename(aside)
    try:
        with pytest.raises(BeadTakenError, match="furiosa"):
            town.spawn(hook_bead="gt-w1", server=today)
        assert [one.name for one in list_polecats(town.rig, world=World(tmux=today.cli()))] == ["furiosa"]
    finally:
        if is_lost:
            aside.rename(town.server.socket)
    assert _is_alive(cat.pid)


def test_a_lost_socket_hides_no_agent(town: HandTown, today: PrivateServer) -> None:
    """With its server's socket gone the process table tells: the agent works, and stop ends it."""
    cat, world = town.spawn(), World(tmux=today.cli())
    aside = town.server.socket.with_name("aside.sock")
    town.server.socket.rename(aside)
    try:
        assert get_polecat(town.rig, cat, world=world).state is PolecatState.WORKING
        assert stop_polecat(town.rig, cat, world=world) == cat.session_name
        eventually(lambda: not _is_alive(cat.pid), "the agent ended")
        eventually(lambda: not processes_of(town.root), "what the server runs at an agent's end, under its id, has ended too")
        with pytest.raises(SessionNotFoundError):
            stop_polecat(town.rig, cat, world=world)
    finally:
        aside.rename(town.server.socket)


def test_nudge_says_that_the_recorded_server_cannot_be_asked(town: HandTown, today: PrivateServer) -> None:
    """Nothing is typed elsewhere, and the error is that of the server."""
    cat = town.spawn()
    aside = town.server.socket.with_name("aside.sock")
    town.server.socket.rename(aside)
    town.server.socket.symlink_to(town.server.socket)
    try:
        with pytest.raises(TmuxUnreachableError):
            nudge_polecat(town.rig, cat, "hello", world=World(tmux=today.cli()))
    finally:
        town.server.socket.unlink()
        aside.rename(town.server.socket)


def test_an_agent_whose_home_was_renamed_is_no_orphan(town: HandTown) -> None:
    """Somebody renamed a home while its agent works in it: neither a reconcile nor the next spawn ends it or takes its name."""
    cat = town.spawn()
    home = cat.clone_path.parent
    home.rename(home.with_name("zz"))

    done = reconcile_pool(town.rig, world=World(tmux=town.server.cli()))
    other = town.spawn()

    assert (done.orphans, done.stale, done.forgotten) == ((), (), ())
    assert any("its agent works in" in text for text in done.kept)
    assert _is_alive(cat.pid)
    assert other.polecat_name != cat.polecat_name
    with pytest.raises(PolecatError, match="is taken"):
        town.spawn(name=cat.polecat_name)
    assert _is_alive(cat.pid)
    home.with_name("zz").rename(home)
    assert get_polecat(town.rig, cat, world=World(tmux=town.server.cli())).is_running
