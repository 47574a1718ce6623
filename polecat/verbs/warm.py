"""``polecat warm``."""

from __future__ import annotations

import argparse

from polecat.upkeep.spares import warm_spares
from polecat.verbs.common import add_common, add_rig_name, answer, facts_of, rig_of, whole, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.tables import plain

EXAMPLE = """\
examples:
  polecat warm gastown        (as many as the rig's setting warm_spares says)
  polecat warm gastown 3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_rig_name(parser)
    parser.add_argument(
        "count", metavar="N", type=whole(0, 1000), nargs="?", help="how many there should be; the rig's setting by default"
    )
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Fill the spares."""
    rig = rig_of(args)
    with Progress("making spares"):
        done = warm_spares(rig, args.count, world=world_of(args))
    text = f"{done.ready} spare(s) ready, {done.made} new, {done.discarded} thrown away"
    return answer(args, "warm", facts_of(done, rig_name=rig.name), text, *(plain(f"warning: {one}") for one in done.warnings))


VERBS = {"warm": (EXAMPLE, add_arguments, run)}
