"""The verbs that end what a spawn began: stop, remove."""

from __future__ import annotations

import argparse
from functools import partial

from polecat.errors import WorkAtRiskError
from polecat.lifecycle.remove import Removed, remove_polecat
from polecat.lifecycle.stop import stop_polecat
from polecat.model import Polecat, Rig
from polecat.upkeep.addressing import named
from polecat.upkeep.worktrees import fetch_now
from polecat.verbs.common import add_common, add_polecat, answer, facts_of, polecat_of, world_of
from polecat.verbs.progress import Progress

# --------------------------------------------------------------------------------------------------------------- stop

STOP_EXAMPLE = "example:\n  polecat stop gastown/nux\n"


def add_stop(parser: argparse.ArgumentParser) -> None:
    """Add what ``stop`` understands."""
    add_polecat(parser)
    add_common(parser, dry_run=True)


def stop(args: argparse.Namespace) -> int:
    """Stop."""
    rig, name = polecat_of(args)
    with Progress(f"ending the session of {args.polecat}"):
        session = stop_polecat(rig, name, world=world_of(args), dry_run=args.dry_run)
    facts = {"rig_name": rig.name, "polecat_name": name, "session_ended": session}
    return answer(args, "stop", facts, f"{'would end' if args.dry_run else 'ended'} session {session}")


# ------------------------------------------------------------------------------------------------------------- remove

REMOVE_EXAMPLE = """\
examples:
  polecat remove gastown/nux
  polecat remove gastown/nux --force      (uncommitted changes are saved to a rescue ref first)
"""


def add_remove(parser: argparse.ArgumentParser) -> None:
    """Add what ``remove`` understands."""
    add_polecat(parser)
    parser.add_argument(
        "--force", action="store_true", help="go on in spite of uncommitted changes and a hook; they are rescued first"
    )
    parser.add_argument("--nuclear", action="store_true", help="go on in spite of everything; still rescued first where possible")
    parser.add_argument("--instance", metavar="ID", help="only if it still is this spawn's polecat")
    add_common(parser, dry_run=True)


def remove(args: argparse.Namespace) -> int:
    """Remove, or say what a removal would do."""
    rig, name = polecat_of(args)
    with Progress(f"removing {args.polecat}"):
        done = _removed(args, rig, named(rig, name, args.instance))
    return answer(args, "remove", as_json(done), *lines(done, will=args.dry_run))


def _removed(args: argparse.Namespace, rig: Rig, meant: str | Polecat) -> Removed:
    """Remove; where commits seem to be nowhere else, ask the remote first whether they have been merged or pushed meanwhile."""
    world = world_of(args)
    remove = partial(remove_polecat, rig, meant, force=args.force, nuclear=args.nuclear, world=world, dry_run=args.dry_run)
    try:
        return remove()
    except WorkAtRiskError as risk:
        if "unpushed" not in risk.reasons or args.dry_run or not fetch_now(rig, world):
            raise
        return remove()


def as_json(done: Removed) -> dict[str, object]:
    """A removal as ``--json`` prints it."""
    return facts_of(done, risks=done.verdict.risks)


def lines(done: Removed, *, will: bool) -> list[str]:
    """A removal for people: the same lines before and after but for the first."""
    said = [f"{'would remove' if will else 'removed'} {done.rig_name}/{done.polecat_name}"]
    if done.session_ended:
        said.append(f"  session  {done.session_ended} ended")
    if done.rescue:
        said.append(f"  rescue   {done.rescue}")
    if done.branch:
        said.append(f"  branch   {done.branch} {'deleted' if done.branch_deleted else 'kept'}")
    said += [f"  bead     {bead} handed back" for bead in done.unassigned]
    if done.kept is not None:
        said.append(f"  files    kept in {done.kept}{done.unsaved and f': {done.unsaved}'}")
    return said


VERBS = {"stop": (STOP_EXAMPLE, add_stop, stop), "remove": (REMOVE_EXAMPLE, add_remove, remove)}
