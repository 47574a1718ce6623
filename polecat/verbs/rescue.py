"""``polecat rescue list`` and ``polecat rescue show``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from polecat.adapters.git.cli import GitCli
from polecat.errors import NotFoundError
from polecat.names import shell_line
from polecat.ports import Repo, Rescue
from polecat.town.find import find_repo
from polecat.verbs.common import add_action, add_common, add_rig_name, answer, facts_of, rig_of
from polecat.verbs.tables import plain, table, terminal_width

EXAMPLE = """\
examples:
  polecat rescue list gastown
  polecat rescue show gastown nux                        what nux left last
  polecat rescue show gastown nux/1768000000000-a1b2c3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, what in (
        ("list", "what was saved before it was removed"),
        ("show", "what one rescue holds, and how to get it back"),
    ):
        sub = add_action(actions, parser, action, what)
        add_rig_name(sub)
        if action == "show":
            sub.add_argument("ref", metavar="REF", help="the rescue's ref, the end of it, or a polecat's name for its latest")
        add_common(sub)


def run(args: argparse.Namespace) -> int:
    """List rescues, or show one."""
    git, repo = GitCli(), find_repo(rig_of(args))
    found = git.rescues(repo)
    if args.action == "show":
        return _show(args, git, repo, _chosen(args, found))
    rows = [(one.ref, one.commit[:7], _when(one).isoformat(timespec="seconds"), one.message) for one in found]
    text = table([("REF", "COMMIT", "SAVED", "WHY"), *rows], width=terminal_width()) if rows else "no rescues"
    return answer(args, "rescue list", [facts_of(one, created_at=_when(one)) for one in found], text)


def _chosen(args: argparse.Namespace, found: tuple[Rescue, ...]) -> Rescue:
    """The rescue that was named; of several of one polecat the latest."""
    wanted = args.ref.removeprefix("refs/polecat/rescue/")
    for one in reversed(found):
        name = one.ref.removeprefix("refs/polecat/rescue/")
        if wanted and (wanted in (name, name.partition("/")[0]) or name.endswith(f"/{wanted}")):
            return one
    known = [one.ref for one in found]
    raise NotFoundError(
        f"no rescue {args.ref!r}; " + ("these are the latest:" if known else "there is none"),
        known=known,
        hint="\n".join(known[-10:]) or f"see what was saved: polecat rescue list {args.rig}",
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
