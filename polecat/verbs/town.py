"""``polecat init``."""

from __future__ import annotations

import argparse
from pathlib import Path

from polecat.rig_setup import init_town


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat init ~/town\n"
    parser.add_argument("dir", metavar="DIR", help="the directory that becomes the town; made where missing")
    parser.add_argument("--name", metavar="N", help="the town's name; the directory's by default")


def run(args: argparse.Namespace) -> int:
    """Make a town."""
    town = init_town(Path(args.dir), args.name)
    print(town.root)
    return 0
