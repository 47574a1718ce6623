"""Orders with a key: whoever lost the answer asks again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from attrs import evolve

from polecat import (
    LockTimeoutError,
    PolecatError,
    SpawnedPolecat,
    SpawnOptions,
    SpawnRefusedError,
    UnknownStateError,
    get_polecat,
    list_polecats,
    plan_spawn,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
    spawn_many,
)
from polecat.lifecycle.keys import key_lock, keys_of
from polecat.testing import FakeTown, fake_world
from polecat.testing.worlds import put_json
from polecat.town.locks import holding
from tests.faults.pretend import Scene, die_at


@pytest.fixture
def fake_town(tmp_path: Path) -> FakeTown:
    rig, world = fake_world(tmp_path / "polecat")
    return FakeTown(rig=rig, world=world)


ORDER = SpawnOptions(key="order 7", hook_bead="gt-1")


def test_asking_again_gives_the_polecat_that_is_there(fake_town: FakeTown) -> None:
    """The same key twice is one polecat; the second answer is as it stands and says so, and a list shows the key."""
    rig, world = fake_town.rig, fake_town.world
    first = spawn_for_sling(rig, ORDER, world=world)
    again = spawn_for_sling(rig, SpawnOptions(key="order 7"), world=world)

    assert (again.instance, again.key, again.hook_bead) == (first.instance, "order 7", "gt-1")
    assert again.warnings == ("furiosa has the key 'order 7' already; nothing was made",)
    assert [one.key for one in list_polecats(rig, world=world)] == ["order 7"]
    assert keys_of(rig) == {"order 7": "furiosa"}


def test_what_is_there_is_the_answer_whatever_else_is_refused(fake_town: FakeTown) -> None:
    """A full rig, a full disk, a missing agent: asking again still gives the polecat that is there."""
    rig, world = fake_town.rig, fake_town.world
    first = spawn_for_sling(rig, ORDER, world=world)
    put_json(rig.path / "settings" / "config.json", {"type": "rig-settings", "max_polecats": 1, "min_free_disk_mb": 10**9})

    again = spawn_for_sling(rig, evolve(ORDER, agent="no-such"), world=evolve(world, environ={"PATH": "/nowhere"}))

    assert again.instance == first.instance


def test_a_key_is_free_again_when_its_polecat_is_gone(fake_town: FakeTown) -> None:
    """After a removal the key makes a new polecat; a repair keeps the key."""
    rig, world = fake_town.rig, fake_town.world
    first = spawn_for_sling(rig, ORDER, world=world)
    world.clock.sleep(60)
    repaired = repair_polecat(rig, first, force=True, world=world).polecat
    assert repaired.key == "order 7"
    remove_polecat(rig, repaired, force=True, world=world)

    assert spawn_for_sling(rig, ORDER, world=world).instance not in (first.instance, repaired.instance)


def test_a_key_stands_in_one_call_once(fake_town: FakeTown) -> None:
    """The second of two orders with one key is refused at once; the others are made."""
    results = spawn_many(fake_town.rig, [ORDER, SpawnOptions(key="order 7"), SpawnOptions(key="order 8")], world=fake_town.world)

    assert [type(one) for one in results] == [SpawnedPolecat, SpawnRefusedError, SpawnedPolecat]
    assert "twice in one call" in str(results[1])


def test_a_plan_says_that_the_key_is_there(fake_town: FakeTown) -> None:
    """A plan is refused where a spawn would make nothing."""
    spawn_for_sling(fake_town.rig, ORDER, world=fake_town.world)

    with pytest.raises(SpawnRefusedError, match="gastown/polecats/furiosa has the key 'order 7' already"):
        plan_spawn(fake_town.rig, SpawnOptions(key="order 7"), world=fake_town.world)


def test_whoever_asks_while_it_is_made_gets_what_was_made(fake_town: FakeTown) -> None:
    """Two who ask for one key at the same time get the same polecat."""
    both = threading.Barrier(2)
    results: list[SpawnedPolecat | PolecatError] = []

    def ask() -> None:
        both.wait()
        results.extend(spawn_many(fake_town.rig, [ORDER, SpawnOptions(key="order 8")], world=fake_town.world))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {one.polecat_name for one in results if isinstance(one, SpawnedPolecat)} == {"furiosa", "nux"}
    assert len(results) == 4


@pytest.mark.parametrize("point", ["after git.add_worktree", "after tmux.start", "before beads.hook"])
def test_a_killed_spawn_is_settled_by_asking_again(tmp_path: Path, point: str) -> None:
    """Whoever asks again after kill -9 gets one polecat: the one whose agent lives, or a new one; nothing else is left."""
    rig, world = fake_world(tmp_path)
    scene = Scene(rig=rig, world=world, operate=lambda rig, world: spawn_for_sling(rig, ORDER, world=world))
    died = die_at(scene, point, place=tmp_path)
    assert died.point == point, died.points

    cat = spawn_for_sling(rig, ORDER, world=scene.world)

    assert scene.world.tmux.sessions() == [cat.session_name]
    assert [(one.name, one.key, one.issue) for one in list_polecats(rig, world=scene.world)] == [("furiosa", "order 7", "gt-1")]
    assert reconcile_pool(rig, world=scene.world).is_quiet


def test_a_record_that_cannot_be_read_may_be_the_one(fake_town: FakeTown) -> None:
    """An order whose key may stand in an unreadable record is refused, unless its bead tells; other orders are not concerned."""
    rig, world = fake_town.rig, fake_town.world
    spawn_for_sling(rig, SpawnOptions(), world=world)
    (rig.runtime_dir / "polecats" / "furiosa.json").write_text("{")

    with pytest.raises(UnknownStateError, match=r"furiosa\.json cannot be read"):
        spawn_for_sling(rig, SpawnOptions(key="order 8"), world=world)
    assert spawn_for_sling(rig, ORDER, world=world).key == "order 7"
    assert get_polecat(rig, spawn_for_sling(rig, world=world), world=world).key == ""
    assert keys_of(rig) == {"order 7": "nux"}


def test_a_key_is_one_printable_line() -> None:
    """A key that could not stand in a message is a mistake of the caller."""
    for wrong in ("", "two\nlines", "x" * 201):
        with pytest.raises(ValueError, match="key must be"):
            SpawnOptions(key=wrong)


def test_the_lock_of_a_key_is_that_of_its_order(fake_town: FakeTown) -> None:
    """Who makes the polecat of a key holds its lock; another key is not concerned."""
    with holding(key_lock(fake_town.rig, "order 7"), what="test"):
        assert spawn_for_sling(fake_town.rig, SpawnOptions(key="order 8"), world=fake_town.world).key == "order 8"
        with pytest.raises(LockTimeoutError), holding(key_lock(fake_town.rig, "order 7"), what="test", timeout_s=0):
            pass
