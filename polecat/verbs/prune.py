"""``polecat prune``."""

from __future__ import annotations

import argparse
from pathlib import Path

from polecat.core.pool import Reconciliation
from polecat.model import Rig
from polecat.upkeep.reconcile import reconcile_pool
from polecat.upkeep.staleness import clean_branches
from polecat.verbs.common import add_common, answer, rig_of, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.reconcile import as_json, lines

EXAMPLE = "example:\n  polecat prune gastown --dry-run\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("rig", metavar="RIG", help="the rig")
    add_common(parser, dry_run=True)


def run(args: argparse.Namespace) -> int:
    """Reconcile, then delete the branches of polecats that are gone and lost nothing."""
    rig, world = rig_of(args), world_of(args)
    with Progress("reconciling") as progress:
        done = reconcile_pool(rig, world=world, dry_run=args.dry_run)
        progress.say("looking at branches")
        gone = _gone(rig, done) if args.dry_run else ()
        cleaned = clean_branches(rig, world=world, dry_run=args.dry_run, gone=gone)
    more = [f"{'would ' if args.dry_run else ''}delete branch {branch}" for branch in cleaned.deleted]
    more += [f"left alone: {text}" for text in cleaned.kept]
    facts = {**as_json(rig, done), "branches_deleted": cleaned.deleted, "branches_kept": cleaned.kept}
    return answer(args, "prune", facts, *lines(done, will=args.dry_run, more=more))


def _gone(rig: Rig, done: Reconciliation) -> list[str]:
    """The polecats whose registrations the reconcile of a dry run would have dropped."""
    places = [Path(one) for one in done.stale if Path(one).is_relative_to(rig.polecats_dir)]
    return [place.relative_to(rig.polecats_dir).parts[0] for place in places]
