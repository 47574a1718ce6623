"""``polecat status``."""

from __future__ import annotations

import argparse

from polecat.upkeep.inspection import work_at_risk
from polecat.upkeep.listing import get_polecat
from polecat.verbs.common import add_common, add_polecat, answer, polecat_of, world_of
from polecat.verbs.list import STATE_COLOURS, as_json, rows
from polecat.verbs.progress import Progress
from polecat.verbs.tables import paint, plain

EXAMPLE = "example:\n  polecat status gastown/nux\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Say everything about one polecat, the risks of removing it included."""
    rig, name = polecat_of(args)
    world = world_of(args)
    with Progress(f"looking at {args.polecat}"):
        cat = get_polecat(rig, name, world=world)
        verdict = work_at_risk(cat, rig=rig, world=world)
    head, body = rows([cat], with_rig=False)
    said = {label.lower(): plain(text) for label, text in zip(head, body, strict=True)}
    said["state"] = paint(said["state"], STATE_COLOURS[cat.state])
    said["worktree"] = plain(str(cat.clone_path))
    said["remove?"] = "nothing would be lost" if verdict.is_safe else plain(str(verdict))
    facts = {**as_json(cat), "risks": verdict.risks}
    return answer(args, "status", facts, *(f"{label:<9}  {text}" for label, text in said.items()))
