"""Locks between threads and processes: held means held, and the kernel lets go when the holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from polecat.errors import LockTimeoutError, PolecatError
from polecat.model import Rig
from polecat.names import is_polecat_name
from polecat.town.locks import fetch_lock, git_lock, holder_of, holding, polecat_lock, pool_lock, take, trash_lock, try_take
from tests.tmux_fixtures import eventually

HOLD = """
import sys, time
from pathlib import Path
from polecat.town.locks import take
held = take(Path(sys.argv[1]), what="spawn nux")
print("held", flush=True)
time.sleep(600)
"""

WATCHED = """
import fcntl, json, os, sys
from pathlib import Path
from polecat import SpawnOptions, reconcile_pool, remove_polecat, repair_polecat, spawn_for_sling
from polecat.testing import fake_world

asked, pairs = {}, set()

def kind_of(fd):
    name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
    return name.partition(".")[0] if not name.startswith("polecat-") or name == "polecat-pool.lock" else "polecat"

def held():
    # what the kernel says: a lock that was only tried, and not got, is none
    found = []
    for fd, kind in asked.items():
        try:
            with open(f"/proc/self/fdinfo/{fd}") as info:
                found += [kind] if "FLOCK" in info.read() and kind_of(fd) == kind else []
        except OSError:
            continue
    return found

def listen(event, args):
    if event == "fcntl.flock" and not args[1] & fcntl.LOCK_UN:
        fd = getattr(args[0], "fileno", lambda: args[0])()
        pairs.update((one, kind_of(fd)) for one in held())
        asked[fd] = kind_of(fd)

rig, world = fake_world(Path(sys.argv[1]))
sys.addaudithook(listen)
cat = spawn_for_sling(rig, SpawnOptions(hook_bead="bead"), world=world)
(cat.clone_path / "new.txt").write_text("work")
world.clock.sleep(1)
repair_polecat(rig, cat.polecat_name, force=True, world=world)
reconcile_pool(rig, world=world)
first = {path.name: path.stat().st_ino for path in (rig.runtime_dir / "locks").iterdir()}
remove_polecat(rig, cat.polecat_name, nuclear=True, world=world)
reconcile_pool(rig, world=world)
gone = [name for name, inode in first.items() if (rig.runtime_dir / "locks" / name).stat().st_ino != inode]
print(json.dumps({"pairs": sorted(pairs), "held": held(), "gone": gone, "files": sorted(first)}))
"""

MAY_BE_TAKEN_UNDER = {
    "bead": {"fetch", "polecat-pool", "polecat", "repository", "trash"},
    "fetch": {"bead", "polecat-pool", "polecat", "repository"},
    "polecat-pool": {"polecat"},
    "polecat": {"fetch", "repository", "trash", "polecat"},
}
"""The order of the module's docstring: the lock that is held, and those that may be taken then. A polecat's state is told by trying
its lock, also by who holds it."""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock whose directory does not exist yet."""
    return tmp_path / "rig" / ".runtime" / "locks" / "x.lock"


def test_where_they_are() -> None:
    """The names and places are those of later versions of Gas Town."""
    rig = Rig(name="gas", path=Path("/t/gas"))
    places = {pool_lock(rig), polecat_lock(rig, "nux"), git_lock(rig), fetch_lock(rig), trash_lock(rig)}
    assert {place.parent for place in places} == {Path("/t/gas/.runtime/locks")}
    assert pool_lock(rig).name == "polecat-pool.lock" and polecat_lock(rig, "nux").name == "polecat-nux.lock"
    assert len(places) == 5


def test_no_polecat_has_the_lock_of_something_else() -> None:
    """A polecat called pool, git, fetch or trash would share a lock with them; such names are told apart or refused (T-45)."""
    rig = Rig(name="gas", path=Path("/t/gas"))
    others = {pool_lock(rig), git_lock(rig), fetch_lock(rig), trash_lock(rig)}
    for name in ("pool", "git", "fetch", "trash"):
        assert not is_polecat_name(name) or polecat_lock(rig, name) not in others, name


