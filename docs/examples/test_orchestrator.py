"""The orchestrator, tested without git, tmux or an agent, in a pretend world in which time passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import evolve
from orchestrator import work_off

from polecat import PolecatState, Rig, SessionRequest, clear_issue, get_polecat, list_polecats
from polecat.testing import CrashAt, Crashed, FakeAgent, FakeTmux, FakeWorld, fake_world


def succeed(rig: Rig, name: str, world: FakeWorld, *, push: bool = True) -> None:
    """Let an agent end well: it commits, pushes, hands its bead back, and exits."""
    cat = get_polecat(rig, name, world=world)
    world.git.commit(cat.clone_path, {"done.txt": cat.issue or ""})
    if push:
        world.git.push(cat.clone_path)
    clear_issue(rig, cat, world=world)
    world.tmux.crash(cat.session_name, exit_code=0)


Deed = Callable[[Rig, str, FakeWorld], object]


def a_town(tmp_path: Path, deeds: Mapping[str, Deed] | None = None) -> tuple[Rig, FakeWorld]:
    """A world in which each agent does, a minute after it was started, what *deeds* say for its bead; by default it succeeds."""

    def started(request: SessionRequest) -> FakeAgent:
        world.clock.later(60, lambda: act(request.environment["GT_POLECAT"], request.instance))
        return FakeAgent()

    def act(name: str, instance: str) -> None:
        for cat in list_polecats(rig, world=world):
            if (cat.name, cat.instance, cat.is_running) == (name, instance, True):
                (deeds or {}).get(cat.hook_bead or "", succeed)(rig, name, world)

    rig, world = fake_world(tmp_path)
    world = evolve(world, tmux=FakeTmux(agent=started, processes=world.processes, clock=world.clock))
    return rig, world


def fail(_: Rig, name: str, world: FakeWorld) -> None:
    """Let an agent end with status 3."""
    world.tmux.crash(f"gt-gastown-{name}", exit_code=3)


def die(_: Rig, name: str, world: FakeWorld) -> None:
    """Let an agent be killed."""
    world.tmux.crash(f"gt-gastown-{name}", signal=9)


def ask(_: Rig, name: str, world: FakeWorld) -> None:
    """Let an agent ask something."""
    world.tmux.show(f"gt-gastown-{name}", "Do you trust the files in this folder?\n❯ 1. Yes, proceed")


def keep_to_itself(rig: Rig, name: str, world: FakeWorld) -> None:
    """Let an agent end well, but for the push."""
    succeed(rig, name, world, push=False)


def test_every_bead_is_done_and_every_place_taken_back(tmp_path: Path) -> None:
    """Five beads, two polecats at a time, nothing left."""
    rig, world = a_town(tmp_path)
    beads = [f"gt-{number}" for number in range(1, 6)]
    crowds = []

    for bead, fate in work_off(rig, beads, at_once=2, world=world):
        crowds.append(len(list_polecats(rig, world=world)))
        assert (bead in beads, fate) == (True, "done")

    assert (len(crowds), max(crowds)) == (5, 2)
    assert list_polecats(rig, world=world) == []


def test_what_did_not_end_well_is_kept_and_said(tmp_path: Path) -> None:
    """One fails, one is killed, one asks, one does not push: each is named with why and kept, and the fifth is done."""
    rig, world = a_town(tmp_path, {"gt-1": fail, "gt-2": die, "gt-3": ask, "gt-4": keep_to_itself})

    fates = dict(work_off(rig, [f"gt-{number}" for number in range(1, 6)], world=world))

    assert {bead: fate.partition(" ")[2] for bead, fate in fates.items()} == {
        "gt-1": "is failed: exit 3",
        "gt-2": "is failed: signal 9",
        "gt-3": "is waiting: trust-folder",
        "gt-4": "is kept: 1 unpushed commit(s)",
        "gt-5": "",
    }
    assert fates["gt-5"] == "done"
    assert sorted(cat.hook_bead or "" for cat in list_polecats(rig, world=world)) == ["gt-1", "gt-2", "gt-3", "gt-4"]


def test_after_a_reboot_everybody_goes_on(tmp_path: Path) -> None:
    """The tmux server goes away amid the work: each agent is started again in its place, and each bead is done."""
    rig, world = a_town(tmp_path)
    world.clock.later(30, world.tmux.restart_server)

    fates = dict(work_off(rig, ["gt-1", "gt-2", "gt-3"], world=world))

    assert fates == dict.fromkeys(["gt-1", "gt-2", "gt-3"], "done")
    assert list_polecats(rig, world=world) == []


@pytest.mark.parametrize("at", range(5, 120, 16))
def test_killed_and_begun_again_nothing_is_done_twice(tmp_path: Path, at: int) -> None:
    """Wherever the orchestrator is killed, its agents go on; begun again, it takes their results, and no bead is worked on twice."""
    finished = Counter[str]()

    def count(rig: Rig, name: str, world: FakeWorld) -> None:
        finished[get_polecat(rig, name, world=world).hook_bead or ""] += 1
        succeed(rig, name, world)

    beads = ["gt-1", "gt-2", "gt-3"]
    rig, world = a_town(tmp_path, dict.fromkeys(beads, count))
    told: list[tuple[str, str]] = []
    with suppress(Crashed):
        told.extend(work_off(rig, beads, world=CrashAt(at).around(world)))
    world.clock.sleep(300)

    told += work_off(rig, [bead for bead in beads if (bead, "done") not in told], world=world)

    assert set(told) == {(bead, "done") for bead in beads}
    assert finished == dict.fromkeys(beads, 1)
    assert {cat.state for cat in list_polecats(rig, world=world)} <= {PolecatState.DONE}  # told, and not yet removed
