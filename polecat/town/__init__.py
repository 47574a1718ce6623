"""The town's files: finding a town, its documents, the records of its polecats, its locks, its activity feed.

May import `polecat.core`, `polecat.ports` and the words; starts no program. Read first: `find`, then `state`.
"""

from __future__ import annotations
