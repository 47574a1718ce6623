"""``polecat prune``."""

from __future__ import annotations

import argparse
from pathlib import Path

from polecat.core.pool import Reconciliation
from polecat.model import Rig
from polecat.ports import World
from polecat.upkeep.branches import clean_branches
from polecat.upkeep.reconcile import reconcile_pool
from polecat.verbs.common import add_dry_run, add_json, add_town, print_json, rig_of, tmux_of
from polecat.verbs.progress import during
from polecat.verbs.reconcile import as_json, lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat prune gastown --dry-run\n"
    parser.add_argument("rig", metavar="RIG", help="the rig")
    add_dry_run(parser)
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Reconcile, then delete the branches of polecats that are gone and lost nothing."""
    rig, tmux = rig_of(args), tmux_of(args)
    with during("reconciling") as progress:
        done = reconcile_pool(rig, world=World(tmux=tmux), dry_run=args.dry_run)
        progress.say("looking at branches")
        gone = _gone(rig, done) if args.dry_run else ()
        cleaned = clean_branches(rig, world=World(tmux=tmux), dry_run=args.dry_run, gone=gone)
    if args.json:
        branches = {"branches_deleted": cleaned.deleted, "branches_kept": cleaned.kept}
        print_json("prune", {**as_json(rig, done), **branches})
        return 0
    more = [f"{'would ' if args.dry_run else ''}delete branch {branch}" for branch in cleaned.deleted]
    more += [f"left alone: {text}" for text in cleaned.kept]
    print("\n".join(lines(done, will=args.dry_run, more=more)))
    return 0


def _gone(rig: Rig, done: Reconciliation) -> list[str]:
    """The polecats whose registrations the reconcile of a dry run would have dropped."""
    places = [Path(one) for one in done.stale if Path(one).is_relative_to(rig.polecats_dir)]
    return [place.relative_to(rig.polecats_dir).parts[0] for place in places]
