"""What goes on after we have returned: directories are deleted, also those that may not be written to."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polecat.adapters.processes.background import _DELETE, delete_in_background
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that any user can reach."""
    place = Path(tempfile.mkdtemp(prefix="pc-trash-", dir="/tmp"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def test_directories_without_write_permission_are_deleted_too(place: Path) -> None:
    """A module cache or the like, whose directories are read-only, goes with the rest; the trash does not grow for ever."""
    entry = place / "trash" / "entry"
    below = entry / "cache" / "module"
    below.mkdir(parents=True)
    (below / "file").write_text("read-only")
    for path in (place / "trash", entry, entry / "cache", below, below / "file"):
        if os.getuid() == 0:  # who may do everything would see no difference
            os.chown(path, NOBODY, NOBODY)
    for path in (below, entry / "cache"):
        path.chmod(0o500)

    if os.getuid() == 0:
        argv = ["/bin/sh", "-c", _DELETE, "polecat-trash", os.fspath(place / "lock"), os.fspath(entry)]
        subprocess.run(argv, check=True, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[])
    else:
        delete_in_background([entry], lock_path=place / "lock")

    eventually(lambda: not entry.exists(), "it is deleted")
