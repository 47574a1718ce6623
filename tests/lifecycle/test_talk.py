"""Typing to polecats, reading their screens, finding their sessions, on the pretend tmux."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from polecat.errors import LockTimeoutError, PolecatError, PolecatNotFoundError, SessionNotFoundError
from polecat.lifecycle.spawn import spawn_for_sling
from polecat.lifecycle.talk import attach_command, capture_polecat, nudge_lock, nudge_polecat
from polecat.model import Rig, SpawnedPolecat
from polecat.ports import Event, World
from polecat.testing.worlds import FakeWorld, fake_world
from polecat.town.locks import take

Spawned = tuple[Rig, FakeWorld, SpawnedPolecat]


@pytest.fixture
def spawned(tmp_path: Path) -> Spawned:
    rig, world = fake_world(tmp_path)
    return rig, world, spawn_for_sling(rig, world=world)


def test_nudge_is_one_text_with_one_enter(spawned: Spawned) -> None:
    """A text of several lines arrives as it is, followed by exactly one Enter, and the fact that is told does not hold it."""
    rig, world, cat = spawned
    heard: list[Event] = []

    nudge_polecat(rig, cat.polecat_name, "first\nsecond; $HOME", world=World(tmux=world.tmux, on_event=heard.append))

    assert world.tmux.typed(cat.pane)[-1] == "first\nsecond; $HOME"
    assert world.tmux.pressed(cat.pane)[-1:] == ["Enter"]
    assert [event.name for event in heard] == ["polecat_nudged"]
    assert "second" not in repr(heard)


def test_renamed_session_is_still_found(spawned: Spawned) -> None:
    """A session that a person renamed is found by the spawn's stamp."""
    rig, world, cat = spawned
    world.tmux.rename(cat.session_name, "my-favourite")

    assert nudge_polecat(rig, cat.polecat_name, "hello", world=World(tmux=world.tmux)).session_name == "my-favourite"


def test_session_of_another_instance_gets_nothing(spawned: Spawned) -> None:
    """T-44: a polecat without a session is told so; neighbours with longer names are not typed to."""
    rig, world, cat = spawned
    tmux = world.tmux
    world.tmux.kill("", name=cat.session_name, instance=cat.instance)
    other = spawn_for_sling(rig, world=world)

    with pytest.raises(SessionNotFoundError):
        nudge_polecat(rig, cat.polecat_name, "hello", world=World(tmux=tmux))

    assert "hello" not in tmux.typed(other.pane)


def test_stuck_sender_is_waited_for_only_so_long(spawned: Spawned) -> None:
    """T-40: whoever holds the lock for ever costs the next sender its time limit and an error, not a hang; nothing is typed."""
    rig, world, cat = spawned
    held = take(nudge_lock(rig, cat.polecat_name), what="hang")
    before = world.tmux.received(cat.pane)
    try:
        with pytest.raises(LockTimeoutError, match="hang"):
            nudge_polecat(rig, cat.polecat_name, "hello", world=World(tmux=world.tmux), timeout_s=0.05)
    finally:
        held.release()

    assert world.tmux.received(cat.pane) == before


def test_many_threads_type_one_after_the_other(spawned: Spawned) -> None:
    """T-40: eight senders in one process: each message arrives once and whole."""
    rig, world, cat = spawned
    texts = [f"message {number}" for number in range(8)]
    threads = [
        threading.Thread(target=nudge_polecat, args=(rig, cat.polecat_name, text), kwargs={"world": world}) for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sorted(world.tmux.received(cat.pane).removesuffix("\r").split("\r"))[-8:] == texts


def test_unknown_polecat_is_refused_with_what_was_meant(spawned: Spawned) -> None:
    """A misspelt name is refused before tmux is asked, and names the near one."""
    rig, world, _ = spawned

    with pytest.raises(PolecatNotFoundError, match="did you mean 'furiosa'"):
        capture_polecat(rig, "furiosaa", world=World(tmux=world.tmux))


def test_nothing_to_send_is_refused(spawned: Spawned) -> None:
    """An empty text would press Enter on whatever stands in the agent's input line."""
    rig, world, cat = spawned

    with pytest.raises(PolecatError, match="nothing to send"):
        nudge_polecat(rig, cat.polecat_name, "", world=World(tmux=world.tmux))


def test_capture_gives_the_last_lines(spawned: Spawned) -> None:
    """As many lines as were asked for, the last ones."""
    rig, world, cat = spawned
    world.tmux.show(cat.session_name, "one\ntwo\nthree")

    assert capture_polecat(rig, cat.polecat_name, lines=2, world=World(tmux=world.tmux)) == "two\nthree"
    with pytest.raises(PolecatError, match="0 lines"):
        capture_polecat(rig, cat.polecat_name, lines=0, world=World(tmux=world.tmux))


def test_attach_takes_another_server_away(spawned: Spawned) -> None:
    """Inside another tmux the session is attached to, because TMUX is taken away; inside the same one the client is switched."""
    rig, world, cat = spawned
    other = attach_command(
        rig, cat.polecat_name, world=World(tmux=world.tmux, environ={"TMUX": "/run/other,1,0", "TMUX_TMPDIR": "/nowhere"})
    )
    own = {"TMUX": f"/nowhere/tmux-{os.getuid()}/default,1,0", "TMUX_TMPDIR": "/nowhere"}
    same = attach_command(rig, cat.polecat_name, world=World(tmux=world.tmux, environ=own))

    assert "TMUX" not in other.environ
    assert other.argv[-3:] == ("attach-session", "-t", f"={cat.session_name}")
    assert same.argv[-3:] == ("switch-client", "-t", f"={cat.session_name}")
    assert same.environ["TMUX"] == own["TMUX"]


def test_a_listener_that_raises_is_no_part_of_a_nudge(spawned: Spawned) -> None:
    """The text was typed, so the sender is told so, whatever its listener does."""
    rig, world, cat = spawned

    def listen(_event: Event) -> None:
        raise ZeroDivisionError("the listener's own mistake")

    assert nudge_polecat(rig, cat.polecat_name, "hello", world=World(tmux=world.tmux, on_event=listen)).is_taken
    assert world.tmux.typed(cat.pane)[-1] == "hello"
