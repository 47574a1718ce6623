"""Beads: the port over ``bd``, and over a store of our own where there is none. May import what `polecat.adapters` may. Read first: `bd`."""

from __future__ import annotations
