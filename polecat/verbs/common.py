"""What several verbs share: which town, which server, how results are shown."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from polecat.errors import PolecatError
from polecat.model import Rig
from polecat.ports import Tmux
from polecat.town import Town, find_town


def add_town(parser: argparse.ArgumentParser) -> None:
    """Add ``--town`` and ``--socket``."""
    parser.add_argument("--town", metavar="DIR", help="the town; by default the one that contains the working directory")
    parser.add_argument(
        "--socket", metavar="NAME", help="the tmux server: a socket name or path; by default the town's, or your own"
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_polecat(parser: argparse.ArgumentParser) -> None:
    """Add ``RIG/NAME``."""
    parser.add_argument("polecat", metavar="RIG/NAME", help="the polecat, such as gastown/nux")


def polecat_of(args: argparse.Namespace) -> tuple[Rig, str]:
    """The rig and the name of the polecat that was named; ``rig/polecats/name`` is understood too."""
    parts = args.polecat.split("/")
    if len(parts) == 3 and parts[1] == "polecats":
        parts = [parts[0], parts[2]]
    if len(parts) != 2 or not all(parts):
        raise PolecatError(f"{args.polecat!r} is not a polecat's address", hint="write it as RIG/NAME, such as gastown/nux")
    return town_of(args).rig(parts[0]), parts[1]


def town_of(args: argparse.Namespace) -> Town:
    """The town that was named, or the one around us."""
    return find_town(Path(args.town)) if args.town else find_town()


def rig_of(args: argparse.Namespace) -> Rig:
    """The rig that was named."""
    return town_of(args).rig(args.rig)


def tmux_of(args: argparse.Namespace) -> Tmux | None:
    """The tmux server that was named; None where none was."""
    if not args.socket:
        return None
    from polecat.adapters.tmux import TmuxCli

    return TmuxCli(socket=args.socket)


def print_json(value: object) -> None:
    """Print a result as JSON."""
    print(json_text(value))


def json_text(value: object, *, is_one_line: bool = False) -> str:
    """Write a result as JSON."""
    return json.dumps(value, indent=None if is_one_line else 2, ensure_ascii=False, default=str)


def wants_colour(stream: object = None) -> bool:
    """Colour is for terminals, and for people who did not say ``NO_COLOR``."""
    out = sys.stdout if stream is None else stream
    return bool(getattr(out, "isatty", lambda: False)()) and not os.environ.get("NO_COLOR")


_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "90"}


def paint(text: str, colour: str) -> str:
    """Colour a text, where stdout shows colours."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colour and wants_colour() else text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows in aligned columns; the last column is not padded.

    Examples:
        >>> print(table([("NAME", "STATE"), ("nux", "done")]))
        NAME  STATE
        nux   done
    """
    if not rows:
        return ""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
