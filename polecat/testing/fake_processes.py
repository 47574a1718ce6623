"""`FakeProcesses`: a process table for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polecat.ports import Process


class FakeProcesses:
    """The `polecat.ports.Processes` of the pretend world: empty until a test adds to it.

    Attributes:
        stubborn: process ids that will not end.
        mounted: places at which something is mounted.

    Examples:
        >>> processes = FakeProcesses()
        >>> _ = processes.add(7, instance="i1", cwd=Path("/w"))
        >>> [p.pid for p in processes.family([], instance="i1")], processes.inside(Path("/"))[0].pid
        ([7], 7)
        >>> processes.end(processes.family([], instance="i1"), grace_s=1), processes.identify(7) is None
        ((), True)
    """

    def __init__(self) -> None:
        self._alive: dict[int, tuple[Process, str, Path | None]] = {}
        self.stubborn: set[int] = set()
        self.mounted: set[Path] = set()

    def add(self, pid: int, *, instance: str = "", cwd: Path | None = None, start_time: int = 1) -> Process:
        """Let a process live."""
        process = Process(pid=pid, start_time=start_time, name=f"p{pid}")
        self._alive[pid] = (process, instance, cwd)
        return process

    def forget(self, pid: int) -> None:
        """Let a process be gone, however it went."""
        self._alive.pop(pid, None)

    def identify(self, pid: int) -> Process | None:
        """Tell which process has this id."""
        return self._alive[pid][0] if pid in self._alive else None

    def family(self, roots: Sequence[Process], *, instance: str) -> tuple[Process, ...]:
        """The given processes, and those of the instance."""
        return tuple(p for p, mark, _ in self._alive.values() if p in roots or (instance and mark == instance))

    def instances(self) -> frozenset[str]:
        """The instances that have a process."""
        return frozenset(mark for _, mark, _ in self._alive.values() if mark)

    def end(self, processes: Sequence[Process], *, grace_s: float) -> tuple[Process, ...]:
        """End them, but for the stubborn ones."""
        for process in processes:
            if process.pid not in self.stubborn and self.is_alive(process):
                del self._alive[process.pid]
        return tuple(p for p in processes if self.is_alive(p))

    def is_alive(self, process: Process) -> bool:
        """Say whether exactly this process lives."""
        return process.pid in self._alive and self._alive[process.pid][0] == process

    def mounts(self, directory: Path) -> tuple[Path, ...]:
        """List what a test says is mounted."""
        return tuple(place for place in sorted(self.mounted) if place == directory or directory in place.parents)

    def inside(self, directory: Path) -> tuple[Process, ...]:
        """List those whose working directory is in the directory."""
        return tuple(
            p for p, _, cwd in self._alive.values() if cwd is not None and (cwd == directory or directory in cwd.parents)
        )
