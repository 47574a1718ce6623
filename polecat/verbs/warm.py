"""``polecat warm``."""

from __future__ import annotations

import argparse

from polecat.ports import World
from polecat.upkeep.spares import warm_spares
from polecat.verbs.common import add_json, add_town, print_json, rig_of, tmux_of, whole
from polecat.verbs.progress import during

EXAMPLE = """\
examples:
  polecat warm gastown        (as many as the rig's setting warm_spares says)
  polecat warm gastown 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument(
        "count", metavar="N", type=whole(0, 1000), nargs="?", help="how many there should be; the rig's setting by default"
    )
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Fill the spares."""
    rig = rig_of(args)
    with during("making spares"):
        done = warm_spares(rig, args.count, world=World(tmux=tmux_of(args)))
    if args.json:
        print_json("warm", {"rig_name": rig.name, "ready": done.ready, "made": done.made, "discarded": done.discarded})
    else:
        print(f"{done.ready} spare(s) ready, {done.made} new, {done.discarded} thrown away")
    return 0
