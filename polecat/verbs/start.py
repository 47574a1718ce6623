"""``polecat start``."""

from __future__ import annotations

import argparse

from polecat.errors import PolecatError
from polecat.lifecycle.start import start_polecat, start_polecats
from polecat.model import SpawnedPolecat
from polecat.verbs.common import add_common, polecat_of, town_of, world_of
from polecat.verbs.progress import Progress
from polecat.verbs.spawn import add_env, add_prompt, end_with, env_of, print_cats, prompt_of

EXAMPLE = """\
examples:
  polecat start gastown/nux
  polecat start gastown/nux --fresh --prompt 'go on where your predecessor stopped'
  polecat start --all gastown            after a reboot: everybody whose tmux server went away
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("polecat", metavar="RIG/NAME", help="the polecat, such as gastown/nux; with --all a rig")
    parser.add_argument(
        "--all", action="store_true", help="everybody of the rig whose tmux server went away, and who is not done"
    )
    parser.add_argument("--fresh", action="store_true", help="do not continue the agent's own conversation")
    add_prompt(parser)
    parser.add_argument("--agent", metavar="A", help="agent to start instead of the one that ran there")
    parser.add_argument("--account", metavar="H", help="account handle of accounts.json, instead of the one it had")
    add_env(parser)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Start one, or all."""
    if args.all and (args.agent or args.account):
        raise PolecatError("--all goes without --agent and --account", hint="each gets the agent and the account that it had")
    prompt, env, resume, world = prompt_of(args), env_of(args), not args.fresh, world_of(args)
    with Progress("starting"):
        if args.all:
            rig = town_of(args).rig(args.polecat)
            results = start_polecats(rig, prompt=prompt, resume=resume, env=env, world=world)
        else:
            rig, name = polecat_of(args)
            one = start_polecat(
                rig, name, prompt=prompt, resume=resume, agent=args.agent, account=args.account, env=env, world=world
            )
            results = [one]
    cats = [cat for cat in results if isinstance(cat, SpawnedPolecat)]
    print_cats(args, cats, document="start --all" if args.all else "start")
    if not results and not args.json:
        print("nobody's tmux server went away")
    end_with(results)
    return 0


VERBS = {"start": (EXAMPLE, add_arguments, run)}
