"""Exactly which programs a spawn, a batch and a reconcile start. Each costs more than anything else we do; nothing here is timed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from polecat import FetchPolicy, SpawnedPolecat, SpawnOptions, WorkStatus, list_polecats, reconcile_pool, spawn_many
from polecat.adapters import BdCli
from polecat.ports import World
from polecat.upkeep.spares import warm_spares
from tests.adapters.beads.scripted_bd import make_scripted_bd
from tests.conftest import ProgramCounts
from tests.git_fixtures import commit
from tests.spawn_fixtures import HandTown

pytestmark = pytest.mark.real

SIGNS = {"show-environment": "list", "new-session": "start", "list-panes": "watch", "@polecat_released": "release"}
"""Only the listing of all sessions shows an environment; looking at one pane is what waiting for an agent does."""


def started(counts: ProgramCounts) -> dict[str, int]:
    """How often each command of git was run, and each operation of tmux."""
    found: Counter[str] = Counter()
    for call in counts.calls("git"):
        words = call.split()
        options = {at for at, word in enumerate(words) if word.startswith("-")}
        values = {at + 1 for at in options if words[at] in ("-c", "-C")}
        found["git " + next(word for at, word in enumerate(words) if at not in options | values)] += 1
    for call in counts.calls("tmux"):
        found["tmux " + next((operation for sign, operation in SIGNS.items() if sign in call), call)] += 1
    return dict(found)


def test_a_spawn(town: HandTown, program_counts: ProgramCounts) -> None:
    """A spawn is five programs: git fetches and fills the files; tmux lists, makes the session, and says that the agent is ready."""
    town.spawn(hook_bead="gt-abc12")  # the first one starts the server

    program_counts.reset()
    town.spawn(hook_bead="gt-abc13")

    assert started(program_counts) == {
        "git fetch": 1,
        "git reset": 1,
        "tmux list": 1,
        "tmux start": 1,
        "tmux watch": 1,
    }


def test_a_spawn_that_does_not_fetch(town: HandTown, program_counts: ProgramCounts) -> None:
    """With news that are young enough the remote is not asked at all; without waiting tmux is called twice."""
    town.spawn()
    program_counts.reset()

    town.spawn(fetch=FetchPolicy(when="if-older-than", max_age_s=3600.0), wait="no")

    assert started(program_counts) == {"git reset": 1, "tmux list": 1, "tmux start": 1, "tmux release": 1}


def test_a_spawn_with_a_warm_spare(town: HandTown, program_counts: ProgramCounts) -> None:
    """A spare is looked over by one git process; its files are not touched when it stands at the tip."""
    town.spawn()
    warm_spares(town.rig, 1, world=World(tmux=town.server.cli()))
    program_counts.reset()

    town.spawn()

    calls = started(program_counts)
    assert (calls.get("git status"), calls.get("git reset")) == (1, None)
    assert sum(calls.values()) == 5


def test_a_spare_that_is_behind_is_brought_to_the_tip(town: HandTown, program_counts: ProgramCounts) -> None:
    """When the remote has moved on, the spare's files follow with one process more (T-20)."""
    town.spawn()
    warm_spares(town.rig, 1, world=World(tmux=town.server.cli()))
    tip = commit(town.origin, {"new.txt": "new\n"})
    program_counts.reset()

    cat = town.spawn()

    assert cat.base_commit == tip
    assert (cat.clone_path / "new.txt").read_text() == "new\n"
    assert sum(started(program_counts).values()) == 6


def test_a_batch(town: HandTown, program_counts: ProgramCounts) -> None:
    """Six at once share the fetch and the listing; each adds one git process, one session and no more than one call to await it."""
    town.spawn()
    program_counts.reset()

    results = spawn_many(town.rig, [SpawnOptions()] * 6, world=World(tmux=town.server.cli()))

    assert all(isinstance(result, SpawnedPolecat) for result in results)
    calls = started(program_counts)
    assert (calls["git fetch"], calls["git reset"], calls["tmux start"], calls["tmux list"]) == (1, 6, 6, 1)


def test_a_reconcile(town: HandTown, program_counts: ProgramCounts) -> None:
    """A reconcile of a rig in order is one tmux call and no git process, whether it has two polecats or five (T-51)."""
    cats = [town.spawn() for _ in range(2)]
    for more in (0, 3):
        cats += [town.spawn() for _ in range(more)]
        program_counts.reset()

        done = reconcile_pool(town.rig, world=World(tmux=town.server.cli()))

        assert done.in_use == {cat.polecat_name for cat in cats}
        assert started(program_counts) == {"tmux list": 1}


def test_a_look_at_a_rig(town: HandTown, program_counts: ProgramCounts) -> None:
    """Listing polecats is two tmux calls, one for sessions and one for screens, however many there are; no git unless work is counted."""
    cats = [town.spawn() for _ in range(2)]
    for more in (0, 3):
        cats += [town.spawn() for _ in range(more)]
        program_counts.reset()

        found = list_polecats(town.rig, world=World(tmux=town.server.cli()), with_work=False)

        assert {cat.name for cat in found} == {cat.polecat_name for cat in cats}
        assert started(program_counts) == {"tmux list": 1, "tmux watch": 1}


def test_a_look_at_the_work_of_a_rig(town: HandTown, program_counts: ProgramCounts) -> None:
    """Counting work is one git process for each polecat; two more where one has commits that no remote has."""
    _, _, ahead = (town.spawn() for _ in range(3))
    commit(ahead.clone_path, {"new.txt": "new\n"})
    program_counts.reset()

    found = {cat.name: cat for cat in list_polecats(town.rig, world=World(tmux=town.server.cli()))}

    calls = started(program_counts)
    assert (calls["git status"], calls["git rev-list"], calls.get("git ls-files", 0)) == (3, 2, 0)
    assert found[ahead.polecat_name].work == WorkStatus(unpushed=1)
    assert {(cat.ahead, cat.behind, cat.is_merged) for cat in found.values()} == {(0, 0, True), (1, 0, False)}


def test_a_look_at_a_rig_whose_work_bd_keeps(town: HandTown, tmp_path: Path) -> None:
    """For all polecats together bd is asked once; twice when one names a bead, or is an agent, that is not among what is open."""
    script = make_scripted_bd(tmp_path / "bd")
    (town.rig_dir / ".beads" / "dolt").mkdir(parents=True)
    beads = BdCli(beads_dir=town.rig_dir / ".beads", which=str(script.binary))
    held = {}
    for number in range(4):
        script.add(f"gt-w{number}")
        held[town.spawn(hook_bead=f"gt-w{number}", beads=beads).polecat_name] = f"gt-w{number}"

    def asked() -> int:
        before = len(script.commands())
        found = list_polecats(town.rig, world=World(tmux=town.server.cli(), beads=beads), with_work=False)
        assert {cat.name: cat.issue for cat in found if cat.issue} == held
        commands = script.commands()[before:]
        assert set(commands) == {"list"}
        return len(commands)

    assert asked() == 1
    beads.set_status("gt-w0", "closed")
    held = {name: issue for name, issue in held.items() if issue != "gt-w0"}
    assert asked() == 2
