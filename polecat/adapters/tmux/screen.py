"""Reading what a pane shows: its row in a listing, its text, and how its program reads keys. Several panes share one call."""

from __future__ import annotations

import os
import termios
from collections.abc import Mapping, Sequence

from attrs import frozen

from polecat.adapters.tmux.commands import AGENT, RELEASED, Command, Fields, equals, guarded, read_number
from polecat.ports import PaneStatus, Screen
from polecat.town.endings import read_signal

COLUMNS = (
    "pane_id",
    AGENT,
    "pane_dead",
    "pane_dead_status",
    "pane_dead_signal",
    RELEASED,
    "pane_tty",
    "cursor_x",
    "cursor_y",
    "window_activity",
)
"""What a listing tells of a pane; a server that does not know one of them prints nothing for it."""


@frozen(kw_only=True)
class Seen:
    """What a look told of one pane: its columns, the further ones that were asked for, and its text."""

    columns: Mapping[str, str]
    extra: tuple[str, ...] = ()
    text: str = ""

    @property
    def screen(self) -> Screen:
        """What is seen of it."""
        told = self.columns
        return Screen(
            text=self.text,
            cursor=(read_number(told["cursor_x"]) or 0, read_number(told["cursor_y"]) or 0),
            is_raw=None if told["pane_dead"] == "1" else reads_keys(told["pane_tty"]),
            changed_at_s=read_number(told["window_activity"]) or 0,
        )

    def status(self, *, command: str = "", matched: tuple[bool, ...] = ()) -> PaneStatus:
        """How it is."""
        told = self.columns
        return PaneStatus(
            pane_id=told["pane_id"],
            is_dead=told["pane_dead"] == "1",
            exit_code=read_number(told["pane_dead_status"]),
            signal=read_signal(told["pane_dead_signal"]),
            command=command,
            matched=matched,
            is_released=told[RELEASED] == "1",
            screen=self.screen,
        )


class Look:
    """One look at panes: what to ask and how to read the answer.

    Args:
        pane_ids: the panes; one that is not there has no row.
        extra: further columns, as formats.
    """

    def __init__(self, pane_ids: Sequence[str], *, extra: Sequence[str] = ()) -> None:
        self._pane_ids, self._extra = tuple(pane_ids), tuple(extra)
        self._fields, self._screens = Fields(), Fields()

    def commands(self) -> list[Command]:
        """Write the look. It does not fail where a pane is gone, only where its whole server is."""
        row = self._fields.row(*("#{" + column + "}" for column in COLUMNS), *self._extra)
        which = equals("pane_id", self._pane_ids[0]) if len(self._pane_ids) == 1 else "#{" + AGENT + "}"
        commands: list[Command] = [("list-panes", "-a", "-f", which, "-F", row)]
        for pane_id in self._pane_ids:
            commands.append(("display-message", "-p", self._screens.mark))
            commands.append(guarded(pane_id, equals("pane_id", pane_id), [("capture-pane", "-p", "-t", pane_id)]))
        return [*commands, ("display-message", "-p", self._screens.mark)]

    def read(self, text: str) -> dict[str, Seen]:
        """Read the answer; a pane that is gone is not in it.

        Raises:
            ValueError: it is anything but the answer to this look.
        """
        rows, *screens, _ = self._screens.split(text, len(self._pane_ids) + 2)
        texts = dict(zip(self._pane_ids, screens, strict=True))
        found = {}
        for row in self._fields.read(rows, len(COLUMNS) + len(self._extra)):
            columns: dict[str, str] = dict(zip(COLUMNS, row, strict=False))
            shown = texts.get(columns["pane_id"], "").removeprefix("\n").rstrip("\n")
            found[columns["pane_id"]] = Seen(columns=columns, extra=row[len(COLUMNS) :], text=shown)
        return found


def reads_keys(tty: str) -> bool | None:
    """Say whether the program on a terminal reads single keys; None where that cannot be told.

    Examples:
        >>> reads_keys("/nowhere") is None
        True
    """
    try:
        terminal = os.open(tty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return not termios.tcgetattr(terminal)[3] & termios.ICANON
    except (OSError, termios.error):
        return None
    finally:
        os.close(terminal)