def test_a_held_lock_is_held_for_everybody(lock: Path) -> None:
    """A second try, in the same thread and in another one, gets nothing."""
    held = take(lock, what="spawn nux")
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(try_take(lock, what="other")))
    thread.start()
    thread.join()
    assert got == [None] and try_take(lock, what="again") is None
    held.release()
    held.release()
    again = try_take(lock, what="again")
    assert again is not None
    again.release()


def test_the_error_names_the_holder(lock: Path) -> None:
    """Whoever waited in vain is told who has it and for what (T-40)."""
    held = take(lock, what="spawn nux")
    began_s = time.monotonic()
    with pytest.raises(LockTimeoutError, match="spawn nux") as caught:
        take(lock, what="reconcile", timeout_s=0.05)
    held.release()
    assert time.monotonic() - began_s < 5.0
    assert caught.value.holder == f"process {os.getpid()} (spawn nux)"
    assert isinstance(caught.value, TimeoutError)
    assert lock.exists(), "a lock file is never deleted"


def test_a_lock_is_handed_over(lock: Path) -> None:
    """Who waits gets it when the other lets go."""
    held = take(lock, what="one")
    threading.Timer(0.05, held.release).start()
    with holding(lock, what="two", timeout_s=10.0):
        assert "two" in holder_of(lock)


def test_a_lock_of_a_dead_process_is_free(lock: Path) -> None:
    """kill -9 of the holder frees the lock at once, whatever the file says (T-01)."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert try_take(lock, what="test") is None
        assert holder_of(lock) == f"process {process.pid} (spawn nux)"
    finally:
        process.kill()
        process.communicate()
    held: list[object] = []

    def is_free() -> bool:
        held[:] = [try_take(lock, what="test")]
        return held[0] is not None

    eventually(is_free, "the kernel lets go")
    held[0].release()  # type: ignore[attr-defined]  # it is a HeldLock


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "\xff"])
def test_a_signature_that_makes_no_sense(lock: Path, text: str) -> None:
    """Whatever is in the file, the lock works; the signature is a courtesy."""
    lock.parent.mkdir(parents=True)
    lock.write_bytes(text.encode("latin-1"))
    assert holder_of(lock) == ""
    with holding(lock, what="test"):
        assert holder_of(lock) == f"process {os.getpid()} (test)"


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    """A place that cannot be written is a clear error, not a timeout."""
    (tmp_path / "file").write_text("")
    with pytest.raises(PolecatError) as caught:
        take(tmp_path / "file" / "x.lock", what="test")
    assert not isinstance(caught.value, LockTimeoutError)
    assert str(tmp_path / "file") in caught.value.message


def test_a_link_is_not_written_through(lock: Path, tmp_path: Path) -> None:
    """A lock file that is a symlink does not let the signature overwrite what it leads to (T-47)."""
    lock.parent.mkdir(parents=True)
    (tmp_path / "precious").write_text("precious")
    lock.symlink_to(tmp_path / "precious")
    with contextlib.suppress(PolecatError):
        take(lock, what="test", timeout_s=0).release()
    assert (tmp_path / "precious").read_text() == "precious"


def test_an_error_in_the_block_lets_go(lock: Path) -> None:
    """Leaving the block in whatever way frees the lock."""
    with pytest.raises(ZeroDivisionError), holding(lock, what="test"):
        raise ZeroDivisionError
    with holding(lock, what="again", timeout_s=0):
        pass


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="the kernel does not show here which locks a process holds")
def test_locks_are_taken_in_order_and_never_deleted(tmp_path: Path) -> None:
    """In a spawn, a repair, a reconcile and a removal each lock is taken in the order that is written down; their files stay."""
    done = subprocess.run([sys.executable, "-c", WATCHED, tmp_path], capture_output=True, text=True, check=True, timeout=50)
    seen = json.loads(done.stdout)

    wrong = [(held, taken) for held, taken in seen["pairs"] if taken not in MAY_BE_TAKEN_UNDER.get(held, set())]
    assert not wrong
    assert len(seen["pairs"]) > 3
    assert (seen["held"], seen["gone"]) == ([], [])
    assert "polecat-pool.lock" in seen["files"]
