"""Loading ahead: while a program runs that has to be waited for anyway, what the next steps need is loaded.

A command is a new process. It spends more than half of its time on loading, and several moments on waiting for git and tmux. What it needs
only after such a moment costs nothing when it is loaded in it. A process that has loaded everything already does nothing here.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from importlib import import_module

from polecat.values import finish

_NEEDED: deque[str] = deque()
_LOADED: set[str] = set()


def will_need(things: Iterable[str]) -> None:
    """Say what will be needed, in that order: modules, and classes whose making was put off, as ``module:Class``."""
    _NEEDED.clear()
    _NEEDED.extend(thing for thing in things if thing not in _LOADED)


def load_until(is_over: Callable[[], bool]) -> None:
    """Load one thing after the other until nothing is left to load, or there is something better to do.

    Args:
        is_over: asked before each thing, of which none takes longer than a few milliseconds.

    Examples:
        >>> will_need(["json", "polecat.model:Timings"])
        >>> load_until(lambda: False)
    """
    while _NEEDED and not is_over():
        with contextlib.suppress(IndexError):  # another thread took the last one
            _load(_NEEDED.popleft())


def _load(thing: str) -> None:
    _LOADED.add(thing)
    module, _, name = thing.partition(":")
    with contextlib.suppress(ImportError, AttributeError):  # it will fail where it is needed, and be explained there
        loaded = import_module(module)
        if name:
            finish(getattr(loaded, name))
