"""``polecat prune``."""

from __future__ import annotations

import argparse

from polecat.reconcile import reconcile_pool
from polecat.upkeep import clean_branches
from polecat.verbs.common import add_json, add_town, print_json, rig_of, tmux_of
from polecat.verbs.progress import during
from polecat.verbs.reconcile import as_json, lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat prune gastown --dry-run\n"
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and touch nothing")
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Reconcile, then delete the branches of polecats that are gone and lost nothing."""
    rig, tmux = rig_of(args), tmux_of(args)
    with during("reconciling") as progress:
        done = reconcile_pool(rig, tmux=tmux, dry_run=args.dry_run)
        progress.say("looking at branches")
        cleaned = clean_branches(rig, tmux=tmux, dry_run=args.dry_run)
    if args.json:
        print_json({**as_json(done), "branches_deleted": list(cleaned.deleted), "branches_kept": list(cleaned.kept)})
        return 0
    print("\n".join(lines(done, will=args.dry_run)))
    for branch in cleaned.deleted:
        print(f"{'would delete' if args.dry_run else 'deleted'} branch {branch}")
    for text in cleaned.kept:
        print(f"left alone: {text}")
    return 0
