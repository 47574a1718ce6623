"""Undoing what an operation made, last made first; what could not be undone is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from polecat.town.logs import log

TAKEN_BACK = "what was unfinished has been taken back"
"""The note on an interrupt that stopped something which had begun."""

UndoStep = Callable[[], object]
"""Undoes one thing. A text that it returns says what of it stays on purpose, such as a branch with new commits."""


class _Step(NamedTuple):
    """One thing to undo. See `Undo.add`."""

    what: str
    undo: UndoStep
    is_silent: bool = False
    holds_rest: bool = False


class Undo:
    """The undo list of one operation. A step is added only *after* the thing exists and is ours, or perhaps does."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self.undone: list[str] = []
        self.left_behind: list[str] = []

    def add(self, what: str, step: UndoStep, *, is_silent: bool = False, holds_rest: bool = False) -> None:
        """Add how to undo *what*.

        Args:
            what: the thing, in the words of the error.
            step: undoes it.
            is_silent: it is not listed as undone, because perhaps there was nothing.
            holds_rest: if it cannot be undone, what was made before it stays as well, because it may be in use.
        """
        self._steps.append(_Step(what=what, undo=step, is_silent=is_silent, holds_rest=holds_rest))

    @contextmanager
    def making(self, what: str, step: UndoStep) -> Iterator[None]:
        """Add how to undo *what* once it is made, or as *perhaps* made if making it fails, perhaps half-way. *step* goes by what is there."""
        try:
            yield
        except BaseException:
            self.add(f"perhaps the {what}", step, is_silent=True)
            raise
        self.add(what, step)

    def cannot(self, what: str) -> None:
        """Add what was done and cannot be undone; it is listed as left behind."""
        self._steps.append(_Step(what="", undo=lambda: what, is_silent=True))

    def forget(self) -> None:
        """Keep everything: the operation succeeded."""
        self._steps.clear()

    def run(self) -> None:
        """Undo everything, in reverse; a step that fails does not stop the others unless it holds them."""
        held_by = ""
        while self._steps:
            one = self._steps.pop()
            if held_by and one.what:
                self.left_behind.append(f"{one.what} (stays with {held_by})")
                continue
            try:
                stays = one.undo()
            except Exception as error:  # noqa: BLE001  whatever a port raises, the other steps must still be undone
                self.left_behind.append(f"{one.what} ({error})")
                held_by = one.what if one.holds_rest else held_by
                log("warning", "undo_failed", step=one.what, error=str(error))
                continue
            except BaseException:  # an interrupt: whoever undoes the rest begins with this step again
                self._steps.append(one)
                raise
            if isinstance(stays, str):
                self.left_behind.append(stays)
            if not one.is_silent:
                self.undone.append(one.what)
                log("info", "step_undone", step=one.what)
