"""Waiting until polecats have ended, sit at their prompt or ask something."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args

from attrs import evolve

from polecat.errors import WaitTimeoutError
from polecat.lifecycle.watch import watch_polecats
from polecat.model import Ended, Polecat, PolecatState, Rig, SpawnedPolecat
from polecat.ports import World
from polecat.upkeep.addressing import Target, as_rig, find_target

Until = Literal["ended", "idle", "waiting"]

UNTIL: tuple[Until, ...] = get_args(Until)

_STATES: dict[PolecatState, Until] = {
    PolecatState.IDLE: "idle",
    PolecatState.ZOMBIE: "idle",
    PolecatState.WAITING: "waiting",
    PolecatState.STUCK: "waiting",
}


def wait_polecats(
    rig: Rig | str,
    polecats: Sequence[str | Polecat | SpawnedPolecat],
    *,
    until: Collection[Until] = UNTIL,
    any_of: bool = False,
    timeout_s: float | None = None,
    world: World | None = None,
) -> list[Polecat]:
    """Wait until polecats need somebody: their agent has ended, sits at its prompt, or asks something.

    Args:
        rig: the rig, or its name.
        polecats: whom to wait for, by name or as values; a value means that spawn and no later polecat of the same name.
        until: what to wait for: ``ended``, its agent runs no more; ``idle``, it sits at its prompt; ``waiting``, it asks something, or said
            that it waits.
        any_of: one of them is enough.
        timeout_s: how long at most, seconds; None for as long as it takes.
        world: as for `spawn_for_sling`.

    Returns:
        Those that are as asked, as they are now, in the order in which they were given: all of them, or with *any_of* one or more. One
        that was removed meanwhile has ended, with ``removed`` as the reason.

    Raises:
        PolecatNotFoundError: there is none of that name, or the value's polecat is gone already.
        WaitTimeoutError: time is up; ``polecats`` are those that are not as asked.

    Examples:
        >>> from polecat import SpawnOptions, spawn_many
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cats = spawn_many(rig, [SpawnOptions()] * 2, world=world)
        >>> world.clock.later(60, lambda: world.tmux.crash("gt-gastown-nux", exit_code=0))
        >>> [(cat.name, str(cat.ended)) for cat in wait_polecats(rig, cats, until=["ended"], any_of=True, world=world)]
        [('nux', 'exit 0')]
    """
    rig = as_rig(rig)
    wrong = [word for word in until if word not in UNTIL]
    if wrong or not until or isinstance(until, str):
        raise ValueError(f"until is some of {', '.join(UNTIL)}; not {until!r}")
    targets = [find_target(rig, one) for one in polecats]
    now: dict[str, Polecat] = {}
    with watch_polecats(rig, world=world, timeout_s=timeout_s) as watch:
        for change in watch if targets else ():
            _take(now, targets, _removed(change.polecat) if change.kind == "gone" else change.polecat)
            ready = [now[one.name] for one in targets if one.name in now and _is_as_asked(now[one.name], until)]
            if watch.is_even and (len(ready) == len(targets) or (any_of and ready)):
                return ready
    late = [now[one.name] for one in targets if one.name in now and not _is_as_asked(now[one.name], until)]
    if not targets:
        return []
    what = ", ".join(f"{cat.name} is {cat.state.value}" for cat in late)
    raise WaitTimeoutError(f"not {' or '.join(until)} within {timeout_s:g} s: {what}", polecats=late)


def _take(now: dict[str, Polecat], targets: Sequence[Target], cat: Polecat) -> None:
    """Note how a polecat is, if it is one of those that are waited for: the first instance of its name that was seen, or the given one."""
    for target in targets:
        is_it = target.name == cat.name and target.instance in (None, cat.instance)
        if is_it and (cat.name not in now or now[cat.name].instance == cat.instance):
            now[cat.name] = cat


def _removed(cat: Polecat) -> Polecat:
    return (
        cat if cat.ended is not None else evolve(cat, is_running=False, ended=Ended(reason="removed"), state=PolecatState.UNKNOWN)
    )


def _is_as_asked(cat: Polecat, until: Collection[Until]) -> bool:
    if cat.is_running is False and cat.state is not PolecatState.SPAWNING:
        return "ended" in until
    return _STATES.get(cat.state) in until
