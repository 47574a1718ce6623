"""``polecat rig add``."""

from __future__ import annotations

import argparse

from polecat.adapters.git.cli import GitCli
from polecat.ports import World
from polecat.upkeep.rigs import add_rig
from polecat.verbs.common import add_action, add_common, answer, facts_of, town_of
from polecat.verbs.progress import Progress

EXAMPLE = "example:\n  polecat rig add gastown https://example.org/gastown.git\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = add_action(actions, parser, "add", "add a repository as a rig")
    add.add_argument("name", metavar="NAME", help="the rig's name: letters, digits and '_'")
    add.add_argument("git_url", metavar="GIT_URL", help="where the source comes from")
    add.add_argument("--branch", metavar="B", help="the branch new work starts from; the remote's own by default")
    add.add_argument("--prefix", metavar="P", help="what the rig's bead ids start with; derived from the name by default")
    add_common(add)


def run(args: argparse.Namespace) -> int:
    """Add a rig."""
    with Progress(f"cloning {args.git_url}"):
        rig = add_rig(town_of(args), args.name, args.git_url, branch=args.branch, prefix=args.prefix, world=World(git=GitCli()))
    return answer(args, "rig add", facts_of(rig, rig_name=rig.name), str(rig.path))
