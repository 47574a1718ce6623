"""`FakeGit`: a git for tests, with repositories in memory and worktrees as real directories."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from attrs import evolve

from polecat.adapters.git.stale import is_elsewhere
from polecat.errors import GitError, RescueFailedError
from polecat.ports import RESCUE_REFS, Checkout, GitFacts, Repo, Rescue, StaleRegistration, Worktree
from polecat.testing.fake_git_refs import FakeGitRefs, must_be_free, rename, step
from polecat.testing.fake_git_world import FakeTree, matches, write_files


class FakeGit(FakeGitRefs):
    """The `polecat.ports.Git` of the pretend world.

    Every repository it is asked about exists, with the remote's branches fetched. The remote is one for all repositories.
    Worktrees are real directories; what is modified or untracked is found by comparing their files with the commit.

    Args:
        files: what the first commit holds, path to content.
        remote: the remote's branches; a value is a commit id, or any text that is turned into one.
        ignored: patterns of paths that count as ignored.

    Attributes:
        calls: the port methods called so far, in order.
        failures: errors to be raised instead of a method's next call; see `fail_next`.
        is_remote_down: the remote cannot be reached.
        checkouts: people's own checkouts, by their top directories.

    Examples:
        >>> git = FakeGit(files={"a.txt": "1"})
        >>> repo = Repo(path=Path("/rig/.repo.git"))
        >>> git.resolve(repo, "refs/remotes/origin/main") == git.remote["main"]
        True
        >>> git.resolve(repo, "refs/heads/main") is None
        True
    """

    @step
    def add_worktree(self, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Register a new worktree; only its ``.git`` file is written."""
        known = self.repo(repo)
        path = Path(os.path.abspath(path))
        must_be_free(path)
        if not path.parent.is_dir():
            raise GitError(f"cannot make {path}: {path.parent} is not a directory", cwd=repo.path)
        if branch in known.heads:
            raise GitError(f"a branch {branch!r} exists already", cwd=repo.path)
        if start not in self.commits:
            raise GitError(f"git worktree add failed: invalid reference: {start}", cwd=repo.path)
        if branch.startswith(("-", "/", ".")) or any(char in branch for char in " ~^:?*[\\\n") or ".." in branch:
            raise GitError(f"{branch!r} cannot be the name of a branch", cwd=repo.path)
        admin = self._new_admin(repo, path)
        known.heads[branch] = start
        known.trees[admin] = FakeTree(path=path, branch=branch)
        if upstream is not None:
            known.upstream[branch] = upstream
        return Worktree(path=path, admin_dir=admin, branch=branch, head=start)

    @step
    def check_out(
        self, worktree: Worktree, *, leave_out: Sequence[str] = (), lazy_lfs: bool = False, for_later: bool = False
    ) -> None:
        """Write the files of the worktree's commit."""
        files = self.commits[worktree.head].files if worktree.head else {}
        outs = [name.strip("/") for name in leave_out]
        left = {name for name in files for out in outs if name == out or name.startswith(f"{out}/")}
        write_files(worktree.path, {name: data for name, data in files.items() if name not in left})
        self.tree(worktree.path)[1].filled = set(files) - left

    @step
    def fill_submodules(
        self, repo: Repo, worktree: Worktree, *, references: Sequence[Path] = (), lazy_lfs: bool = False, timeout_s: float
    ) -> tuple[str, ...]:
        """Do nothing: commits of the fake have no submodules."""
        return ()

    @step
    def ignored_files(self, worktree: Worktree, source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
        """List the files that match; of the patterns only names and whole paths are understood."""
        names = sorted(str(file.relative_to(source)) for file in source.rglob("*") if file.is_file()) if source.is_dir() else []
        wanted = [pattern.strip("/") for pattern in patterns if not pattern.startswith(("#", "!"))]
        return tuple(name for name in names if matches(name, wanted) and self.is_ignored(name))

    @step
    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Prove that *path* is a worktree of *repo*: its ``.git`` file and the registration must name each other."""
        return self._find(repo, path)

    @step
    def find_worktrees(self, repo: Repo, paths: Iterable[Path]) -> dict[Path, Worktree]:
        """Find those of many directories that are worktrees of *repo*."""
        return {path: found for path in paths if (found := self._find(repo, path)) is not None}

    @step
    def checkout_at(self, place: Path) -> Checkout | None:
        """Find the checkout a test has put there, or the worktree."""
        for path in (place, *place.parents):
            if (found := self.checkouts.get(path)) is not None:
                return found
            if (path / ".git").exists():
                return Checkout(path=path)
        return None

    @step
    def remember_rig(self, checkout: Path, *, town: Path, rig: str) -> None:
        """Note which rig a checkout was adopted into."""
        found = self.checkout_at(checkout)
        if found is None or found.path != checkout:
            raise GitError(f"git config failed: {checkout} is no checkout", cwd=checkout)
        self.checkouts[checkout] = evolve(found, town=town, rig=rig)

    @step
    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        """Rename a worktree away, its registration beside it."""
        found = self._find(repo, worktree.path)
        if found is None or found.admin_dir != worktree.admin_dir:
            raise GitError(f"{worktree.path} is not a worktree of {repo.path}", cwd=repo.path)
        self._move(repo, worktree.path, into, worktree.admin_dir, into.with_name(into.name + ".admin"))

    @step
    def restore_worktree(self, repo: Repo, worktree: Worktree, *, source: Path) -> None:
        """Bring back what `drop_worktree` put into *source*."""
        self._move(repo, source, worktree.path, source.with_name(source.name + ".admin"), worktree.admin_dir)

    @step
    def delete_branch(self, repo: Repo, branch: str, *, expected: str) -> bool:
        """Delete a branch if it still stands at *expected*."""
        known = self.repo(repo)
        if known.heads.get(branch) != expected:
            return False
        if any(tree.branch == branch for tree in self._registered(repo).values()):
            raise GitError(f"cannot delete branch {branch!r}: a worktree has it checked out", cwd=repo.path)
        del known.heads[branch]
        known.upstream.pop(branch, None)
        return True

    @step
    def stale_registrations(self, repo: Repo) -> tuple[StaleRegistration, ...]:
        """List registrations whose directory is gone."""
        gone = ((admin, tree.path) for admin, tree in self._registered(repo).items() if _is_gone(admin, tree.path))
        return tuple(StaleRegistration(admin_dir=admin, path=path, reason="its directory is gone") for admin, path in gone)

    @step
    def drop_stale(self, repo: Repo, registration: StaleRegistration, *, into: Path) -> bool:
        """Move one stale registration out of the repository."""
        tree = self._registered(repo).get(registration.admin_dir)
        if tree is None or not _is_gone(registration.admin_dir, tree.path):
            return False
        must_be_free(into)
        rename(registration.admin_dir, into)
        del self.repo(repo).trees[registration.admin_dir]
        return True

    @step
    def clear_half_made(self, repo: Repo, path: Path, *, into: Path) -> None:
        """Take away a directory with nothing but a ``.git`` file, and the registration that names it."""
        path = Path(os.path.abspath(path))
        if self._find(repo, path) is not None:
            raise GitError(f"{path} is a whole worktree", cwd=repo.path)
        is_there = os.path.lexists(path)
        if is_there and (not path.is_dir() or set(os.listdir(path)) - {".git"}):
            raise GitError(f"{path} is no worktree of {repo.git_dir}, yet it holds files", cwd=repo.path)
        link = os.fsdecode((path / ".git").read_bytes()).rstrip("\n") if (path / ".git").is_file() else ""
        for admin, tree in list(self._registered(repo).items()):
            was_moved = not os.path.lexists(tree.path) and link.endswith(f"/worktrees/{admin.name}")
            if tree.path != path and not was_moved:
                continue
            must_be_free(into.with_name(into.name + ".admin"))
            rename(admin, into.with_name(into.name + ".admin"))
            del self.repo(repo).trees[admin]
        if is_there:
            must_be_free(into)
            rename(path, into)

    @step
    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None) -> GitFacts:
        """Compare the files on disk with the commit; what a test set with `set_facts` wins."""
        tree = self.repo(repo).trees.get(worktree.admin_dir)
        if tree is None or tree.path not in (worktree.path, Path(os.path.abspath(worktree.path))):
            raise GitError(f"{worktree.path} is not a worktree of {repo.git_dir}", cwd=repo.path)
        return self.observe(repo, tree, base=base)

    @step
    def rescue(
        self,
        repo: Repo,
        worktree: Worktree,
        *,
        ref_name: str,
        message: str,
        base: str | None = None,
        ignored_patterns: Sequence[str] = (),
        size_limit_bytes: int = 256 * 1024 * 1024,
    ) -> Rescue | None:
        """Keep a copy of the files."""
        known, ref = self.repo(repo), RESCUE_REFS + ref_name
        tree = known.trees.get(worktree.admin_dir)
        if ref in known.rescues or tree is None or tree.path != Path(os.path.abspath(worktree.path)):
            raise RescueFailedError(f"the work in {worktree.path} could not be saved: {ref_name!r} is taken or it is no worktree")
        facts = self.observe(repo, tree, base=base)
        if facts.problems:
            raise RescueFailedError(f"the work in {worktree.path} could not be saved: {facts.problems[0]}")
        files = self.files_of(tree.path, also=ignored_patterns)
        kept = {name: data for name, data in files.items() if name in self.changed_since(facts.head, files)}
        if sum(map(len, kept.values())) > size_limit_bytes:
            raise RescueFailedError(f"the work in {worktree.path} is more than {size_limit_bytes} bytes")
        if not kept and not facts.changed and base is not None and facts.merged == "ancestor":
            return None
        commit = self.record(facts.head, files)
        holds: Literal["files", "commits", "tip"] = "files" if kept or facts.changed else "commits" if facts.unpushed else "tip"
        saved = Rescue(ref=ref, commit=commit, message=message, created_at_s=int(time.time()), refs=(ref,), holds=holds)
        known.rescues[ref] = saved
        return saved

    @step
    def rescues(self, repo: Repo) -> tuple[Rescue, ...]:
        """List what was saved."""
        return tuple(self.repo(repo).rescues.values())

    @step
    def drop_rescue(self, repo: Repo, rescue: Rescue) -> bool:
        """Forget a rescue."""
        return self.repo(repo).rescues.pop(rescue.ref, None) is not None

    @step
    def rescued_files(self, repo: Repo, ref: str) -> Mapping[str, str]:
        """Say what a rescue changes."""
        if ref not in self.repo(repo).rescues:
            raise GitError(f"there is no {ref}", cwd=repo.path)
        commit = self.commits[self.repo(repo).rescues[ref].commit]
        return self.changed_since(commit.parent, commit.files)

    @step
    def move_worktree(self, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
        """Rename a worktree."""
        to = Path(os.path.abspath(to))
        if self._find(repo, worktree.path) is None:
            raise GitError(f"{worktree.path} is not a worktree of {repo.path}", cwd=repo.path)
        must_be_free(to)
        rename(worktree.path, to)
        self.repo(repo).trees[worktree.admin_dir].path = to
        return evolve(worktree, path=to)

    @step
    def rebranch(self, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Put a worktree on a new branch; the branch it was on goes."""
        known = self.repo(repo)
        tree = known.trees.get(worktree.admin_dir)
        if tree is None or branch in known.heads or start not in self.commits:
            raise GitError(f"cannot put {worktree.path} on {branch!r}", cwd=repo.path)
        known.heads.pop(tree.branch, None)
        known.upstream.pop(tree.branch, None)
        tree.branch, known.heads[branch] = branch, start
        if upstream is not None:
            known.upstream[branch] = upstream
        return evolve(worktree, branch=branch, head=start)

    @step
    def is_pristine(self, worktree: Worktree) -> bool:
        """Compare the files on disk with the commit."""
        for git_dir, known in list(self._repos.items()):
            tree = known.trees.get(worktree.admin_dir)
            if tree is not None:
                facts = self.observe(Repo(path=Path(git_dir)), tree, base=None)
                return not (facts.changed or facts.untracked or facts.ignored or facts.nested)
        return False

    @step
    def finish_move(self, repo: Repo, path: Path) -> Worktree | None:
        """Return the worktree there; a move is never half done here."""
        return self._find(repo, path)

    @step
    def is_checked_out(self, repo: Repo, branch: str) -> bool:
        """Say whether a worktree has this branch checked out."""
        return any(tree.branch == branch for tree in self._registered(repo).values())

    # ---------------------------------------------------------------------------------------------------- private

    def _new_admin(self, repo: Repo, path: Path) -> Path:
        top = repo.git_dir / "worktrees"
        taken = set(self.repo(repo).trees)
        names = (path.name if number == 0 else f"{path.name}{number}" for number in range(len(taken) + 2))
        admin = next(top / name for name in names if top / name not in taken)
        admin.mkdir(parents=True)
        path.mkdir()
        (path / ".git").write_bytes(os.fsencode(f"gitdir: {admin}\n"))
        return admin

    def _registered(self, repo: Repo) -> dict[Path, FakeTree]:
        top = repo.git_dir / "worktrees"
        return {admin: tree for admin, tree in self.repo(repo).trees.items() if admin.parent == top and admin.is_dir()}

    def _find(self, repo: Repo, path: Path) -> Worktree | None:
        path = Path(os.path.abspath(path))
        link = path / ".git"
        if path.is_symlink() or link.is_symlink() or not link.is_file():
            return None
        admin = Path(os.fsdecode(link.read_bytes()).removeprefix("gitdir: ").rstrip("\n"))
        tree = self._registered(repo).get(admin)
        if tree is None or tree.path != path:
            return None
        return Worktree(path=path, admin_dir=admin, branch=tree.branch, head=self.repo(repo).heads.get(tree.branch))

    def _move(self, repo: Repo, source: Path, target: Path, admin: Path, admin_target: Path) -> None:
        must_be_free(target)
        must_be_free(admin_target)
        known = self.repo(repo)
        if admin not in known.trees:
            raise GitError(f"cannot move {source}: {admin} is not a registration", cwd=repo.path)
        rename(source, target)
        rename(admin, admin_target)
        known.trees[admin_target] = evolve(known.trees.pop(admin), path=target)


def _is_gone(admin: Path, path: Path) -> bool:
    return not os.path.lexists(path) and not is_elsewhere(admin, path)
