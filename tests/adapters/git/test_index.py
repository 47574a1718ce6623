"""The index, read without git: what it says is what git says, and what is not understood is left to git."""

from __future__ import annotations

from pathlib import Path

import pytest

from polecat.adapters.git.status import LISTING, Tracked, parse_listing, read_index
from tests.git_fixtures import commit, git

pytestmark = pytest.mark.real

FILES = {name: f"{name}\n" for name in ("a", "dir/a longer name", "näh", "x" * 200, "1234567", "12345678", "with\nline", "kept")}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with names of every length modulo eight, a submodule, and files git was told not to look at."""
    git("init", "-q", "-b", "main", tmp_path, cwd=tmp_path)
    start = commit(tmp_path, {**FILES, **{f"n{'o' * at}": "" for at in range(12)}})
    git("update-index", "--add", "--cacheinfo", f"160000,{start},lib", cwd=tmp_path)
    git("update-index", "--assume-unchanged", "a", cwd=tmp_path)
    git("update-index", "--skip-worktree", "näh", "1234567", cwd=tmp_path)
    return tmp_path


def _told_by_git(tree: Path) -> Tracked:
    return parse_listing(git(*LISTING, cwd=tree).encode("utf-8", "surrogateescape"))


def test_an_index_says_what_git_says(tree: Path) -> None:
    """Submodules and hidden files are those of ``git ls-files``, whatever the length of their names; with SHA-256 git is asked."""
    found = read_index((tree / ".git" / "index").read_bytes())
    if git("rev-parse", "--show-object-format", cwd=tree).strip() == "sha256":
        assert found is None
        return

    assert found is not None
    assert found == _told_by_git(tree)
    assert (found.links, set(found.hidden), found.folders) == (("lib",), {"a", "näh", "1234567"}, frozenset({"dir"}))


@pytest.mark.parametrize(
    "words",
    [("--index-version=4",), ("--split-index",)],
    ids=["compressed", "split"],
)
def test_an_index_of_another_kind_is_left_to_git(tree: Path, words: tuple[str, ...]) -> None:
    """An index that another kind of git wrote is not guessed at."""
    git("update-index", *words, cwd=tree)

    assert read_index((tree / ".git" / "index").read_bytes()) is None


def test_a_sparse_index_is_left_to_git(tree: Path) -> None:
    """In a sparse index an entry may stand for a whole directory."""
    commit(tree, {"far/away/file": "x"})
    git("sparse-checkout", "set", "--cone", "--sparse-index", "dir", cwd=tree)

    assert read_index((tree / ".git" / "index").read_bytes()) is None


def test_a_damaged_index_is_left_to_git(tree: Path) -> None:
    """Wherever an index ends too early, nothing is said about it."""
    data = (tree / ".git" / "index").read_bytes()

    assert [at for at in range(len(data)) if read_index(data[:at]) is not None] == []
