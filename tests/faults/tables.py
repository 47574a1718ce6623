"""Outcomes of the matrices, as tables for people."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from attrs import define, field


def sample(points: int, size: int, *, key: str, is_whole: bool) -> list[int]:
    """Choose some of the numbers from 1 to *points*, spread over all of them and differently for each key; or take all."""
    if is_whole or points <= size:
        return list(range(1, points + 1))
    offset = zlib.crc32(key.encode()) % points
    return sorted({(offset + at * points // size) % points + 1 for at in range(size)})


@define
class Tables:
    """Outcome by matrix, operation and point, in the order in which they were found."""

    cells: dict[str, dict[str, list[tuple[str, str]]]] = field(factory=dict)

    def note(self, matrix: str, operation: str, point: str, outcome: str) -> None:
        """Note one outcome."""
        self.cells.setdefault(matrix, {}).setdefault(operation, []).append((point, outcome))

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every table with its title."""
        for matrix, operations in sorted(self.cells.items()):
            yield matrix, "\n".join(_rows(operations))

    def write(self, page: Path) -> None:
        """Put the tables into a page, each between its markers."""
        text = page.read_text("utf-8")
        for matrix, operations in self.cells.items():
            begin, end = f"<!-- {matrix} -->\n", f"<!-- end of {matrix} -->"
            if begin in text:
                body = "\n" + "\n".join(_rows(operations)) + "\n\n"
                text = text[: text.index(begin)] + begin + body + text[text.index(end) :]
        page.write_text(text, "utf-8")


def _rows(operations: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Points that follow each other and end alike share a row."""
    yield "| Operation | Points | From | To | Outcome |"
    yield "|---|---:|---|---|---|"
    for operation, cells in operations.items():
        for outcome, group in groupby(cells, key=lambda cell: cell[1]):
            points = [point for point, _ in group]
            last = f"`{points[-1]}`" if len(points) > 1 else ""
            yield f"| {operation} | {len(points)} | `{points[0]}` | {last} | {outcome} |"
