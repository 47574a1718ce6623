"""The real world: git, tmux, beads and processes, each behind the port it implements.

May import `polecat.town` (bd takes one of its locks), `polecat.core`, `polecat.ports` and the words. Read first: `world`, which completes
the world that a caller gave; then ``git/cli``, ``tmux/cli``, ``beads/bd`` and ``processes/program``, the door to outside programs.
"""

from __future__ import annotations

from polecat.adapters.beads.bd import BdCli
from polecat.adapters.beads.local import LocalBeads
from polecat.adapters.git.cli import GitCli
from polecat.adapters.tmux.cli import TmuxCli

__all__ = ["BdCli", "GitCli", "LocalBeads", "TmuxCli"]
