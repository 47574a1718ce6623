"""Submodules of a worktree: filling them, and keeping them whole when the worktree moves.

Each worktree has repositories of its own for its submodules, in its registration. What all of them need is downloaded once: a copy stays in
the rig's repository, where git keeps nothing itself as long as it is bare, and later worktrees borrow from it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from polecat.adapters.git import files
from polecat.adapters.git.inner import module_dirs
from polecat.adapters.git.run import GitProgram, error_line
from polecat.errors import GitError, ProgramError
from polecat.ports import Repo, Worktree


def relink(git: GitProgram, admin: Path, *, old: Path, new: Path, admin_was: Path | None = None) -> None:
    """Make each submodule repository and its files find each other again after the worktree went from *old* to *new*.

    Doing it twice is fine.

    Args:
        git: the program.
        admin: where the worktree's registration is now.
        old: where the worktree was.
        new: where it is now.
        admin_was: where its registration was; None means that it has not moved.
    """
    for name, module in module_dirs(admin).items():
        config = module / "config"
        done = git.run(["config", "--file", config, "core.worktree"], at=None, read_only=True)
        tree = Path(os.path.normpath((admin_was or admin) / "modules" / name / done.text.rstrip("\n")))
        if done.exit_code != 0:
            continue
        if tree.is_relative_to(old):
            tree = new / tree.relative_to(old)
            git.must(["config", "--file", config, "core.worktree", os.path.relpath(tree, module)], at=None)
        if tree.is_relative_to(new) and files.read_text(tree / ".git") is not None:
            (tree / ".git").write_bytes(os.fsencode(f"gitdir: {os.path.relpath(module, tree)}\n"))


# ---------------------------------------------------------------------------------------------------------- filling


def fill(
    git: GitProgram, repo: Repo, worktree: Worktree, *, references: Sequence[Path], timeout_s: float, env: Mapping[str, str]
) -> tuple[str, ...]:
    """Fill the submodules of a worktree, one after the other.

    Args:
        git: the program.
        repo: the worktree's repository.
        worktree: the worktree.
        references: directories that hold repositories of submodules by their names; objects are copied from them, not borrowed.
        timeout_s: how long all of them together may take.
        env: further variables for git.

    Returns:
        What could not be filled, each with why; such a submodule is an empty directory, as before.

    Raises:
        GitError: which submodules there are could not be told.
    """
    listed = worktree.path / ".gitmodules"
    if listed.is_symlink() or not listed.is_file():
        return ()
    until_s = time.monotonic() + timeout_s
    names = _empty_ones(git, worktree, _listed(git, worktree))
    if not names:
        return ()
    git.must(["submodule", "--quiet", "init"], at=None, in_dir=worktree.path)
    troubles = []
    for name, path in names.items():
        left_s = until_s - time.monotonic()
        why = "no time was left" if left_s <= 0 else _fill_one(git, repo, worktree, name, path, references, left_s, env)
        if why:
            _empty(worktree, name, path)
            troubles.append(f"submodule {path}: {why}")
    return tuple(troubles)


def _listed(git: GitProgram, worktree: Worktree) -> dict[str, str]:
    """Which submodules the commit has: name to path, without those whose name or path would lead elsewhere."""
    words = ["config", "--file", str(worktree.path / ".gitmodules"), "-z", "--get-regexp", r"^submodule\..*\.path$"]
    done = git.run(words, at=None, read_only=True)
    if done.exit_code == 1 and not done.stderr:
        return {}
    if done.exit_code != 0:
        raise GitError(f"cannot read .gitmodules: {error_line(done.error_text)}", argv=done.argv, cwd=worktree.path)
    found = {}
    for entry in filter(None, done.text.split("\0")):
        key, _, path = entry.partition("\n")
        name = key.removeprefix("submodule.").removesuffix(".path")
        if not any(part in ("", ".", "..") for part in (*name.split("/"), *path.split("/"))):
            found[name] = path
    return found


def _empty_ones(git: GitProgram, worktree: Worktree, names: Mapping[str, str]) -> dict[str, str]:
    """Those that really are submodules of this commit and hold nothing yet: only what we filled may we empty again."""
    words = ["--literal-pathspecs", "ls-files", "--stage", "-z", "--", *names.values()]
    listing = git.must(words, at=worktree, read_only=True).text if names else ""
    links = {entry.partition("\t")[2] for entry in listing.split("\0") if entry.startswith("160000 ")}
    return {name: path for name, path in names.items() if path in links and _is_vacant(worktree, name, path)}


def _is_vacant(worktree: Worktree, name: str, path: str) -> bool:
    parts = path.split("/")
    if any((worktree.path / "/".join(parts[:count])).is_symlink() for count in range(1, len(parts) + 1)):
        return False
    place = worktree.path / path
    return not (place.is_dir() and os.listdir(place)) and not (worktree.admin_dir / "modules" / name).exists()


def _fill_one(
    git: GitProgram,
    repo: Repo,
    worktree: Worktree,
    name: str,
    path: str,
    references: Sequence[Path],
    timeout_s: float,
    env: Mapping[str, str],
) -> str:
    kept = repo.git_dir / "modules" / name
    borrowed = next((place / name for place in references if _is_repository(place / name)), None)
    words = ["submodule", "--quiet", "update", "--init", "--recursive"]
    if _is_repository(kept):
        words += [f"--reference={kept}"] if repo.is_bare else [f"--reference={kept}", "--dissociate"]
    elif borrowed is not None:
        words += [f"--reference={borrowed}", "--dissociate"]
    try:
        done = git.run([*words, "--", path], at=None, in_dir=worktree.path, timeout_s=timeout_s, remote=True, extra_env=env)
    except ProgramError as error:
        return error.message
    if done.exit_code != 0:
        return error_line(done.error_text)
    if repo.is_bare:
        _keep(git, worktree.admin_dir / "modules" / name, kept)
    return ""


def _is_repository(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


def _keep(git: GitProgram, module: Path, kept: Path) -> None:
    """Keep a copy for later worktrees; hard links, so that it costs nothing. Only an optimisation: whatever fails is forgotten."""
    if _is_repository(kept) or not _is_repository(module) or (module / "objects" / "info" / "alternates").exists():
        return
    draft = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(ProgramError, OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        git.must(["clone", "--quiet", "--mirror", "--local", module, draft], at=None)
        git.must(["--git-dir", draft, "config", "gc.auto", "0"], at=None)
        os.rename(draft, kept)
    shutil.rmtree(draft, ignore_errors=True)


def _empty(worktree: Worktree, name: str, path: str) -> None:
    """Take back what a failed update left of one submodule."""
    shutil.rmtree(worktree.admin_dir / "modules" / name, ignore_errors=True)
    shutil.rmtree(worktree.path / path, ignore_errors=True)
    (worktree.path / path).mkdir(exist_ok=True)
