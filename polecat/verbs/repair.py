"""``polecat repair``."""

from __future__ import annotations

import argparse
import sys

from polecat.lifecycle.repair import Repaired, repair_polecat
from polecat.verbs.common import add_common, add_polecat, answer, facts_of, polecat_of, world_of
from polecat.verbs.listing import as_json
from polecat.verbs.progress import Progress
from polecat.verbs.tables import plain

EXAMPLE = "example:\n  polecat repair gastown/nux\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    parser.add_argument("--force", action="store_true", help="go on in spite of uncommitted changes; they are rescued first")
    parser.add_argument("--nuclear", action="store_true", help="go on in spite of everything; still rescued first where possible")
    parser.add_argument("--hook", metavar="BEAD", help="bead to put on its hook; without one it keeps what it holds")
    parser.add_argument("--base-branch", metavar="B", help="branch of the remote to start from")
    add_common(parser, dry_run=True)


def run(args: argparse.Namespace) -> int:
    """Repair."""
    rig, name = polecat_of(args)
    with Progress(f"repairing {args.polecat}"):
        done = repair_polecat(
            rig,
            name,
            force=args.force,
            nuclear=args.nuclear,
            hook_bead=args.hook,
            base_branch=args.base_branch,
            world=world_of(args),
            dry_run=args.dry_run,
        )
    for warning in done.warnings:
        print(plain(f"polecat: warning: {warning}"), file=sys.stderr)
    return answer(args, "repair", {**as_json(done.polecat), **facts_of(done)}, *lines(done, will=args.dry_run))


def lines(done: Repaired, *, will: bool) -> list[str]:
    """A repair for people: the same lines before and after but for the first, and the end of the new branch's name."""
    cat = done.polecat
    said = [f"{'would repair' if will else 'repaired'} {cat.rig_name}/{cat.name}"]
    if done.session_ended:
        said.append(f"  session   {done.session_ended} ended")
    if done.rescue:
        said.append(f"  rescue    {done.rescue}")
    if done.old_branch:
        said.append(f"  branch    {done.old_branch} {'deleted' if done.old_branch_deleted else 'kept'}")
    return [*said, f"  worktree  {cat.clone_path} on {f'polecat/{cat.name}-…' if will else cat.branch}"]


VERBS = {"repair": (EXAMPLE, add_arguments, run)}
