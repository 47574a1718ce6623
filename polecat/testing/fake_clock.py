"""A clock that only moves when it is told to, or when somebody sleeps on it."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Time for tests: sleeping takes no time and moves the clock.

    Args:
        start: the time of day at which it begins.

    Examples:
        >>> clock = FakeClock()
        >>> clock.sleep(90)
        >>> clock.now().isoformat(), clock.monotonic_s()
        ('2026-01-13T12:01:30+00:00', 90.0)
        >>> clock.later(10, lambda: print("now it is", clock.monotonic_s()))
        >>> clock.sleep(60)
        now it is 100.0
    """

    def __init__(self, start: datetime = datetime(2026, 1, 13, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._plans: list[tuple[float, int, Callable[[], object]]] = []
        self._mutex = threading.Lock()

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        """Move the clock; what was to be done meanwhile is done at its time."""
        with self._mutex:
            end_s = self._elapsed_s + max(0.0, seconds)
        while (do := self._next_until(end_s)) is not None:
            do()

    def later(self, after_s: float, do: Callable[[], object]) -> None:
        """Have something done once the clock has moved on: an agent ends, asks, or the server goes.

        Args:
            after_s: when, seconds from now on this clock.
            do: does it, in the thread that moves the clock.
        """
        with self._mutex:
            bisect.insort(self._plans, (self._elapsed_s + after_s, len(self._plans), do), key=lambda plan: plan[0])

    def _next_until(self, end_s: float) -> Callable[[], object] | None:
        with self._mutex:
            if self._plans and self._plans[0][0] <= end_s:
                at_s, _, do = self._plans.pop(0)
                self._elapsed_s = max(self._elapsed_s, at_s)
                return do
            self._elapsed_s = max(self._elapsed_s, end_s)
            return None
