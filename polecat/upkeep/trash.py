"""The trash of a rig: where worktrees go before their files are deleted.

Deleting a large tree takes seconds and slows the next checkout down tenfold on some file systems, so a removal only renames. The
trash is next to the worktrees, on the same file system, hidden from every list. An entry with the only copy of something has a
``.keep`` file next to it and is never deleted by us.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from polecat.adapters.processes.background import delete_in_background
from polecat.adapters.processes.mounts import mounts_below
from polecat.errors import ProgramError
from polecat.model import Rig
from polecat.names import shell_line
from polecat.town.locks import is_held, trash_lock
from polecat.town.records import Record
from polecat.upkeep.findings import Finding, note, wrong
from polecat.upkeep.observation import MB


def trash_dir(rig: Rig) -> Path:
    """The trash."""
    return rig.polecats_dir / ".trash"


def trash_entry(rig: Rig, record: Record) -> Path:
    """The place of one instance in the trash."""
    return trash_dir(rig) / f"{record.polecat}-{record.instance}"


def keep_for_good(entry: Path) -> Path:
    """Mark an entry as the only copy of something; the trash is made where missing.

    The mark is made before the entry. It also keeps other processes from removing the trash as empty in between.
    """
    while True:
        with contextlib.suppress(FileExistsError):  # also if another process removes the empty trash right now
            entry.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process has removed the empty trash
            entry.with_name(entry.name + ".keep").touch()
            return entry


def no_longer_kept(entry: Path) -> None:
    """Remove the mark: what is in the entry is worthless, or exists elsewhere."""
    entry.with_name(entry.name + ".keep").unlink(missing_ok=True)


@contextlib.contextmanager
def trashing(entry: Path) -> Iterator[Path]:
    """Mark an entry that a ``with`` block moves something to; the mark is removed if the block fails without having moved it."""
    keep_for_good(entry)
    try:
        yield entry
    except BaseException:
        if not os.path.lexists(entry):
            no_longer_kept(entry)
        raise


def delete_entry(entry: Path) -> None:
    """Delete one entry now, marked or not, and the trash if that was the last."""
    no_longer_kept(entry)
    for path in (entry, entry.with_name(entry.name + ".admin")):
        if not mounts_below(path):
            shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        entry.parent.rmdir()


def entries(rig: Rig) -> tuple[tuple[Path, bool], ...]:
    """List the entries of the trash, and whether each is marked.

    Raises:
        OSError: it cannot be listed, which is not *empty*.
    """
    try:
        names = set(os.listdir(trash_dir(rig)))
    except FileNotFoundError:
        return ()
    plain = sorted(name for name in names if not name.endswith((".keep", ".admin")) or name.startswith("stale-"))
    return tuple((trash_dir(rig) / name, f"{name}.keep" in names) for name in plain)


def why_it_stays(entry: Path, *, user: int) -> tuple[str, str] | None:
    """Say why an entry cannot be deleted by a user, and the command that changes that; None if it can.

    Args:
        entry: the entry.
        user: the user's number; 0 may delete everything.
    """
    for mount in mounts_below(entry):
        return f"{mount} is mounted in it", f"umount {shell_line(mount)}"
    for here, directories, names in os.walk(entry) if user else ():
        with contextlib.suppress(FileNotFoundError):  # it goes while we look
            if (owner := os.lstat(here).st_uid) != user and directories + names:
                return f"{here} belongs to user {owner}", f"sudo chown -R {user} {shell_line(entry)}"
    return None


def empty_trash(rig: Rig) -> None:
    """Delete the unmarked entries of the trash, in the background with low priority; returns at once.

    One process at a time empties a rig's trash. What it misses is deleted the next time.
    """
    with contextlib.suppress(OSError, ProgramError):  # the doctor says why; nothing is lost by leaving it
        _empty_trash(rig)


def _empty_trash(rig: Rig) -> None:
    worthless = [entry for entry, kept in entries(rig) if not kept and not mounts_below(entry)]
    if worthless and not is_held(trash_lock(rig)):
        delete_in_background(worthless, lock_path=trash_lock(rig))


def check_trash(rig: Rig) -> Iterator[Finding]:
    """Say what is in the trash, and what stays there and why.

    Raises:
        OSError: it cannot be listed.
    """
    found = entries(rig)
    kept = [path for path, is_kept in found if is_kept]
    for path in kept:
        text = f"{path} is the only copy of something that could not be saved otherwise"
        yield note(text, f"look at it, then: rm -r {shell_line(path)}*")
    waiting = [path for path, is_kept in found if not is_kept]
    for path in waiting:
        if stays := why_it_stays(path, user=os.geteuid()):
            yield wrong(f"{path} in the trash stays: {stays[0]}", stays[1])
    if waiting:
        size, is_all = _size(waiting)
        text = f"{len(waiting)} removed worktree{'' if len(waiting) == 1 else 's'} in the trash, {'' if is_all else 'more than '}{size // MB} MB"
        yield note(text, f"polecat reconcile {rig.name}")


def _size(folders: Sequence[Path], *, at_most: int = 50_000) -> tuple[int, bool]:
    """Add up the disk that files take; False if there were too many to look at."""
    total = looked = 0
    for folder in folders:
        for here, _, files in os.walk(folder):
            for name in files:
                looked += 1
                if looked > at_most:
                    return total, False
                with contextlib.suppress(FileNotFoundError):
                    total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total, True
