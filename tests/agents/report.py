"""Print what was seen of the real agents as a table: ``python -m tests.agents.report DIRECTORY NAME…``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.agents.recipes import AGENTS

COLUMNS = (
    "first screen", "trust question", "permission question", "prompt", "nudges of one line", "nudges of several lines",
    "its own work", "stop", "kill -9",
)  # fmt: skip


def table(place: Path, names: list[str]) -> str:
    """Make the table: one row an agent; what was not tried is empty."""
    notes = place / "seen.jsonl"
    seen = [json.loads(line) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []
    found = {(agent, check): what for agent, check, what in seen}
    rows = [["agent", "version", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    for name in names:
        why_not = (place / f"{name}.missing").read_text("utf-8")
        cells = [f"could not be installed: {why_not}", *[""] * (len(COLUMNS) - 1)]
        rows.append([name, AGENTS[name].version, *(cells if why_not else [found.get((name, check), "") for check in COLUMNS])])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table(Path(sys.argv[1]), sys.argv[2:]))
