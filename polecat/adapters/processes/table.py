"""The real process table: families, their termination, who works within a directory.

Rules:

- A process is its id *and* its start time; ids are used again, names and command lines prove nothing, groups hold bystanders.
- A tmux server may carry the environment of the agent that happened to start it, and hands it on to every window a person
  opens there. It is never of an agent's family, and what it handed on is no mark.
- A zombie is dead; nobody may ever reap it where no init does.

On Linux everything comes from ``/proc``. Elsewhere ``ps`` tells the tree and ``lsof`` the directories; the environment of others
cannot be read there for certain, so only the tree is found.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from polecat.adapters.processes.mounts import mounts_below
from polecat.adapters.processes.program import pidfd_of, run
from polecat.errors import ProgramError, UnknownStateError
from polecat.ports import Process

_POLL_S = 0.01
_MARK = b"POLECAT_ID="
_DIE_S = 2.0
"""How long the kernel may take to end a killed process; it takes milliseconds unless the machine is very busy."""


@frozen(kw_only=True)
class _Row:
    """One process as the system lists it."""

    process: Process
    parent: int
    is_zombie: bool

    @property
    def is_tmux_server(self) -> bool:
        """By its own title; where tmux has none (macOS) a client is spared as well."""
        return self.process.name in ("tmux: server", "tmux")


class ProcessTable:
    """`polecat.ports.Processes` on this machine.

    Args:
        proc: where the kernel shows its table; a directory that is not one makes the table come from ``ps``.
    """

    def __init__(self, *, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._has_proc = (proc / "self" / "stat").exists()

    def identify(self, pid: int) -> Process | None:
        """Tell which process has this id now; None if none has."""
        row = self._row(pid) if pid > 0 else None
        return None if row is None else row.process

    def family(self, roots: Sequence[Process], *, instance: str) -> tuple[Process, ...]:
        """Collect processes and all they started, deepest first; see `polecat.ports.Processes.family`.

        Raises:
            UnknownStateError: the table could not be read.
        """
        if not roots and not instance:
            return ()
        rows = self._rows()
        first = {root.pid for root in roots if root.pid in rows and rows[root.pid].process.start_time == root.start_time}
        first |= {pid for pid, marks in self._marks(rows).items() if instance in marks} if instance else set()
        depths = _below(rows, first)
        return tuple(rows[pid].process for pid in sorted(depths, key=lambda pid: (-depths[pid], pid)))

    def instances(self) -> frozenset[str]:
        """Tell which instances have a process; see `polecat.ports.Processes.instances`.

        Raises:
            UnknownStateError: the table could not be read.
        """
        marks = self._marks(self._rows())
        return frozenset().union(*(marks[pid] for pid in marks if pid != os.getpid()))

    def end(self, processes: Sequence[Process], *, grace_s: float) -> tuple[Process, ...]:
        """End processes: SIGTERM, wait, SIGKILL; see `polecat.ports.Processes.end`."""
        left = self._wait(self._signal(processes, signal.SIGTERM), grace_s)
        return self._wait(self._signal(left, signal.SIGKILL), _DIE_S)

    def is_alive(self, process: Process) -> bool:
        """Say whether exactly this process lives; a zombie does not."""
        row = self._row(process.pid)
        return row is not None and not row.is_zombie and row.process.start_time == process.start_time

    def mounts(self, directory: Path) -> tuple[Path, ...]:
        """List what is mounted at or below a directory."""
        return mounts_below(directory)

    def inside(self, directory: Path) -> tuple[Process, ...]:
        """List the processes whose working directory is *directory* or below it; those of other users may be missing.

        Raises:
            UnknownStateError: the table could not be read.
        """
        target = Path(os.path.realpath(directory))
        rows = self._rows()
        places = self._places(rows) if self._has_proc else _places_from_lsof()
        return tuple(rows[pid].process for pid, place in places if pid in rows and (place == target or target in place.parents))

    # ------------------------------------------------------------------------------------------------- termination

    def _signal(self, processes: Iterable[Process], number: signal.Signals) -> tuple[Process, ...]:
        reached = []
        for process in processes:
            with pidfd_of(process.pid) as fd:
                if not self.is_alive(process):  # asked once we hold on to it: the id may be used again by now
                    continue
                reached.append(process)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, number) if fd is None else signal.pidfd_send_signal(fd, number)
        return tuple(reached)

    def _wait(self, processes: tuple[Process, ...], limit_s: float) -> tuple[Process, ...]:
        deadline_s = time.monotonic() + limit_s
        while (left := tuple(p for p in processes if self.is_alive(p))) and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        return left

    # ----------------------------------------------------------------------------------------------------- reading

    def _rows(self) -> dict[int, _Row]:
        if not self._has_proc:
            return _rows_from_ps()
        try:
            pids = [int(name) for name in os.listdir(self._proc) if name.isdigit()]
        except OSError as error:
            raise UnknownStateError(f"the process table cannot be read: {error.strerror or error}") from error
        return {pid: row for pid in pids if (row := self._row(pid)) is not None}

    def _row(self, pid: int) -> _Row | None:
        if not self._has_proc:
            return _rows_from_ps().get(pid)
        try:
            text = (self._proc / str(pid) / "stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        except OSError as error:
            raise UnknownStateError(f"process {pid} cannot be looked at: {error.strerror or error}") from error
        head, _, tail = text.rpartition(b")")  # the name stands in brackets and may hold anything, brackets included
        words = tail.split(b" ")[1:]
        name = head.partition(b"(")[2].decode("utf-8", "replace")
        process = Process(pid=pid, start_time=int(words[19]), name=name)
        return _Row(process=process, parent=int(words[1]), is_zombie=words[0] in (b"Z", b"X"))

    def _marks(self, rows: Mapping[int, _Row]) -> dict[int, frozenset[str]]:
        """The instances whose mark a process bears; none that a tmux server above it handed on."""
        marks: dict[int, frozenset[str]] = {}
        for pid in rows:
            with contextlib.suppress(OSError):
                environ = (self._proc / str(pid) / "environ").read_bytes()
                if _MARK in environ:
                    words = (word for word in environ.split(b"\0") if word.startswith(_MARK))
                    marks[pid] = frozenset(word[len(_MARK) :].decode("utf-8", "surrogateescape") for word in words)
        servers = {pid: marks[pid] for pid in marks if rows[pid].is_tmux_server}
        return {
            pid: mine.difference(*(servers[above] for above in _line(rows, pid, set()) if above in servers))
            for pid, mine in marks.items()
        }

    def _places(self, rows: Iterable[int]) -> Iterator[tuple[int, Path]]:
        for pid in rows:
            with contextlib.suppress(OSError):
                yield pid, Path(os.readlink(self._proc / str(pid) / "cwd"))


def _below(rows: Mapping[int, _Row], roots: set[int]) -> dict[int, int]:
    """Every process from the roots down, with its depth; never a tmux server, never ourselves, and nothing reached through them."""
    spared = {os.getpid(), *(pid for pid, row in rows.items() if row.is_tmux_server)}
    members: dict[int, int] = {}
    for pid in rows.keys() - spared:
        line = _line(rows, pid, spared)
        if roots.intersection(line):
            members[pid] = len(line)
    return members


def _line(rows: Mapping[int, _Row], pid: int, stop: set[int]) -> list[int]:
    """A process and its ancestors, up to the first of *stop*."""
    line: list[int] = []
    while pid in rows and pid not in stop and pid not in line:
        line.append(pid)
        pid = rows[pid].parent
    return line


def _ask(*argv: str) -> str:
    try:
        return run(argv, env={**os.environ, "LC_ALL": "C"}, timeout_s=10).text
    except ProgramError as error:
        raise UnknownStateError(f"the process table cannot be read: {error.message}", hint=error.hint) from error


def _rows_from_ps() -> dict[int, _Row]:
    rows = {}
    for line in _ask("ps", "-Ao", "pid=,ppid=,stat=,lstart=,comm=").split("\n"):
        words = re.split(" +", line.strip(" "), maxsplit=8)
        if len(words) == 9:
            began = time.mktime(time.strptime(" ".join(words[4:8]), "%b %d %H:%M:%S %Y"))
            process = Process(pid=int(words[0]), start_time=int(began), name=os.path.basename(words[8]))
            rows[process.pid] = _Row(process=process, parent=int(words[1]), is_zombie=words[2].startswith("Z"))
    if os.getpid() not in rows:
        raise UnknownStateError("the process table cannot be read: ps does not even list this process")
    return rows


def _places_from_lsof() -> Iterator[tuple[int, Path]]:
    """Read working directories from ``lsof``: a line ``p<pid>``, then ``n<path>``."""
    pid = 0
    for line in _ask("lsof", "-w", "-d", "cwd", "-F", "pn").split("\n"):
        if line.startswith("p"):
            pid = int(line[1:])
        elif line.startswith("n/"):
            yield pid, Path(line[1:])
