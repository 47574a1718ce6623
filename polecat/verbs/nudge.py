"""``polecat nudge``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.talk import nudge_polecat
from polecat.verbs.common import add_common, add_polecat, answer, polecat_of, world_of

EXAMPLE = """\
examples:
  polecat nudge gastown/nux 'please rebase onto main'
  polecat nudge gastown/nux -- '-v is fine as a text too'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    parser.add_argument("text", metavar="TEXT", help="what is typed to its agent, with one Enter")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Type the text."""
    rig, name = polecat_of(args)
    session = nudge_polecat(rig, name, args.text, world=world_of(args))
    return answer(args, "nudge", {"rig_name": rig.name, "polecat_name": name, "session_name": session}, f"typed to {session}")
