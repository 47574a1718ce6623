"""Deleting in the background what may not be written to."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from polecat.adapters.processes.background import _DELETE
from tests.tmux_fixtures import eventually

NOBODY = 65534


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory that belongs to a user who is not root."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_directories_that_nobody_may_write_to_are_deleted_too(room: Path) -> None:
    """A module cache has none of its directories writable; for its owner that is no reason to keep it for ever."""
    entry = room / ".trash" / "nux-1"
    deep = entry / "mod" / "cache@v1"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    (room / ".trash" / "nux-1.admin").mkdir()
    if os.geteuid() == 0:
        for path in (room, *room.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    for path in (deep, deep.parent, entry):
        path.chmod(0o500)

    user = NOBODY if os.geteuid() == 0 else None
    subprocess.run(["/bin/sh", "-c", _DELETE, "delete", room / "lock", entry], user=user, check=True, cwd="/")

    eventually(lambda: not (room / ".trash").exists(), "the trash is empty and gone")
