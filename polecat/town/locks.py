"""Locks: where they are, in which order they are taken, and who holds them.

=========================  ============================================================  ===================
lock (in .runtime/locks/)  guards                                                        held for
=========================  ============================================================  ===================
``polecat-<name>.lock``    everything that touches one polecat; a claim is *held* by it  the whole operation
``polecat-pool.lock``      which names are taken; the pool's state                       milliseconds
``fetch.lock``             fetching: one at a time                                       a fetch
``repository.lock``        refs and worktree registrations of the rig's repository       milliseconds
``spares.lock``            filling warm spares; taken first, and only tried              as long as it takes
``trash.lock``             deleting what is in the trash; taken alone                    as long as it takes
``nudge-<name>.lock``      typing to one polecat; taken alone                            one message
``keys/<hash>.lock``       making the polecat of one key; in the order of the keys       the whole spawn
=========================  ============================================================  ===================

They are taken in this order and never the other way round, keys before all. The exceptions cannot deadlock, because they are only *tried*: a
polecat's lock while the pool lock is held; the fetch lock, and a bead's lock (in the town), before the others. Names and places are
those of later versions of the reference, so both can work on one town.
A lock file is never deleted: a second process could then lock a file that no longer has a name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from polecat.errors import LockTimeoutError, PolecatError
from polecat.model import Rig
from polecat.town.guarded import is_regular, read_json_object

LOCK_TIMEOUT_S = 30.0
POLL_S = 0.005
"""filelock's hand-over latency. 50 ms, its default, made 16 parallel spawns wait 0.6 s; 1 ms burns CPU."""


HeldLock = BaseFileLock
"""A lock this process holds; free again after its ``release()``, or when the process dies. Releasing twice is fine."""


def pool_lock(rig: Rig) -> Path:
    """The lock of the rig's names."""
    return rig.runtime_dir / "locks" / "polecat-pool.lock"


def polecat_lock(rig: Rig, name: str) -> Path:
    """The lock of one polecat."""
    return rig.runtime_dir / "locks" / f"polecat-{name}.lock"


def fetch_lock(rig: Rig) -> Path:
    """The lock of fetching."""
    return rig.runtime_dir / "locks" / "fetch.lock"


def git_lock(rig: Rig) -> Path:
    """The lock of the repository's refs and registrations."""
    return rig.runtime_dir / "locks" / "repository.lock"


def trash_lock(rig: Rig) -> Path:
    """The lock of whoever empties the trash."""
    return rig.runtime_dir / "locks" / "trash.lock"


def spares_lock(rig: Rig) -> Path:
    """The lock of whoever fills the warm spares."""
    return rig.runtime_dir / "locks" / "spares.lock"


def take(path: Path, *, what: str, timeout_s: float = LOCK_TIMEOUT_S) -> HeldLock:
    """Take a lock, waiting for it.

    Args:
        path: the lock file; it and its directory are made where missing.
        what: what we are about to do, for whoever waits for us.
        timeout_s: how long to wait; 0 is one try.

    Raises:
        LockTimeoutError: somebody else held it all the time; the error names the holder.
        PolecatError: the lock file cannot be made or locked here.
    """
    try:
        is_regular(path)
    except OSError as error:
        raise PolecatError(f"cannot lock {path}: {error.strerror or error}", hint="remove what is in its place") from error
    lock = FileLock(path, timeout=timeout_s, poll_interval=POLL_S, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise LockTimeoutError(path, waited_s=timeout_s, holder=holder_of(path), what=what) from None
    except OSError as error:
        raise PolecatError(
            f"cannot lock {path}: {error.strerror or error}", hint="the town must be writable for this user"
        ) from error
    _sign(path, what)
    return lock


def try_take(path: Path, *, what: str) -> HeldLock | None:
    """Take a lock if it is free now, otherwise None."""
    try:
        return take(path, what=what, timeout_s=0)
    except LockTimeoutError:
        return None


def is_held(path: Path) -> bool:
    """Say whether somebody holds a lock now; one that may not be looked at counts as held. Whoever tries it in that moment finds it held."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


@contextlib.contextmanager
def holding(path: Path, *, what: str, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold a lock for the length of a ``with`` block. Arguments and errors as `take`."""
    held = take(path, what=what, timeout_s=timeout_s)
    try:
        yield
    finally:
        held.release()


def holder_of(path: Path) -> str:
    """Say who signed a lock file last, such as ``process 4711 (spawn furiosa)``; empty when nobody did."""
    try:
        note = read_json_object(path) or {}
    except (OSError, ValueError):
        return ""
    pid, what = note.get("pid"), note.get("what")
    return f"process {pid} ({what:.100})" if isinstance(pid, int) and isinstance(what, str) else ""


def _sign(path: Path, what: str) -> None:
    """Write into the lock file who we are. Only a courtesy: the lock itself is the kernel's."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(json.dumps({"pid": os.getpid(), "what": what[:100]}))
