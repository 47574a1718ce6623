"""The verbs that wait for what happens: wait, watch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from polecat.errors import PolecatError, WaitTimeoutError
from polecat.lifecycle.wait import UNTIL, Until, wait_polecats
from polecat.lifecycle.watch import LOOK_EVERY_S, Change, watch_polecats
from polecat.model import Polecat, PolecatState
from polecat.verbs.common import add_common, answer, json_text, polecat_of, rig_of, seconds, world_of
from polecat.verbs.listing import STATE_COLOURS, as_json
from polecat.verbs.tables import paint, plain

EXIT_FAILED, EXIT_WAITING, EXIT_TIME_IS_UP = 3, 4, 124

# --------------------------------------------------------------------------------------------------------------- wait

WAIT_EXAMPLE = """\
examples:
  polecat wait gastown/nux
  polecat wait gastown/nux gastown/slit --any --until ended --timeout 3600

exit codes: 0 all are as asked and none failed, 3 somebody failed, 4 somebody waits for a person, 124 time is up
"""


def add_wait(parser: argparse.ArgumentParser) -> None:
    """Add what ``wait`` understands."""
    parser.add_argument("polecat", metavar="RIG/NAME", nargs="+", help="the polecats, such as gastown/nux; of one rig")
    parser.add_argument("--any", action="store_true", help="one of them is enough")
    parser.add_argument(
        "--until", metavar="WHAT", type=_until, default=UNTIL, help=f"some of {','.join(UNTIL)}; any of these by default"
    )
    parser.add_argument("--timeout", metavar="S", type=seconds(0, 31_536_000), help="how long at most; for ever by default")
    add_common(parser)


def _until(text: str) -> tuple[Until, ...]:
    words = [word.strip(" ") for word in text.split(",")]
    known: tuple[Until, ...] = tuple(until for until in UNTIL if any(until == word for word in words))
    if set(words) - set(UNTIL):
        raise argparse.ArgumentTypeError(f"{text!r} is not some of {','.join(UNTIL)}")
    return known


def wait(args: argparse.Namespace) -> int:
    """Wait, and say by the exit code how it went."""
    named = [polecat_of(argparse.Namespace(**{**vars(args), "polecat": one})) for one in args.polecat]
    rigs = {rig.name: rig for rig, _ in named}
    if len(rigs) > 1:
        raise PolecatError(f"they are of several rigs: {', '.join(sorted(rigs))}", hint="wait for one rig at a time")
    rig, names, world = named[0][0], [name for _, name in named], world_of(args)
    try:
        cats = wait_polecats(rig, names, until=args.until, any_of=args.any, timeout_s=args.timeout, world=world)
    except WaitTimeoutError as late:
        print(f"polecat: {late.message}", file=sys.stderr)
        cats = [cat for cat in late.polecats if isinstance(cat, Polecat)]
        answer(args, "wait", [as_json(cat) for cat in cats], *map(line, cats))
        return EXIT_TIME_IS_UP
    answer(args, "wait", [as_json(cat) for cat in cats], *map(line, cats))
    return _code(cats)


def _code(cats: Sequence[Polecat]) -> int:
    """3 if one has ended without being done, else 4 if one waits for a person."""
    if any(cat.is_running is False and cat.state is not PolecatState.DONE for cat in cats):
        return EXIT_FAILED
    return EXIT_WAITING if any(cat.state in (PolecatState.WAITING, PolecatState.STUCK) for cat in cats) else 0


def line(cat: Polecat) -> str:
    """How a polecat is, on one line."""
    state = paint(cat.state.value, STATE_COLOURS[cat.state])
    why = f": {cat.ended}" if cat.ended is not None else f": it asks {cat.waiting_for}" if cat.waiting_for else ""
    return f"{plain(cat.agent_id)} is {state}{plain(why)}"


# -------------------------------------------------------------------------------------------------------------- watch

WATCH_EXAMPLE = """\
examples:
  polecat watch gastown
  polecat watch gastown --json | while read -r change; do …; done
"""


def add_watch(parser: argparse.ArgumentParser) -> None:
    """Add what ``watch`` understands."""
    parser.add_argument("rig", metavar="RIG", help="the rig")
    parser.add_argument(
        "--every",
        metavar="S",
        type=seconds(0.1, 86_400),
        default=LOOK_EVERY_S,
        help=f"seconds between two looks; {LOOK_EVERY_S:g} by default. The end of an agent is seen sooner",
    )
    add_common(parser)


def watch(args: argparse.Namespace) -> int:
    """Print a line for everybody, then a line for each change, until it is interrupted."""
    try:
        for change in watch_polecats(rig_of(args), world=world_of(args), every_s=args.every):
            print(json_text("watch", _facts(change), is_one_line=True) if args.json else _told(change), flush=True)
    except KeyboardInterrupt:  # that is how one stops watching
        pass
    return 0


def _facts(change: Change) -> dict[str, object]:
    was = change.before.state.value if change.before is not None else None
    return {"kind": change.kind, "was": was, "polecat": as_json(change.polecat)}


def _told(change: Change) -> str:
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    gone = f"{plain(change.polecat.agent_id)} is gone"
    return f"{now}  {gone if change.kind == 'gone' else line(change.polecat)}"


VERBS = {"wait": (WAIT_EXAMPLE, add_wait, wait), "watch": (WATCH_EXAMPLE, add_watch, watch)}
