"""A `Git` on plain git commands, written from the documentation alone: what is essential, and none of the further protocols."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from polecat import GitError, GitFacts, ProgramMissingError, ProgramTimeoutError, Repo, UnknownStateError, Worktree

STAMP = "plain-git-fetched"
STATUS = "status --porcelain=v2 -z --untracked-files=all --ignored=matching --ignore-submodules=none --find-renames".split()
BEGUN = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "index.lock": "index.lock",
}


class PlainFetch:
    """A ``git fetch`` that runs."""

    def __init__(self, process: subprocess.Popen[str], repo: Repo, timeout_s: float) -> None:
        self.process, self.repo, self.timeout_s, self.began_s = process, repo, timeout_s, time.time()

    def wait(self) -> None:
        try:
            _, errors = self.process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired as error:
            self.cancel()
            raise ProgramTimeoutError(f"git fetch took longer than {self.timeout_s} s") from error
        if self.process.returncode != 0:
            raise GitError(f"git fetch failed: {errors.strip()}", exit_code=self.process.returncode, stderr=errors)
        stamp = self.repo.git_dir / STAMP
        stamp.touch()
        os.utime(stamp, (self.began_s, self.began_s))

    def cancel(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


class PlainGit:
    """git, by its commands."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        given = os.environ if environ is None else environ
        self.environ = {key: value for key, value in given.items() if key not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")}
        self.environ |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}

    def _run(self, at: Repo | Worktree | None, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        argv = ["git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.fsmonitor=false"]
        if isinstance(at, Repo):
            argv.append(f"--git-dir={at.git_dir}")
        elif at is not None:
            environ |= {"GIT_DIR": str(at.admin_dir), "GIT_WORK_TREE": str(at.path)}
        try:
            return subprocess.run(
                [*argv, *words],
                env={**self.environ, **environ},
                cwd=at.path if isinstance(at, Worktree) else None,
                capture_output=True,
                check=False,
                errors="surrogateescape",
                timeout=300,
            )
        except subprocess.TimeoutExpired as error:
            raise ProgramTimeoutError(f"git {words[0]} took longer than 300 s") from error
        except OSError as error:
            raise GitError(f"git {words[0]} could not be started: {error}") from error

    def _must(self, at: Repo | Worktree | None, *words: str, **environ: str) -> str:
        done = self._run(at, *words, **environ)
        if done.returncode != 0:
            why = done.stderr.strip()
            raise GitError(f"git {words[0]} failed: {why}", argv=words, exit_code=done.returncode, stderr=done.stderr)
        return done.stdout

    def check(self) -> str:
        try:
            return subprocess.run(
                ["git", "version"], env=self.environ, capture_output=True, check=True, text=True
            ).stdout.split()[2]
        except FileNotFoundError as error:
            raise ProgramMissingError("git is not on PATH") from error

    # ------------------------------------------------------------------------------------------------ the remote

    def start_fetch(self, repo: Repo, *, timeout_s: float) -> PlainFetch:
        argv = ["git", f"--git-dir={repo.git_dir}", "fetch", "-q", "--no-tags", "--no-auto-maintenance", "origin"]
        process = subprocess.Popen(argv, env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        return PlainFetch(process, repo, timeout_s)

    def last_fetch_age_s(self, repo: Repo) -> float | None:
        try:
            return max(0.0, time.time() - (repo.git_dir / STAMP).stat().st_mtime)
        except FileNotFoundError:
            return None

    def resolve(self, repo: Repo, ref: str) -> str | None:
        if not ref.startswith("refs/") and not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref):
            ref = "refs/no-full-name"
        done = self._run(repo, "rev-parse", "-q", "--verify", f"{ref}^{{commit}}")
        if done.returncode not in (0, 1):
            raise GitError(f"git rev-parse failed: {done.stderr.strip()}", exit_code=done.returncode, stderr=done.stderr)
        return done.stdout.strip() or None

    def remote_branches(self, repo: Repo) -> tuple[str, ...]:
        names = self._must(repo, "for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin").split()
        return tuple(name for name in names if name != "HEAD")

    # ------------------------------------------------------------------------------------------------- worktrees

    def add_worktree(self, repo: Repo, path: Path, *, branch: str, start: str, upstream: str | None) -> Worktree:
        free(path)
        if self.resolve(repo, start) != start:
            raise GitError(f"{start!r} is no commit id")
        if self._run(repo, "check-ref-format", f"refs/heads/{branch}").returncode or branch.startswith("-"):
            raise GitError(f"{branch!r} cannot be a branch")
        if self.resolve(repo, f"refs/heads/{branch}") is not None:
            raise GitError(f"{branch!r} exists")
        if not path.parent.is_dir():
            raise GitError(f"{path.parent} is no directory")
        try:
            self._must(repo, "worktree", "add", "-q", "--no-checkout", "--no-track", "-b", branch, str(path), start)
            if upstream is not None:
                self._must(repo, "branch", "-q", f"--set-upstream-to=origin/{upstream}", branch)
            made = self.find_worktree(repo, path)
            if made is None or (made.branch, made.head) != (branch, start):
                raise GitError(f"{path} became something else than a worktree on {branch!r}")
        except BaseException:
            self._run(repo, "worktree", "remove", "--force", str(path))
            self._run(repo, "branch", "-q", "-D", branch)
            raise
        return made

    def check_out(
        self, worktree: Worktree, *, leave_out: Sequence[str] = (), lazy_lfs: bool = False, for_later: bool = False
    ) -> None:
        sparse = ["-c", "core.sparseCheckout=false"]
        if leave_out:
            (worktree.admin_dir / "info").mkdir(exist_ok=True)
            lines = ["/*", *(f"!/{name.strip('/')}" for name in leave_out)]
            (worktree.admin_dir / "info" / "sparse-checkout").write_text("\n".join(lines) + "\n")
            sparse = ["-c", "core.sparseCheckout=true", "-c", "core.sparseCheckoutCone=false"]
        self._must(worktree, *sparse, "reset", "-q", "--hard", **({"GIT_LFS_SKIP_SMUDGE": "1"} if lazy_lfs else {}))

    def find_worktree(self, repo: Repo, path: Path) -> Worktree | None:
        path = Path(os.path.abspath(path))
        link = path / ".git"
        if path.is_symlink() or link.is_symlink() or not link.is_file():
            return None
        text = os.fsdecode(link.read_bytes())
        admin = Path(text.removeprefix("gitdir: ").rstrip("\n"))
        if not text.startswith("gitdir: ") or admin.parent.resolve() != (repo.git_dir / "worktrees").resolve():
            return None
        try:
            back = Path(os.fsdecode((admin / "gitdir").read_bytes()).rstrip("\n"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnknownStateError(f"{admin} cannot be read: {error}") from error
        if back.resolve() != link.resolve():
            return None
        found = Worktree(path=path, admin_dir=admin)
        named = self._run(found, "symbolic-ref", "-q", "HEAD").stdout.strip()
        head = self._run(found, "rev-parse", "-q", "--verify", "HEAD").stdout.strip()
        return Worktree(path=path, admin_dir=admin, branch=named.removeprefix("refs/heads/") or None, head=head or None)

    def drop_worktree(self, repo: Repo, worktree: Worktree, *, into: Path) -> None:
        found = self.find_worktree(repo, worktree.path)
        if found is None or found.admin_dir != worktree.admin_dir:
            raise GitError(f"{worktree.path} is not that worktree any more")
        free(into)
        free(admin_of(into))
        moved((worktree.path, into), (worktree.admin_dir, admin_of(into)))
        (admin_of(into) / "commondir").write_text(f"{repo.git_dir.resolve()}\n")

    def restore_worktree(self, repo: Repo, worktree: Worktree, *, source: Path) -> None:
        free(worktree.path)
        free(worktree.admin_dir)
        worktree.admin_dir.parent.mkdir(exist_ok=True)
        (admin_of(source) / "commondir").write_text("../..\n")
        moved((admin_of(source), worktree.admin_dir), (source, worktree.path))

    def delete_branch(self, repo: Repo, branch: str, *, expected: str) -> bool:
        ref = f"refs/heads/{branch}"
        if self.resolve(repo, ref) != expected:
            return False
        if self._must(repo, "for-each-ref", "--format=%(worktreepath)", ref).strip():
            raise GitError(f"{branch!r} is checked out")
        self._must(repo, "update-ref", "-d", ref, expected)
        self._run(repo, "config", "--remove-section", f"branch.{branch}")
        return True

    # ------------------------------------------------------------------------------------------------------ work

    def facts(self, repo: Repo, worktree: Worktree, *, base: str | None = None) -> GitFacts:
        stands = self.find_worktree(repo, worktree.path)
        is_dropped = worktree.admin_dir == admin_of(worktree.path) and worktree.path.is_dir() and worktree.admin_dir.is_dir()
        if not is_dropped and (stands is None or stands.admin_dir != worktree.admin_dir):
            raise GitError(f"{worktree.path} is no worktree of {repo.path}")
        problems: list[str] = []

        def ask(*words: str, codes: Sequence[int] = (0,)) -> tuple[int, str]:
            try:
                done = self._run(worktree, *words)
            except (GitError, ProgramTimeoutError) as error:
                problems.append(error.message)
                return -1, ""
            if done.returncode not in codes or done.stderr.strip():
                problems.append(f"git {words[0]}: {done.stderr.strip() or done.returncode}")
            return done.returncode, done.stdout

        branch = ask("symbolic-ref", "-q", "HEAD", codes=(0, 1))[1].strip().removeprefix("refs/heads/") or None
        head = ask("rev-parse", "-q", "--verify", "HEAD", codes=(0, 1))[1].strip() or None
        rows = entries(ask(*STATUS)[1])
        new = [path for kind, *_, path in rows if kind == "?"]
        flagged = [line[2:] for line in ask("ls-files", "-v", "-z")[1].split("\0") if line[:1].islower() or line[:1] == "S"]
        has_stash = self.resolve(repo, "refs/stash") is not None
        stashed = ask("log", "-g", "--format=%H %gs", "refs/stash", "--")[1].splitlines() if has_stash else []
        unpushed = ask("rev-list", "--count", head, "--not", "--remotes")[1].strip() if head else "0"
        relation = ask("merge-base", "--is-ancestor", head, base, codes=(0, 1))[0] if head and base else -1
        return GitFacts(
            head=head,
            branch=branch,
            is_detached=branch is None,
            modified=tuple(path for kind, sub, _, y, path in rows if kind in "12" and y != "." and sub == "N..."),
            staged=tuple(path for kind, _, x, _, path in rows if kind == "1" and x != "."),
            renamed=tuple(path for kind, *_, path in rows if kind == "2"),
            conflicted=tuple(path for kind, *_, path in rows if kind == "u"),
            untracked=tuple(path for path in new if not path.endswith("/")),
            ignored=tuple(path for kind, *_, path in rows if kind == "!"),
            hidden=tuple(path for path in flagged if os.path.lexists(worktree.path / path)),
            stashes=tuple(line[:40] for line in stashed if re.match(rf"\w+ (WIP on|On) {re.escape(branch or '')}: ", line)),
            unpushed=int(unpushed) if unpushed.isdecimal() else 0,
            merged={0: "ancestor", 1: "no"}.get(relation, "unknown"),  # type: ignore[arg-type]
            in_progress=tuple(word for name, word in BEGUN.items() if os.path.lexists(worktree.admin_dir / name)),
            submodules=tuple(f"{path}: changed" for kind, sub, *_, path in rows if kind in "12" and sub != "N..."),
            nested=tuple(path for path in new if path.endswith("/")),
            problems=tuple(problems),
        )


def entries(status: str) -> list[tuple[str, str, str, str, str]]:
    """Kind, submodule, staged, unstaged and path of each line of ``git status --porcelain=v2 -z``."""
    found = []
    words = iter(status.split("\0"))
    for word in words:
        kind, fields = word[:1], {"1": 8, "2": 9, "u": 10}
        if kind in ("?", "!"):
            found.append((kind, "N...", ".", ".", word[2:]))
        elif kind in fields:
            parts = word.split(" ", fields[kind])
            found.append((kind, parts[2], parts[1][0], parts[1][1], parts[-1]))
        if kind == "2":
            next(words)
    return found


def admin_of(dropped: Path) -> Path:
    """Where the registration of a dropped worktree is."""
    return dropped.with_name(f"{dropped.name}.admin")


def free(path: Path) -> None:
    """Refuse a place that is taken."""
    if os.path.lexists(path):
        raise GitError(f"{path} exists")


def moved(first: tuple[Path, Path], second: tuple[Path, Path]) -> None:
    """Rename two things, or none."""
    try:
        os.rename(*first)
        try:
            os.rename(*second)
        except OSError:
            os.rename(first[1], first[0])
            raise
    except OSError as error:
        raise GitError(f"cannot move {first[0]}: {error}") from error
