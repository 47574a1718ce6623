"""Small things that the standard library has too, in modules that load hashing, OpenSSL and three compressions with them.

`secrets`, `shutil` and `tempfile` add an eighth (in instructions) to loading `attrs`, `argparse`, `json` and `subprocess`, and a command that
only looks around needs nothing else of them. One that takes a lock loads `secrets` all the same, with `filelock`.
"""

from __future__ import annotations

import os
from pathlib import Path


def random_hex(n_bytes: int) -> str:
    """Make so many random bytes, in hexadecimal, as `secrets.token_hex` does.

    Examples:
        >>> len(random_hex(6))
        12
    """
    return os.urandom(n_bytes).hex()


def which(program: str, search_path: str) -> str | None:
    """Find a program on a PATH, as `shutil.which` does; None if it is not there.

    Examples:
        >>> which("sh", "/nowhere:/bin")
        '/bin/sh'
        >>> which("sh", "/nowhere") is None
        True
    """
    if not search_path and not os.path.dirname(program):
        return None
    places = [""] if os.path.dirname(program) else search_path.split(os.pathsep)
    found = (os.path.join(place, program) for place in places)
    return next((path for path in found if os.access(path, os.F_OK | os.X_OK) and not os.path.isdir(path)), None)


def free_bytes(place: Path) -> int:
    """Say how much disk an ordinary user may still fill at a place, as `shutil.disk_usage` does.

    Raises:
        OSError: the place is not there.
    """
    disk = os.statvfs(place)
    return disk.f_bavail * disk.f_frsize


def delete_tree(path: Path | str) -> None:
    """Delete a directory with everything in it, as far as that can be done."""
    import shutil  # deleting is rare on the way, and slow anyway

    shutil.rmtree(path, ignore_errors=True)
