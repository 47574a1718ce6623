"""``polecat capture``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.talk import capture_polecat
from polecat.ports import World
from polecat.verbs.common import add_json, add_polecat, add_town, polecat_of, print_json, tmux_of, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat capture gastown/nux --lines 20\n"
    add_polecat(parser)
    parser.add_argument(
        "--lines", metavar="N", type=whole(1, 1_000_000), default=200, help="at most so many lines, the last ones; 200 by default"
    )
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the agent shows."""
    rig, name = polecat_of(args)
    text = capture_polecat(rig, name, lines=args.lines, world=World(tmux=tmux_of(args)))
    if args.json:
        print_json("capture", {"rig_name": rig.name, "polecat_name": name, "text": text})
    else:
        print(text)
    return 0
