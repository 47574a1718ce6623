"""What a worktree's registration names and no ref does: detached commits, what is begun, what was staged, its reflog. Found by walking its files.

The same is asked of a repository inside a worktree, whose refs go with it.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from polecat.adapters.git import files, refs
from polecat.adapters.git.run import GitProgram, Place
from polecat.ports import Repo
from polecat.town.guarded import fail, read_guarded

_WHOLE = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40})\b")
_TODO = re.compile(r"^\w+ (?:-\w+ )?([0-9a-f]{4,64})\b", re.MULTILINE)
"""A line of a list of commits to be picked or rebased, where git may write ids short."""

_NOT_ITS_OWN = frozenset(("modules", "reftable", "objects", "index", "FETCH_HEAD"))
"""Repositories of submodules and the staged files are looked at by themselves; what was fetched can be fetched again."""

_OF_A_REPOSITORY = frozenset(("logs", "rebase-merge", "rebase-apply", "sequencer", "worktrees"))
"""Where a whole repository names objects, besides its refs. Other programs keep large files there."""


def alone(git: GitProgram, store: Place, at: Place, *, known: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Find what exists, is named by a registration, and is reached by no ref of the repository.

    Args:
        git: the program.
        store: the repository.
        at: the registration.
        known: ids that need no look, because a ref reaches them.

    Returns:
        Commits, none of which reaches another; other objects, such as the tree of a merge that stopped.
    """
    kinds = _kinds(git, store, [oid for oid in _named(git, at) if oid not in known])
    others = [oid for oid, kind in kinds.items() if kind != "commit"]
    return _unreachable(git, store, [oid for oid, kind in kinds.items() if kind == "commit"]), others


def abandoned(git: GitProgram, store: Place, at: Place) -> list[str]:
    """Find the commits that a worktree has left by a reset, or by a checkout, and that no ref reaches.

    What an amend or a rebase replaced is not among them: it lives on in another form.
    """
    return _unreachable(git, store, left(git, store, at))


def left(git: GitProgram, store: Place, at: Place) -> list[str]:
    """List the commits that HEAD has left by a reset, or by a checkout, as far as they still exist."""
    ids = dict.fromkeys(old for old, new, message in _reflog(git, at) if old != new and _LEAVES.match(message))
    kinds = _kinds(git, store, [oid for oid in ids if oid.strip("0")])
    return [oid for oid, kind in kinds.items() if kind == "commit"]


def unfinished_heads(git: GitProgram, place: Place) -> list[str]:
    """Return commits that are part of something begun and may be on no branch: what is rebased, merged or picked, and refs of its own."""
    folders = files.names_in(place.git_dir) & {"rebase-merge", "rebase-apply"}
    names = (f"{folder}/{name}" for folder in sorted(folders) for name in ("orig-head", "autostash"))
    lines = [line.rstrip("\r") for name in names for line in (files.read_text(place.git_dir / name) or "").split("\n")]
    begun = refs.pseudo_refs(git, place)
    heads = [oid for name in ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "MERGE_AUTOSTASH") for oid in begun.get(name, ())]
    own = refs.own_refs(git, place).values()
    return list(dict.fromkeys([*(line for line in lines if files.is_oid(line)), *heads, *own]))


def on_no_remote(git: GitProgram, repo: Repo | Place, commits: Iterable[str]) -> frozenset[str]:
    """Those of many commits, and what is below them, that are part of no remote-tracking branch, with one process for all."""
    asked = "".join(f"{commit}\n" for commit in commits if commit).encode()
    words = ["rev-list", "--stdin", "--not", "--remotes"]
    return frozenset(git.must(words, at=repo, read_only=True, stdin=asked).text.split("\n")[:-1]) if asked else frozenset()


_LEAVES = re.compile("(reset|checkout): ")


