"""Findings of a check: what was found, how bad it is, and what fixes it."""

from __future__ import annotations

import os
from typing import Literal

from attrs import frozen

from polecat.errors import ConfigError, PolecatError, publish
from polecat.names import shell_line
from polecat.town.files import why_not

Level = Literal["ok", "note", "wrong"]


@publish
@frozen(kw_only=True)
class Finding:
    """One thing that was checked.

    Attributes:
        area: ``programs``, ``town``, or the name of a rig.
        level: ``ok``; ``note`` is worth knowing; ``wrong`` keeps something from working, or is a leftover.
        text: what was found, one line.
        remedy: the command that fixes it, or advice; empty where nothing is to be done.
    """

    area: str = ""
    level: Level
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    """Nothing is to be done."""
    return Finding(level="ok", text=text)


def note(text: str, remedy: str = "") -> Finding:
    """Something is worth knowing."""
    return Finding(level="note", text=text, remedy=remedy)


def wrong(text: str, remedy: str = "") -> Finding:
    """Something does not work, or is a leftover."""
    return Finding(level="wrong", text=text, remedy=remedy)


def from_error(error: PolecatError | OSError) -> Finding:
    """A check that failed is a finding of its own."""
    if isinstance(error, ConfigError):
        line = f"+{error.line} " if error.line is not None else ""
        return wrong(error.message, f"edit it: ${{EDITOR:-vi}} {line}{shell_line(error.path)}")
    if isinstance(error, PolecatError):
        return wrong(error.message, error.hint)
    remedy = f"ls -ld {shell_line(os.fsdecode(error.filename))}" if error.filename else ""
    return wrong(f"cannot be checked: {why_not(error)}", remedy)
