"""``python -m polecat``."""

from __future__ import annotations

from polecat.cli import entry

if __name__ == "__main__":
    entry()
