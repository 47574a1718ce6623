"""``polecat capture``."""

from __future__ import annotations

import argparse

from polecat.lifecycle.talk import capture_polecat
from polecat.verbs.common import add_common, add_polecat, answer, polecat_of, whole, world_of

EXAMPLE = "example:\n  polecat capture gastown/nux --lines 20\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    parser.add_argument(
        "--lines", metavar="N", type=whole(1, 1_000_000), default=200, help="at most so many lines, the last ones; 200 by default"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the agent shows."""
    rig, name = polecat_of(args)
    text = capture_polecat(rig, name, lines=args.lines, world=world_of(args))
    return answer(args, "capture", {"rig_name": rig.name, "polecat_name": name, "text": text}, text)
