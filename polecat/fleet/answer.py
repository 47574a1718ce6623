"""What a host does with a question: text in, text out; the engine only has to carry both.

``python -m polecat.fleet.answer`` says hello, reads one question from stdin and writes the answer to stdout.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from attrs import evolve

from polecat import __version__
from polecat.core.environment import host_environ
from polecat.errors import PolecatError, TownNotFoundError, UnknownStateError, WaitTimeoutError
from polecat.fleet import wire
from polecat.fleet.model import AskedTooLateError, HostUnknownError, Load, WireError
from polecat.fleet.tickets import once
from polecat.lifecycle.keys import keys_of
from polecat.lifecycle.remove import remove_polecat
from polecat.lifecycle.spawn import spawn_many
from polecat.lifecycle.start import start_polecat
from polecat.lifecycle.stop import stop_polecat
from polecat.lifecycle.talk import AttachCommand, attach_command, capture_polecat, nudge_polecat
from polecat.lifecycle.wait import Until, wait_polecats
from polecat.model import Polecat, Rig, SpawnOptions
from polecat.ports import World
from polecat.town.find import find_town
from polecat.town.homes import list_homes
from polecat.town.settings import load_rig_settings, load_town_settings
from polecat.upkeep.addressing import named
from polecat.upkeep.listing import get_polecat, list_polecats
from polecat.upkeep.reconcile import reconcile_pool

MB = 1024 * 1024


def answer(question: str, *, world: World | None = None, clock: Callable[[], float] = time.time) -> str:
    """Answer a question. Whatever goes wrong is an answer too.

    Args:
        question: as a `Fleet` writes it.
        world: the world to use; what it leaves out is the host's own.
        clock: the host's time of day, in seconds.
    """
    try:
        result = _do(wire.unpack(question), clock(), world)
        return wire.pack(now=clock(), answer=result)
    except PolecatError as error:
        return wire.pack(now=clock(), error=error)
    except Exception as error:  # noqa: BLE001  whoever asked is told; how far it had come nobody knows
        unexpected = UnknownStateError(f"unexpected error on the host, please report it: {type(error).__name__}: {error}")
        unexpected.add_note(traceback.format_exc())
        return wire.pack(now=clock(), error=unexpected)


def _do(asked: Mapping[str, Any], now: float, world: World | None) -> object:
    verb = VERBS.get(asked["verb"])
    if verb is None:
        raise WireError(f"this host knows no {asked['verb']!r}: it has polecat {__version__}; nothing was done")
    if now > asked["until"]:
        late_s = now - asked["until"]
        raise AskedTooLateError(f"asked too late, by {late_s:.1f} s on this host's clock; nothing was done")
    rig = _rig(asked)
    environ = host_environ(os.environ, sys.modules) if world is None or world.environ is None else world.environ
    return verb(rig, world=evolve(world or World(), environ=environ), **asked["args"])


def _rig(asked: Mapping[str, Any]) -> Rig:
    """Find the rig that is meant: in exactly that town, on exactly that host."""
    place = Path(asked["town"])
    town = find_town(place)
    if not place.is_dir() or not town.root.samefile(place):
        raise TownNotFoundError(f"{place} is no town on host {asked['host']!r}", hint="is its disk mounted? Else: polecat init")
    name = load_town_settings(town.root).host
    if name not in ("", asked["host"]):
        raise HostUnknownError(
            f"what was asked of {asked['host']!r} reached {name!r}; nothing was done", host=asked["host"], was_sent=False,
            hint="the engine runs the function on another host; or mend 'host' in the town's settings",
        )  # fmt: skip
    return town.rig(asked["rig"])


# ---------------------------------------------------------------------------------------------------------- the verbs


def load(rig: Rig, world: World) -> Load:  # noqa: ARG001  each verb is given one
    """Say how full this host is; starts no program."""
    settings = load_rig_settings(rig.path)
    free_mb = shutil.disk_usage(rig.path).free // MB
    return Load(
        polecats=len(list_homes(rig).dirs),
        max_polecats=settings.max_polecats,
        cores=os.cpu_count() or 1,
        free_memory_mb=_free_memory_mb(),
        free_disk_mb=max(0, free_mb - settings.min_free_disk_mb),
        keys=keys_of(rig),
        version=__version__,
    )


def _free_memory_mb() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            return next(
                int(line.rstrip("kB\n ").rpartition(" ")[2]) // 1024 for line in lines if line.startswith("MemAvailable:")
            )
    except (OSError, StopIteration):
        return None


def spawn(rig: Rig, world: World, orders: Sequence[tuple[str, SpawnOptions]]) -> list[object]:
    """Make the polecat of each order, or give the one that is there."""
    return list(spawn_many(rig, [evolve(opts, key=key) for key, opts in orders], world=world))


def attach(rig: Rig, cat: str | Polecat, *, world: World) -> AttachCommand:
    """Give the command that attaches here, without this host's environment."""
    command = attach_command(rig, cat, world=world)
    return evolve(command, environ={key: value for key, value in command.environ.items() if key == "TMUX_TMPDIR"})


def each(verb: Callable[..., object]) -> Callable[..., list[object]]:
    """Make a verb about one polecat one about several: a result or an error for each, in order; with a ticket nothing is done twice."""

    def do(rig: Rig, world: World, cats: Sequence[tuple[str, str | None]], *, ticket: str = "", **how: object) -> list[object]:
        def one(cat: tuple[str, str | None]) -> object:
            return once(rig, ticket, cat[0], partial(verb, rig, named(rig, *cat), world=world, **how))

        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="polecat") as pool:
            return list(pool.map(one, cats))

    return do


def wait(
    rig: Rig, world: World, cats: Sequence[tuple[str, str | None]], *, until: Sequence[Until], within_s: float
) -> list[object]:
    """Wait for all of them with one watch; each that is not as asked in time has an error of its own."""
    found = each(get_polecat)(rig, world, cats)
    there = [one for one in found if isinstance(one, Polecat)]
    late: dict[str, PolecatError] = {}
    try:
        wait_polecats(rig, there, until=until, timeout_s=within_s, world=world)
    except WaitTimeoutError as error:
        cats_late = (cat for cat in error.polecats if isinstance(cat, Polecat))
        late = {cat.name: WaitTimeoutError(error.message, polecats=[cat], hint=error.hint) for cat in cats_late}
    now = iter(each(get_polecat)(rig, world, [(cat.name, cat.instance) for cat in there]))
    return [late.get(one.name, next(now)) if isinstance(one, Polecat) else one for one in found]


VERBS: Mapping[str, Callable[..., object]] = {
    "load": load,
    "spawn": spawn,
    "list": list_polecats,
    "reconcile": reconcile_pool,
    "get": each(get_polecat),
    "wait": wait,
    "nudge": each(nudge_polecat),
    "capture": each(capture_polecat),
    "start": each(start_polecat),
    "stop": each(stop_polecat),
    "remove": each(remove_polecat),
    "attach": each(attach),
}
"""What a host can be asked."""


def main() -> None:
    """Answer one question that comes through stdin. Nothing but the hello and the answer goes to stdout, whatever others print."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    print(wire.HELLO, file=out, flush=True)
    question = sys.stdin.buffer.read().decode("utf-8")
    if question:  # nothing means that nobody asks any more
        print(answer(question), file=out, flush=True)


if __name__ == "__main__":
    main()
