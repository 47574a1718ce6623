"""The table, for a terminal and for the documentation."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from measuring.rows import Row
from polecat import __version__

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def print_table(rows: Sequence[Row], *, took_s: float, rounds: int) -> None:
    """Print the rows in aligned columns."""
    cells = [("WHAT", "BAR", "MEASURED", "BEST", "", "MEDIANS"), *(_cells(row) for row in rows)]
    widths = [max(len(cell[at]) for cell in cells) for at in range(5)]
    for cell in cells:
        print("  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=False)) + f"  {cell[5]}".rstrip())
    print(f"\n{machine()}; {rounds} rounds (fewer for long ones), {took_s:.0f} s in all")


def write_table(page: Path, rows: Sequence[Row], *, rounds: int) -> None:
    """Replace what stands between the marks of the page."""
    lines = ["| What | Bar | Measured | Fastest rounds | Medians |", "|---|---|---|---|---|"]
    for row in rows:
        what, bar, value, best, _, detail = _cells(row)
        lines.append(f"| {what} | {bar} | {value} | {best} | {detail} |")
    day = datetime.now(tz=UTC).date().isoformat()
    lines += ["", f"polecat {__version__}, {day}; {machine()}; medians of {rounds} rounds, of fewer where one takes seconds."]
    text = page.read_text("utf-8")
    block = "\n".join([BEGIN, "", *lines, "", END])
    changed, count = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"{page} has no place for the table")
    page.write_text(changed, "utf-8")


def _cells(row: Row) -> tuple[str, str, str, str, str, str]:
    bar = "" if row.bar is None else f"≤ {row.bar:g} {row.unit}".rstrip()
    if row.value is None:
        return (row.what, bar, "not built", "", "", "")
    return (
        row.what,
        bar,
        _number(row.value),
        "" if row.best is None else _number(row.best),
        "" if row.is_met else "!",
        row.detail,
    )


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 and value != int(value) else f"{value:.0f}"


def machine() -> str:
    """Say on what it was measured."""
    words = [f"Python {platform.python_version()}", _version("git", "--version"), _version("tmux", "-V")]
    return ", ".join([*words, f"{platform.system()} on {os.cpu_count()} processors", _file_system()])


def _file_system() -> str:
    """The kind of file system that was measured on; most of what a checkout costs is up to it."""
    name = _version("stat", "-f", "-c", "%T", tempfile.gettempdir())
    return name or "unknown file system"


def _version(*argv: str) -> str:
    text = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10).stdout.strip()
    return text.replace(" version", "")
