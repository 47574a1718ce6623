"""Taking back what one attempt made: last made, first taken back, and what could not be taken back is listed."""

from __future__ import annotations

from collections.abc import Callable

from polecat.logs import log

UndoStep = Callable[[], str | None]
"""Takes one thing back. Returns what of it stays behind on purpose, such as a branch with new commits, or None."""


class Undo:
    """The undo list of one attempt. A step is added only *after* the thing exists and is ours."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, UndoStep]] = []
        self.undone: tuple[str, ...] = ()
        self.left_behind: tuple[str, ...] = ()

    def add(self, what: str, step: UndoStep) -> None:
        """Remember how to take *what* back."""
        self._steps.append((what, step))

    def cannot(self, what: str) -> None:
        """Remember what was done and cannot be taken back; it is listed as left behind."""
        self._steps.append(("", lambda: what))

    def forget(self) -> None:
        """Keep everything: the attempt succeeded."""
        self._steps.clear()

    def run(self) -> None:
        """Take everything back, in reverse; a step that fails does not stop the others."""
        undone: list[str] = []
        left: list[str] = []
        while self._steps:
            what, step = self._steps.pop()
            try:
                stays = step()
            except Exception as error:  # noqa: BLE001  whatever a port raises, the other steps must still be taken back
                left.append(f"{what} ({error})")
                log("warning", "undo_failed", step=what, error=str(error))
                continue
            if stays:
                left.append(stays)
            if what:
                undone.append(what)
                log("info", "step_undone", step=what)
        self.undone += tuple(undone)
        self.left_behind += tuple(left)
