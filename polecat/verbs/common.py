"""What several verbs share: which town, which server, how results are shown."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import AttrsInstance, asdict, evolve

from polecat.adapters.tmux.cli import TmuxCli
from polecat.errors import PolecatError, ProgramMissingError, RigNotFoundError, TownNotFoundError
from polecat.model import Rig
from polecat.ports import OnEvent, World
from polecat.town.find import Town, find_town, readable_rigs
from polecat.town.homes import list_homes
from polecat.upkeep.adoption import find_rig
from polecat.verbs.schemas import document
from polecat.verbs.tables import UNSEEN, plain_lines

# ------------------------------------------------------------------------------------------------------- arguments


def add_json(parser: argparse.ArgumentParser, *, help: str = "print the result as JSON") -> None:  # noqa: A002  as argparse says
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help=help)


def add_town(parser: argparse.ArgumentParser) -> None:
    """Add ``--town`` and ``--socket``."""
    parser.add_argument("--town", metavar="DIR", help="the town; by default the one that contains the working directory")
    parser.add_argument(
        "--socket", metavar="NAME", help="the tmux server: a socket name or path; by default the town's, or your own"
    )


def add_common(parser: argparse.ArgumentParser, *, dry_run: bool = False) -> None:
    """Add ``--json``, ``--town`` and ``--socket``; before them ``--dry-run``, where the verb has one."""
    if dry_run:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and touch nothing")
    add_json(parser)
    add_town(parser)


def add_polecat(parser: argparse.ArgumentParser) -> None:
    """Add ``RIG/NAME``."""
    parser.add_argument(
        "polecat", metavar="RIG/NAME", help="the polecat, such as gastown/nux; within its rig or checkout just nux"
    )


def add_rig_name(parser: argparse.ArgumentParser) -> None:
    """Add ``RIG``."""
    parser.add_argument(
        "rig", metavar="RIG", nargs="?", help="the rig; within one, or within a checkout that was adopted, that one"
    )


def add_action(actions: Any, parser: argparse.ArgumentParser, action: str, what: str) -> argparse.ArgumentParser:
    """Add an action of a verb, such as ``show`` of ``hook``; it shows the verb's examples."""
    made: argparse.ArgumentParser = actions.add_parser(
        action,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=parser.epilog,
        formatter_class=parser.formatter_class,
    )
    return made


def whole(least: int, most: int) -> Callable[[str], int]:
    """What reads a whole number of an option.

    Examples:
        >>> whole(1, 10)("3")
        3
    """

    def read(text: str) -> int:
        if not text.lstrip("+-").isdecimal() or len(text) > 20 or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return read


def seconds(least: float, most: float, *, hint: str = "") -> Callable[[str], float]:
    """What reads a number of seconds of an option; *hint* is added where it is no number at all.

    Examples:
        >>> seconds(0, 60)("2.5")
        2.5
    """

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds{hint.format(text)}") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be between {least:g} and {most:g} seconds, not {text}")
        return value

    return read


# --------------------------------------------------------------------------------------------------- what was named


def polecat_of(args: argparse.Namespace) -> tuple[Rig, str]:
    """The rig and the name of the polecat that was named; ``rig/polecats/name`` is understood too, and ``name`` where we are in its rig."""
    parts = args.polecat.split("/")
    if len(parts) == 3 and parts[1] == "polecats":
        parts = [parts[0], parts[2]]
    town = town_of(args)
    if len(parts) == 2 and all(parts):
        return town.rig(parts[0]), parts[1]
    here = _rig_here() if args.town is None else None
    if (
        len(parts) == 1
        and parts[0]
        and here is not None
        and (parts[0] in list_homes(here).dirs or parts[0] not in _rig_names(town))
    ):
        return here, parts[0]
    meant = [
        f"{rig.name}/{name}"
        for rig in readable_rigs(town)[0]
        for name in list_homes(rig).dirs
        if args.polecat in (rig.name, name)
    ]
    raise no_address(args.polecat, f"did you mean {' or '.join(meant[:5])}?" if meant and args.polecat else "")


