"""Time, and the events an operation emits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from attrs import field, frozen


@frozen(kw_only=True)
class Event:
    """One fact about a spawn or a polecat, as `on_event` receives it.

    Attributes:
        name: what happened, past tense, such as ``worktree_added``.
        rig: the rig.
        polecat: the polecat, once it has a name.
        instance: the spawn.
        duration_s: how long it took, where that means something.
        facts: everything else, JSON-able.
    """

    name: str
    rig: str
    polecat: str = ""
    instance: str = ""
    duration_s: float | None = None
    facts: Mapping[str, object] = field(factory=dict)


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
    """Called with every event of an operation, in order, in the caller's thread; any function of one event will do."""

    def __call__(self, event: Event, /) -> object:
        """Receive one event. What it raises is logged and otherwise ignored."""
        ...
