"""git: the port over the git program, and over the repository's own files where that is enough. May import what `polecat.adapters` may. Read first: `cli`."""

from __future__ import annotations
