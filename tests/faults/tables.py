"""Outcomes of the matrices, as tables for people."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from attrs import define, field


def sample(points: int, size: int, *, key: str, is_whole: bool) -> list[int]:
    """Choose some of the numbers from 1 to *points*, spread over all of them and differently for each key; or take all."""
    if is_whole or points <= size:
        return list(range(1, points + 1))
    offset = zlib.crc32(key.encode()) % points
    return sorted({(offset + at * points // size) % points + 1 for at in range(size)})


Cell = tuple[int, str, str]
"""Number of the point, its name, what came of it."""

WAY = " / "
"""Stands between an operation and the way in which it is broken."""

_ORDER = ("spawn", "start", "remove", "repair", "reconcile")


@define
class Tables:
    """Outcome by matrix, operation and point. Several processes may find them, each a part."""

    cells: dict[str, dict[str, list[Cell]]] = field(factory=dict)

    def note(self, matrix: str, operation: str, number: int, point: str, outcome: str) -> None:
        """Note one outcome."""
        self.cells.setdefault(matrix, {}).setdefault(operation, []).append((number, point, outcome))

    def take(self, cells: Mapping[str, Mapping[str, Iterable[Cell]]]) -> None:
        """Add what another process found."""
        for matrix, operations in cells.items():
            for operation, found in operations.items():
                for number, point, outcome in found:
                    self.note(matrix, operation, number, point, outcome)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every table with its title."""
        for matrix, operations in sorted(self.cells.items()):
            yield matrix, "\n".join(_lines(operations))

    def write(self, page: Path) -> None:
        """Put the tables into a page, each between its markers."""
        text = page.read_text("utf-8")
        for matrix, operations in self.cells.items():
            begin, end = f"<!-- {matrix} -->\n", f"<!-- end of {matrix} -->"
            if begin in text:
                body = "\n" + "\n".join(_lines(operations)) + "\n\n"
                text = text[: text.index(begin)] + begin + body + text[text.index(end) :]
        page.write_text(text, "utf-8")


def _lines(operations: Mapping[str, Iterable[Cell]]) -> Iterator[str]:
    return _grid(operations) if any(WAY in operation for operation in operations) else _rows(operations)


def _grid(operations: Mapping[str, Iterable[Cell]]) -> Iterator[str]:
    """A row for each operation, a column for each way to break it; in the cell how often it ended how."""
    ways = list(dict.fromkeys(name.split(WAY)[1] for name in sorted(operations)))
    yield "| Operation | " + " | ".join(ways) + " |"
    yield "|---|" + "---|" * len(ways)
    for operation in sorted({name.split(WAY)[0] for name in operations}, key=_rank):
        counted = [_counted(operations.get(f"{operation}{WAY}{way}", ())) for way in ways]
        yield f"| {operation} | " + " | ".join(counted) + " |"


def _counted(cells: Iterable[Cell]) -> str:
    counts = Counter("named" if outcome.startswith("error names") else outcome for _, _, outcome in cells)
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "–"


def _rank(operation: str) -> tuple[int, str]:
    return _ORDER.index(re.split(r"[ ,]", operation)[0]), operation


def _rows(operations: Mapping[str, Iterable[Cell]]) -> Iterator[str]:
    """Points that follow each other and end alike share a row."""
    yield "| Operation | Points | From | To | Outcome |"
    yield "|---|---:|---|---|---|"
    for operation in sorted(operations, key=_rank):
        for outcome, group in groupby(sorted(operations[operation]), key=lambda cell: cell[2]):
            points = [point for _, point, _ in group]
            last = f"`{points[-1]}`" if len(points) > 1 else ""
            yield f"| {operation} | {len(points)} | `{points[0]}` | {last} | {outcome} |"
