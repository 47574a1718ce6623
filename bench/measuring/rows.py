"""The rows of the table: what is measured against what, and which bar it is held to."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator

from attrs import frozen

from measuring import fleets
from measuring.crowds import fill_rig
from measuring.door import Door
from measuring.places import LARGE, SMALL, BareSpawner, Place, clear_polecats, make_origin, make_rig
from measuring.rounds import Case, Times, compare
from polecat import (
    NamePool,
    PolecatError,
    Rig,
    SpawnedPolecat,
    SpawnOptions,
    allocate_name,
    reconcile_pool,
    reconcile_pool_with,
    spawn_for_sling,
    spawn_many,
)
from polecat.ports import World
from polecat.upkeep.spares import warm_spares


@frozen(kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        what: what was measured, ``÷`` what.
        bar: the most it may be; None for what is measured without a bar of its own.
        unit: of *value*; empty for a ratio.
        value: what was measured, by medians; None when the thing does not exist yet.
        best: the same by the fastest rounds, which other programs disturb least; None where that means nothing.
        detail: medians behind it.
    """

    what: str
    bar: float | None
    unit: str = ""
    value: float | None = None
    best: float | None = None
    detail: str = ""

    @property
    def is_met(self) -> bool:
        """The bar is reached, or there is none."""
        return self.bar is None or (self.value is not None and self.value <= self.bar)


def ratio(what: str, bar: float | None, one: Times, *others: Times, times: int = 1) -> Row:
    median_s = times * sum(other.median_s for other in others)
    best_s = times * sum(other.best_s for other in others)
    cpu_s = times * sum(other.cpu_median_s for other in others)
    return Row(
        what=what,
        bar=bar,
        value=one.median_s / median_s,
        best=one.best_s / best_s,
        detail=f"{ms(one.median_s)} ÷ {ms(median_s)} ms (processor {ms(one.cpu_median_s)} ÷ {ms(cpu_s)})",
    )


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.0995 else f"{seconds * 1000:.1f}"


def beads(number: int) -> SpawnOptions:
    return SpawnOptions(hook_bead=f"gt-b{number}")


def _unless_failed(results: list[SpawnedPolecat | PolecatError]) -> None:
    for result in results:
        if isinstance(result, PolecatError):
            raise result


# -------------------------------------------------------------------------------------------- one spawn, small project


def small(place: Place, rounds: int) -> Iterator[Row]:
    """One spawn and what starting Python costs."""
    origin = make_origin(place, "small", files=SMALL[0], dirs=SMALL[1])
    rig, bare = make_rig(place, "small", origin), BareSpawner.of(place, origin)
    numbers = itertools.count(1)

    def clear() -> None:
        clear_polecats(place, rig)

    def spawn() -> None:
        spawn_for_sling(rig, beads(next(numbers)), world=World(tmux=place.tmux, environ=place.environ))

    def spawn_by_command() -> None:
        words = ("spawn", "small", "--hook", f"gt-b{next(numbers)}", "--town", str(place.town.root), "--socket", place.socket)
        place.python("-m", "polecat", *words)

    times = compare(
        [
            Case(name="pass", act=lambda: place.python("-c", "pass")),
            Case(name="attrs", act=lambda: place.python("-c", "import attrs")),
            Case(name="import", act=lambda: place.python("-c", "import polecat")),
            Case(name="help", act=lambda: place.python("-m", "polecat", "--help")),
            Case(name="bare", act=bare.spawn, after=bare.clear),
            Case(name="spawn", act=spawn, after=clear),
            Case(name="command", act=spawn_by_command, after=clear),
        ],
        rounds=4 * rounds,  # the disk changes its speed every few seconds, and the ratios with it
        what="one spawn, 200 files",
    )
    yield ratio("`spawn_for_sling`, 200 files ÷ the three bare commands", 1.6, times["spawn"], times["bare"])
    what = "`python -m polecat spawn` ÷ (`python -c pass` + the three bare commands)"
    yield ratio(what, None, times["command"], times["pass"], times["bare"])
    yield ratio("`python -m polecat --help` ÷ `python -c pass`", 3, times["help"], times["pass"])
    yield ratio("`import polecat` ÷ `import attrs`", 1.3, times["import"], times["attrs"])


# --------------------------------------------------------------------------------------------------------- many at once


