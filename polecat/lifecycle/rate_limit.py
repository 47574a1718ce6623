"""A rate limit: a number of seconds between two starts."""

from __future__ import annotations

import threading

from polecat.ports import Clock


class RateLimit:
    """Lets one caller through every so many seconds; safe from several threads.

    Args:
        clock: the clock that is waited on.
        interval_s: seconds between two; 0 for no limit.

    Examples:
        >>> from polecat.testing import FakeClock
        >>> clock = FakeClock()
        >>> limit = RateLimit(clock, 5.0)
        >>> limit.wait(); limit.wait(); clock.monotonic_s()
        5.0
    """

    def __init__(self, clock: Clock, interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        self._mutex = threading.Lock()
        self._next_s = clock.monotonic_s()

    def wait(self) -> None:
        """Wait until this caller may go on."""
        with self._mutex:
            turn_s = max(self._next_s, self._clock.monotonic_s())
            self._next_s = turn_s + self._interval_s
        self._clock.sleep(max(0.0, turn_s - self._clock.monotonic_s()))
