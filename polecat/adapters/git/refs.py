"""The refs of a repository: read from its files, or asked of git where the files say nothing (the *reftable* format)."""

from __future__ import annotations

from polecat.adapters.git import files
from polecat.adapters.git.run import GitProgram, Place, expect_success
from polecat.ports import RESCUE_REFS, Repo

_OF_COMMITS = ("refs/heads/", "refs/remotes/", "refs/stash", RESCUE_REFS)
"""Refs that name commits and nothing else; a tag may name an object that stands for one."""


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
    done = git.must(["for-each-ref", "--format=%(refname) %(objectname)", top], at=repo, read_only=True)
    pairs = (line.split(" ") for line in done.text.split("\n") if line)
    return {name: commit for name, commit in pairs if name.startswith(prefix)}


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
    symbolic = git.run(["symbolic-ref", "-q", "HEAD"], at=at, read_only=True).text.rstrip("\n")  # the file is a stub there
    return symbolic or git.run(["rev-parse", "-q", "--verify", "HEAD"], at=at, read_only=True).text.rstrip("\n")


def user_of(git: GitProgram, repo: Repo, branch: str) -> str | None:
    """Return the name of a registration whose worktree has a branch checked out or is rebasing it, None if there is none."""
    files.check_repository(repo.git_dir)
    admins = files.registrations(repo.git_dir)
    for admin in admins if repo.is_bare else (repo.git_dir, *admins):
        names_it = _named_by_head(git, repo, Place(git_dir=admin)) == f"refs/heads/{branch}"
        if names_it or files.rebased_branch(admin) == branch:
            return admin.name
    return None
