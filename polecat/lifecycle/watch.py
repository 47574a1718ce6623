"""Watching the polecats of a rig, and waiting for some of them.

A look that finds nothing new costs one tmux call and one directory read: only where sessions, homes, records or the feed have changed is
everybody looked at. Between two looks the feed alone is watched, to which the tmux server writes when an agent ends; so an end is seen at
once, whatever the time between two looks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from attrs import frozen

from polecat.adapters.world import FullWorld, full_world
from polecat.errors import PolecatError, publish
from polecat.model import Polecat, Rig
from polecat.ports import World
from polecat.town.events import EVENTS_FILE
from polecat.town.homes import list_homes
from polecat.upkeep.addressing import as_rig
from polecat.upkeep.listing import list_polecats

LOOK_EVERY_S = 5.0
"""How often sessions are listed, unless the feed grows before."""

_TICK_S = 0.25
"""How often the feed is looked at. A look is one ``stat``."""

_WHOLE_EVERY_S = 30.0
"""How often everybody is looked at though nothing seems to have changed: what only the store of work knows shows nowhere else."""

ChangeKind = Literal["found", "appeared", "changed", "ended", "gone"]


@publish
@frozen(kw_only=True)
class Change:
    """One thing that happened to a polecat.

    Attributes:
        kind: ``found`` it was there when the watch began; ``appeared`` it is new, or its name is another spawn's; ``ended`` its agent
            has ended; ``changed`` its state, its screen, its bead or what it asks is another; ``gone`` it was removed.
        polecat: the polecat as it is now; one that is gone as it was last.
        before: as it was before; None for one that was found or appeared.
    """

    kind: ChangeKind
    polecat: Polecat
    before: Polecat | None = None


def watch_polecats(
    rig: Rig | str, *, world: World | None = None, every_s: float = LOOK_EVERY_S, timeout_s: float | None = None
) -> PolecatWatch:
    """Watch the polecats of a rig: first everybody as he is, then each change once, in order.

    Args:
        rig: the rig, or its name.
        world: as for `spawn_for_sling`.
        every_s: how often sessions are looked at, seconds, more than 0. The end of an agent is seen sooner.
        timeout_s: end after so many seconds; None for never.

    Returns:
        An iterator. `PolecatWatch.close`, from any thread, ends it; it holds no thread, file or lock.

    Raises:
        PolecatError: while iterating: the rig cannot be looked at. A tmux or a store that cannot be asked ends nothing; those polecats are
            unknown.

    Examples:
        >>> from polecat import SpawnOptions, spawn_for_sling
        >>> from polecat.testing import example_world
        >>> rig, world = example_world()
        >>> cat = spawn_for_sling(rig, SpawnOptions(hook_bead="gt-1"), world=world)
        >>> world.clock.later(60, lambda: world.tmux.crash(cat.session_name, exit_code=3))
        >>> for change in watch_polecats(rig, world=world, timeout_s=90):
        ...     print(change.kind, change.polecat.name, change.polecat.state.value)
        found furiosa working
        changed furiosa idle
        ended furiosa failed
    """
    rig = as_rig(rig)
    if every_s <= 0:
        raise ValueError(f"every_s must be more than 0, not {every_s!r}")
    return PolecatWatch(full_world(rig, world), rig, every_s=every_s, timeout_s=timeout_s)


@publish
class PolecatWatch(Iterator[Change]):
    """What `watch_polecats` gives: an iterator of changes that can be closed."""

    def __init__(self, world: FullWorld, rig: Rig, *, every_s: float, timeout_s: float | None) -> None:
        self._world, self._rig, self._every_s = world, rig, every_s
        self._end_s = None if timeout_s is None else world.clock.monotonic_s() + timeout_s
        self._known: Mapping[str, Polecat] | None = None
        self._pending: list[Change] = []
        self._signature: object = None
        self._whole_s = 0.0
        self._closed = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        """Wait for the next change."""
        while not self._pending:
            if self._closed.is_set() or (self._known is not None and not self._pause()):
                raise StopIteration
            self._look()
        return self._pending.pop(0)

    @property
    def is_even(self) -> bool:
        """Every change that is known has been given out."""
        return not self._pending

    def close(self) -> None:
        """End the watch; whoever waits for the next change in another thread is told within a quarter of a second."""
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pause(self) -> bool:
        """Wait until it is time for a look, or the feed has grown; False if the watch is over."""
        clock, feed = self._world.clock, _stamp(self._rig.town_root / EVENTS_FILE)
        look_s = clock.monotonic_s() + self._every_s
        while clock.monotonic_s() < look_s and _stamp(self._rig.town_root / EVENTS_FILE) == feed:
            if self._closed.is_set() or (self._end_s is not None and clock.monotonic_s() >= self._end_s):
                return False
            clock.sleep(min(_TICK_S, self._every_s))
        return not self._closed.is_set()

    def _look(self) -> None:
        """Look at everybody, if anything can have changed."""
        now_s, signature = self._world.clock.monotonic_s(), self._seen()
        if self._known is not None and signature is not None and signature == self._signature and now_s < self._whole_s:
            return
        cats = {cat.name: cat for cat in list_polecats(self._rig, world=self._world, with_work=False)}
        self._pending += changes(self._known, cats)
        is_settling = any(cat.screen == "busy" or cat.is_running is None for cat in cats.values())  # soon it may be another
        self._whole_s = now_s if is_settling else now_s + _WHOLE_EVERY_S
        self._known, self._signature = cats, signature

    def _seen(self) -> object:
        """What a cheap look sees; None if that cannot be told."""
        with suppress(PolecatError, OSError):
            rig = self._rig
            files = tuple(
                _stamp(place) for place in (rig.town_root / EVENTS_FILE, rig.runtime_dir / "polecats", rig.runtime_dir / "ended")
            )
            return (self._world.tmux.list_sessions(), list_homes(rig), files)
        return None


def changes(before: Mapping[str, Polecat] | None, now: Mapping[str, Polecat]) -> list[Change]:
    """Say what has changed between two looks; before the first one there was nothing to compare with."""
    if before is None:
        return [Change(kind="found", polecat=cat) for cat in now.values()]
    found: list[Change] = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old is not None and (new is None or new.instance != old.instance):
            found.append(Change(kind="gone", polecat=old, before=old))
        if new is not None and (old is None or new.instance != old.instance):
            found.append(Change(kind="appeared", polecat=new))
        elif old is not None and new is not None and _shown(old) != _shown(new):
            kind: ChangeKind = "ended" if old.ended is None and new.ended is not None else "changed"
            found.append(Change(kind=kind, polecat=new, before=old))
    return found


def _shown(cat: Polecat) -> tuple[object, ...]:
    """What of a polecat makes a change; whether a screen that says nothing just moved does not."""
    screen = cat.screen if cat.screen in ("idle", "asks") else ""
    return (cat.state, cat.is_running, cat.ended, screen, cat.waiting_for, cat.issue)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return (found.st_mtime_ns, found.st_size, found.st_ino)
    return None
