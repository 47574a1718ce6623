"""``polecat repair``."""

from __future__ import annotations

import argparse
import sys

from polecat.repair import repair_polecat
from polecat.verbs.common import add_json, add_polecat, add_town, polecat_of, print_json, tmux_of
from polecat.verbs.list import as_json
from polecat.verbs.progress import during


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat repair gastown/nux\n"
    add_polecat(parser)
    parser.add_argument("--force", action="store_true", help="go on in spite of uncommitted changes; they are rescued first")
    parser.add_argument("--nuclear", action="store_true", help="go on in spite of everything; still rescued first where possible")
    parser.add_argument("--hook", metavar="BEAD", help="bead to put on its hook; without one it keeps what it holds")
    parser.add_argument("--base-branch", metavar="B", help="branch of the remote to start from")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and touch nothing")
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Repair."""
    rig, name = polecat_of(args)
    with during(f"repairing {args.polecat}"):
        done = repair_polecat(
            rig,
            name,
            force=args.force,
            nuclear=args.nuclear,
            hook_bead=args.hook,
            base_branch=args.base_branch,
            tmux=tmux_of(args),
            dry_run=args.dry_run,
        )
    for warning in done.warnings:
        print(f"polecat: warning: {warning}", file=sys.stderr)
    if args.json:
        print_json(
            {
                **as_json(done.polecat),
                "rescue": done.rescue,
                "old_branch": done.old_branch,
                "old_branch_deleted": done.old_branch_deleted,
            }
        )
        return 0
    print(f"{'would repair' if args.dry_run else 'repaired'} {done.polecat.rig_name}/{done.polecat.name}")
    print(f"  worktree  {done.polecat.clone_path}\n  branch    {done.polecat.branch}")
    if done.rescue:
        print(f"  rescue    {done.rescue}")
    return 0
