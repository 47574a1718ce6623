"""The port to the process table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from attrs import frozen


@frozen(kw_only=True)
class Process:
    """One process: its id alone means nothing, because ids are used again.

    Attributes:
        pid: its id.
        start_time: when it began, in the system's own unit; together with the id it is unique.
        name: its short name, for messages.
    """

    pid: int
    start_time: int
    name: str = ""


class Processes(Protocol):
    """The process table."""

    def identify(self, pid: int) -> Process | None:
        """Tell which process has this id now; None if none has."""
        ...

    def family(self, roots: Sequence[Process], *, instance: str) -> tuple[Process, ...]:
        """Collect processes and all they started, deepest first.

        Args:
            roots: processes to begin with; they and their descendants belong to the family, if they still are who they were.
            instance: every process with ``POLECAT_ID=<instance>`` in its environment belongs to it too, wherever it hangs in the tree;
                empty for none. Never a tmux server, never ourselves.

        Raises:
            UnknownStateError: the table could not be read.
        """
        ...

    def instances(self) -> frozenset[str]:
        """Tell which instances have a process: the ``POLECAT_ID`` of every environment, by the rules of `family`, in one look for all.

        Raises:
            UnknownStateError: the table could not be read.
        """
        ...

    def end(self, processes: Sequence[Process], *, grace_s: float) -> tuple[Process, ...]:
        """End processes in the order given: SIGTERM, wait up to *grace_s*, SIGKILL; by id *and* start time.

        Returns:
            Those that still live; zombies count as dead.
        """
        ...

    def is_alive(self, process: Process) -> bool:
        """Say whether exactly this process lives."""
        ...

    def mounts(self, directory: Path) -> tuple[Path, ...]:
        """List what is mounted at or below a directory."""
        ...

    def inside(self, directory: Path) -> tuple[Process, ...]:
        """List the processes whose working directory is *directory* or below it, compared by path component.

        Raises:
            UnknownStateError: the table could not be read.
        """
        ...
