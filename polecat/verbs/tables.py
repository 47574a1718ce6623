"""How results look: aligned columns that fit the terminal, colour on terminals, no control characters."""

from __future__ import annotations

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90"}
UNSEEN = r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
"""What a terminal obeys instead of showing it, what ends a line or turns its direction, and bytes that are no UTF-8."""

_PAINT = r"\x1b\[(?:0|[39][0-4])m"
_LEAST = 6
"""No column gets narrower than this, even if a line then is too long for the terminal."""


def plain(text: str) -> str:
    r"""Make what cannot be shown visible: control characters, and bytes of a file name that are no UTF-8.

    Examples:
        >>> print(plain("a\x1b[2J\nb\udcff"))
        a\x1b[2J\x0ab\xff
    """
    return re.sub(UNSEEN, _escaped, text)


def plain_lines(text: str) -> str:
    """As `plain`, with its line breaks left, and the colours of `paint`."""
    return re.sub(rf"(?!{_PAINT}|[\n\t]){UNSEEN}", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def wants_colour() -> bool:
    """Colour is for terminals, and for people who did not say ``NO_COLOR``."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str) -> str:
    """Colour a text, where stdout shows colours."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and wants_colour() else text


def terminal_width() -> int | None:
    """Say how many columns stdout has; None if it is no terminal, because what reads a pipe wants everything."""
    return (shutil.get_terminal_size((0, 0)).columns or None) if sys.stdout.isatty() else None


def width_of(text: str) -> int:
    """Say how many columns a text takes.

    Examples:
        >>> width_of("nux"), width_of("猫"), width_of("é")
        (3, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int) -> str:
    """Shorten a text to a width, with a mark at its end.

    Examples:
        >>> cut("polecat/nux-mk7h", 10), cut("nux", 10)
        ('polecat/n…', 'nux')
    """
    if width_of(text) <= width:
        return text
    while text and width_of(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def table(
    rows: Sequence[Sequence[str]], *, width: int | None = None, whole: int = 1, colours: Sequence[Sequence[str]] = ()
) -> str:
    """Set rows in aligned columns; the last column is not padded.

    Args:
        rows: the cells, heading first.
        width: how wide a line may be; the widest columns give way. None means as wide as it gets.
        whole: so many columns, from the first, are never cut: a name that is cut is none.
        colours: for each row but the heading, the colour of each cell; empty for none.

    Examples:
        >>> print(table([("NAME", "STATE"), ("nux", "done")]))
        NAME  STATE
        nux   done
        >>> print(table([("NAME", "BRANCH"), ("nux", "polecat/nux-mk7hjuv4")], width=18))
        NAME  BRANCH
        nux   polecat/nux…
    """
    if not rows:
        return ""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = _fitted([max(width_of(row[at]) for row in cells) for at in range(len(cells[0]))], width, whole)
    lines = []
    for number, row in enumerate(cells):
        shown = [cut(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        padding = [" " * (wide - width_of(cell)) for cell, wide in zip(shown, widths, strict=True)]
        if number and colours:
            shown = [paint(cell, colour) for cell, colour in zip(shown, colours[number - 1], strict=True)]
        lines.append("  ".join(cell + pad for cell, pad in zip(shown, padding, strict=True)).rstrip(" "))
    return "\n".join(lines)


def _fitted(widths: list[int], width: int | None, whole: int) -> list[int]:
    """Take from the widest column until the line fits or nothing can give way any more."""
    widths = list(widths)
    while width is not None and sum(widths) + 2 * (len(widths) - 1) > width and len(widths) > whole:
        at = max(range(whole, len(widths)), key=lambda one: widths[one])
        if widths[at] <= _LEAST:
            break
        widths[at] -= 1
    return widths
