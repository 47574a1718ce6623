"""``polecat stale``."""

from __future__ import annotations

import argparse

from polecat.upkeep.staleness import detect_stale
from polecat.verbs.common import add_common, answer, facts_of, rig_of, whole, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.tables import table, terminal_width

EXAMPLE = "example:\n  polecat stale gastown --threshold 50\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument(
        "--threshold", metavar="N", type=whole(1, 1_000_000), default=20, help="so many commits behind are stale; 20 by default"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Say which polecats are stale."""
    rig = rig_of(args)
    with Progress("comparing with the default branch"):
        found = detect_stale(rig, threshold=args.threshold, world=world_of(args))
    facts = [facts_of(one, rig_name=rig.name, polecat_name=one.name, stale=one.is_stale) for one in found]
    rows = [("POLECAT", "STALE", "WHY"), *((one.name, "yes" if one.is_stale else "no", one.reason) for one in found)]
    colours = [("", "yellow" if one.is_stale else "", "") for one in found]
    return answer(args, "stale", facts, table(rows, width=terminal_width(), colours=colours) if found else "no polecats")