def no_address(text: str, hint: str = "") -> PolecatError:
    """The error for what should name a polecat and does not."""
    return PolecatError(f"{text!r} is not a polecat's address", hint=hint or "write it as RIG/NAME, such as gastown/nux")


def town_of(args: argparse.Namespace) -> Town:
    """The town that was named, or the one around us, or that of the checkout we are in."""
    if args.town == "":
        raise PolecatError("--town is empty", hint="name a directory, or leave it out inside a town")
    if args.town:
        return find_town(Path(args.town))
    try:
        return find_town()
    except TownNotFoundError as error:
        with contextlib.suppress(TownNotFoundError, ProgramMissingError):
            return find_town(find_rig().town_root)
        error.hint = f"{error.hint}\nin a checkout of yours: polecat adopt"
        raise


def rig_of(args: argparse.Namespace) -> Rig:
    """The rig that was named; else the one we are in, or whose checkout we are in; else the only one of the town that was named."""
    if args.rig is not None:
        return town_of(args).rig(args.rig)
    if args.town is None:
        return find_rig()
    town = town_of(args)
    names = _rig_names(town)
    if len(names) == 1:
        return town.rig(names[0])
    raise RigNotFoundError(f"which rig of {town.root}? It has {', '.join(names) or 'none'}", known=names, hint="name one")


def rigs_of(args: argparse.Namespace) -> tuple[list[Rig], list[PolecatError]]:
    """The rig that was named, or all of the town, and why others cannot be read; in a checkout outside every town, the rig it was adopted into."""
    if args.rig is not None:
        return [rig_of(args)], []
    if args.town is None:
        with contextlib.suppress(TownNotFoundError):
            return readable_rigs(find_town())
        with contextlib.suppress(TownNotFoundError, ProgramMissingError):
            return [find_rig()], []
    return readable_rigs(town_of(args))


def _rig_here() -> Rig | None:
    try:
        return find_rig()
    except (TownNotFoundError, RigNotFoundError, ProgramMissingError):
        return None


def _rig_names(town: Town) -> tuple[str, ...]:
    return tuple(rig.name for rig in readable_rigs(town)[0])


def world_of(args: argparse.Namespace, *, on_event: OnEvent | None = None) -> World:
    """The world with the tmux server that was named; where none was, the town's. A caller in Python may have given one."""
    if args.world is not None:
        given: World = evolve(args.world, on_event=on_event)
        return given
    if args.socket == "":
        raise PolecatError("--socket is empty", hint="name a tmux server, or leave it out for the town's")
    return World(tmux=None if args.socket is None else TmuxCli(socket=args.socket), on_event=on_event)


# ---------------------------------------------------------------------------------------------------------- results


def answer(args: argparse.Namespace, command: str, value: object, *lines: str) -> int:
    """Print a result, as the JSON that is promised for a command if that was asked for, as lines otherwise; return the exit code."""
    print(json_text(command, value) if args.json else plain_lines("\n".join(lines)))
    return 0


def json_text(command: str, value: object, *, is_one_line: bool = False) -> str:
    """Write a result as the JSON that is promised for a command; see `polecat.verbs.schemas`."""
    is_ascii = not (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(document(command, value), indent=None if is_one_line else 2, ensure_ascii=is_ascii, default=_as_text)
    # what a terminal would obey, and bytes of a name that are no UTF-8; JSON itself escapes only the first 32 characters
    return re.sub(f"(?!\n){UNSEEN}", lambda match: f"\\u{ord(match[0]):04x}", text)


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def facts_of(value: AttrsInstance, **more: object) -> dict[str, object]:
    """The fields of a value by name, and what is said besides or otherwise."""
    return {**asdict(value, recurse=False), **more}
