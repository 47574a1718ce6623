"""Where the time of one spawn goes: its steps, the programs it starts, what it imports.

python bench/profile_spawn.py              a project of 200 files, 15 spawns
python bench/profile_spawn.py --large      one of 20,000 files
python bench/profile_spawn.py --spare      each spawn finds a warm spare
python bench/profile_spawn.py --functions  and the functions that take longest, by cProfile
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import pstats
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

from attrs import frozen
from measuring.door import Call, Door
from measuring.places import LARGE, SMALL, Place, a_place, clear_polecats, make_origin, make_rig

from polecat import Rig, SpawnedPolecat, SpawnOptions, spawn_for_sling
from polecat.ports import World
from polecat.upkeep.spares import warm_spares

_NUMBERS = itertools.count(1)


@frozen(kw_only=True)
class Spawn:
    """One spawn and what went through the door meanwhile."""

    cat: SpawnedPolecat
    calls: tuple[Call, ...]
    wall_s: float


def main() -> None:
    """Spawn some polecats and print where the time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="20,000 files instead of 200")
    parser.add_argument("--spare", action="store_true", help="each spawn finds a warm spare")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--functions", action="store_true", help="also the functions that take longest")
    args = parser.parse_args()
    size = LARGE if args.large else SMALL
    with a_place() as place:
        rig = make_rig(place, "profiled", make_origin(place, "profiled", files=size[0], dirs=size[1]))
        _spawn(place, rig)  # loads what has to be loaded
        spawns = [_spawn(place, rig, with_spare=args.spare) for _ in range(args.rounds)]
        _print_steps(spawns)
        _print_calls(spawns)
        _print_imports(place)
        clear_polecats(place, rig)
        if args.functions:
            _print_functions(place, rig, args.rounds)


def _spawn(place: Place, rig: Rig, *, with_spare: bool = False) -> Spawn:
    if with_spare:
        warm_spares(rig, 1, world=World(tmux=place.tmux, environ=place.environ))
    with Door() as door:
        began_s = time.perf_counter()
        cat = spawn_for_sling(
            rig, SpawnOptions(hook_bead=f"gt-p{next(_NUMBERS)}"), world=World(tmux=place.tmux, environ=place.environ)
        )
        wall_s = time.perf_counter() - began_s
    clear_polecats(place, rig, [cat])
    return Spawn(cat=cat, calls=tuple(door.calls), wall_s=wall_s)


def _ms(values: Iterator[float]) -> str:
    listed = [value * 1000 for value in values]
    return f"{statistics.median(listed):8.2f} {min(listed):8.2f}"


def _print_steps(spawns: list[Spawn]) -> None:
    print("STEP                                           MEDIAN     BEST  ms")
    for step, _ in spawns[0].cat.timings.steps:
        print(f"{step:<43} {_ms(dict(one.cat.timings.steps)[step] for one in spawns)}")
    print(f"{'all of them':<43} {_ms(sum(s for _, s in one.cat.timings.steps) for one in spawns)}")
    print(f"{'from call to return':<43} {_ms(one.wall_s for one in spawns)}")


def _print_calls(spawns: list[Spawn]) -> None:
    usual = spawns[len(spawns) // 2].calls
    alike = [one for one in spawns if [c.summary for c in one.calls] == [c.summary for c in usual]]
    print(f"\nPROGRAM ({len(usual)} a spawn)                          BEGAN AT           TO START            TOTAL")
    for at, call in enumerate(usual):
        calls = [one.calls[at] for one in alike]
        began, starting, total = (
            _ms(iter(values))
            for values in (
                [c.began_s for c in calls],
                [c.started_s - c.began_s for c in calls],
                [c.ended_s - c.began_s for c in calls],
            )
        )
        print(f"{call.summary:<30} {began} {starting} {total}")
    inside = [sum(call.ended_s - call.began_s for call in one.calls) for one in spawns]
    print(f"{'all of them':<43} {_ms(iter(inside))}")


def _print_imports(place: Place) -> None:
    words = ("spawn", "profiled", "--hook", "gt-imports", "--town", str(place.town.root), "--socket", place.socket)
    by_package: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for number in range(5):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "polecat", *words[:3], f"gt-imports{number}", *words[4:]],
            env=dict(place.environ),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        for line in done.stderr.splitlines():
            parts = line.removeprefix("import time:").split("|")
            if len(parts) == 3 and parts[0].strip().isdigit():
                package = parts[2].strip().split(".")[0]
                by_package[package] += int(parts[0]) / 5000
                count[package] += 1
    print(f"\nIMPORTED BY THE COMMAND ({sum(count.values()) // 5} modules)        SELF ms   MODULES")
    ranked = sorted(by_package.items(), key=lambda item: -item[1])
    for package, ms in ranked[:25]:
        print(f"{package:<43} {ms:8.2f}  {count[package] // 5:8}")
    print(f"{'all of them':<43} {sum(by_package.values()):8.2f}")


def _print_functions(place: Place, rig: Rig, rounds: int) -> None:
    profile = cProfile.Profile()
    for _ in range(rounds):
        profile.enable()
        cat = spawn_for_sling(
            rig, SpawnOptions(hook_bead=f"gt-p{next(_NUMBERS)}"), world=World(tmux=place.tmux, environ=place.environ)
        )
        profile.disable()
        clear_polecats(place, rig, [cat])
    stats = pstats.Stats(profile)
    stats.sort_stats("cumulative").print_stats("polecat|sqlite|filelock|sh.py", 60)
    stats.sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
