"""The refs of a repository: read from its files, or asked of git where the files say nothing (the *reftable* format)."""

from __future__ import annotations

from collections.abc import Iterator

from polecat.adapters.git import files
from polecat.adapters.git.run import GitProgram, Place, expect_success
from polecat.ports import RESCUE_REFS, Repo

_OF_COMMITS = ("refs/heads/", "refs/remotes/", "refs/stash", RESCUE_REFS)
"""Refs that name commits and nothing else; a tag may name an object that stands for one."""


_PAIR = "%(refname) %(objectname)"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in filter(None, text.split("\n")):
        name, _, oid = line.partition(" ")
        yield name, oid


def resolve(git: GitProgram, repo: Repo, ref: str) -> str | None:
    """Return the commit id a full ref name or commit id stands for, None if absent."""
    files.check_repository(repo.git_dir)
    if not files.is_oid(ref) and not files.is_ref_name(ref):
        return None
    if ref.startswith(_OF_COMMITS) and not files.uses_reftable(repo.git_dir):
        return files.read_ref(repo.git_dir, ref)
    done = git.run(["rev-parse", "-q", "--verify", f"{ref}^{{commit}}"], at=repo, read_only=True)
    if done.exit_code == 1 and not done.stderr:
        return None
    return expect_success(done).text.rstrip("\n")


def listed(git: GitProgram, repo: Repo, prefix: str) -> dict[str, str]:
    """Return the refs whose full name starts with *prefix*, and the object id of each."""
    files.check_repository(repo.git_dir)
    if not files.uses_reftable(repo.git_dir):
        return files.list_refs(repo.git_dir, prefix)
    top = prefix.rpartition("/")[0]
    done = git.must(["for-each-ref", f"--format={_PAIR}", top], at=repo, read_only=True)
    return {name: commit for name, commit in _pairs(done.text) if name.startswith(prefix)}


def head(git: GitProgram, repo: Repo, at: Place) -> tuple[str | None, str | None]:
    """Return the branch that a worktree has checked out, None when detached, and its commit, None when there is none yet."""
    named = _named_by_head(git, repo, at)
    if not named.startswith("refs/"):
        return None, named or None
    return named.removeprefix("refs/heads/"), resolve(git, repo, named)


def _named_by_head(git: GitProgram, repo: Repo, at: Place) -> str:
    """Return the ref that HEAD names, or the commit."""
    if not files.uses_reftable(repo.git_dir):
        return (files.read_text(at.git_dir / "HEAD") or "").rstrip("\n").removeprefix("ref: ")
    return _answer(git, at, ["symbolic-ref", "-q", "HEAD"]) or _answer(git, at, ["rev-parse", "-q", "--verify", "HEAD"])


def _answer(git: GitProgram, at: Place, words: list[str]) -> str:
    """Ask what may not be there; empty then."""
    done = git.run(words, at=at, read_only=True)
    return "" if done.exit_code == 1 and not done.stderr else expect_success(done).text.rstrip("\n")


_IN_TABLES = (
    *("CHERRY_PICK_HEAD", "REVERT_HEAD", "ORIG_HEAD", "REBASE_HEAD", "BISECT_HEAD", "BISECT_EXPECTED_REV"),
    *("MERGE_AUTOSTASH", "AUTO_MERGE"),
)
_OWN = ("refs/bisect", "refs/worktree", "refs/rewritten")
"""What is each worktree's own among the refs."""


def pseudo_refs(git: GitProgram, at: Place) -> dict[str, tuple[str, ...]]:
    """Return the object ids that MERGE_HEAD, CHERRY_PICK_HEAD, ORIG_HEAD and their like name; not HEAD itself.

    Some of them are plain files in every format, with a line for each of several heads.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(files.names_in(at.git_dir) & {"MERGE_HEAD", *_IN_TABLES}):
        ids = tuple(
            word
            for line in (files.read_text(at.git_dir / name) or "").split("\n")
            if files.is_oid(word := line[:64].split("\t")[0])
        )
        found |= {name: ids} if ids else {}
    if files.uses_reftable(files.common_dir(at.git_dir)):
        asked = "".join(f"{name}\n" for name in _IN_TABLES).encode()
        rows = git.must(["cat-file", "--batch-check=%(objectname)"], at=at, read_only=True, stdin=asked).text.split("\n")
        found |= {name: (oid,) for name, oid in zip(_IN_TABLES, rows, strict=False) if files.is_oid(oid)}
    return found


def own_refs(git: GitProgram, at: Place) -> dict[str, str]:
    """Return the refs that are a worktree's own, such as those of a bisection, each with its object id."""
    if files.uses_reftable(files.common_dir(at.git_dir)):
        return dict(_pairs(git.must(["for-each-ref", f"--format={_PAIR}", *_OWN], at=at, read_only=True).text))
    return {name: oid for top in _OWN for name, oid in files.list_refs(at.git_dir, f"{top}/").items()}


def user_of(git: GitProgram, repo: Repo, branch: str) -> str | None:
    """Return the name of a registration whose worktree has a branch checked out or is rebasing it, None if there is none."""
    files.check_repository(repo.git_dir)
    admins = files.registrations(repo.git_dir)
    for admin in admins if repo.is_bare else (repo.git_dir, *admins):
        names_it = _named_by_head(git, repo, Place(git_dir=admin)) == f"refs/heads/{branch}"
        if names_it or files.rebased_branch(admin) == branch:
            return admin.name
    return None
