"""Races in the pretend world: something else happens right before the n-th call of an operation, for every n; and many threads at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polecat import (
    PolecatError,
    Reconciliation,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    plan_spawn,
    reconcile_pool,
    remove_polecat,
    repair_polecat,
    spawn_for_sling,
)
from polecat.errors import PolecatNotFoundError, SpawnRefusedError
from polecat.testing import FakeAgent, FakeWorld, Fault, MeanwhileAt, fake_world
from polecat.town.find import find_repo

Operation = Callable[[Rig, FakeWorld], object]

OPERATIONS: dict[str, Operation] = {
    "spawn": lambda rig, world: spawn_for_sling(rig, SpawnOptions(name="furiosa", hook_bead="gt-1"), world=world),
    "remove": lambda rig, world: remove_polecat(rig, "nux", force=True, world=world),
    "repair": lambda rig, world: repair_polecat(rig, "nux", force=True, world=world),
}


def _a_rig(root: Path) -> tuple[Rig, FakeWorld, SpawnedPolecat]:
    rig, world = fake_world(root)
    nux = spawn_for_sling(rig, SpawnOptions(name="nux", hook_bead="gt-9"), world=world)
    (nux.clone_path / "new.txt").write_text("work")
    world.clock.sleep(60)
    return rig, world, nux


def _summary(rig: Rig, world: FakeWorld) -> dict[str, object]:
    """What an operation made, as far as it does not differ from run to run."""
    homes = sorted(path.name for path in rig.polecats_dir.iterdir() if path.name != ".trash")
    beads = [(bead.id, bead.status, bead.assignee) for bead in world.beads.beads() if not bead.labels]
    return {"homes": homes, "sessions": world.tmux.sessions(), "beads": beads}


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_a_reconcile_in_the_middle_changes_nothing(name: str, tmp_path: Path) -> None:
    """T-05: whoever reconciles while a polecat is made, repaired or removed leaves it alone, at whichever moment."""
    rig, world, _ = _a_rig(tmp_path / "undisturbed")
    count = Fault()
    OPERATIONS[name](rig, count.around(world))
    undisturbed = _summary(rig, world)

    for number in range(1, len(count.calls) + 1):
        rig, world, _ = _a_rig(tmp_path / str(number))
        reconciled: list[Reconciliation] = []
        fault = MeanwhileAt(number, lambda r=rig, w=world, done=reconciled: done.append(reconcile_pool(r, world=w)))  # type: ignore[misc]
        OPERATIONS[name](rig, fault.around(world))

        assert fault.struck is not None
        assert len(reconciled) == 1
        assert reconciled[0].recovered == reconciled[0].orphans == reconciled[0].adopted == (), str(fault.struck)
        assert _summary(rig, world) == undisturbed, str(fault.struck)


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_nobody_gets_the_name_meanwhile(name: str, tmp_path: Path) -> None:
    """T-08: from the first call on that could change something nobody gets the name, and who asks for it by name is refused."""
    rig, world, _ = _a_rig(tmp_path / "count")
    count = Fault()
    OPERATIONS[name](rig, count.around(world))
    taken = "furiosa" if name == "spawn" else "nux"

    for number in range(1, len(count.calls) + 1):
        rig, world, _ = _a_rig(tmp_path / str(number))

        def somebody_else(rig: Rig = rig, world: FakeWorld = world) -> None:
            if name == "spawn" and not rig.home_dir(taken).exists():  # before its claim the name is anybody's
                return
            with pytest.raises(SpawnRefusedError, match=taken):
                spawn_for_sling(rig, SpawnOptions(name=taken), world=world)
            assert plan_spawn(rig, world=world).polecat_name not in ("nux", taken)

        fault = MeanwhileAt(number, somebody_else)
        OPERATIONS[name](rig, fault.around(world))

        assert fault.struck is not None


def _quietly(do: Callable[[], object], seed: int) -> Callable[[], object]:
    """Do something after a moment that differs from round to round; give its result or error."""

    def run() -> object:
        threading.Event().wait(random.Random(seed).random() * 0.004)
        try:
            return do()
        except PolecatError as error:
            return error

    return run


def test_removing_and_spawning_one_name(tmp_path: Path, is_whole: bool) -> None:
    """T-08: 200 rounds of a removal beside a spawn of the same name end as if one had come after the other."""
    rig, world = fake_world(tmp_path)
    opts = SpawnOptions(name="furiosa")
    outcomes = set()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for round_ in range(200 if is_whole else 25):
            first = spawn_for_sling(rig, opts, world=world)
            world.clock.sleep(1)
            one = pool.submit(_quietly(lambda: remove_polecat(rig, "furiosa", world=world), 2 * round_))
            two = pool.submit(_quietly(lambda: spawn_for_sling(rig, opts, world=world), 2 * round_ + 1))
            removed, spawned = one.result(), two.result()
            known = world.git.repo(find_repo(rig))
            homes = [path.name for path in rig.polecats_dir.iterdir() if path.name != ".trash"]

            assert not isinstance(removed, PolecatError), removed
            if isinstance(spawned, SpawnedPolecat):
                assert homes == ["furiosa"]
                assert world.tmux.sessions() == [spawned.session_name]
                assert list(known.heads) == [spawned.branch]
                assert spawned.instance != first.instance
                remove_polecat(rig, "furiosa", world=world)
            else:
                assert isinstance(spawned, SpawnRefusedError), spawned
                assert (homes, world.tmux.sessions(), dict(known.heads)) == ([], [], {})
            outcomes.add(type(spawned).__name__)
            world.clock.sleep(1)

    assert outcomes <= {"SpawnedPolecat", "SpawnRefusedError"}


def test_repairing_and_removing_one_polecat(tmp_path: Path, is_whole: bool) -> None:
    """T-08, T-16: a repair beside a removal, round after round: both went well, or the repair came too late; nothing is left."""
    rig, world = fake_world(tmp_path)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for round_ in range(60 if is_whole else 12):
            cat = spawn_for_sling(rig, world=world)
            (cat.clone_path / "new.txt").write_text(f"work of round {round_}")
            world.clock.sleep(1)
            one = pool.submit(_quietly(lambda: remove_polecat(rig, cat.polecat_name, force=True, world=world), 2 * round_))  # noqa: B023
            two = pool.submit(_quietly(lambda: repair_polecat(rig, cat.polecat_name, force=True, world=world), 2 * round_ + 1))  # noqa: B023
            removed, repaired = one.result(), two.result()
            known = world.git.repo(find_repo(rig))
            saved = [world.git.commits[rescue.commit].files for rescue in known.rescues.values()]

            assert not isinstance(removed, PolecatError), removed
            assert not isinstance(repaired, PolecatError) or isinstance(repaired, PolecatNotFoundError), repaired
            assert [path.name for path in rig.polecats_dir.iterdir() if path.name != ".trash"] == []
            assert dict(known.heads) == {}
            assert any(files.get("new.txt") == f"work of round {round_}".encode() for files in saved)
            world.clock.sleep(1)


def test_one_failing_attempt_leaves_the_other_alone(tmp_path: Path) -> None:
    """T-07: two attempts on one bead, one fails late; branch, worktree, hook and session of the other are as they were."""
    rig, world = fake_world(tmp_path)
    winner = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
    world.tmux.rename(winner.session_name, "somebody-looks-at-it")
    for number in range(1, 60):
        fault = MeanwhileAt(number, lambda: world.git.fail_next("check_out"))
        with pytest.raises(PolecatError):
            spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=fault.around(world))
        world.git.failures.clear()
        bead = world.beads.bead("gt-1")

        assert bead is not None
        assert (bead.status, bead.assignee) == ("hooked", winner.agent_id)
        assert winner.clone_path.is_dir()
        assert world.tmux.sessions() == ["somebody-looks-at-it"]
        if not fault.has_struck:
            break


def test_a_recycled_name_is_somebody_else(tmp_path: Path) -> None:
    """T-06: a clean-up meant for an earlier instance of a name leaves the present one untouched."""
    rig, world = fake_world(tmp_path)
    first = spawn_for_sling(rig, SpawnOptions(name="nux", hook_bead="gt-1"), world=world)
    remove_polecat(rig, "nux", force=True, world=world)
    world.clock.sleep(1)
    second = spawn_for_sling(rig, SpawnOptions(name="nux", hook_bead="gt-1"), world=world)

    with pytest.raises(PolecatNotFoundError, match="not instance"):
        remove_polecat(rig, first, nuclear=True, world=world)
    assert not world.tmux.kill("", name=first.session_name, instance=first.instance)

    bead = world.beads.bead("gt-1")
    assert second.clone_path.is_dir()
    assert world.tmux.sessions() == [second.session_name]
    assert bead is not None
    assert bead.assignee == second.agent_id


def test_the_breaker_counts_agents_only(tmp_path: Path) -> None:
    """T-48: after three agents in a row that ended or never were ready the bead is refused; outages do not count; success resets."""
    rig, world = fake_world(tmp_path)
    opts = SpawnOptions(hook_bead="gt-1", ready_timeout_s=1)

    def spawn_with(agent: FakeAgent) -> object:
        world.tmux._agent = agent
        world.clock.sleep(1)
        try:
            return spawn_for_sling(rig, opts, world=world)
        except PolecatError as error:
            return error

    for method in ("add_worktree", "check_out", "resolve"):
        world.git.fail_next(method)
        assert type(spawn_with(FakeAgent())).__name__ == "SpawnFailedError"
    world.tmux.unreachable = True
    assert type(spawn_with(FakeAgent())).__name__ == "TmuxUnreachableError"
    world.tmux.unreachable = False
    made = spawn_with(FakeAgent(exits=3)), spawn_with(FakeAgent()), spawn_with(FakeAgent())
    assert [type(one).__name__ for one in made] == ["AgentDiedError", "SpawnedPolecat", "BeadTakenError"]
    remove_polecat(rig, made[1].polecat_name, force=True, world=world)  # type: ignore[attr-defined]  # it is a polecat
    failed = [spawn_with(FakeAgent(exits=0)), spawn_with(FakeAgent(ready_after_looks=10**6)), spawn_with(FakeAgent(exits=1))]
    refused = spawn_with(FakeAgent())

    assert [type(one).__name__ for one in failed] == ["AgentDiedError", "NotReadyError", "AgentDiedError"]
    assert type(refused).__name__ == "RespawnLimitError"
