"""``polecat init``."""

from __future__ import annotations

import argparse
from pathlib import Path

from polecat.errors import PolecatError
from polecat.upkeep.towns import init_town
from polecat.verbs.common import add_json, answer

EXAMPLE = "example:\n  polecat init ~/town\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("dir", metavar="DIR", help="the directory that becomes the town; made where missing")
    parser.add_argument("--name", metavar="N", help="the town's name; the directory's by default")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Make a town."""
    if not args.dir:
        raise PolecatError("'' is no directory", hint="name the directory that is to become the town")
    town = init_town(Path(args.dir), args.name)
    return answer(args, "init", {"name": town.name, "path": town.root}, str(town.root))
