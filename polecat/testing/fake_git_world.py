"""What the git for tests remembers, and how a test changes it: the remote moves on, an agent edits, commits, stashes, pushes."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from attrs import Factory, define, frozen

from polecat.errors import GitError
from polecat.ports import Checkout, GitFacts, Merged, Repo, Rescue


@frozen(kw_only=True)
class FakeCommit:
    """A commit: what it came from and every file it holds."""

    parent: str | None
    files: Mapping[str, bytes]


@define(kw_only=True)
class FakeTree:
    """A registered worktree."""

    path: Path
    branch: str
    filled: set[str] = Factory(set)
    staged: set[str] = Factory(set)
    overrides: dict[str, object] = Factory(dict)


@define(kw_only=True)
class FakeRepo:
    """What one repository knows: its branches, what it knows of the remote's, its worktrees, stashes and rescues."""

    heads: dict[str, str] = Factory(dict)
    tracking: dict[str, str] = Factory(dict)
    upstream: dict[str, str] = Factory(dict)
    trees: dict[Path, FakeTree] = Factory(dict)
    stashes: list[tuple[str, Mapping[str, bytes]]] = Factory(list)
    rescues: dict[str, Rescue] = Factory(dict)
    fetched_at_s: float | None = None
    is_broken: bool = False


