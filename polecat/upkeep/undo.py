"""Taking back what one attempt made: last made, first taken back, and what could not be taken back is listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from polecat.town.logs import log

UndoStep = Callable[[], object]
"""Takes one thing back. A text that it returns says what of it stays behind on purpose, such as a branch with new commits."""


class _Step(NamedTuple):
    """One thing to take back. See `Undo.add`."""

    what: str
    take_back: UndoStep
    is_silent: bool = False
    holds_rest: bool = False


class Undo:
    """The undo list of one attempt. A step is added only *after* the thing exists and is ours."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self.undone: tuple[str, ...] = ()
        self.left_behind: tuple[str, ...] = ()

    def add(self, what: str, step: UndoStep, *, is_silent: bool = False, holds_rest: bool = False) -> None:
        """Remember how to take *what* back.

        Args:
            what: the thing, in the words of the error.
            step: takes it back.
            is_silent: it is not listed as undone, because perhaps there was nothing.
            holds_rest: if it cannot be taken back, what was made before it stays as well: somebody may need it.
        """
        self._steps.append(_Step(what=what, take_back=step, is_silent=is_silent, holds_rest=holds_rest))

    def cannot(self, what: str) -> None:
        """Remember what was done and cannot be taken back; it is listed as left behind."""
        self._steps.append(_Step(what="", take_back=lambda: what, is_silent=True))

    def forget(self) -> None:
        """Keep everything: the attempt succeeded."""
        self._steps.clear()

    def run(self) -> None:
        """Take everything back, in reverse; a step that fails does not stop the others unless it holds them."""
        undone: list[str] = []
        left: list[str] = []
        held_by = ""
        while self._steps:
            one = self._steps.pop()
            if held_by and one.what:
                left.append(f"{one.what} (stays with {held_by})")
                continue
            try:
                stays = one.take_back()
            except Exception as error:  # noqa: BLE001  whatever a port raises, the other steps must still be taken back
                left.append(f"{one.what} ({error})")
                held_by = one.what if one.holds_rest else held_by
                log("warning", "undo_failed", step=one.what, error=str(error))
                continue
            except BaseException:  # an interrupt: whoever takes back the rest begins with this one again
                self._steps.append(one)
                raise
            if isinstance(stays, str):
                left.append(stays)
            if not one.is_silent:
                undone.append(one.what)
                log("info", "step_undone", step=one.what)
        self.undone += tuple(undone)
        self.left_behind += tuple(left)
