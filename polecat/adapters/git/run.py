"""Running git: a clean environment, the right repository named explicitly, time limits, and the retries that git itself lacks.

Rules, each with the reason it exists:

- No command looks for its repository: it is told (``--git-dir``, or ``GIT_DIR`` and ``GIT_WORK_TREE``). A worktree with a broken
  ``.git`` inside a town that is itself a repository would otherwise make git work on the town.
- The caller's ``GIT_*`` that bend a command elsewhere are dropped; those that carry credentials reach only commands that talk to
  the remote.
- Hooks, file system monitors and background repacking are off: a hook can veto or delay us, a monitor can lie about what is clean;
  and git looks at all that tells a changed file, whatever it was told to overlook.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

from attrs import frozen

from polecat.adapters.git import guard
from polecat.adapters.processes import program
from polecat.adapters.processes.start import directly
from polecat.core.environment import GIT_LOCAL
from polecat.errors import GitError, ProgramError, ProgramMissingError
from polecat.ports import Repo, Worktree

MISSING_HINT = "install git 2.31 or newer: apt install git, dnf install git, brew install git"
TRIES = 4
"""How often a command is run that fails because somebody else is at work; 3 of 4 were never needed in 179 tries, 2 were."""

_CONFIG = (
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.ignoreStat=false"),
    *("-c", "core.trustctime=true"),
    *("-c", "core.checkStat=default"),
)

AS_A_PACK = (
    *("-c", "fastimport.unpackLimit=1"),
    *("-c", "fetch.unpackLimit=1"),
)
"""New objects come as a pack that is kept until a ref reaches them. Single ones a ``git gc --prune=now`` of somebody else takes away
between the moment they are written and the moment the ref is."""

_NO_TRACES = {"GIT_TRACE2": "0", "GIT_TRACE2_EVENT": "0", "GIT_TRACE2_PERF": "0"}
"""A configuration can make git write a trace of itself among its messages, and only these overrule it."""

_TRANSIENT = (
    r"failed to read .*/worktrees/[^/]+/commondir"
    r"|bad object worktrees/.*/HEAD"
    r"|could not lock config file"
    r"|cannot lock ref .* is at .* but expected"
    r"|Unable to create .*\.lock.: File exists"
)


def is_transient(stderr: str) -> bool:
    """Say whether git stumbled over somebody else's unfinished work, so that trying again can help.

    Examples:
        >>> is_transient("fatal: failed to read /r/.git/worktrees/x/commondir: Success")
        True
        >>> is_transient("fatal: invalid reference: main")
        False
    """
    return bool(re.search(_TRANSIENT, stderr, re.DOTALL))


def error_line(stderr: str) -> str:
    """Pick the line of git's messages that says why.

    Examples:
        >>> error_line("Preparing worktree\\nfatal: invalid reference: x\\nhint: try y")
        'invalid reference: x'
    """
    lines = [said for line in stderr.split("\n") if (said := line.strip(" \t\r"))]
    for mark in ("fatal: ", "error: ", "ERROR: "):
        for line in lines:
            if line.startswith(mark):
                return line.removeprefix(mark)
    return lines[-1] if lines else "it gave no reason"


_FULL_BYTES = 1024 * 1024
"""With less than this free, a command that failed may well have failed for that."""


@frozen(kw_only=True)
class Place:
    """Where a command works, named so that git looks for nothing.

    Args:
        git_dir: the repository, or a worktree's registration.
        work_tree: the files; None for commands that need none, also where there are none any more.
    """

    git_dir: Path
    work_tree: Path | None = None


class How(TypedDict, total=False):
    """How a command is run.

    Attributes:
        stdin: what it reads.
        timeout_s: its limit in seconds; None means the usual one.
        read_only: refresh no index on the way.
        remote: it talks to the remote, so it may see configuration that the caller's environment carries.
        in_dir: a worktree that git is to find by itself there and nowhere above, for commands that run git in other repositories.
        extra_env: further variables.
    """

    stdin: bytes
    timeout_s: float | None
    read_only: bool
    remote: bool
    in_dir: Path
    extra_env: Mapping[str, str]


At = Repo | Worktree | Place | None


def _is_local(key: str) -> bool:
    """Say whether a variable would bend a git command towards another repository, index, output, pager or editor."""
    return key in GIT_LOCAL or key in ("GIT_PAGER", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR") or key.startswith("GIT_TRACE")


def _is_configuration(key: str) -> bool:
    """Say whether a variable is part of the configuration that git reads from the environment."""
    return key == "GIT_CONFIG_COUNT" or key.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))


class GitProgram:
    """The git program with one environment.

    Args:
        environ: the environment to start from; None means this process's own.
        timeout_s: limit of commands that stay on this machine.
        rescue_timeout_s: limit of each command that reads or writes all the work of a worktree to save it.
        lock_patience_s: how long to wait for somebody else's ``config.lock``.
    """

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        timeout_s: float = 120.0,
        rescue_timeout_s: float = 600.0,
        lock_patience_s: float = 5.0,
    ) -> None:
        base = {key: value for key, value in (os.environ if environ is None else environ).items() if not _is_local(key)}
        base |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true", **_NO_TRACES}
        self._remote_env = base
        self._env = {key: value for key, value in base.items() if not _is_configuration(key)}
        self.timeout_s = timeout_s
        self.rescue_timeout_s = rescue_timeout_s
        self.lock_patience_s = lock_patience_s

    def start(self, args: Sequence[str | os.PathLike[str]], *, at: At, **how: Unpack[How]) -> program.Running:
        """Start ``git`` with *args* in a repository or worktree and return at once.

        Args:
            args: subcommand and arguments.
            at: where; None for commands that need no repository.
            how: see `How`.
        """
        env = {**(self._remote_env if how.get("remote") else self._env), **how.get("extra_env", {})}
        if how.get("read_only"):
            env["GIT_OPTIONAL_LOCKS"] = "0"
        words: list[str | os.PathLike[str]] = ["git", *_CONFIG]
        cwd = in_dir = how.get("in_dir")
        doubt = None
        if in_dir is not None:
            env["GIT_CEILING_DIRECTORIES"] = str(in_dir.absolute().parent)
        elif isinstance(at, Repo):
            guard.check_opened(at.git_dir, None)
            doubt = partial(guard.check_below, at.git_dir, None)
            words.append(f"--git-dir={at.git_dir.absolute()}")
            cwd = at.path
        elif at is not None:
            place = Place(git_dir=at.admin_dir, work_tree=at.path) if isinstance(at, Worktree) else at
            guard.check_opened(place.git_dir, place.work_tree)
            doubt = partial(guard.check_below, place.git_dir, place.work_tree)
            # without files the repository itself: a submodule's names a directory that may be gone, and git would go there
            named = {"GIT_DIR": place.git_dir, "GIT_WORK_TREE": place.work_tree or place.git_dir}
            env |= {key: str(path.absolute()) for key, path in named.items()}
            cwd = place.work_tree or place.git_dir
        timeout_s = how.get("timeout_s")
        limit_s = self.timeout_s if timeout_s is None else timeout_s
        try:
            return program.start(
                [*words, *args], env=env, cwd=cwd, stdin=how.get("stdin", b""), timeout_s=limit_s, starter=directly, doubt=doubt
            )
        except ProgramMissingError as error:
            raise ProgramMissingError("git is not on PATH", argv=error.argv, hint=MISSING_HINT) from None
        except ProgramError as error:
            raise GitError(error.message, argv=error.argv, cwd=error.cwd, hint=error.hint) from error

    def run(self, args: Sequence[str | os.PathLike[str]], *, at: At, **how: Unpack[How]) -> program.Finished:
        """Run git to its end, again while it stumbles over others' unfinished work. An exit status is a value. Arguments as `start`."""
        for attempt in range(1, TRIES + 1):
            done = self.start(args, at=at, **how).wait()
            if done.exit_code == 128 and "Unable to read current working directory" in done.error_text:
                expect_success(done)  # the place is gone, which is no answer to any question
            if done.exit_code == 0 or attempt == TRIES or not is_transient(done.error_text):
                break
            time.sleep(0.05 * attempt)
        return done

    def must(self, args: Sequence[str | os.PathLike[str]], *, at: At, **how: Unpack[How]) -> program.Finished:
        """Run git as `run` does.

        Raises:
            GitError: it ended with another exit status than 0.
        """
        return expect_success(self.run(args, at=at, **how))

    def together(
        self, commands: Sequence[Sequence[str]], *, at: At, stdin: bytes = b"", timeout_s: float | None = None
    ) -> list[program.Finished | ProgramError]:
        """Run reading commands beside each other; an error stands where an answer did not come. Arguments as `start`."""
        how: How = {"stdin": stdin, "timeout_s": timeout_s, "read_only": True}
        with contextlib.ExitStack() as stack:
            running = []
            for args in commands:
                running.append(self.start(args, at=at, **how))
                stack.callback(running[-1].kill)
            return [self._answer(one, args, at, how) for one, args in zip(running, commands, strict=True)]

    def _answer(self, running: program.Running, args: Sequence[str], at: At, how: How) -> program.Finished | ProgramError:
        try:
            done = running.wait()
            if done.exit_code == 0 or not is_transient(done.error_text):
                return done
            time.sleep(0.05)
            return self.run(args, at=at, **how)
        except ProgramError as error:
            return error


def expect_success(done: program.Finished | ProgramError, *, hint: str = "") -> program.Finished:
    """Return how git ended if it ended well, otherwise raise `GitError` with its reason."""
    if isinstance(done, ProgramError):
        raise done
    if done.exit_code == 0:
        return done
    raise GitError(
        f"{program.short_name(done.argv)} failed: {error_line(done.error_text)}{_full_disk(done.cwd)}",
        argv=done.argv,
        exit_code=done.exit_code,
        stderr=done.error_text,
        cwd=done.cwd,
        hint=hint,
    )


def _full_disk(place: Path | None) -> str:
    """Say that the disk is full, which git often does not: it reports what it could not do, not why."""
    try:
        disk = os.statvfs(place or ".")
    except OSError:
        return ""
    free_bytes = disk.f_bavail * disk.f_frsize
    return f" (no space left on the disk of {place}: {free_bytes // 1024} KB are free)" if free_bytes < _FULL_BYTES else ""