class FakeGitWorld:
    """The state behind `polecat.testing.FakeGit`, and what a test can do to it."""

    def __init__(
        self,
        *,
        files: Mapping[str, str | bytes] | None = None,
        remote: Mapping[str, str] | None = None,
        ignored: Sequence[str] = (),
    ) -> None:
        self.mutex = threading.RLock()
        self.calls: list[str] = []
        self.failures: list[tuple[str, Exception]] = []
        self.is_remote_down = False
        self.checkouts: dict[Path, Checkout] = {}
        self.ignored = tuple(ignored)
        self.commits: dict[str, FakeCommit] = {}
        self.remote: dict[str, str] = {}
        self._repos: dict[str, FakeRepo] = {}
        first = _contents({"README.md": "a repository for tests\n"} if files is None else files)
        for branch, text in ({"main": "main"} if remote is None else remote).items():
            self.remote[branch] = text if len(text) == 40 else hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
            self.commits[self.remote[branch]] = FakeCommit(parent=None, files=first)
        self._first = dict(self.remote)

    def repo(self, repo: Repo) -> FakeRepo:
        """Return what the fake knows about a repository.

        Raises:
            GitError: a test broke it.
        """
        known = self._repos.setdefault(os.path.abspath(repo.git_dir), FakeRepo(tracking=dict(self._first)))
        if known.is_broken:
            raise GitError(f"{repo.git_dir} is not a git repository", cwd=repo.path)
        return known

    def moved(self, old: Path, new: Path) -> None:
        """Learn that a directory with repositories was moved; what they recorded of their worktrees stays what it was."""

        def there(path: Path) -> Path:
            return new / path.relative_to(old) if path.is_relative_to(old) else path

        self._repos = {str(there(Path(git_dir))): known for git_dir, known in self._repos.items()}
        for known in self._repos.values():
            known.trees = {there(admin): tree for admin, tree in known.trees.items()}

    def repair(self, repo: Repo, path: Path) -> None:
        """Let a worktree and its registration find each other again, as ``git worktree repair`` does."""
        for admin, tree in self.repo(repo).trees.items():
            if admin.name == Path(os.fsdecode((path / ".git").read_bytes()).rstrip("\n")).name:
                tree.path = Path(os.path.abspath(path))
                (path / ".git").write_bytes(os.fsencode(f"gitdir: {admin}\n"))

    def switch(self, path: Path, branch: str) -> None:
        """Check another branch out, made where it does not exist; the files stay as they are, as far as that goes."""
        repo, tree = self.tree(path)
        repo.heads.setdefault(branch, repo.heads[tree.branch])
        tree.branch = branch

    def break_repo(self, repo: Repo) -> None:
        """Make a repository one that git does not recognise."""
        self.repo(repo).is_broken = True

    def fail_next(self, method: str, error: Exception | None = None) -> None:
        """Let the next call of a port method raise, having done nothing."""
        self.failures.append((method, error or GitError(f"git {method} failed: told to")))

    def advance_remote(self, branch: str = "main", files: Mapping[str, str | bytes] | None = None) -> str:
        """Put a new commit on a branch of the remote, as a colleague would; repositories learn of it by fetching."""
        parent = self.remote.get(branch)
        old = self.commits[parent].files if parent else {}
        self.remote[branch] = self.record(parent, {**old, **_contents(files or {})})
        return self.remote[branch]

    def edit(self, path: Path, name: str, text: str | bytes) -> None:
        """Write a file in a worktree."""
        write_files(path, {name: text.encode() if isinstance(text, str) else text})

    def stage(self, path: Path, name: str) -> None:
        """Put a file of a worktree into its index."""
        self.tree(path)[1].staged.add(name)

    def commit(self, path: Path, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write *files* into a worktree and commit all it holds; return the commit."""
        for name, text in (files or {}).items():
            self.edit(path, name, text)
        repo, tree = self.tree(path)
        tree.staged.clear()
        repo.heads[tree.branch] = self.record(repo.heads.get(tree.branch), self.files_of(path))
        return repo.heads[tree.branch]

    def stash(self, path: Path) -> None:
        """Put the changes of a worktree on the repository's stash and take them out of the worktree."""
        repo, tree = self.tree(path)
        changed = self.files_of(path)
        repo.stashes.append((tree.branch, changed))
        tree.staged.clear()
        for name in changed:
            (path / name).unlink()
        write_files(path, self.commits[repo.heads[tree.branch]].files)

    def push(self, path: Path, branch: str | None = None) -> None:
        """Push the branch of a worktree to the remote, under its own name or another."""
        repo, tree = self.tree(path)
        self.remote[branch or tree.branch] = repo.tracking[branch or tree.branch] = repo.heads[tree.branch]

    def set_facts(self, path: Path, **changes: object) -> None:
        """Make `facts` of a worktree say what a test wants in some fields, such as ``problems=("status: timeout",)``."""
        self.tree(path)[1].overrides.update(changes)

    def observe(self, repo: Repo, tree: FakeTree, *, base: str | None) -> GitFacts:
        """Compare a worktree's files on disk with its commit."""
        known = self.repo(repo)
        head = known.heads.get(tree.branch)
        committed = self.commits[head].files if head else {}
        present = self.files_of(tree.path)

        gone = {name for name in committed if name not in present and name in tree.filled}
        changed = {name for name in present if name in committed and committed[name] != present[name]}
        every = (str(file.relative_to(tree.path)) for file in tree.path.rglob("*") if file.is_file())
        unpushed = self.ancestry(head) - {old for tip in known.tracking.values() for old in self.ancestry(tip)}
        facts = GitFacts(
            head=head,
            branch=tree.branch,
            modified=tuple(sorted((changed | gone) - tree.staged)),
            staged=tuple(sorted(tree.staged)),
            untracked=tuple(sorted(name for name in present if name not in committed and name not in tree.staged)),
            ignored=tuple(sorted(name for name in every if self.is_ignored(name))),
            stashes=tuple(f"{at:040x}" for at, (branch, _) in enumerate(known.stashes, 1) if branch == tree.branch),
            unpushed=len(unpushed),
            merged=self._merged(known, head, base),
        )
        return attrs.evolve(facts, **tree.overrides)  # type: ignore[arg-type]  # a test's own words

    def ancestry(self, commit: str | None) -> set[str]:
        """Return a commit and all it came from."""
        found: set[str] = set()
        while commit is not None and commit not in found:
            found.add(commit)
            commit = self.commits[commit].parent
        return found

    def _merged(self, known: FakeRepo, head: str | None, base: str | None) -> Merged:
        tip = known.tracking.get((base or "").removeprefix("refs/remotes/origin/"), base)
        if head is None or tip not in self.commits:
            return "unknown"
        if head in self.ancestry(tip):
            return "ancestor"
        return "same changes" if self.commits[tip].files.items() >= self.commits[head].files.items() else "no"

    def tree(self, path: Path) -> tuple[FakeRepo, FakeTree]:
        """Return the worktree registered at a path and its repository.

        Raises:
            KeyError: there is none.
        """
        for repo in self._repos.values():
            for tree in repo.trees.values():
                if tree.path == Path(os.path.abspath(path)):
                    return repo, tree
        raise KeyError(f"no worktree was made at {path}")

    def files_of(self, path: Path, *, also: Sequence[str] = ()) -> dict[str, bytes]:
        """Return the files in a directory by their path in it, without ignored ones unless they match a pattern in *also*."""
        found = (file for file in sorted(path.rglob("*")) if file.is_file() and file != path / ".git")
        names = {str(file.relative_to(path)): file for file in found}
        return {name: file.read_bytes() for name, file in names.items() if not self.is_ignored(name) or matches(name, also)}

    def is_ignored(self, name: str) -> bool:
        """Say whether a path counts as ignored."""
        return matches(name, self.ignored)

    def changed_since(self, commit: str | None, files: Mapping[str, bytes]) -> dict[str, str]:
        """Say how files differ from those of a commit: path to ``added``, ``changed`` or ``deleted``."""
        old = self.commits[commit].files if commit else {}
        words = {name: "changed" if name in old else "added" for name, data in files.items() if old.get(name) != data}
        return words | {name: "deleted" for name in old if name not in files}

    def record(self, parent: str | None, files: Mapping[str, bytes]) -> str:
        """Make a commit; return its id."""
        text = repr((parent, sorted(files.items()), len(self.commits)))
        commit = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.commits[commit] = FakeCommit(parent=parent, files=dict(files))
        return commit


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a path, or a part of it, matches one of some patterns."""
    return any(fnmatch.fnmatchcase(one, pattern) for pattern in patterns for one in (name, *name.split("/")))


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a directory, making directories where missing."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _contents(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    return {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
