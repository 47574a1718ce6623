"""The real world: git, tmux, bd and the disk, each behind the port it implements.

Names are loaded on first use: an adapter that is not used costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polecat.adapters.bd import BdCli
    from polecat.adapters.git import GitCli
    from polecat.adapters.local_beads import LocalBeads
    from polecat.adapters.tmux import TmuxCli

_HOME = {
    "BdCli": "polecat.adapters.bd",
    "GitCli": "polecat.adapters.git",
    "LocalBeads": "polecat.adapters.local_beads",
    "TmuxCli": "polecat.adapters.tmux",
}

__all__ = ["BdCli", "GitCli", "LocalBeads", "TmuxCli"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
