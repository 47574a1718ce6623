"""The real process table: families, ending them, who is inside a directory.

On Linux everything comes from ``/proc``. Where there is none, ``ps`` tells the tree; environments and working directories of
others cannot be read there, so only the tree and our own children are found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from polecat.errors import ProgramError, UnknownStateError
from polecat.ports import Process

PROC = Path("/proc")
_POLL_S = 0.01


@frozen(kw_only=True)
class _Row:
    """One process as the system lists it."""

    pid: int
    parent: int
    start_time: int
    name: str
    is_zombie: bool


class ProcessTable:
    """`polecat.ports.Processes` on this machine."""

    def identify(self, pid: int) -> Process | None:
        """Tell which process has this id now; None if none has."""
        row = _row(pid) if pid > 0 else None
        return None if row is None else _process(row)

    def family(self, roots: Sequence[Process], *, instance: str) -> tuple[Process, ...]:
        """Collect processes and all they started, deepest first; see `polecat.ports.Processes.family`."""
        if not roots and not instance:
            return ()
        rows = _table()
        marked = _marked(rows, instance) if instance else set()
        known = {root.pid for root in roots if root.pid in rows and rows[root.pid].start_time == root.start_time}
        depths = _depths(rows, known | marked)
        spared = {os.getpid(), *_tmux_servers(rows, depths)}
        deepest_first = sorted(depths, key=lambda pid: (-depths[pid], pid))
        return tuple(_process(rows[pid]) for pid in deepest_first if pid not in spared)

    def end(self, processes: Sequence[Process], *, grace_s: float) -> tuple[Process, ...]:
        """End processes: SIGTERM, wait, SIGKILL; see `polecat.ports.Processes.end`."""
        left = self._signal(processes, signal.SIGTERM)
        left = self._wait(left, grace_s)
        if left:
            left = self._wait(self._signal(left, signal.SIGKILL), grace_s)
        return left

    def is_alive(self, process: Process) -> bool:
        """Say whether exactly this process lives; a zombie does not."""
        row = _row(process.pid)
        return row is not None and not row.is_zombie and row.start_time == process.start_time

    def inside(self, directory: Path) -> tuple[Process, ...]:
        """List the processes whose working directory is *directory* or below it."""
        target = Path(os.path.realpath(directory))
        found = []
        for pid, row in _table().items():
            with contextlib.suppress(OSError):
                link = PROC / str(pid) / "cwd"
                cwd = Path(os.readlink(link))
                if (cwd == target or target in cwd.parents) and link.stat().st_nlink:  # 0: an older directory of that name, deleted
                    found.append(_process(row))
        return tuple(found)

    def _signal(self, processes: Sequence[Process], number: signal.Signals) -> tuple[Process, ...]:
        reached = []
        for process in processes:
            if self.is_alive(process):  # the same id may be somebody else by now
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, number)
                reached.append(process)
        return tuple(reached)

    def _wait(self, processes: tuple[Process, ...], grace_s: float) -> tuple[Process, ...]:
        deadline_s = time.monotonic() + grace_s
        left = tuple(p for p in processes if self.is_alive(p))
        while left and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
            left = tuple(p for p in left if self.is_alive(p))
        return left


def _process(row: _Row) -> Process:
    return Process(pid=row.pid, start_time=row.start_time, name=row.name)


def _depths(rows: Mapping[int, _Row], roots: set[int]) -> dict[int, int]:
    """Every process below the roots, roots included, with how deep it hangs in the whole tree."""
    members: dict[int, int] = {}
    for pid in rows:
        line = list(_ancestry(rows, pid))
        if roots.intersection(line):
            members[pid] = len(line)
    return members


def _ancestry(rows: Mapping[int, _Row], pid: int) -> Iterator[int]:
    seen: set[int] = set()
    while pid in rows and pid not in seen:
        seen.add(pid)
        yield pid
        pid = rows[pid].parent


def _marked(rows: Mapping[int, _Row], instance: str) -> set[int]:
    wanted = f"POLECAT_ID={instance}".encode()
    found = set()
    for pid in rows:
        with contextlib.suppress(OSError):
            if wanted in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _tmux_servers(rows: Mapping[int, _Row], pids: Mapping[int, int]) -> set[int]:
    """A tmux server carries the environment of whoever started it, an agent perhaps; it must never end with the agent."""
    return {pid for pid in pids if rows[pid].name.startswith("tmux")}


def _table() -> dict[int, _Row]:
    if not PROC.joinpath("self/stat").exists():
        return _table_from_ps()
    try:
        pids = [int(name) for name in os.listdir(PROC) if name.isdigit()]
    except OSError as error:
        raise UnknownStateError(f"the process table cannot be read: {error.strerror or error}") from error
    return {row.pid: row for pid in pids if (row := _row(pid)) is not None}


def _row(pid: int) -> _Row | None:
    if not PROC.joinpath("self/stat").exists():
        return _table_from_ps().get(pid)
    try:
        text = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    head, _, tail = text.rpartition(b")")  # the name stands in brackets and may hold anything, brackets included
    words = tail.split()
    name = head.partition(b"(")[2].decode("utf-8", "replace")
    return _Row(pid=pid, parent=int(words[1]), start_time=int(words[19]), name=name, is_zombie=words[0] in (b"Z", b"X"))


def _table_from_ps() -> dict[int, _Row]:
    from polecat.adapters.program import run

    try:
        done = run(["ps", "-Ao", "pid=,ppid=,stat=,lstart=,comm="], env={**os.environ, "LC_ALL": "C"}, timeout_s=10)
    except ProgramError as error:
        raise UnknownStateError(f"the process table cannot be read: {error.message}") from error
    rows = {}
    for line in done.text.splitlines():
        words = line.split(None, 8)
        if len(words) == 9:
            began = time.mktime(time.strptime(" ".join(words[4:8]), "%b %d %H:%M:%S %Y"))
            rows[int(words[0])] = _Row(
                pid=int(words[0]),
                parent=int(words[1]),
                start_time=int(began),
                name=os.path.basename(words[8]),
                is_zombie=words[2].startswith("Z"),
            )
    return rows
