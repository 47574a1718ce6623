"""The verbs that talk to a polecat's agent: attach, capture, nudge, send."""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

from polecat.adapters.tmux.commands import HOW_TO_GET_TMUX
from polecat.errors import ProgramMissingError
from polecat.lifecycle.talk import AttachCommand, attach_command, capture_polecat, nudge_polecat
from polecat.model import Rig, SpawnedPolecat
from polecat.names import shell_line
from polecat.ports import World
from polecat.verbs.common import add_common, add_json, add_polecat, add_town, answer, facts_of, polecat_of, whole, world_of

# ------------------------------------------------------------------------------------------------------------- attach

ATTACH_EXAMPLE = """\
examples:
  polecat attach gastown/nux             Ctrl-b d leaves it again; the agent goes on
  ssh -t host polecat attach gastown/nux --town town
"""


def add_attach(parser: argparse.ArgumentParser) -> None:
    """Add what ``attach`` understands."""
    add_polecat(parser)
    parser.add_argument("--print", action="store_true", help="print the command instead of running it")
    add_json(parser, help="print the command as JSON instead of running it")
    add_town(parser)


def attach(args: argparse.Namespace) -> int:
    """Become tmux, attached to the polecat's session."""
    rig, name = polecat_of(args)
    command = attach_command(rig, name, world=world_of(args))
    if args.json or args.print:
        facts = facts_of(command, rig_name=rig.name, polecat_name=name)
        return answer(args, "attach", facts, shell_line(*command.argv))
    return _become(command)


def attach_to(rig: Rig, polecat: SpawnedPolecat, world: World) -> NoReturn:
    """Become tmux, attached to the session of a polecat that was just spawned."""
    _become(attach_command(rig, polecat, world=world))


def _become(command: AttachCommand) -> NoReturn:
    sys.stdout.flush()
    try:
        os.execvpe(command.argv[0], command.argv, dict(command.environ))  # noqa: S606  tmux takes our place
    except FileNotFoundError:
        raise ProgramMissingError("tmux is not on PATH", argv=command.argv, hint=HOW_TO_GET_TMUX) from None


# ------------------------------------------------------------------------------------------------------------ capture

CAPTURE_EXAMPLE = "example:\n  polecat capture gastown/nux --lines 20\n"


def add_capture(parser: argparse.ArgumentParser) -> None:
    """Add what ``capture`` understands."""
    add_polecat(parser)
    parser.add_argument(
        "--lines", metavar="N", type=whole(1, 1_000_000), default=200, help="at most so many lines, the last ones; 200 by default"
    )
    add_common(parser)


def capture(args: argparse.Namespace) -> int:
    """Print what the agent shows."""
    rig, name = polecat_of(args)
    text = capture_polecat(rig, name, lines=args.lines, world=world_of(args))
    return answer(args, "capture", {"rig_name": rig.name, "polecat_name": name, "text": text}, text)


# -------------------------------------------------------------------------------------------------------- nudge, send

EXIT_CODES = {"taken": 0, "not taken": 3, "refused": 4, "unknown": 5}
"""What ``nudge`` and ``send`` exit with."""

NUDGE_EXAMPLE = """\
examples:
  polecat nudge gastown/nux 'please rebase onto main'
  polecat nudge gastown/nux -- '-v is fine as a text too'
"""

SEND_EXAMPLE = """\
examples:
  polecat send gastown/nux < instructions.md
  git diff | polecat send gastown/nux
"""


def add_nudge(parser: argparse.ArgumentParser) -> None:
    """Add what ``nudge`` understands."""
    add_polecat(parser)
    parser.add_argument("text", metavar="TEXT", help="what is typed to its agent, with one Enter")
    add_common(parser)


def nudge(args: argparse.Namespace) -> int:
    """Type the text."""
    rig, name = polecat_of(args)
    delivery = nudge_polecat(rig, name, args.text, world=world_of(args))
    facts = facts_of(delivery, rig_name=rig.name, polecat_name=name)
    answer(args, "nudge", facts, f"{delivery.session_name}: {delivery}")
    return EXIT_CODES[delivery.outcome]


def add_send(parser: argparse.ArgumentParser) -> None:
    """Add what ``send`` understands."""
    add_polecat(parser)
    add_common(parser)


def send(args: argparse.Namespace) -> int:
    """Type what stdin holds, as one message."""
    if sys.stdin.isatty():
        print("type the message; Ctrl-D sends it", file=sys.stderr)
    args.text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n")
    return nudge(args)


VERBS = {
    "attach": (ATTACH_EXAMPLE, add_attach, attach),
    "capture": (CAPTURE_EXAMPLE, add_capture, capture),
    "nudge": (NUDGE_EXAMPLE, add_nudge, nudge),
    "send": (SEND_EXAMPLE, add_send, send),
}
