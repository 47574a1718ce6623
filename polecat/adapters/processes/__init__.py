"""Processes: the one door to outside programs, and the process table. May import what `polecat.adapters` may. Read first: `program`."""

from __future__ import annotations