def _reflog(git: GitProgram, at: Place) -> Iterator[tuple[str, str, str]]:
    """What HEAD was, what it became, and by what."""
    if files.uses_reftable(files.common_dir(at.git_dir)):
        log = git.run(["log", "-g", "--no-show-signature", "--format=%H\t%gs", "HEAD", "--"], at=at, read_only=True)
        rows = [line.partition("\t")[::2] for line in log.text.split("\n") if line]
        yield from ((old, new, message) for (new, message), (old, _) in itertools.pairwise(rows))
        return
    for line in (files.read_text(at.git_dir / "logs" / "HEAD") or "").split("\n"):
        who, _, message = line.partition("\t")
        old, new, *_ = [*who.split(" "), "", ""]
        if files.is_oid(old) and files.is_oid(new):  # whatever else is written there is none of git's
            yield old, new, message


def staged(git: GitProgram, at: Place) -> dict[str, tuple[str, str] | None]:
    """Read what an index holds besides its commit; of a conflict both sides."""
    if not (at.git_dir / "index").exists():  # then it was never filled
        return {}
    found: dict[str, tuple[str, str] | None] = {}
    parts = os.fsdecode(
        git.must(["diff-index", "--cached", "--raw", "--no-abbrev", "--no-renames", "-z", "HEAD"], at=at, read_only=True).stdout
    )
    for words, path in zip(parts.split("\0")[::2], parts.split("\0")[1::2], strict=False):
        _, mode, _, oid, letter = words.split(" ")
        if letter[0] in "DAMT" and mode != "160000" and (letter[0] == "D" or oid.strip("0")):
            found[path] = None if letter[0] == "D" else (mode, oid)
    for row in filter(None, os.fsdecode(git.must(["ls-files", "-u", "-z"], at=at, read_only=True).stdout).split("\0")):
        words, _, path = row.partition("\t")
        mode, oid, stage = words.split(" ")
        found[path if stage == "2" else f"{path}~{stage}"] = (mode, oid)
    return found


def _named(git: GitProgram, at: Place) -> list[str]:
    """Collect every object id in the files of a registration, and in the tables that it may have instead."""
    found: dict[str, None] = {}
    is_whole = files.common_dir(at.git_dir) == at.git_dir
    for folder, directories, names in os.walk(at.git_dir, onerror=fail):
        if folder == os.fspath(at.git_dir):
            directories[:] = [one for one in directories if (one in _OF_A_REPOSITORY if is_whole else one not in _NOT_ITS_OWN)]
            names = [one for one in names if one not in _NOT_ITS_OWN and not one.startswith("sharedindex.")]  # noqa: PLW2901
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".lock") or not os.path.isfile(path):
                continue
            text = os.fsdecode(read_guarded(path) or b"")
            found |= dict.fromkeys(_WHOLE.findall(text))
            if name in ("todo", "git-rebase-todo", "done"):
                found |= dict.fromkeys(_TODO.findall(text))
    if files.uses_reftable(files.common_dir(at.git_dir)):
        for ids in refs.pseudo_refs(git, at).values():
            found |= dict.fromkeys(ids)
        found |= dict.fromkeys(refs.own_refs(git, at).values())
        logs = ["--all"] if is_whole else ["HEAD", "--"]
        log = git.run(["log", "-g", "--no-show-signature", "--format=%H", *logs], at=at, read_only=True)
        found |= dict.fromkeys(filter(None, log.text.split("\n")))
    return [oid for oid in found if oid.strip("0")]


def _kinds(git: GitProgram, store: Place, names: Sequence[str]) -> dict[str, str]:
    """Say of each object that exists what it is."""
    if not names:
        return {}
    asked = "".join(f"{name}\n" for name in names).encode()
    rows = (line.split(" ") for line in git.must(["cat-file", "--batch-check"], at=store, stdin=asked).text.split("\n"))
    return {row[0]: row[1] for row in rows if len(row) == 3 and files.is_oid(row[0])}


def _unreachable(git: GitProgram, store: Place, commits: Sequence[str]) -> list[str]:
    """Return those of some commits that no ref reaches and none of the others does."""
    if not commits:
        return []
    asked = "".join(f"{oid}\n" for oid in commits).encode()
    rows = git.must(["rev-list", "--parents", "--stdin", "--not", "--glob=refs/*"], at=store, stdin=asked).text.split("\n")
    alone = [row.split(" ") for row in rows if row]
    inside = {parent for _, *parents in alone for parent in parents}
    return [commit for commit, *_ in alone if commit not in inside]
