"""``polecat complete``: the names that shell completion asks for. Not shown in the help; silent where nothing can be told."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable
from pathlib import Path

from polecat.core.presets import PRESETS
from polecat.errors import PolecatError, TownNotFoundError
from polecat.model import Rig
from polecat.town.config import load_agent_registry
from polecat.town.find import Town, find_town, readable_rigs
from polecat.town.homes import list_homes
from polecat.town.settings import load_rig_settings, load_town_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("kind", choices=("rigs", "polecats", "agents"))
    parser.add_argument("--town", metavar="DIR")


def run(args: argparse.Namespace) -> int:
    """Print the names, one a line. In a town no program is started, so that the answer is there at once; in a checkout only git is."""
    with contextlib.suppress(PolecatError, OSError):
        text = "".join(f"{name}\n" for name in sorted(_names(args)) if name.isprintable())
        print(text, end="")
    return 0


def _names(args: argparse.Namespace) -> Iterable[str]:
    """The names of the town; in a checkout that was adopted, the polecats of its rig, which need no rig's name there."""
    try:
        return names_of(find_town(Path(args.town)) if args.town else find_town(), args.kind)
    except TownNotFoundError:
        from polecat.upkeep.adoption import find_rig  # not at the top: each Tab would wait for what only a checkout needs

        here = find_rig()
        return _polecats(here) if args.kind == "polecats" else names_of(find_town(here.town_root), args.kind)


def names_of(town: Town, kind: str) -> Iterable[str]:
    """The names of one kind in a town."""
    if kind == "agents":
        return {*PRESETS, *_agents(town)}
    rigs = readable_rigs(town)[0]
    if kind == "rigs":
        return [rig.name for rig in rigs]
    return [f"{rig.name}/{name}" for rig in rigs for name in _polecats(rig)]


def _agents(town: Town) -> set[str]:
    found = {*load_town_settings(town.root).agents, *load_agent_registry(town.root / "settings" / "agents.json")}
    for rig in readable_rigs(town)[0]:
        with contextlib.suppress(PolecatError):
            found |= {*load_rig_settings(rig.path).agents, *load_agent_registry(rig.path / "settings" / "agents.json")}
    return found


def _polecats(rig: Rig) -> Iterable[str]:
    try:
        return list_homes(rig).dirs
    except PolecatError:
        return ()


VERBS = {"complete": ("", add_arguments, run)}
