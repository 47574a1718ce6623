"""The verbs that tidy a rig: reconcile, prune."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from polecat.core.pool import Reconciliation
from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.town.files import why_not
from polecat.town.own_settings import misplaced_keys, move_own_keys
from polecat.town.settings import OWN_FILE, SHARED_FILE
from polecat.upkeep.branches import clean_branches
from polecat.upkeep.reconcile import reconcile_pool
from polecat.verbs.common import add_common, add_rig_name, answer, facts_of, rig_of, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.tables import plain

# ---------------------------------------------------------------------------------------------------------- reconcile

RECONCILE_EXAMPLE = """\
examples:
  polecat reconcile gastown --dry-run
  polecat reconcile gastown
"""


def add_reconcile(parser: argparse.ArgumentParser) -> None:
    """Add what ``reconcile`` understands."""
    add_rig_name(parser)
    add_common(parser, dry_run=True)


def reconcile(args: argparse.Namespace) -> int:
    """Reconcile, or say what a reconcile would do."""
    rig = rig_of(args)
    with Progress("reconciling"):
        done = reconcile_pool(rig, world=world_of(args), dry_run=args.dry_run)
        moved, kept = _move_settings((rig.town_root, rig.path), will=args.dry_run)
    facts = {**as_json(rig, done), "settings_moved": moved}
    verb = "would move" if args.dry_run else "moved"
    return answer(args, "reconcile", facts, *lines(done, will=args.dry_run, more=[*(f"{verb} {text}" for text in moved), *kept]))


def _move_settings(folders: Sequence[Path], *, will: bool) -> tuple[list[str], list[str]]:
    """Move polecat's own keys to where Gas Town does not drop them; say which, and what could not be moved."""
    moved: list[str] = []
    kept: list[str] = []
    for folder in folders:
        try:
            keys = misplaced_keys(folder) if will else move_own_keys(folder)
        except (PolecatError, OSError) as error:
            kept.append(f"left alone: settings of {folder}: {why_not(error)}")
            continue
        moved += [f"{', '.join(keys)} from {folder / SHARED_FILE} to {OWN_FILE.name} beside it"] if keys else []
    return moved, kept


def as_json(rig: Rig, done: Reconciliation) -> dict[str, object]:
    """A reconciliation as ``--json`` prints it."""
    return facts_of(done, rig_name=rig.name, in_use=sorted(done.in_use))


def lines(done: Reconciliation, *, will: bool, more: Sequence[str] = ()) -> list[str]:
    """A reconciliation for people, and what else was done."""
    verb, undone = "would " if will else "", {line.partition(":")[0] for line in done.taken_back}
    said = [f"{len(done.in_use)} in use: {', '.join(sorted(done.in_use)) or '-'}"]
    for names, what in (
        (done.orphans, "end orphan session of"),
        (done.taken_back, "take back the unfinished spawn of"),
        ([name for name in done.recovered if name not in undone], "settle what was begun with"),
        (done.adopted, "keep the unrecorded"),
        (done.emptied, "remove the empty home of"),
        (done.stale, "drop the stale registration of"),
        (done.forgotten, "forget"),
    ):
        said += [f"{verb}{what} {name}" for name in names]
    said += [*(f"left alone: {text}" for text in done.kept), *more]
    return [plain(line) for line in said] if len(said) > 1 else [plain(said[0]), "nothing to do"]


# -------------------------------------------------------------------------------------------------------------- prune

PRUNE_EXAMPLE = "example:\n  polecat prune gastown --dry-run\n"


def add_prune(parser: argparse.ArgumentParser) -> None:
    """Add what ``prune`` understands."""
    add_rig_name(parser)
    add_common(parser, dry_run=True)


def prune(args: argparse.Namespace) -> int:
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


VERBS = {"reconcile": (RECONCILE_EXAMPLE, add_reconcile, reconcile), "prune": (PRUNE_EXAMPLE, add_prune, prune)}
