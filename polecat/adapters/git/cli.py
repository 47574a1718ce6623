"""`GitCli`: the repository of a rig through the git program, and by reading its files where that is enough.

Most parts are loaded on first use: a command needs a few of them, and one that spawns loads the first while it waits for tmux.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from polecat.adapters.git import (
    checkouts,
    config,
    facts,
    files,
    guard,
    ignored,
    publish,
    refs,
    remote,
    snapshot,
    stale,
    submodules,
    worktrees,
)
from polecat.adapters.git import rescue as rescues
from polecat.adapters.git.run import GitProgram, expect_success
from polecat.errors import GitError
from polecat.ports import RESCUE_REFS, Checkout, GitFacts, Merged, Repo, Rescue, StaleRegistration, Standing, Worktree

OLDEST_GIT = (2, 31)


class GitCli:
    """The `polecat.ports.Git` of the real world.

    Args:
        environ: the environment git runs in, without the variables that would bend it elsewhere; None means this process's own.
        timeout_s: limit in seconds of commands that stay on this machine.
        check_out_timeout_s: limit in seconds of filling a worktree with files.
        rescue_timeout_s: limit in seconds of each command that reads or writes all the work of a worktree to save it.
        lock_patience_s: how many seconds to wait for a ``config.lock`` that somebody else holds.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 120.0,
        check_out_timeout_s: float = 900.0,
        rescue_timeout_s: float = 600.0,
        lock_patience_s: float = 5.0,
    ) -> None:
        self._git = GitProgram(environ, timeout_s=timeout_s, rescue_timeout_s=rescue_timeout_s, lock_patience_s=lock_patience_s)
        self._check_out_timeout_s = check_out_timeout_s

    def check(self) -> str:
        """Return git's version.

        Raises:
            ProgramMissingError: git is not on PATH; the hint says how to install it.
            GitError: it is older than 2.31.
        """
        text = self._git.must(["version"], at=None).text
        found = re.search(r"(\d+)\.(\d+)\S*", text)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_GIT:
            raise GitError(f"git is too old: {text!r}", hint="polecat needs git 2.31 or later")
        return found[0]

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> remote.CliFetch | remote.FailedFetch:
        """Begin to bring the remote-tracking branches up to date."""
        files.check_repository(repo.git_dir)
        return remote.start_fetch(self._git, repo, timeout_s=timeout_s)

    def last_fetch_age_s(self, repo: Repo) -> float | None:
        """Say how many seconds ago the last successful fetch began; None if we never fetched."""
        return remote.last_fetch_age_s(repo)

    def resolve(self, repo: Repo, ref: str) -> str | None:
        """Return the commit id a full ref name or commit id stands for, None if absent."""
        return refs.resolve(self._git, repo, ref)

    def remote_branches(self, repo: Repo) -> tuple[str, ...]:
        """List the branches the remote had at the last fetch."""
        names = (ref.removeprefix("refs/remotes/origin/") for ref in refs.listed(self._git, repo, "refs/remotes/origin/"))
        return tuple(name for name in names if name != "HEAD")

    def branches(self, repo: Repo, prefix: str) -> Mapping[str, str]:
        """Return the local branches whose name starts with *prefix*, and the commit each stands at."""
        found = refs.listed(self._git, repo, f"refs/heads/{prefix}")
        return {ref.removeprefix("refs/heads/"): commit for ref, commit in found.items()}

    def add_worktree(self, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Register a new worktree at *path* on the new branch, files not yet checked out."""
        return worktrees.add(self._git, repo, path, branch=branch, start=start, upstream=upstream)

    def check_out(
        self, worktree: Worktree, *, leave_out: Sequence[str] = (), lazy_lfs: bool = False, for_later: bool = False
    ) -> None:
        """Fill the files of a worktree that has just been registered.

        Raises:
            GitError: git could not; some files may be there already, so drop the worktree.
        """
        worktrees.check_out(self._git, worktree, tuple(leave_out), self._check_out_timeout_s, _lfs(lazy_lfs))
        if for_later:
            worktrees.settle_index(self._git, worktree, timeout_s=self._check_out_timeout_s)

    def fill_submodules(
        self, repo: Repo, worktree: Worktree, *, references: Sequence[Path] = (), lazy_lfs: bool = False, timeout_s: float
    ) -> tuple[str, ...]:
        """Fill the submodules of a worktree; return what could not be filled, each with why."""
        return submodules.fill(self._git, repo, worktree, references=references, timeout_s=timeout_s, env=_lfs(lazy_lfs))

    def ignored_files(self, worktree: Worktree, source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
        """List the files below *source* that match *patterns* and that the worktree ignores."""
        return ignored.matching(self._git, worktree, source, patterns)

    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        """Prove by reading files that *path* is a worktree of *repo*; None if it is not one."""
        return worktrees.find(self._git, repo, path)

    def find_worktrees(self, repo: Repo, paths: Iterable[Path]) -> dict[Path, Worktree]:
        """Find those of many directories that are worktrees of *repo*."""
        return worktrees.find_many(self._git, repo, paths)

    def checkout_at(self, place: Path) -> Checkout | None:
        """Find the checkout that a directory is in; None if it is in none."""
        return checkouts.find(self._git, place)

    def remember_rig(self, checkout: Path, *, town: Path, rig: str) -> None:
        """Write into a checkout's own configuration which rig it was adopted into."""
        checkouts.remember(self._git, checkout, town, rig)

    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        """Take a worktree away: its directory becomes *into*, its registration ``<into>.admin``."""
        worktrees.drop(self._git, repo, worktree, into)

    def restore_worktree(self, repo: Repo, worktree: Worktree, *, source: Path) -> None:
        """Bring back what `drop_worktree` put into *source*."""
        worktrees.restore(self._git, repo, worktree, source)

    def delete_branch(self, repo: Repo, branch: str, *, expected: str) -> bool:
        """Delete a branch if it still stands at *expected*; False if it is gone or has moved.

        Raises:
            GitError: a worktree has it checked out, or git said no.
        """
        config.clear_dead(repo.git_dir)
        ref = f"refs/heads/{branch}"
        if self.resolve(repo, ref) != expected:
            return False
        user = refs.user_of(self._git, repo, branch)
        if user is not None:
            raise GitError(f"cannot delete branch {branch!r}: the worktree {user!r} has it checked out", cwd=repo.path)
        done = self._git.run(["update-ref", "-d", ref, expected], at=repo)
        if done.exit_code != 0:
            if self.resolve(repo, ref) != expected:
                return False
            expect_success(done)
        with contextlib.suppress(GitError):  # what is left is a few lines of configuration that nothing reads
            config.set_upstream(repo.git_dir, branch, None, patience_s=self._git.lock_patience_s)
        return True

    def stale_registrations(self, repo: Repo) -> tuple[StaleRegistration, ...]:
        """List registrations whose directory is gone and that nobody is making right now."""
        files.check_repository(repo.git_dir)
        return stale.stale(repo)

    def drop_stale(self, repo: Repo, registration: StaleRegistration, *, into: Path) -> bool:
        """Move one stale registration out of the repository, if it still is stale; what only it named gets a rescue first."""
        if not stale.is_stale(repo, registration):
            return False
        owner = registration.path.parent.name if registration.path else registration.admin_dir.name
        if not files.is_ref_name(f"{RESCUE_REFS}{owner}/x"):  # a person's own worktree may be anywhere
            owner = registration.admin_dir.name
        rescues.save_lost(self._git, repo, registration.admin_dir, f"{owner}/{time.time_ns() // 1_000_000}-lost")
        return stale.drop_stale(repo, registration, into)

    def clear_half_made(self, repo: Repo, path: Path, *, into: Path) -> None:
        """Take away what a killed `add_worktree` or `drop_worktree` left at *path*, and its registration."""
        files.check_repository(repo.git_dir)
        stale.clear_half_made(repo, path, into)
        publish.clear_drafts(repo.git_dir)
        config.clear_dead(repo.git_dir)

    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None) -> GitFacts:
        """Find out what of a worktree's work exists nowhere else; what could not be found out is in ``problems``."""
        return facts.gather(self._git, repo, worktree, base=base)

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
        """Save everything in a worktree that is nowhere else to a ref of the repository, and read it back."""
        wish = snapshot.Wish(
            message=message,
            base=base,
            ignored_patterns=tuple(ignored_patterns),
            size_limit_bytes=size_limit_bytes,
        )
        return rescues.rescue(self._git, repo, worktree, ref_name, wish)

    def rescues(self, repo: Repo) -> tuple[Rescue, ...]:
        """List what was saved, oldest first."""
        return rescues.rescues(self._git, repo)

    def rescued_files(self, repo: Repo, ref: str) -> Mapping[str, str]:
        """Say what a rescue holds beyond the commit it stands on."""
        return rescues.rescued_files(self._git, repo, ref)

    def drop_rescue(self, repo: Repo, rescue: Rescue) -> bool:
        """Delete the refs of a rescue; False if its ref is gone, or stands elsewhere by now."""
        return rescues.drop(self._git, repo, rescue)

    def move_worktree(self, repo: Repo, worktree: Worktree, to: Path) -> Worktree:
        """Rename a worktree on its file system; branch, index and submodules go with it."""
        return worktrees.move(self._git, repo, worktree, to)

    def rebranch(self, repo: Repo, worktree: Worktree, *, branch: str, start: str, upstream: str | None) -> Worktree:
        """Put a worktree on a new branch, without starting git; the branch it was on goes."""
        return publish.rebranch(self._git, repo, worktree, branch=branch, start=start, upstream=upstream)

    def is_pristine(self, worktree: Worktree) -> bool:
        """Say whether nothing at all in a worktree differs from its commit; one process."""
        seeing = files.what_the_disk_keeps(worktree.path)
        words = [
            *seeing,
            "status",
            "--porcelain",
            "-z",
            "--untracked-files=all",
            "--ignored=traditional",
            "--ignore-submodules=none",
        ]
        try:
            done = self._git.run(words, at=worktree, read_only=True, timeout_s=self._check_out_timeout_s)
        except GitError:
            return False
        return done.exit_code == 0 and not done.stdout and not done.stderr

    def finish_move(self, repo: Repo, path: Path) -> Worktree | None:
        """Finish a `move_worktree` to *path* that was killed half-way."""
        return worktrees.mend(self._git, repo, path)

    def standing(self, repo: Repo, head: str, ref: str) -> Standing | None:
        """Say how a commit relates to a branch; None if there is no such branch."""
        tip = self.resolve(repo, ref)
        if tip is None or tip == head:
            return Standing(merged="ancestor") if tip else None
        words = ["rev-list", "--left-right", "--count", f"{head}...{tip}"]
        ahead, _, behind = self._git.must(words, at=repo, read_only=True).text.rstrip("\n").partition("\t")
        if not (ahead.isdecimal() and behind.isdecimal()):
            raise GitError(f"git rev-list said {ahead[:60]!r}, which is no number", cwd=repo.path)
        merged: Merged = "ancestor" if ahead == "0" else facts.same_changes(self._git, repo, tip, head)
        return Standing(ahead=int(ahead), behind=int(behind), merged=merged)

    def is_checked_out(self, repo: Repo, branch: str) -> bool:
        """Say whether a worktree has this branch checked out or is rebasing it."""
        return refs.user_of(self._git, repo, branch) is not None

    def is_elsewhere(self, repo: Repo, commit: str) -> bool:
        """Say whether a commit is part of a remote-tracking branch or of a rescue."""
        guard.check_refs(repo.git_dir)
        words = ["rev-list", "--count", commit, "--not", "--remotes", f"--glob={RESCUE_REFS}*"]
        text = self._git.must(words, at=repo, read_only=True).text.rstrip("\n")
        if not text.isdecimal():
            raise GitError(f"git rev-list said {text[:60]!r}, which is no number", cwd=repo.path)
        return int(text) == 0

    def clone_bare(self, url: str, path: Path, *, reference: Path | None = None, timeout_s: float) -> Repo:
        """Make a bare clone with remote-tracking branches at *path*, safe for many worktrees.

        Objects of *reference* spare a download; they are copied, so the clone does not depend on it afterwards.

        Raises:
            GitError: the remote said no, or *path* exists.
            ProgramTimeoutError: it took longer than *timeout_s*. In every case nothing is left behind.
        """
        return remote.clone_bare(self._git, url, path, reference=reference, timeout_s=timeout_s)

    def remote_default_branch(self, repo: Repo, *, timeout_s: float) -> str | None:
        """Ask the remote which branch its HEAD is; None when it has no commit or its HEAD is no branch."""
        files.check_repository(repo.git_dir)
        done = self._git.must(["ls-remote", "--symref", "origin", "HEAD"], at=repo, timeout_s=timeout_s, remote=True)
        found = re.search(r"^ref: refs/heads/(.+)\tHEAD$", done.text, re.MULTILINE)
        return found[1] if found else None


def _lfs(lazy: bool) -> dict[str, str]:
    """What tells git-lfs to leave pointers where files would be downloaded."""
    return {"GIT_LFS_SKIP_SMUDGE": "1"} if lazy else {}
