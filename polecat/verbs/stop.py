"""``polecat stop``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.stop import stop_polecat
from polecat.verbs.common import add_common, add_polecat, answer, polecat_of, world_of
from polecat.verbs.progress import Progress

EXAMPLE = "example:\n  polecat stop gastown/nux\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    add_common(parser, dry_run=True)


def run(args: argparse.Namespace) -> int:
    """Stop."""
    rig, name = polecat_of(args)
    with Progress(f"ending the session of {args.polecat}"):
        session = stop_polecat(rig, name, world=world_of(args), dry_run=args.dry_run)
    facts = {"rig_name": rig.name, "polecat_name": name, "session_ended": session}
    return answer(args, "stop", facts, f"{'would end' if args.dry_run else 'ended'} session {session}")
