"""``polecat status``."""

from __future__ import annotations

import argparse

from attrs import asdict

from polecat.ports import World
from polecat.upkeep.inspection import work_at_risk
from polecat.upkeep.listing import get_polecat
from polecat.verbs.common import add_json, add_polecat, add_town, polecat_of, print_json, tmux_of
from polecat.verbs.list import STATE_COLOURS, as_json, rows
from polecat.verbs.progress import during
from polecat.verbs.tables import paint, plain


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = "example:\n  polecat status gastown/nux\n"
    add_polecat(parser)
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Say everything about one polecat, the risks of removing it included."""
    rig, name = polecat_of(args)
    tmux = tmux_of(args)
    with during(f"looking at {args.polecat}"):
        cat = get_polecat(rig, name, world=World(tmux=tmux))
        verdict = work_at_risk(rig, cat, world=World(tmux=tmux))
    if args.json:
        risks = [asdict(risk) for risk in verdict.risks]
        print_json("status", {**as_json(cat), "risks": risks})
        return 0
    head, body = rows([cat], with_rig=False)
    for label, text in zip(head, body, strict=True):
        print(f"{label.lower():<9}  {paint(text, STATE_COLOURS[cat.state]) if label == 'STATE' else plain(text)}")
    print(f"{'worktree':<9}  {plain(str(cat.clone_path))}")
    print(f"{'remove?':<9}  {'nothing would be lost' if verdict.is_safe else plain(str(verdict))}")
    return 0
