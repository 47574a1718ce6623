"""Measuring several things against each other: in one run, in rounds, each round in another order.

A machine's speed changes while it is measured: other programs, frequency, caches. Only what ran side by side may be divided.
"""

from __future__ import annotations

import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen


def _nothing() -> None:
    return None


@frozen(kw_only=True)
class Case:
    """One thing to be measured.

    Attributes:
        name: what it is called in the results.
        act: what is timed.
        after: what is done afterwards, not timed.
    """

    name: str
    act: Callable[[], object]
    after: Callable[[], object] = _nothing


@frozen(kw_only=True)
class Times:
    """What the rounds of one case took.

    Attributes:
        wall_s: seconds by the clock, one a round.
        cpu_s: seconds of processor time of this process and the children it waited for, one a round.
    """

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...] = field(default=())

    @property
    def median_s(self) -> float:
        """The middle one; half of the rounds were faster."""
        return statistics.median(self.wall_s)

    @property
    def best_s(self) -> float:
        """The fastest round: what it costs when nobody disturbs."""
        return min(self.wall_s)

    @property
    def cpu_median_s(self) -> float:
        """The middle one of the processor times; other programs disturb it least."""
        return statistics.median(self.cpu_s)


def compare(cases: Sequence[Case], *, rounds: int, warm_up: int = 1, what: str = "") -> Mapping[str, Times]:
    """Run all cases once a round, in an order that changes, and return the times of each.

    Args:
        cases: what is compared.
        rounds: how many rounds count.
        warm_up: how many rounds go before them and do not count.
        what: shown on stderr while it runs.
    """
    dice = random.Random(20)  # the same orders every time
    wall: dict[str, list[float]] = {case.name: [] for case in cases}
    cpu: dict[str, list[float]] = {case.name: [] for case in cases}
    for number in range(warm_up + rounds):
        _say(f"{what}: round {max(0, number - warm_up + 1)} of {rounds}")
        for case in dice.sample(list(cases), len(cases)):
            took_s, used_s = _timed(case)
            if number >= warm_up:
                wall[case.name].append(took_s)
                cpu[case.name].append(used_s)
    _say("")
    return {case.name: Times(wall_s=tuple(wall[case.name]), cpu_s=tuple(cpu[case.name])) for case in cases}


def _timed(case: Case) -> tuple[float, float]:
    used_s, began_s = _processor_s(), time.perf_counter()
    case.act()
    took_s = time.perf_counter() - began_s
    used_s = _processor_s() - used_s
    case.after()
    return took_s, used_s


def _processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
