"""``polecat send``: `nudge`, with its text from stdin."""

from __future__ import annotations

import argparse
import sys

from polecat.verbs import nudge
from polecat.verbs.common import add_common, add_polecat

EXAMPLE = """\
examples:
  polecat send gastown/nux < instructions.md
  git diff | polecat send gastown/nux
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Type what stdin holds, as one message."""
    if sys.stdin.isatty():
        print("type the message; Ctrl-D sends it", file=sys.stderr)
    args.text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n")
    return nudge.run(args)
