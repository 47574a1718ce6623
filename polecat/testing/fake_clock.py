"""A clock that only moves when it is told to, or when somebody sleeps on it."""

from __future__ import annotations

import threading
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
    """

    def __init__(self, start: datetime = datetime(2026, 1, 13, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._mutex = threading.Lock()

    def now(self) -> datetime:
        """The time of day."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        with self._mutex:
            self._elapsed_s += max(0.0, seconds)
