"""``polecat attach``."""

from __future__ import annotations

import argparse
import os
import shlex

from polecat.adapters.tmux.commands import HOW_TO_GET_TMUX
from polecat.errors import ProgramMissingError
from polecat.lifecycle.talk import attach_command
from polecat.verbs.common import add_json, add_polecat, add_town, answer, facts_of, polecat_of, world_of

EXAMPLE = """\
examples:
  polecat attach gastown/nux             Ctrl-b d leaves it again; the agent goes on
  ssh -t host polecat attach gastown/nux --town town
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    parser.add_argument("--print", action="store_true", help="print the command instead of running it")
    add_json(parser, help="print the command as JSON instead of running it")
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Become tmux, attached to the polecat's session."""
    rig, name = polecat_of(args)
    command = attach_command(rig, name, world=world_of(args))
    if args.json or args.print:
        facts = facts_of(command, rig_name=rig.name, polecat_name=name)
        return answer(args, "attach", facts, shlex.join(command.argv))
    try:
        os.execvpe(command.argv[0], command.argv, dict(command.environ))  # noqa: S606  tmux takes our place
    except FileNotFoundError:
        raise ProgramMissingError("tmux is not on PATH", argv=command.argv, hint=HOW_TO_GET_TMUX) from None