def _batch(place: Place, name: str, size: tuple[int, int], count: int, rounds: int) -> tuple[Times, Times]:
    origin = make_origin(place, name, files=size[0], dirs=size[1])
    rig, bare = make_rig(place, name, origin), BareSpawner.of(place, origin)
    numbers = itertools.count(1)

    def spawn() -> None:
        opts = [beads(next(numbers)) for _ in range(count)]
        _unless_failed(spawn_many(rig, opts, world=World(tmux=place.tmux, environ=place.environ)))

    def spawn_bare() -> None:
        for _ in range(count):
            bare.spawn()

    times = compare(
        [
            Case(name="bare", act=spawn_bare, after=bare.clear),
            Case(name="many", act=spawn, after=lambda: clear_polecats(place, rig)),
        ],
        rounds=rounds,
        what=f"{count} spawns, {size[0]} files",
    )
    return times["many"], times["bare"]


def batch_small(place: Place, rounds: int) -> Iterator[Row]:
    """Thirty at once."""
    many, bare = _batch(place, "thirty", SMALL, 30, max(3, rounds // 3))
    yield ratio("`spawn_many` of 30, 200 files ÷ 30 bare spawns in sequence", 0.7, many, bare)


def batch_large(place: Place, rounds: int) -> Iterator[Row]:
    """Eight at once, of a large project."""
    many, bare = _batch(place, "eight", LARGE, 8, max(3, rounds // 5))
    yield ratio("`spawn_many` of 8, 20,000 files ÷ 8 bare spawns in sequence", 0.8, many, bare)


# --------------------------------------------------------------------------------------------------------- warm spares


def spares(place: Place, rounds: int) -> Iterator[Row]:
    """A spawn that finds a prepared worktree."""
    origin = make_origin(place, "warm", files=LARGE[0], dirs=LARGE[1])
    rig, bare = make_rig(place, "warm", origin), BareSpawner.of(place, origin)
    numbers = itertools.count(1)

    def warm() -> None:  # asked for and not set, so that no refill runs beside what is measured
        warm_spares(rig, 1, world=World(tmux=place.tmux, environ=place.environ))

    def clear() -> None:
        clear_polecats(place, rig)
        warm()

    def spawn() -> None:
        spawn_for_sling(rig, beads(next(numbers)), world=World(tmux=place.tmux, environ=place.environ))

    warm()
    times = compare(
        [Case(name="bare", act=bare.spawn, after=bare.clear), Case(name="spare", act=spawn, after=clear)],
        rounds=max(3, rounds // 2),
        what="warm spare, 20000 files",
    )
    yield ratio("spawn with a warm spare, 20,000 files ÷ bare spawn of the same", 0.15, times["spare"], times["bare"])


# ----------------------------------------------------------------------------------------------------------- reconcile


def reconcile(place: Place, rounds: int) -> Iterator[Row]:
    """Reconcile at 10, 100 and 1,000 polecats, each with worktree, record, lock and session."""
    origin = make_origin(place, "crowd", files=3, dirs=1)
    rigs: dict[int, Rig] = {count: make_rig(place, f"crowd{count}", origin) for count in (10, 100, 1000)}
    for count, rig in rigs.items():
        fill_rig(place, rig, count)

    def look(rig: Rig) -> Callable[[], object]:
        return lambda: reconcile_pool(rig, world=World(tmux=place.tmux, environ=place.environ))

    cases = [Case(name=str(count), act=look(rig)) for count, rig in rigs.items()]
    cases.append(Case(name="listing", act=place.tmux.list_sessions))
    times = compare(cases, rounds=rounds, what="reconcile")
    calls = {}
    for count, rig in rigs.items():
        with Door() as door:
            look(rig)()
        calls[count] = len(door.calls)
    place.end_sessions()
    # All 1,110 sessions are on one server, so what tmux and its listing take is the same for the three and falls out.
    each_s = (times["1000"].median_s - times["10"].median_s) / 990
    best_s = (times["1000"].best_s - times["10"].best_s) / 990
    medians = " / ".join(ms(times[str(count)].median_s) for count in rigs)
    listing = f"of it {ms(times['listing'].median_s)} ms for tmux to list the 1,111 sessions of the server"
    yield Row(
        what="reconcile: time for each further polecat, between 10 and 1,000",
        bar=50,
        unit="µs",
        value=each_s * 1e6,
        best=best_s * 1e6,
        detail=f"{medians} ms at 10 / 100 / 1,000 polecats, {listing}",
    )
    yield Row(
        what="reconcile: outside processes at 1,000 polecats, more than at 10",
        bar=0,
        unit="processes",
        value=calls[1000] - calls[10],
        detail=" / ".join(str(n) for n in calls.values()) + " at 10 / 100 / 1,000",
    )


def pool(place: Place, rounds: int) -> Iterator[Row]:
    """The pure core at a hundred thousand names."""
    del place
    names = [f"name-{number}" for number in range(100_000)]
    themed = NamePool(rig_name="gas", custom_names=names, max_size=len(names))
    numbered = NamePool(rig_name="gas", overflow_next=51)
    dirs = [*numbered.names[:50], *(f"gas-{number}" for number in range(51, 100_001))]
    times = compare(
        [
            Case(name="listed", act=lambda: allocate_name(themed, reconcile_pool_with(names, names[:-1]).in_use)),
            Case(name="full", act=lambda: allocate_name(themed, reconcile_pool_with(names, names).in_use)),
            Case(name="numbered", act=lambda: allocate_name(numbered, reconcile_pool_with(dirs, dirs).in_use)),
        ],
        rounds=rounds,
        what="names",
    )
    worst = max(times.values(), key=lambda one: one.median_s)
    detail = ", ".join(f"{name} {ms(one.median_s)}" for name, one in times.items())
    what = "`reconcile_pool_with` + `allocate_name` at 100,000 names, the slowest of three pools"
    yield Row(what=what, bar=100, unit="ms", value=worst.median_s * 1000, best=worst.best_s * 1000, detail=f"{detail} ms")


# -------------------------------------------------------------------------------------------------------------- memory

_SPAWN_AND_TELL = """\
import sys
from pathlib import Path
from polecat import SpawnOptions, World, find_town, spawn_for_sling
from polecat.adapters import TmuxCli
rig = find_town(Path(sys.argv[1])).rig("memory")
spawn_for_sling(rig, SpawnOptions(hook_bead="gt-memory"), world=World(tmux=TmuxCli(socket=sys.argv[2])))
try:  # what the kernel noted since this program began; getrusage also knows the parent that started it
    print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")))
except OSError:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1))
"""


def memory(place: Place, rounds: int) -> Iterator[Row]:
    """The most memory that a process which spawns one polecat ever has."""
    origin = make_origin(place, "memory", files=SMALL[0], dirs=SMALL[1])
    rig = make_rig(place, "memory", origin)
    peaks = []
    for _ in range(max(3, rounds // 5)):
        words = [sys.executable, "-c", _SPAWN_AND_TELL, str(place.town.root), place.socket]
        done = subprocess.run(words, env=dict(place.environ), capture_output=True, text=True, check=True, timeout=60)
        peaks.append(int(done.stdout) / 1024)
        clear_polecats(place, rig)
    yield Row(
        what="peak memory of a spawn", bar=60, unit="MB", value=max(peaks), best=min(peaks), detail="VmHWM of a fresh process"
    )


def fleet(place: Place, rounds: int) -> Iterator[Row]:
    """Many hosts, pretended; and what a call costs by each engine against the same call made there."""
    for size, seen in fleets.sizes():
        detail = (
            f"{seen.spawned} placed in {seen.placed_s:.1f} s ({seen.placed_cpu_s:.1f} s of the processor), {seen.seen} listed in"
            f" {seen.listed_s:.1f} s, {seen.unknown} hosts unknown, {seen.questions} questions, {seen.memory_mb} MB"
        )
        yield Row(
            what=f"fleet.list(), {size}, pretended, time of the processor",
            bar=10.0,
            unit="s",
            value=seen.listed_cpu_s,
            detail=detail,
        )
    medians = dict(fleets.engines(place, rounds))
    there = medians.pop("a call made there")
    for engine, taken in medians.items():
        for verb, seconds in taken.items():
            detail = f"{seconds * 1000:.0f} ms, {there[verb] * 1000:.1f} ms"
            yield Row(
                what=f"fleet: {verb} by {engine} ÷ the same call made there", bar=None, value=seconds / there[verb], detail=detail
            )


GROUPS: dict[str, Callable[[Place, int], Iterator[Row]]] = {
    "spawn": small,
    "thirty": batch_small,
    "eight": batch_large,
    "spares": spares,
    "reconcile": reconcile,
    "pool": pool,
    "memory": memory,
    "fleet": fleet,
}
"""Name → what yields its rows."""
