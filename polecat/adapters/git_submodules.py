"""Submodules of a worktree that moves: their repositories stay in the registration, only the paths between the two change."""

from __future__ import annotations

import os
from pathlib import Path

from polecat.adapters import git_files
from polecat.adapters.git_run import GitProgram


def module_dirs(admin: Path) -> dict[str, Path]:
    """Return the submodule repositories that a worktree's registration holds, by their names."""
    found: dict[str, Path] = {}
    for folder, names, files in os.walk(admin / "modules"):
        if "HEAD" in files and "objects" in names:
            found[os.path.relpath(folder, admin / "modules")] = Path(folder)
            names[:] = [name for name in names if name == "modules"]
    return found


def relink(git: GitProgram, admin: Path, *, old: Path, new: Path) -> None:
    """Make each submodule repository and its files find each other again after the worktree went from *old* to *new*.

    Doing it twice is fine.
    """
    for module in module_dirs(admin).values():
        config = module / "config"
        done = git.run(["config", "--file", config, "core.worktree"], at=None, read_only=True)
        files = Path(os.path.normpath(module / done.text.rstrip("\n")))
        if done.exit_code != 0:
            continue
        if files.is_relative_to(old):
            files = new / files.relative_to(old)
            git.must(["config", "--file", config, "core.worktree", os.path.relpath(files, module)], at=None)
        if files.is_relative_to(new) and git_files.read_text(files / ".git") is not None:
            (files / ".git").write_bytes(os.fsencode(f"gitdir: {os.path.relpath(module, files)}\n"))
