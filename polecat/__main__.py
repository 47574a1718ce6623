"""``python -m polecat``."""

from polecat.cli import entry

if __name__ == "__main__":
    entry()
