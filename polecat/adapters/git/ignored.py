"""Which files of another checkout may be copied into a worktree: git's own patterns and git's own idea of what is ignored."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from polecat.adapters.git.run import GitProgram, Place, expect_success
from polecat.errors import GitError
from polecat.ports import Worktree


def matching(git: GitProgram, worktree: Worktree, source: Path, patterns: Sequence[str]) -> tuple[str, ...]:
    """List the files below *source* that match *patterns* and that the worktree ignores.

    The worktree's own index says what is tracked, so *source* may be a clone of the same project or just a directory laid out like it.

    Args:
        git: the program.
        worktree: where they would go.
        source: where they are.
        patterns: lines as in a ``.gitignore``.

    Raises:
        GitError: git could not tell, or the patterns cannot be handed to it.
    """
    if not patterns or not source.is_dir():
        return ()
    at_source = Place(git_dir=worktree.admin_dir, work_tree=source)
    try:
        with tempfile.NamedTemporaryFile(prefix="polecat-", suffix=".patterns") as file:
            file.write(os.fsencode("\n".join(patterns) + "\n"))
            file.flush()
            words = ["ls-files", "--others", "--ignored", "-z", f"--exclude-from={file.name}"]
            listed = git.must(words, at=at_source, read_only=True).text
    except OSError as error:
        raise GitError(f"cannot write a file of patterns: {error.strerror or error}", cwd=source) from error
    # what ends with a slash is a repository of its own
    names = _reachable(worktree.path, (name for name in listed.split("\0") if name and not name.endswith("/")))
    if not names:
        return ()
    done = git.run(["check-ignore", "-z", "--stdin"], at=worktree, stdin=os.fsencode("\0".join(names) + "\0"), read_only=True)
    if done.exit_code == 1 and not done.error_text:
        return ()
    return tuple(name for name in expect_success(done).text.split("\0") if name)


def _reachable(root: Path, names: Iterable[str]) -> list[str]:
    """Leave out what would stand behind a symlink of the worktree: git refuses to judge it, and it may lead outside."""
    is_behind: dict[str, bool] = {"": False}

    def behind(folder: str) -> bool:
        if folder not in is_behind:
            is_behind[folder] = behind(os.path.dirname(folder)) or os.path.islink(root / folder)
        return is_behind[folder]

    return [name for name in names if not behind(os.path.dirname(name))]
