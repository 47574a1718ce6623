"""Give beads to polecats, a few at a time; take each polecat back when it is done. Killed, it may be begun again with the same beads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

import polecat
from polecat import Change, PolecatError, Rig, SpawnOptions, World

TASK = "Do {bead} and push it. Then run: polecat hook clear $GT_RIG/$GT_POLECAT, and end."


def work_off(rig: Rig, work: Sequence[str], *, at_once: int = 2, world: World | None = None) -> Iterator[tuple[str, str]]:
    """Have each bead of *work* done by a polecat; yield it with what became of it."""
    polecat.reconcile_pool(rig, world=world)  # what an orchestrator had begun that was killed
    there = {cat.hook_bead or "": cat.instance for cat in polecat.list_polecats(rig, with_work=False, world=world)}
    busy, todo = {b: there[b] for b in work if b in there}, [b for b in work if b not in there]
    with polecat.watch_polecats(rig, world=world) as watch:
        while todo or busy:
            while todo and len(busy) < at_once:
                order = SpawnOptions(hook_bead=(bead := todo.pop(0)), prompt=TASK.format(bead=bead))
                try:
                    busy[bead] = polecat.spawn_for_sling(rig, order, world=world).instance
                except PolecatError as why:
                    yield bead, f"not started: {why}"
            if busy and (change := next(watch)).polecat.instance in busy.values():
                yield from settle(rig, change, busy, world)


def settle(rig: Rig, change: Change, busy: dict[str, str], world: World | None) -> Iterator[tuple[str, str]]:
    """Deal with what has happened to a polecat; yield its bead if that is over."""
    cat, bead = change.polecat, change.polecat.hook_bead or ""
    state = change.kind if change.kind == "gone" else cat.state.value
    fate = f"{cat.agent_id} is {state}: {cat.ended or cat.waiting_for or 'nobody knows why'}"
    if state in ("done", "zombie"):
        risk = polecat.work_at_risk(rig, cat, world=world)
        fate = "done" if risk.is_safe else f"{cat.agent_id} is kept: {risk}"
    elif state == "stalled" and cat.ended and cat.ended.reason == "server gone":
        busy[bead] = polecat.start_polecat(rig, cat, prompt=TASK.format(bead=bead), resume=False, world=world).instance
    if state in ("spawning", "working", "idle", "unknown") or busy[bead] != cat.instance:
        return  # it is at work, or at work again
    del busy[bead]
    yield bead, fate  # first: whoever is killed here does nothing twice
    if fate == "done":
        with suppress(PolecatError):  # then it stays, for the next time
            polecat.remove_polecat(rig, cat, world=world)


if __name__ == "__main__":
    for bead, fate in work_off(polecat.find_town().rig(sys.argv[1]), sys.argv[2:]):
        print(f"{bead}: {fate}", flush=True)
