"""Which Gas Town works on a town: read from files that only that one makes. No program is started."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from polecat.core.gastown import gastown_of
from polecat.documents import RigEntry
from polecat.model import GasTown
from polecat.town.config import rigs_path


def find_gastown(root: Path, entry: RigEntry, *, is_today: bool = False) -> GasTown:
    """Find out which Gas Town a rig belongs to.

    Gas Town of today keeps a copy of the registry in the town's root, which every command of it renews. Each Gas Town writes down who
    oversees the town, or to whom things are escalated.

    Args:
        root: the town.
        entry: the rig in its registry.
        is_today: it is known from elsewhere to be Gas Town of today.
    """
    beads = root / ".beads"
    return gastown_of(
        root,
        real_root=Path(os.path.realpath(root)),
        is_today=is_today or _mark(root).is_file(),
        is_older=(root / "mayor" / "overseer.json").is_file() or (root / "settings" / "escalation.json").is_file(),
        prefix=entry.beads_prefix,
        agents_dir=beads if (beads / "metadata.json").is_file() else None,
    )


def mark_as_today(root: Path) -> None:
    """Make the copy of the registry that every command of today's Gas Town makes, so that the next look finds it without asking ``gt``.

    Raises:
        OSError: it cannot be written.
    """
    if rigs_path(root).is_file():
        shutil.copyfile(rigs_path(root), _mark(root))


def _mark(root: Path) -> Path:
    return root / "rigs.json"
