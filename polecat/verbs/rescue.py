"""``polecat rescue list`` and ``polecat rescue show``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from polecat.adapters.git import GitCli
from polecat.errors import NotFoundError
from polecat.town import find_repo
from polecat.verbs.common import add_json, add_town, print_json, rig_of, table

EXAMPLE = """\
examples:
  polecat rescue list gastown
  polecat rescue show gastown nux/1768000000000-a1b2c3
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, what in (
        ("list", "what was saved before it was removed"),
        ("show", "what one rescue holds, and how to get it back"),
    ):
        sub = actions.add_parser(action, help=what)
        sub.add_argument("rig", metavar="RIG", help="the rig")
        if action == "show":
            sub.add_argument("ref", metavar="REF", help="the rescue's ref, or the end of it")
        add_json(sub)
        add_town(sub)


def run(args: argparse.Namespace) -> int:
    """List rescues, or show one."""
    git, repo = GitCli(), find_repo(rig_of(args))
    found = git.rescues(repo)
    if args.action == "list":
        rows = [
            (r.ref, r.commit[:7], datetime.fromtimestamp(r.created_at_s, UTC).isoformat(timespec="seconds"), r.message)
            for r in found
        ]
        if args.json:
            print_json([{"ref": r.ref, "commit": r.commit, "created_at_s": r.created_at_s, "message": r.message} for r in found])
        else:
            print(table([("REF", "COMMIT", "SAVED", "WHY"), *rows]) if rows else "no rescues")
        return 0
    one = next((r for r in found if r.ref == args.ref or r.ref.endswith(f"/{args.ref}")), None)
    if one is None:
        raise NotFoundError(f"no rescue {args.ref!r}", known=[r.ref for r in found], hint=f"polecat rescue list {args.rig}")
    files = git.rescued_files(repo, one.ref)
    if args.json:
        print_json({"ref": one.ref, "commit": one.commit, "message": one.message, "refs": list(one.refs), "files": dict(files)})
        return 0
    print(f"{one.ref}  {one.commit}\n{one.message}")
    print("\n".join(f"  {what:<8} {path}" for path, what in files.items()) or "  no changes beyond its commit")
    print(f"get it back:  git -C {repo.path} worktree add --detach DIR {one.ref}")
    return 0
