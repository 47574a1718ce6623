"""Print what was seen beside Gas Town as a table: ``python -m tests.gastown.report DIRECTORY``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

COLUMNS = {
    "seed-gt": "seed, town by gt",
    "seed-polecat": "seed, town by polecat",
    "today-gt": "today, town by gt",
    "today-polecat": "today, town by polecat",
    "nobd-polecat": "today without bd, town by polecat",
}


def table(place: Path) -> str:
    """Make the table: one row an action; below it why what failed failed, and why what was left out was."""
    notes = place / "seen.jsonl"
    seen = [json.loads(line) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []
    cells: dict[str, dict[str, str]] = {}
    reasons: list[str] = []
    for sentence, cell_id, outcome, text in seen:
        row = sentence.rstrip(".")
        column = next(one for one in COLUMNS if one in cell_id)
        word = {"passed": "ok", "failed": "**fails**", "skipped": "–"}[outcome]
        if outcome == "skipped" and text not in reasons:
            reasons.append(text)
        note = f" {reasons.index(text) + 1}" if outcome == "skipped" else ""
        before = cells.setdefault(row, {}).get(column, "")
        cells[row][column] = before if before.startswith("**") else word + note
    rows = [["who: what", *COLUMNS.values()], ["---"] * (len(COLUMNS) + 1)]
    rows += [[row, *(found.get(column, "") for column in COLUMNS)] for row, found in cells.items()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"{number}. {reason.removeprefix('Skipped: ')}" for number, reason in enumerate(reasons, 1))]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
