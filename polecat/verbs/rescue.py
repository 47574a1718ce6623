"""``polecat rescue list``, ``show`` and ``drop``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

from polecat.adapters.git.cli import GitCli
from polecat.errors import NotFoundError
from polecat.model import Rig
from polecat.names import shell_line
from polecat.ports import Repo, Rescue
from polecat.town.find import find_repo
from polecat.upkeep.branches import drop_rescues, list_rescues
from polecat.verbs.common import add_action, add_common, add_rig_name, answer, facts_of, rig_of, whole
from polecat.verbs.tables import plain, table, terminal_width

EXAMPLE = """\
examples:
  polecat rescue list gastown
  polecat rescue show gastown nux                        what nux left last
  polecat rescue show gastown nux/1768000000000-a1b2c3
  polecat rescue drop --rig gastown --older-than 30
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_list = add_action(actions, parser, "list", "what was saved before it was removed")
    show = add_action(actions, parser, "show", "what one rescue holds, and how to get it back")
    drop = add_action(actions, parser, "drop", "delete rescues; what only they hold is lost")
    for action in (add_list, show):
        add_rig_name(action)
    show.add_argument("ref", metavar="REF", help="the rescue's ref, the end of it, or a polecat's name for its latest")
    drop.add_argument("ref", metavar="REF", nargs="*", help="these rescues; named as for show")
    drop.add_argument("--rig", metavar="RIG", help="the rig; within one, or within a checkout that was adopted, that one")
    drop.add_argument(
        "--older-than", metavar="DAYS", type=whole(0, 36_500), help="those that were saved at least so many days ago"
    )
    drop.add_argument("--tips", action="store_true", help="those that hold neither files nor commits of their own")
    drop.add_argument("--dry-run", action="store_true", help="say what would be dropped and touch nothing")
    for action in (add_list, show, drop):
        add_common(action)


def run(args: argparse.Namespace) -> int:
    """List rescues, show one, or drop some."""
    rig = rig_of(args)
    found = list_rescues(rig)
    if args.action == "show":
        return _show(args, GitCli(), find_repo(rig), _chosen(args.ref, rig, found))
    if args.action == "drop":
        return _drop(args, rig, found)
    rows = [(one.ref, one.holds, _when(one).isoformat(timespec="seconds"), one.message) for one in found]
    text = table([("REF", "HOLDS", "SAVED", "WHY"), *rows], width=terminal_width()) if rows else "no rescues"
    return answer(args, "rescue list", [facts_of(one, created_at=_when(one)) for one in found], text)


def _drop(args: argparse.Namespace, rig: Rig, found: tuple[Rescue, ...]) -> int:
    if not args.ref and args.older_than is None and not args.tips:
        args.parser.error("say which: REF, --older-than DAYS or --tips")
    refs = [_chosen(ref, rig, found).ref for ref in args.ref]
    age = None if args.older_than is None else timedelta(days=args.older_than)
    gone = drop_rescues(rig, refs, older_than=age, only_tips=args.tips, dry_run=args.dry_run)
    lines = [f"{'would drop' if args.dry_run else 'dropped'} {one.ref} ({one.holds})" for one in gone]
    return answer(args, "rescue drop", [facts_of(one, created_at=_when(one)) for one in gone], *lines or ["no such rescue"])


def _chosen(ref: str, rig: Rig, found: tuple[Rescue, ...]) -> Rescue:
    """The rescue that was named; of several of one polecat the latest."""
    wanted = ref.removeprefix("refs/polecat/rescue/")
    for one in reversed(found):
        name = one.ref.removeprefix("refs/polecat/rescue/")
        if wanted and (wanted in (name, name.partition("/")[0]) or name.endswith(f"/{wanted}")):
            return one
    known = [one.ref for one in found]
    raise NotFoundError(
        f"no rescue {ref!r}; " + ("these are the latest:" if known else "there is none"),
        known=known,
        hint="\n".join(known[-10:]) or f"see what was saved: polecat rescue list {rig.name}",
    )


def _show(args: argparse.Namespace, git: GitCli, repo: Repo, one: Rescue) -> int:
    files = dict(git.rescued_files(repo, one.ref))
    command = shell_line("git", "-C", repo.path, "worktree", "add", "--detach", "DIR", one.ref)
    lines = [f"{one.ref}  {one.commit}", f"{plain(one.message)}, saved {_when(one).isoformat(timespec='seconds')}"]
    lines += [f"  {what:<8} {plain(path)}" for path, what in files.items()] or ["  no changes beyond its commit"]
    lines += [f"  also in  {ref}" for ref in one.refs if ref != one.ref]
    facts = facts_of(one, created_at=_when(one), files=files, command=command)
    return answer(args, "rescue show", facts, *lines, f"get it back:  {command}")


def _when(one: Rescue) -> datetime:
    return datetime.fromtimestamp(one.created_at_s, UTC)


VERBS = {"rescue": (EXAMPLE, add_arguments, run)}
