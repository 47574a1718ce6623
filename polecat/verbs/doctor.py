"""``polecat doctor``."""

from __future__ import annotations

import argparse

from polecat.errors import PolecatError
from polecat.upkeep.doctor import Checkup, check_town, check_without_town
from polecat.upkeep.findings import Finding
from polecat.verbs.common import add_common, answer, town_of, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.tables import paint, plain

EXAMPLE = """\
examples:
  polecat doctor
  polecat doctor gastown --json

The exit code is 1 if something is wrong.
"""

_SIGNS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("WRONG", "red")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("rig", metavar="RIG", nargs="?", help="only this rig; all rigs of the town by default")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Check the town, or where there is none the programs."""
    with Progress("checking the town"):
        found = _look(args)
    answer(args, "doctor", {"well": found.is_well, "findings": found.findings}, *lines(found))
    return 0 if found.is_well else 1


def _look(args: argparse.Namespace) -> Checkup:
    world = world_of(args)
    try:
        town = town_of(args)
    except PolecatError as error:
        return check_without_town(error, world=world)
    return check_town(town, rigs=None if args.rig is None else [args.rig], world=world)


def lines(found: Checkup) -> list[str]:
    """A check-up for people: by area, the remedy below what is to be mended."""
    said: list[str] = []
    for area in dict.fromkeys(finding.area for finding in found.findings):
        said.append(area)
        for finding in found.findings:
            if finding.area == area:
                said += _lines(finding)
    count = len(found.wrong)
    said.append("all is well" if not count else f"{count} thing{'' if count == 1 else 's'} to mend")
    return said


def _lines(finding: Finding) -> list[str]:
    word, colour = _SIGNS[finding.level]
    said = [f"  {paint(word.ljust(5), colour)}  {plain(finding.text)}"]
    return [*said, *(f"         {line}" for line in map(plain, finding.remedy.split("\n")) if line)]


VERBS = {"doctor": (EXAMPLE, add_arguments, run)}
