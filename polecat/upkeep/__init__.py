"""Looking at a whole rig and keeping it in order: surveys, reconcile, recovery, doctor, trash, spares; making rigs and towns.

Acts through ports only. May import `polecat.place` and what is below. Read first: `survey`, then `reconcile`.
"""

from __future__ import annotations
