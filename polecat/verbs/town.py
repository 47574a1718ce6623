"""The verbs that make towns and rigs, and take rigs away: adopt, init, rig."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from polecat.adapters.git.cli import GitCli
from polecat.errors import PolecatError
from polecat.ports import World
from polecat.town.homes import list_homes
from polecat.upkeep.adoption import adopt_checkout
from polecat.upkeep.rigs import add_rig, remove_rig
from polecat.upkeep.towns import init_town
from polecat.verbs.common import add_action, add_common, add_json, answer, facts_of, town_of
from polecat.verbs.progress import Progress
from polecat.verbs.tables import plain, table, terminal_width

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
    with Progress(f"making {args.dir}"):
        town = init_town(Path(args.dir), args.name)
    return answer(args, "init", {"name": town.name, "path": town.root}, str(town.root))


# ---------------------------------------------------------------------------------------------------------------- rig

RIG_EXAMPLE = """\
examples:
  polecat rig add gastown https://example.org/gastown.git
  polecat rig list
  polecat rig remove gastown
"""


def add_rig_verb(parser: argparse.ArgumentParser) -> None:
    """Add what ``rig`` understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = add_action(actions, parser, "add", "add a repository as a rig")
    add.add_argument("name", metavar="NAME", help="the rig's name: letters, digits and '_'")
    add.add_argument("git_url", metavar="GIT_URL", help="where the source comes from")
    add.add_argument("--branch", metavar="B", help="the branch new work starts from; the remote's own by default")
    add.add_argument("--prefix", metavar="P", help="what the rig's bead ids start with; derived from the name by default")
    add_common(add)
    add_common(add_action(actions, parser, "list", "list the rigs of the town"))
    remove = add_action(actions, parser, "remove", "take a rig out of the town; refused while it has polecats")
    remove.add_argument("name", metavar="NAME", help="the rig")
    remove.add_argument("--force", action="store_true", help="go on in spite of rescues and of commits that no remote has")
    add_common(remove)


def rig(args: argparse.Namespace) -> int:
    """Add a rig, remove one, or list them."""
    return {"add": _rig_add, "list": _rig_list, "remove": _rig_remove}[args.action](args)


def _rig_add(args: argparse.Namespace) -> int:
    with Progress(f"cloning {args.git_url}"):
        rig = add_rig(town_of(args), args.name, args.git_url, branch=args.branch, prefix=args.prefix, world=World(git=GitCli()))
    return answer(args, "rig add", facts_of(rig, rig_name=rig.name), str(rig.path))


def _rig_list(args: argparse.Namespace) -> int:
    rigs = town_of(args).rigs()
    facts = [facts_of(rig, rig_name=rig.name, polecats=len(list_homes(rig).dirs)) for rig in rigs]
    rows = [(rig.name, str(fact["polecats"]), rig.default_branch, rig.git_url) for rig, fact in zip(rigs, facts, strict=True)]
    text = table([("RIG", "POLECATS", "BRANCH", "SOURCE"), *rows], width=terminal_width()) if rows else "no rigs"
    return answer(args, "rig list", facts, text)


def _rig_remove(args: argparse.Namespace) -> int:
    with Progress(f"removing rig {args.name}"):
        path = remove_rig(town_of(args), args.name, force=args.force)
    return answer(args, "rig remove", {"rig_name": args.name, "path": path}, f"removed {path}")


# -------------------------------------------------------------------------------------------------------------- adopt

ADOPT_EXAMPLE = """\
examples:
  polecat adopt                    once, in a checkout; then: polecat spawn --prompt 'fix the parser' --attach
  polecat adopt --local            polecats work from this checkout and push into it, not from where it comes from
  polecat adopt --town ~/work/town
"""


def add_adopt(parser: argparse.ArgumentParser) -> None:
    """Add what ``adopt`` understands."""
    parser.add_argument("dir", metavar="DIR", nargs="?", help="a place in the checkout; the working directory by default")
    parser.add_argument("--name", metavar="N", help="the rig's name; by default that of the project")
    parser.add_argument(
        "--local",
        action="store_true",
        help="the rig comes from this very checkout, as it is committed, and not from its origin; polecats push back into it",
    )
    parser.add_argument("--town", metavar="DIR", help="the town, made where missing; by default $POLECAT_TOWN, else ~/polecat")
    add_json(parser)


def adopt(args: argparse.Namespace) -> int:
    """Make the project of a checkout a rig."""
    if "" in (args.town, args.dir):
        raise PolecatError("'' is no directory", hint="name a directory, or leave it out")
    with Progress("cloning the project"):
        done = adopt_checkout(args.dir, town=args.town, name=args.name, local=args.local)
    rig = done.rig
    facts = facts_of(rig, rig_name=rig.name, checkout=done.checkout, made_town=done.made_town, made_rig=done.made_rig)
    source = f"this checkout, branch {rig.default_branch}" if args.local else f"{rig.git_url}, branch {rig.default_branch}"
    lines = [
        f"{done.checkout} is rig {plain(rig.name)} now",
        f"  town   {rig.town_root}{' (new)' if done.made_town else ''}",
        f"  from   {plain(source)}{'' if done.made_rig else ' (it was there)'}",
    ]
    if sys.stderr.isatty() and not args.json:
        print("next, here: polecat spawn --prompt 'what is to be done' --attach", file=sys.stderr)
    return answer(args, "adopt", facts, *lines)


VERBS = {
    "adopt": (ADOPT_EXAMPLE, add_adopt, adopt),
    "init": (INIT_EXAMPLE, add_init, init),
    "rig": (RIG_EXAMPLE, add_rig_verb, rig),
}
