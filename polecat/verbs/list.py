"""``polecat list``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from polecat.model import Polecat
from polecat.polecats import list_polecats
from polecat.verbs.common import add_json, add_town, print_json, table, tmux_of, town_of

EXAMPLE = """\
examples:
  polecat list
  polecat list gastown --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    parser.add_argument("rig", metavar="RIG", nargs="?", help="the rig; all rigs of the town by default")
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """List."""
    town = town_of(args)
    rigs = [town.rig(args.rig)] if args.rig else town.rigs()
    cats = [cat for rig in rigs for cat in list_polecats(rig, tmux=tmux_of(args))]
    if args.json:
        print_json([as_json(cat) for cat in cats])
    elif cats:
        print(table(rows(cats, with_rig=not args.rig and len(rigs) > 1)))
    else:
        print("no polecats")
    return 0


def as_json(cat: Polecat) -> dict[str, object]:
    """A polecat as ``--json`` prints it."""
    return {
        "name": cat.name,
        "rig": cat.rig_name,
        "agent_id": cat.agent_id,
        "state": cat.state.value,
        "clone_path": str(cat.clone_path),
        "branch": cat.branch,
        "issue": cat.issue,
        "session_name": cat.session_name,
        "running": cat.is_running,
        "work": None if cat.work is None else str(cat.work),
        "instance": cat.instance,
        "created_at": cat.created_at,
        "active_at": cat.active_at,
    }


def rows(cats: list[Polecat], *, with_rig: bool) -> list[tuple[str, ...]]:
    """The table, heading included."""
    head = ("POLECAT", "STATE", "BRANCH", "HOOK", "WORK", "SESSION")
    body = [
        (
            f"{cat.rig_name}/{cat.name}" if with_rig else cat.name,
            cat.state.value,
            cat.branch or "-",
            cat.issue or "-",
            "unknown" if cat.work is None else str(cat.work),
            _session(cat),
        )
        for cat in cats
    ]
    return [head, *body]


def _session(cat: Polecat) -> str:
    if cat.is_running is None:
        return "unknown"
    if not cat.is_running:
        return "none"
    now = datetime.now(UTC)
    since = [] if cat.created_at is None else [ago((now - cat.created_at).total_seconds())]
    active = [] if cat.active_at is None else [f"active {ago((now - cat.active_at).total_seconds())} ago"]
    return ", ".join(since + active) or "running"


def ago(seconds: float) -> str:
    """A duration for people.

    Examples:
        >>> ago(4), ago(200), ago(8000), ago(200000)
        ('4 s', '3 min', '2 h', '2 d')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
