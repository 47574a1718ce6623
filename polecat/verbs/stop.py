"""``polecat stop``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.stop import stop_polecat
from polecat.ports import World
from polecat.verbs.common import add_dry_run, add_json, add_polecat, add_town, polecat_of, print_json, tmux_of
from polecat.verbs.progress import during


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat stop gastown/nux\n"
    add_polecat(parser)
    add_dry_run(parser)
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Stop."""
    rig, name = polecat_of(args)
    with during(f"ending the session of {args.polecat}"):
        session = stop_polecat(rig, name, world=World(tmux=tmux_of(args)), dry_run=args.dry_run)
    if args.json:
        print_json("stop", {"rig_name": rig.name, "polecat_name": name, "session_ended": session})
    else:
        print(f"{'would end' if args.dry_run else 'ended'} session {session}")
    return 0
