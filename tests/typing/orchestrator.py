# mypy: disallow-any-expr, disallow-any-explicit, disallow-any-decorated, disallow-any-unimported
# pyright: strict
"""An orchestrator as somebody else would write it: the world is one value that is handed on, and nothing in it is `Any`.

mypy and pyright check it at their strictest; `test_orchestrator.py` runs it in the pretend world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from polecat import (
    Bead,
    Event,
    PolecatError,
    PolecatState,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    WorkAtRiskError,
    World,
    assigned_issue,
    list_polecats,
    nudge_polecat,
    remove_polecat,
    spawn_many,
    work_at_risk,
)

OVER = frozenset((PolecatState.DONE, PolecatState.ZOMBIE, PolecatState.FAILED, PolecatState.STALLED))
"""The states in which a polecat does no work any more."""


@frozen(kw_only=True)
class Report:
    """What became of a batch of beads.

    Attributes:
        working: bead → the polecat that has it.
        refused: bead → why nobody has it.
        rescued: the refs that hold what removed polecats left.
        seen: the names of all events, in order.
    """

    working: Mapping[str, str] = field(factory=dict[str, str])
    refused: Mapping[str, PolecatError] = field(factory=dict[str, PolecatError])
    rescued: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()


def hand_out(rig: Rig, beads: Sequence[str], *, world: World | None = None) -> Report:
    """Take idle places back, then give each bead to a polecat of its own."""
    seen: list[str] = []

    def note(event: Event) -> None:
        seen.append(event.name)

    watched = evolve(world or World(), on_event=note)
    rescued = take_back(rig, world=watched)
    report = spawn(rig, beads, world=watched)
    return evolve(report, rescued=rescued, seen=tuple(seen))


def spawn(rig: Rig, beads: Sequence[str], *, world: World) -> Report:
    """Spawn for all beads at once; what cannot be had is reported by bead, and stops nobody else."""
    options = [SpawnOptions(hook_bead=bead, wait="ready", ready_timeout_s=30.0) for bead in beads]
    working: dict[str, str] = {}
    refused: dict[str, PolecatError] = {}
    for bead, result in zip(beads, spawn_many(rig, options, world=world), strict=True):
        match result:
            case SpawnedPolecat():
                working[bead] = result.agent_id
                greet(rig, result, world=world)
            case PolecatError():
                refused[bead] = result
    return Report(working=working, refused=refused)


def greet(rig: Rig, cat: SpawnedPolecat, *, world: World) -> None:
    """Tell a polecat what it has been given, unless it waits for a person."""
    bead: Bead | None = assigned_issue(rig, cat.polecat_name, world=world)
    if cat.readiness == "ready" and bead is not None:
        nudge_polecat(rig, cat.polecat_name, f"begin with {bead.id}: {bead.title}", world=world)


def take_back(rig: Rig, *, world: World) -> tuple[str, ...]:
    """Remove whoever does no work any more; what would be lost is rescued first, and what cannot be rescued stays."""
    rescued: list[str] = []
    for cat in list_polecats(rig, world=world):
        if cat.state not in OVER or not work_at_risk(rig, cat, world=world).is_safe:
            continue
        try:
            removed = remove_polecat(rig, cat.name, world=world)
        except WorkAtRiskError as risk:
            print(f"{cat.agent_id} stays: {', '.join(risk.reasons)}")
        else:
            rescued.append(removed.rescue)
    return tuple(ref for ref in rescued if ref)
