"""The trash of a rig: where worktrees go before their files are deleted.

Deleting a large tree takes seconds and slows the next checkout down tenfold on some file systems, so a removal only renames. The
trash stands beside the worktrees, on the same file system, hidden from every list. Entries that hold the only copy of something
bear a ``.keep`` beside them and are never emptied by us.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from polecat.adapters.processes.background import delete_in_background
from polecat.model import Rig
from polecat.town.locks import is_held, trash_lock
from polecat.town.state import Record


def trash_dir(rig: Rig) -> Path:
    """The trash."""
    return rig.polecats_dir / ".trash"


def trash_entry(rig: Rig, record: Record) -> Path:
    """The place of one instance in the trash."""
    return trash_dir(rig) / f"{record.polecat}-{record.instance}"


def keep_for_good(entry: Path) -> Path:
    """Mark an entry as the only copy of something; the trash is made where missing.

    The mark comes before the entry. It also keeps others, who take the trash away when it is empty, from doing so in between.
    """
    while True:
        with contextlib.suppress(FileExistsError):  # also where somebody takes the empty trash away before it can be looked at
            entry.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # somebody just took the empty trash away
            entry.with_name(entry.name + ".keep").touch()
            return entry


def no_longer_kept(entry: Path) -> None:
    """Take the mark back: what is in the entry is worthless, or elsewhere."""
    entry.with_name(entry.name + ".keep").unlink(missing_ok=True)


@contextlib.contextmanager
def taking_in(entry: Path) -> Iterator[Path]:
    """Let something be moved to *entry* within a ``with`` block; it is marked, and stays so, unless the block fails having moved nothing."""
    keep_for_good(entry)
    try:
        yield entry
    except BaseException:
        if not os.path.lexists(entry):
            no_longer_kept(entry)
        raise


def delete_entry(entry: Path) -> None:
    """Delete one entry now, marked or not, and the trash when that was the last."""
    no_longer_kept(entry)
    for path in (entry, entry.with_name(entry.name + ".admin")):
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        entry.parent.rmdir()


def entries(rig: Rig) -> tuple[tuple[Path, bool], ...]:
    """What is in the trash, and whether it is kept for good."""
    try:
        names = set(os.listdir(trash_dir(rig)))
    except OSError:
        return ()
    plain = sorted(name for name in names if not name.endswith((".keep", ".admin")) or name.startswith("stale-"))
    return tuple((trash_dir(rig) / name, f"{name}.keep" in names) for name in plain)


def empty_trash(rig: Rig) -> None:
    """Delete what is worthless in the trash, in the background with low priority; returns at once.

    One process at a time empties a rig's trash. What it does not get to is swept the next time.
    """
    worthless = [entry for entry, kept in entries(rig) if not kept]
    if worthless and not is_held(trash_lock(rig)):
        delete_in_background(worthless, lock_path=trash_lock(rig))
