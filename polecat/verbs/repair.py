"""``polecat repair``."""

from __future__ import annotations

import argparse
import sys

from polecat.lifecycle.repair import Repaired, repair_polecat
from polecat.ports import World
from polecat.verbs.common import add_dry_run, add_json, add_polecat, add_town, polecat_of, print_json, tmux_of
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
    add_dry_run(parser)
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
            world=World(tmux=tmux_of(args)),
            dry_run=args.dry_run,
        )
    for warning in done.warnings:
        print(f"polecat: warning: {warning}", file=sys.stderr)
    if args.json:
        saved = {"session_ended": done.session_ended or None, "rescue": done.rescue or None}
        old = {"old_branch": done.old_branch or None, "old_branch_deleted": done.old_branch_deleted}
        print_json("repair", {**as_json(done.polecat), **saved, **old, "warnings": done.warnings})
    else:
        print("\n".join(lines(done, will=args.dry_run)))
    return 0


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
