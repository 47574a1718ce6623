"""The SQLite store of work: between processes, damaged, from the future, read before it exists."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from polecat.adapters.beads.local import SCHEMA_VERSION, LocalBeads
from polecat.errors import BeadsConfigError, BeadsError, BeadsUnavailableError
from polecat.ports import AgentFields

_PROJECT = Path(__file__).parents[3]


def _python(code: str, *args: str | int | Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(_PROJECT), "PATH": os.defpath})


def test_a_store_is_known_by_its_file(tmp_path: Path) -> None:
    """Two stores on one file are equal, and show the file."""
    one, other = LocalBeads(tmp_path / "b"), LocalBeads(tmp_path / "b")

    assert one == other
    assert len({one, other, LocalBeads(tmp_path / "c")}) == 2
    assert str(tmp_path / "b") in repr(one)


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """A plan may look into a store that does not exist; afterwards it still does not."""
    store = LocalBeads(tmp_path / "deep" / "beads.sqlite3")
    assert store.bead("gt-1") is None
    assert store.agent("gt-a") is None
    assert store.held_by("gas/polecats/nux") == ()
    assert list(tmp_path.iterdir()) == []


def test_refused_change_keeps_nothing(tmp_path: Path) -> None:
    """A change that is refused half-way leaves the store as it was."""
    store = LocalBeads(tmp_path / "beads.sqlite3")
    before = store.hook("gt-1", assignee="gas/polecats/nux")
    with pytest.raises(BeadsError):
        store.open_agent("gt-1", title="x", fields=AgentFields())
    assert store.bead("gt-1") == before


def test_a_value_that_is_no_text_is_damage(tmp_path: Path) -> None:
    """SQLite keeps whatever it is given; what is no text is said, not stumbled over."""
    store = LocalBeads(tmp_path / "beads.sqlite3")
    store.hook("gt-1", assignee="gas/polecats/nux")
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE beads SET labels = x'00ff'")
    db.close()

    with pytest.raises(BeadsUnavailableError, match="damaged"):
        store.bead("gt-1")


@pytest.mark.parametrize("name", ["beads.sqlite3", "beads.sqlite3-journal"])
@pytest.mark.parametrize("kind", ["fifo", "directory", "loop", "link to nothing"])
def test_what_is_no_file_is_no_store(tmp_path: Path, name: str, kind: str) -> None:
    """A pipe in the place of the store or its journal is not waited at; a link to nothing is not an empty store."""
    store, path = LocalBeads(tmp_path / "beads.sqlite3"), tmp_path / name
    store.hook("gt-1", assignee="gas/polecats/nux")
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else tmp_path / "nothing")

    with pytest.raises(BeadsUnavailableError, match="cannot be used"):
        store.bead("gt-1")
    with pytest.raises(BeadsUnavailableError, match="cannot be used"):
        store.hook("gt-1", assignee="gas/polecats/nux")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "damage", [b"this is no database, by any standard of databases" * 40, b"SQLite format 3\0" + b"\xff" * 8000]
)
def test_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    """A damaged file is an error that names it and says what to do; it is never taken for an empty store."""
    path = tmp_path / "beads.sqlite3"
    path.write_bytes(damage)
    acts: list[Callable[[LocalBeads], object]] = [lambda s: s.bead("gt-1"), lambda s: s.hook("gt-1", assignee="a/polecats/b")]
    for act in acts:
        with pytest.raises(BeadsUnavailableError) as caught:
            act(LocalBeads(path))
        assert str(path) in caught.value.message
        assert "move it away" in caught.value.hint
    assert path.read_bytes() == damage


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A file of a later version is neither read nor written."""
    path = tmp_path / "beads.sqlite3"
    LocalBeads(path).hook("gt-1", assignee="a/polecats/b")
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(BeadsConfigError, match="newer polecat"):
        LocalBeads(path).bead("gt-1")
    with pytest.raises(BeadsConfigError, match="newer polecat"):
        LocalBeads(path).assign("gt-2", assignee="a/polecats/b")


def test_foreign_database_is_refused(tmp_path: Path) -> None:
    """A database that holds something else is not taken for an empty store."""
    path = tmp_path / "beads.sqlite3"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE notes (text TEXT)")
    db.close()
    with pytest.raises(BeadsConfigError, match="something else"):
        LocalBeads(path).bead("gt-1")
    with pytest.raises(BeadsConfigError, match="something else"):
        LocalBeads(path).hook("gt-1", assignee="a/polecats/b")


def test_directory_in_its_place(tmp_path: Path) -> None:
    """What cannot be opened is unknown, not empty."""
    with pytest.raises(BeadsUnavailableError, match="cannot be used"):
        LocalBeads(tmp_path).bead("gt-1")


def test_busy_store_ends_in_time(tmp_path: Path) -> None:
    """A store that another process holds is waited for, but not for ever."""
    path = tmp_path / "beads.sqlite3"
    LocalBeads(path).hook("gt-1", assignee="a/polecats/b")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    began_s = time.monotonic()
    with pytest.raises(BeadsUnavailableError, match="locked"):
        LocalBeads(path, timeout_s=0.2).bead("gt-1")
    assert time.monotonic() - began_s < 5
    other.close()
    assert LocalBeads(path).bead("gt-1") is not None


_MANY = """
import sys
from pathlib import Path
from polecat.adapters.beads.local import LocalBeads
from polecat.core.agent_description import FIELD_NAMES
from polecat.ports import AgentFields
store, number = LocalBeads(Path(sys.argv[1])), int(sys.argv[2])
for turn in range(5):
    store.update_agent("gt-agent", **{FIELD_NAMES[number]: f"{number}.{turn}"})
    store.hook(f"gt-{number}-{turn}", assignee=f"gas/polecats/p{number}")
"""


def test_processes_lose_nothing(tmp_path: Path) -> None:
    """T-03: processes that write at once, the first of them into a new file, lose no field and no bead."""
    store = LocalBeads(tmp_path / "beads.sqlite3")
    store.open_agent("gt-agent", title="gt-agent", fields=AgentFields())
    writers = [_python(_MANY, store.path, number) for number in range(6)]
    for writer in writers:
        writer.communicate(timeout=60)
    assert [writer.returncode for writer in writers] == [0] * 6
    agent = store.agent("gt-agent")
    assert agent is not None
    assert [agent.fields.role_type, agent.fields.rig, agent.fields.cleanup_status] == ["0.4", "1.4", "5.4"]
    assert sum(len(store.held_by(f"gas/polecats/p{number}")) for number in range(6)) == 30


_KILLED = """
import signal, sys
from pathlib import Path
from polecat.adapters.beads.local import LocalBeads
store = LocalBeads(Path(sys.argv[1]))
with store._transaction() as db:
    db.execute("UPDATE beads SET assignee = 'half/done'")
    print("in the middle", flush=True)
    signal.pause()
"""


def test_killed_writer_leaves_the_old_state(tmp_path: Path) -> None:
    """A process killed in the middle of a write leaves what was there before, and blocks nobody."""
    store = LocalBeads(tmp_path / "beads.sqlite3")
    before = store.hook("gt-1", assignee="a/polecats/b")
    writer = _python(_KILLED, store.path)
    assert writer.stdout is not None and writer.stdout.readline() == "in the middle\n"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait(30)
    writer.stdout.close()
    assert store.bead("gt-1") == before
    assert store.assign("gt-1", assignee="a/polecats/c").assignee == "a/polecats/c"
