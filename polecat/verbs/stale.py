"""``polecat stale``."""

from __future__ import annotations

import argparse

from polecat.upkeep import detect_stale
from polecat.verbs.common import add_json, add_town, print_json, rig_of, table, tmux_of
from polecat.verbs.progress import during


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat stale gastown --threshold 50\n"
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument("--threshold", metavar="N", type=int, default=20, help="so many commits behind are stale; 20 by default")
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Say which polecats are stale."""
    with during("comparing with the default branch"):
        found = detect_stale(rig_of(args), threshold=args.threshold, tmux=tmux_of(args))
    if args.json:
        print_json([{"name": s.name, "stale": s.is_stale, "reason": s.reason, "commits_behind": s.commits_behind} for s in found])
    elif found:
        print(table([("POLECAT", "STALE", "WHY"), *((s.name, "yes" if s.is_stale else "no", s.reason) for s in found)]))
    else:
        print("no polecats")
    return 0
