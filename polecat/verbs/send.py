"""``polecat send``."""

from __future__ import annotations

import argparse
import sys

from polecat.verbs.common import add_json, add_polecat, add_town
from polecat.verbs.nudge import send

EXAMPLE = """\
examples:
  polecat send gastown/nux < instructions.md
  git diff | polecat send gastown/nux
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    add_polecat(parser)
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Type what stdin holds, as one message."""
    if sys.stdin.isatty():
        print("type the message; Ctrl-D sends it", file=sys.stderr)
    text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    return send(args, text.removesuffix("\n"))
