"""What is kept of how agents ended: a file for each instance in ``<rig>/.runtime/ended``, readable by its owner alone.

It goes with the polecat's record, and when another instance takes its place.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from polecat.core.endings import SCREEN_BYTES, end_text, read_end_text
from polecat.model import Ended, Rig
from polecat.town.files import write_bytes
from polecat.town.guarded import read_guarded

_LIMIT_BYTES = 2 * SCREEN_BYTES


def end_path(rig: Rig, name: str, instance: str) -> Path:
    """Where the end of an instance is kept."""
    return rig.runtime_dir / "ended" / f"{name}.{instance}"


def read_end(path: Path) -> tuple[Ended, str] | None:
    """Read how an agent ended, and its last screen; None if nothing was kept, or nothing that can be read."""
    try:
        data = read_guarded(path, limit_bytes=_LIMIT_BYTES, follow=False)
    except OSError:
        return None
    return None if data is None else read_end_text(data.decode("utf-8", "replace"))


def write_end(path: Path, ended: Ended, screen: str) -> None:
    """Keep how an agent ended.

    Raises:
        OSError: it could not be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_bytes(path, end_text(ended, screen).encode("utf-8", "replace"), mode=0o600)


def drop_ends(rig: Rig, name: str, *, but: str = "") -> None:
    """Forget how the instances of a name ended, one of them excepted."""
    for path in kept_ends(rig):
        if name_of(path) == name and path != end_path(rig, name, but):
            path.unlink(missing_ok=True)


def kept_ends(rig: Rig) -> tuple[Path, ...]:
    """Everything that is kept, drafts included."""
    with contextlib.suppress(OSError):
        return tuple(sorted((rig.runtime_dir / "ended").iterdir()))
    return ()


def name_of(path: Path) -> str:
    """The polecat of a kept end, or of a draft of one."""
    return path.name.lstrip(".").partition(".")[0]
