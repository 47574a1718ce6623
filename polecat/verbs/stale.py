"""``polecat stale``."""

from __future__ import annotations

import argparse

from polecat.ports import World
from polecat.upkeep.staleness import Staleness, detect_stale
from polecat.verbs.common import add_json, add_town, print_json, rig_of, tmux_of, whole
from polecat.verbs.progress import during
from polecat.verbs.tables import table, terminal_width


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat stale gastown --threshold 50\n"
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument(
        "--threshold", metavar="N", type=whole(1, 1_000_000), default=20, help="so many commits behind are stale; 20 by default"
    )
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Say which polecats are stale."""
    rig = rig_of(args)
    with during("comparing with the default branch"):
        found = detect_stale(rig, threshold=args.threshold, world=World(tmux=tmux_of(args)))
    if args.json:
        print_json("stale", [{"rig_name": rig.name, "polecat_name": s.name, "stale": s.is_stale, **_why(s)} for s in found])
    elif found:
        rows = [("POLECAT", "STALE", "WHY"), *((s.name, "yes" if s.is_stale else "no", s.reason) for s in found)]
        print(table(rows, width=terminal_width(), colours=[("", "yellow" if s.is_stale else "", "") for s in found]))
    else:
        print("no polecats")
    return 0


def _why(found: Staleness) -> dict[str, object]:
    return {"reason": found.reason, "commits_behind": found.commits_behind}
