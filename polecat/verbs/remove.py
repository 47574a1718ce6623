"""``polecat remove``."""

from __future__ import annotations

import argparse

from attrs import asdict

from polecat.lifecycle.remove import Removed, remove_polecat
from polecat.model import Polecat, PolecatState, Rig
from polecat.ports import World
from polecat.verbs.common import add_dry_run, add_json, add_polecat, add_town, polecat_of, print_json, tmux_of
from polecat.verbs.progress import during

EXAMPLE = """\
examples:
  polecat remove gastown/nux
  polecat remove gastown/nux --force      (uncommitted changes are saved to a rescue ref first)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    add_polecat(parser)
    parser.add_argument(
        "--force", action="store_true", help="go on in spite of uncommitted changes and a hook; they are rescued first"
    )
    parser.add_argument("--nuclear", action="store_true", help="go on in spite of everything; still rescued first where possible")
    parser.add_argument("--instance", metavar="ID", help="only if it still is this spawn's polecat")
    add_dry_run(parser)
    add_json(parser)
    add_town(parser)


def run(args: argparse.Namespace) -> int:
    """Remove, or say what a removal would do."""
    rig, name = polecat_of(args)
    meant = name if args.instance is None else _value(rig, name, args.instance)
    with during(f"removing {args.polecat}"):
        done = remove_polecat(
            rig, meant, force=args.force, nuclear=args.nuclear, world=World(tmux=tmux_of(args)), dry_run=args.dry_run
        )
    if args.json:
        print_json("remove", as_json(done))
    else:
        print("\n".join(lines(done, will=args.dry_run)))
    return 0


def _value(rig: Rig, name: str, instance: str) -> Polecat:
    """The polecat that is meant, as a value: one spawn and no later one of the name."""
    return Polecat(name=name, rig_name=rig.name, state=PolecatState.UNKNOWN, clone_path=rig.home_dir(name), instance=instance)


def as_json(done: Removed) -> dict[str, object]:
    """A removal as ``--json`` prints it."""
    return {
        "rig_name": done.rig_name,
        "polecat_name": done.polecat_name,
        "session_ended": done.session_ended or None,
        "rescue": done.rescue or None,
        "branch": done.branch or None,
        "branch_deleted": done.branch_deleted,
        "unassigned": done.unassigned,
        "kept": done.kept,
        "risks": [asdict(risk) for risk in done.verdict.risks],
    }


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
        said.append(f"  files    kept in {done.kept}")
    return said
