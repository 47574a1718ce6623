"""Observing a whole rig and keeping it in order: reconcile, recovery, doctor, trash, spares; making rigs and towns.

Acts through ports only. May import `polecat.place` and what is below. Read first: `observation`, then `reconcile`.
"""

from __future__ import annotations
