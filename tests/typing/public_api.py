"""What type checkers see from outside. Checked by mypy and pyright, never run.

Each ``assert_type`` fails the check when the type of a result changes, and each ``type: ignore`` when a mistake is no longer found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never, assert_type

import polecat
from polecat import (
    AttachCommand,
    Bead,
    Beads,
    Checkup,
    CleanedBranches,
    Delivery,
    Event,
    Git,
    NamePool,
    Polecat,
    PolecatError,
    PolecatState,
    Processes,
    Reconciliation,
    Removed,
    Repaired,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    SpawnPlan,
    Staleness,
    Tmux,
    Town,
    Verdict,
    Warmed,
    WorkStatus,
)
from polecat.adapters import BdCli, GitCli, LocalBeads, TmuxCli
from polecat.ports import World
from polecat.testing import (
    BeadsContract,
    BeadsUnderTest,
    FailAt,
    FakeBeads,
    FakeClock,
    FakeGit,
    FakeProcesses,
    FakeTmux,
    FakeTown,
    RealTown,
    example_world,
    fake_world,
    make_rig,
)


def towns() -> None:
    town = polecat.find_town()
    assert_type(town, Town)
    assert_type(town.rig("gastown"), Rig)
    assert_type(town.rigs(), list[Rig])
    assert_type(polecat.init_town("/town"), Town)
    assert_type(polecat.add_rig(town, "gastown", "https://example.invalid/g.git"), Rig)
    assert_type(polecat.is_rig_name("gastown"), bool)
    assert_type(polecat.check_town(town), Checkup)


def deciding(pool: NamePool) -> None:
    name, after = polecat.allocate_name(pool, {"nux"})
    assert_type(name, str)
    assert_type(after, NamePool)
    assert_type(polecat.reconcile_pool_with(sessions=["nux"], dirs=()), Reconciliation)


def spawning(rig: Rig) -> None:
    assert_type(polecat.spawn_for_sling(rig), SpawnedPolecat)
    assert_type(polecat.spawn_for_sling("gastown", SpawnOptions(hook_bead="gt-1", wait="no")), SpawnedPolecat)
    assert_type(polecat.plan_spawn(rig), SpawnPlan)
    for result in polecat.spawn_many(rig, [SpawnOptions()] * 3):
        assert_type(result, SpawnedPolecat | PolecatError)
        match result:
            case SpawnedPolecat():
                assert_type(result.pane, str)
                assert_type(result.timings.total_s, float)
                assert_type(result.hook_bead, str | None)
            case PolecatError():
                assert_type(result.hint, str)
            case _:
                assert_never(result)


def looking_after(rig: Rig) -> None:
    assert_type(polecat.reconcile_pool(rig), Reconciliation)
    assert_type(polecat.reconcile_pool(rig, dry_run=True), Reconciliation)
    for cat in polecat.list_polecats(rig):
        assert_type(cat, Polecat)
        assert_type(cat.state, PolecatState)
        verdict = polecat.work_at_risk(rig, cat)
        assert_type(verdict, Verdict)
        assert_type(verdict.is_safe, bool)
        assert_type(verdict.work, WorkStatus | None)
    assert_type(polecat.get_polecat(rig, "nux"), Polecat)
    assert_type(polecat.remove_polecat(rig, "nux", force=True, dry_run=True), Removed)
    assert_type(polecat.repair_polecat(rig, "nux"), Repaired)
    assert_type(polecat.stop_polecat(rig, "nux"), str)
    assert_type(polecat.detect_stale(rig), list[Staleness])
    assert_type(polecat.clean_branches(rig, dry_run=True), CleanedBranches)
    assert_type(polecat.warm_spares(rig), Warmed)


def one_polecat_is_a_name_or_a_value(rig: Rig | str, cat: str | Polecat | SpawnedPolecat) -> None:
    assert_type(polecat.get_polecat(rig, cat), Polecat)
    assert_type(polecat.work_at_risk(rig, cat), Verdict)
    assert_type(polecat.remove_polecat(rig, cat), Removed)
    assert_type(polecat.repair_polecat(rig, cat), Repaired)
    assert_type(polecat.stop_polecat(rig, cat), str)
    assert_type(polecat.nudge_polecat(rig, cat, "hello"), Delivery)
    assert_type(polecat.capture_polecat(rig, cat), str)
    assert_type(polecat.attach_command(rig, cat), AttachCommand)
    assert_type(polecat.assigned_issue(rig, cat), Bead | None)
    assert_type(polecat.assign_issue(rig, cat, "gt-1"), Bead)
    assert_type(polecat.clear_issue(rig, cat), Bead | None)
    polecat.set_state(rig, cat, "done")
    polecat.stop_polecat(rig, 3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def states(state: PolecatState) -> str:
    match state:
        case PolecatState.WORKING | PolecatState.IDLE | PolecatState.WAITING | PolecatState.STUCK | PolecatState.ZOMBIE:
            return "it runs"
        case PolecatState.DONE | PolecatState.FAILED | PolecatState.STALLED:
            return "it has ended"
        case PolecatState.SPAWNING | PolecatState.UNKNOWN:
            return "not yet, or nobody knows"
        case _:
            assert_never(state)


def our_gits_have_everything(cli: GitCli, fake: FakeGit) -> None:
    _rescues: Sequence[polecat.GitRescues] = [cli, fake]
    _moves: Sequence[polecat.GitMoves] = [cli, fake]
    _spares: Sequence[polecat.GitSpares] = [cli, fake]
    _recovery: Sequence[polecat.GitRecovery] = [cli, fake]
    _branches: Sequence[polecat.GitBranches] = [cli, fake]
    _clones: Sequence[polecat.GitClones] = [cli, fake]
    _submodules: Sequence[polecat.GitSubmodules] = [cli, fake]
    _ignored: Sequence[polecat.GitIgnored] = [cli, fake]
    _lists: Sequence[polecat.GitLists] = [cli, fake]


def every_adapter_is_its_port(place: Path, environ: Mapping[str, str]) -> None:
    gits: Sequence[Git] = [GitCli(environ=environ), FakeGit()]
    tmuxes: Sequence[Tmux] = [TmuxCli(socket="mine"), FakeTmux(sessions=["gt-gas-nux"])]
    stores: Sequence[Beads] = [LocalBeads(place), BdCli(beads_dir=place), FakeBeads()]
    tables: Sequence[Processes] = [tmuxes[0].processes, FakeProcesses()]
    clock: polecat.Clock = FakeClock()
    rig = make_rig(place)
    heard: list[Event] = []
    polecat.spawn_for_sling(
        rig, world=World(git=gits[0], tmux=tmuxes[0], beads=stores[0], processes=tables[0], clock=clock, on_event=heard.append)
    )


def worlds_are_keyword_arguments(place: Path, fake: FakeTown, real: RealTown) -> None:
    rig, world = example_world()
    assert_type(world.tmux.sessions(), list[str])
    assert_type(polecat.spawn_for_sling(rig, world=world), SpawnedPolecat)
    assert_type(polecat.spawn_many(rig, [], world=fake_world(place)[1]), list[SpawnedPolecat | PolecatError])
    assert_type(polecat.spawn_for_sling(fake.rig, world=FailAt(3).around(fake.world)), SpawnedPolecat)
    assert_type(polecat.remove_polecat(real.rig, "nux", world=real.world), Removed)


class Contract(BeadsContract):
    """The wrong thing given to a contract is found before it runs."""

    def make(self, room: Path) -> BeadsUnderTest:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return BeadsUnderTest(store=FakeBeads(), new_work=str)


def values_are_checked(status: WorkStatus, bead: Bead) -> None:
    WorkStatus(modified=1)
    SpawnOptions(hook_bead=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SpawnOptions(wait="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SpawnOptions("gt-1")  # type: ignore[call-arg,arg-type]  # pyright: ignore[reportCallIssue]
    status.modified = 2  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    bead.status = "open"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
