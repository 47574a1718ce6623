"""Give beads to polecats, a few at a time; take each polecat back when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import polecat
from polecat import Polecat, PolecatError, PolecatState, Rig, SpawnedPolecat, SpawnOptions, World

TASK = "Do {bead} and push it. Then run: polecat hook clear $GT_RIG/$GT_POLECAT, and end."
PAUSE = partial(time.sleep, 2)
OVER = (PolecatState.DONE, PolecatState.ZOMBIE, PolecatState.FAILED, PolecatState.STALLED)


def work_off(
    rig: Rig, work: Sequence[str], *, at_once: int = 2, wait: Callable[[], object] = PAUSE, world: World | None = None
) -> Iterator[tuple[str, str]]:
    """Have each bead of *work* done by a polecat; yield it with what became of it."""
    todo, busy = list(work), dict[str, str]()
    while todo or busy:
        batch, todo = todo[: at_once - len(busy)], todo[at_once - len(busy) :]
        orders = [SpawnOptions(hook_bead=bead, prompt=TASK.format(bead=bead)) for bead in batch]
        for bead, cat in zip(batch, polecat.spawn_many(rig, orders, world=world), strict=True):
            match cat:
                case SpawnedPolecat():
                    busy[cat.instance] = bead
                case PolecatError() as why:
                    yield bead, f"not started: {why}"
        wait()
        found = {cat.instance: cat for cat in polecat.list_polecats(rig, with_work=False, world=world)}
        for instance in [one for one in busy if one not in found or found[one].state in OVER]:
            yield busy.pop(instance), take_back(rig, found.get(instance), world)


def take_back(rig: Rig, cat: Polecat | None, world: World | None) -> str:
    """Remove a polecat that has ended, unless something of its work would be lost."""
    if cat is None:
        return "gone: somebody else removed the polecat"
    try:
        risk = polecat.work_at_risk(rig, cat, world=world)
        if risk.is_safe:
            polecat.remove_polecat(rig, cat, world=world)
        return "done" if risk.is_safe else f"{cat.agent_id} is kept: {risk}"
    except PolecatError as why:
        return f"{cat.agent_id} is kept: {why}"


if __name__ == "__main__":
    for bead, fate in work_off(polecat.find_town().rig(sys.argv[1]), sys.argv[2:]):
        print(f"{bead}: {fate}", flush=True)
