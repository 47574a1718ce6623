"""Repositories inside a worktree, which go when it goes: its submodules, and what was cloned or made there.

What only such a repository has is judged by the rule that holds for the worktree itself (`named`), but against its own remotes: its refs go
with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from polecat.adapters.git import files, named, refs
from polecat.adapters.git.run import GitProgram, Place, error_line
from polecat.errors import UnknownStateError
from polecat.ports import Repo


def module_dirs(admin: Path, *, deep: bool = True) -> dict[str, Path]:
    """Return the submodule repositories that a worktree's registration holds, by their names; *deep* also those inside of them.

    Raises:
        UnknownStateError: a directory of them cannot be listed.
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise UnknownStateError(f"cannot list {error.filename}: {error.strerror}") from error

    found: dict[str, Path] = {}
    for folder, names, inside in os.walk(admin / "modules", onerror=fail):
        if "HEAD" in inside and "objects" in names:
            found[os.path.relpath(folder, admin / "modules")] = Path(folder)
            names[:] = [name for name in names if deep and name == "modules"]
    return found


def inner_place(tree: Place, path: str) -> Place | None:
    """Say where the repository checked out below a worktree is; None if none is there."""
    assert tree.work_tree is not None
    work = tree.work_tree / path
    if (work / ".git").is_dir():
        return Place(git_dir=work / ".git", work_tree=work)
    if (work / "objects").is_dir() and files.is_bare(("objects", "refs"), os.listdir(work)):
        return Place(git_dir=work)
    link = files.read_text(work / ".git")
    if link is None or not link.startswith("gitdir: "):
        return None
    return Place(git_dir=Path(os.path.realpath(work / link.removeprefix("gitdir: ").rstrip("\n"))), work_tree=work)


def inner_places(tree: Place, paths: Sequence[str]) -> dict[str, Place]:
    """Return the repositories inside a worktree by their paths: those of *paths*, and submodules that are not checked out now."""
    found = {path: inner for path in paths if (inner := inner_place(tree, path)) is not None}
    known = {os.path.realpath(inner.git_dir) for inner in found.values()}
    rest = {f"modules/{name}": folder for name, folder in module_dirs(tree.git_dir, deep=False).items()}
    return found | {name: Place(git_dir=at) for name, at in rest.items() if os.path.realpath(at) not in known}


def in_tracked(tree: Path, folders: Iterable[str]) -> list[str]:
    """Find the repositories in directories that have tracked files: git shows such files, and nothing of the repository."""
    found = [folder for folder in folders if os.path.lexists(f"{tree}/{folder}/.git")]
    top = os.path.realpath(tree)  # what a link leads to is not inside
    return sorted(folder for folder in found if os.path.realpath(tree / folder) == os.path.join(top, folder))


def unpushed(git: GitProgram, at: Place) -> int:
    """Count the commits that no remote of a repository has: on its branches, at its HEAD, stashed, begun, or left by a reset or checkout.

    Raises:
        PolecatError: that could not be told.
    """
    _, head = refs.head(git, Repo(path=files.common_dir(at.git_dir)), at)
    heads = [*([head] if head else []), *named.unfinished_heads(git, at), *named.left(git, at, at)]
    words = ["rev-list", "--count", "--branches", "--glob=refs/stas[h]", *heads, "--not", "--remotes"]
    done = git.must(words, at=at, read_only=True)
    if done.stderr.strip(b"\n"):
        raise UnknownStateError(f"git warned: {error_line(done.error_text)}")
    return int(done.text)


def refs_on_no_remote(git: GitProgram, at: Place) -> dict[str, str]:
    """Return the refs of a repository that reach a commit which none of its remotes has, and the object id of each."""
    form = "--format=%(refname) %(objectname) %(*objectname)"
    rows = [line.split(" ") for line in git.must(["for-each-ref", form], at=at, read_only=True).text.split("\n")[:-1]]
    own = {name: (oid, peeled or oid) for name, oid, peeled in rows if not name.startswith("refs/remotes/")}
    alone = named.on_no_remote(git, at, [commit for _, commit in own.values()])
    return {name: oid for name, (oid, commit) in own.items() if commit in alone}
