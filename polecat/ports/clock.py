"""Time, and who wants to hear of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from polecat.model import Event


class Clock(Protocol):
    """Time. Injected, so that tests do not wait and plans can be repeated."""

    def now(self) -> datetime:
        """The time of day, timezone-aware."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class OnEvent(Protocol):
    """Called with every fact of a spawn, in order, in the caller's thread; any function of one event will do."""

    def __call__(self, event: Event, /) -> object:
        """Hear of one fact. What it raises is logged and otherwise ignored."""
        ...
