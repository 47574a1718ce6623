"""What is mounted below a directory: whatever lies behind a mount is not the tree's, and is never deleted with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path


def mounts_below(directory: Path, table: Path = Path("/proc/self/mountinfo")) -> tuple[Path, ...]:
    """List the mounts at or below a directory, bind mounts of the same file system included.

    Without the kernel's table (not Linux) directories on another device are found by walking.

    Args:
        directory: where to look; a symlink stands for what it points to.
        table: the kernel's table of mounts.

    Examples:
        >>> Path("/proc") in mounts_below(Path("/")) or not Path("/proc").is_dir()
        True
    """
    top = Path(os.path.realpath(directory))
    try:
        lines = table.read_bytes().split(b"\n")
    except OSError:
        return tuple(_other_devices(top))
    places = (Path(os.fsdecode(re.sub(rb"\\(\d{3})", _byte, line.split(b" ")[4]))) for line in lines if line.count(b" ") > 4)
    return tuple(dict.fromkeys(place for place in places if place == top or top in place.parents))


def _byte(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 8)])


def _other_devices(top: Path) -> Iterable[Path]:
    device = os.lstat(top).st_dev if top.is_dir() else 0
    for place, directories, _ in os.walk(top):
        found = [Path(place, name) for name in directories if os.lstat(os.path.join(place, name)).st_dev != device]
        directories[:] = [name for name in directories if Path(place, name) not in found]
        yield from found
