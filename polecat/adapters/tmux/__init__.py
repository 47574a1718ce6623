"""tmux: the port over the tmux program, one client call per operation. May import what `polecat.adapters` may. Read first: `cli`."""

from __future__ import annotations
