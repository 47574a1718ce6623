"""The life of one polecat: spawn, stop, talk, assign, repair, remove.

Acts through ports only. May import `polecat.upkeep` and what is below. Read first: `spawn`.
"""

from __future__ import annotations
