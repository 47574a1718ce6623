"""The verbs that make towns and rigs: init, rig add."""

from __future__ import annotations

import argparse
from pathlib import Path

from polecat.adapters.git.cli import GitCli
from polecat.errors import PolecatError
from polecat.ports import World
from polecat.upkeep.rigs import add_rig
from polecat.upkeep.towns import init_town
from polecat.verbs.common import add_action, add_common, add_json, answer, facts_of, town_of
from polecat.verbs.progress import Progress

# --------------------------------------------------------------------------------------------------------------- init

INIT_EXAMPLE = "example:\n  polecat init ~/town\n"


def add_init(parser: argparse.ArgumentParser) -> None:
    """Add what ``init`` understands."""
    parser.add_argument("dir", metavar="DIR", help="the directory that becomes the town; made where missing")
    parser.add_argument("--name", metavar="N", help="the town's name; the directory's by default")
    add_json(parser)


def init(args: argparse.Namespace) -> int:
    """Make a town."""
    if not args.dir:
        raise PolecatError("'' is no directory", hint="name the directory that is to become the town")
    town = init_town(Path(args.dir), args.name)
    return answer(args, "init", {"name": town.name, "path": town.root}, str(town.root))


# ------------------------------------------------------------------------------------------------------------ rig add

RIG_EXAMPLE = "example:\n  polecat rig add gastown https://example.org/gastown.git\n"


def add_rig_verb(parser: argparse.ArgumentParser) -> None:
    """Add what ``rig`` understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = add_action(actions, parser, "add", "add a repository as a rig")
    add.add_argument("name", metavar="NAME", help="the rig's name: letters, digits and '_'")
    add.add_argument("git_url", metavar="GIT_URL", help="where the source comes from")
    add.add_argument("--branch", metavar="B", help="the branch new work starts from; the remote's own by default")
    add.add_argument("--prefix", metavar="P", help="what the rig's bead ids start with; derived from the name by default")
    add_common(add)


def rig_add(args: argparse.Namespace) -> int:
    """Add a rig."""
    with Progress(f"cloning {args.git_url}"):
        rig = add_rig(town_of(args), args.name, args.git_url, branch=args.branch, prefix=args.prefix, world=World(git=GitCli()))
    return answer(args, "rig add", facts_of(rig, rig_name=rig.name), str(rig.path))


VERBS = {"init": (INIT_EXAMPLE, add_init, init), "rig": (RIG_EXAMPLE, add_rig_verb, rig_add)}
