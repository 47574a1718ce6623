"""``polecat hook show|set|clear``."""

from __future__ import annotations

import argparse
import os

from polecat.adapters.world import default_beads
from polecat.errors import NotFoundError, PolecatError
from polecat.model import Rig
from polecat.names import agent_id, check_bead_id
from polecat.ports import Bead
from polecat.town.breaker import agent_failures, reset_breaker
from polecat.town.find import readable_rigs
from polecat.upkeep.addressing import check_exists
from polecat.verbs.common import add_action, add_common, answer, facts_of, no_address, town_of
from polecat.verbs.tables import plain

EXAMPLE = """\
examples:
  polecat hook show gastown/nux             what the polecat holds
  polecat hook show gt-abc12 --rig gastown  who holds the bead
  polecat hook set gastown/nux gt-abc12
  polecat hook clear gt-abc12 --rig gastown
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, what in (
        ("show", "what is on a hook, or on whose hook it is"),
        ("set", "put a bead on a polecat's hook"),
        ("clear", "take a bead off its hook"),
    ):
        sub = add_action(actions, parser, action, what)
        sub.add_argument("subject", metavar="RIG/NAME" if action == "set" else "RIG/NAME|BEAD", help="the polecat, or the bead")
        if action == "set":
            sub.add_argument("bead", metavar="BEAD", help="the bead")
        sub.add_argument("--rig", metavar="RIG", help="the rig, where only a bead is named")
        add_common(sub)


def run(args: argparse.Namespace) -> int:
    """Show, set or clear."""
    rig, name = _subject(args)
    beads = default_beads(rig, os.environ)
    if args.action == "set":
        if not name:
            raise no_address(args.subject)
        check_exists(rig, name)
        bead = beads.hook(check_bead_id(args.bead), assignee=agent_id(rig.name, name), expected="")
        return _answer(args, rig, (bead,))
    held = beads.held_by(agent_id(rig.name, name)) if name else _one(beads.bead(args.subject), args.subject)
    if name and not held:
        check_exists(rig, name)  # one that is gone may still hold something; one that never was is a typing error
    if args.action == "clear":
        for bead in held:
            beads.unassign(bead.id, expected=bead.assignee)
            reset_breaker(rig, bead.id)
        held = tuple(found for bead in held if (found := beads.bead(bead.id)) is not None)
    return _answer(args, rig, held)


def _subject(args: argparse.Namespace) -> tuple[Rig, str]:
    town = town_of(args)
    parts = args.subject.split("/")
    if len(parts) in (2, 3):
        return town.rig(parts[0]), parts[-1]
    check_bead_id(args.subject)
    if args.rig is not None:
        return town.rig(args.rig), ""
    rigs = [rig for rig in readable_rigs(town)[0] if args.subject.startswith(f"{rig.prefix}-")]
    if len(rigs) == 1:
        return rigs[0], ""
    raise PolecatError(f"which rig is {args.subject!r} of?", hint="say it with --rig")


def _one(bead: Bead | None, wanted: str) -> tuple[Bead, ...]:
    if bead is None:
        raise NotFoundError(f"no bead {wanted!r} in this rig's store")
    return (bead,)


def _answer(args: argparse.Namespace, rig: Rig, held: tuple[Bead, ...]) -> int:
    facts = [facts_of(bead, failures=agent_failures(rig, bead.id)) for bead in held]
    lines = [plain(f"{bead.id}  {bead.status}  {bead.assignee or 'nobody'}  {bead.title}".rstrip(" ")) for bead in held]
    return answer(args, "hook", facts, *lines or ["nothing on the hook"])


VERBS = {"hook": (EXAMPLE, add_arguments, run)}
