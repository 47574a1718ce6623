"""``polecat nudge``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.talk import nudge_polecat
from polecat.ports import World
from polecat.verbs.common import add_json, add_polecat, add_town, polecat_of, print_json, tmux_of

EXAMPLE = """\
examples:
  polecat nudge gastown/nux 'please rebase onto main'
  polecat nudge gastown/nux -- '-v is fine as a text too'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    add_polecat(parser)
    parser.add_argument("text", metavar="TEXT", help="what is typed to its agent, with one Enter")
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Type the text."""
    return send(args, args.text)


def send(args: argparse.Namespace, text: str) -> int:
    """Type a text to the polecat that was named."""
    rig, name = polecat_of(args)
    session = nudge_polecat(rig, name, text, world=World(tmux=tmux_of(args)))
    if args.json:
        print_json("nudge", {"rig_name": rig.name, "polecat_name": name, "session_name": session})
    else:
        print(f"typed to {session}")
    return 0
