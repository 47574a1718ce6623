"""The verbs that go on with a polecat: start, repair."""

from __future__ import annotations

import argparse
import sys

from polecat.errors import PolecatError
from polecat.lifecycle.repair import Repaired, repair_polecat
from polecat.lifecycle.start import start_polecat, start_polecats
from polecat.model import SpawnedPolecat
from polecat.verbs.common import add_common, add_polecat, answer, facts_of, polecat_of, town_of, world_of
from polecat.verbs.listing import as_json
from polecat.verbs.progress import Progress
from polecat.verbs.spawn import add_env, add_prompt, end_with, env_of, print_cats, prompt_of
from polecat.verbs.tables import plain

REPAIR_EXAMPLE = "example:\n  polecat repair gastown/nux\n"


def add_repair(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    add_polecat(parser)
    parser.add_argument("--force", action="store_true", help="go on in spite of uncommitted changes; they are rescued first")
    parser.add_argument("--nuclear", action="store_true", help="go on in spite of everything; still rescued first where possible")
    parser.add_argument("--hook", metavar="BEAD", help="bead to put on its hook; without one it keeps what it holds")
    parser.add_argument("--base-branch", metavar="B", help="branch of the remote to start from")
    add_common(parser, dry_run=True)


def repair(args: argparse.Namespace) -> int:
    """Repair."""
    rig, name = polecat_of(args)
    with Progress(f"repairing {args.polecat}"):
        done = repair_polecat(
            rig,
            name,
            force=args.force,
            nuclear=args.nuclear,
            hook_bead=args.hook,
            base_branch=args.base_branch,
            world=world_of(args),
            dry_run=args.dry_run,
        )
    for warning in done.warnings:
        print(plain(f"polecat: warning: {warning}"), file=sys.stderr)
    return answer(args, "repair", {**as_json(done.polecat), **facts_of(done)}, *lines(done, will=args.dry_run))


def lines(done: Repaired, *, will: bool) -> list[str]:
    """A repair for people: the same lines before and after but for the first, and the end of the new branch's name."""
    cat = done.polecat
    said = [f"{'would repair' if will else 'repaired'} {cat.rig_name}/{cat.name}"]
    if done.session_ended:
        said.append(f"  session   {done.session_ended} ended")
    if done.rescue:
        said.append(f"  rescue    {done.rescue}")
    if done.old_branch:
        said.append(f"  branch    {done.old_branch} {'deleted' if done.old_branch_deleted else 'kept'}")
    return [*said, f"  worktree  {cat.clone_path} on {f'polecat/{cat.name}-…' if will else cat.branch}"]


# -------------------------------------------------------------------------------------------------------------- start

START_EXAMPLE = """\
examples:
  polecat start gastown/nux
  polecat start gastown/nux --fresh --prompt 'go on where your predecessor stopped'
  polecat start --all gastown            after a reboot: everybody whose tmux server went away
"""


def add_start(parser: argparse.ArgumentParser) -> None:
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


def start(args: argparse.Namespace) -> int:
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


VERBS = {"start": (START_EXAMPLE, add_start, start), "repair": (REPAIR_EXAMPLE, add_repair, repair)}
